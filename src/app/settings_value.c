/* settings_value.c - one option of the file into its member. */
#include <string.h>

#include "app/settings_priv.h"
#include "app/value.h"

const char *app_reader_path(app_reader *r, const app_option *o)
{
    const char *star = strchr(o->path, '*');
    if (!star || !r->element[0]) return o->path;
    return app_arena_print(r->arena, "%.*s%.80s%s", (int)(star - o->path), o->path, r->element,
                           star + 1);
}

static void refuse(app_reader *r, const app_option *o, app_mark at, const char *text,
                   const char *why)
{
    app_refuse(r->problems, at, NULL, "%s: \"%.80s\" will not do: %s", app_reader_path(r, o), text,
               why);
}

static void *place(const app_option *o, void *base)
{
    return (char *)base + o->offset;
}

/* ---- numbers ---- */

static const char *bound(const app_option *o, uint64_t n, char out[APP_VALUE_TEXT])
{
    switch (o->type) {
    case APP_OPT_SIZE:
    case APP_OPT_RATE: return app_value_size_print(n, out);
    case APP_OPT_TIME: return app_value_time_print(n, out);
    default: snprintf(out, APP_VALUE_TEXT, "%llu", (unsigned long long)n); return out;
    }
}

static void number(app_reader *r, const app_option *o, const app_node *node, void *base)
{
    uint64_t n = 0;
    const char *why = o->type == APP_OPT_SIZE   ? app_value_size(node->text, &n)
                      : o->type == APP_OPT_RATE ? app_value_rate(node->text, &n)
                      : o->type == APP_OPT_TIME ? app_value_time(node->text, &n)
                      : o->type == APP_OPT_MODE ? app_value_mode(node->text, &n)
                                                : app_value_count(node->text, &n);
    if (why) {
        refuse(r, o, node->at, node->text, why);
        return;
    }
    if (n < o->least || n > o->most) {
        char least[APP_VALUE_TEXT], most[APP_VALUE_TEXT];
        app_refuse(r->problems, node->at, NULL, "%s: %s is out of range: from %s to %s",
                   app_reader_path(r, o), node->text, bound(o, o->least, least),
                   bound(o, o->most, most));
        return;
    }
    if (o->type == APP_OPT_SIZE)
        *(size_t *)place(o, base) = n;
    else if (o->type == APP_OPT_RATE)
        *(uint64_t *)place(o, base) = n;
    else if (o->type == APP_OPT_TIME)
        *(uint32_t *)place(o, base) = (uint32_t)n;
    else
        *(unsigned *)place(o, base) = (unsigned)n;
}

static void yes_or_no(app_reader *r, const app_option *o, const app_node *node, void *base)
{
    const char *why = app_value_bool(node->text, place(o, base));
    if (why) refuse(r, o, node->at, node->text, why);
}

/* ---- words ---- */

/* Index of a word among the choices; -1: refused. */
static int choice(app_reader *r, const app_option *o, const app_node *node)
{
    const char *cursor = o->words;
    int index = 0;
    for (app_word w; app_word_next(&cursor, &index, &w);) {
        if (strcmp(w.text, node->text) != 0) continue;
        if (w.later) {
            app_refuse(r->problems, node->at, NULL, "%s: %s is not available yet",
                       app_reader_path(r, o), w.text);
            return -1;
        }
        if (!w.means[0]) return w.index;
        app_node meant = *node;
        meant.text = w.means;
        return choice(r, o, &meant);
    }
    char near[32], hint[160];
    if (app_word_nearest(o->words, node->text, near, sizeof near))
        snprintf(hint, sizeof hint, "did you mean %s?", near);
    else
        app_word_list(o->words, hint, sizeof hint);
    app_refuse(r->problems, node->at, hint, "%s: \"%.80s\" is none of its words",
               app_reader_path(r, o), node->text);
    return -1;
}

static void one_word(app_reader *r, const app_option *o, const app_node *node, void *base)
{
    int index = choice(r, o, node);
    if (index >= 0) *(int *)place(o, base) = index;
}

/* ---- texts ---- */

static const char *in_folder(app_reader *r, const char *path)
{
    if (path[0] == '/') return path;
    return app_arena_print(r->arena, "%s/%s", r->settings->folder, path);
}

static void text(app_reader *r, const app_option *o, const app_node *node, void *base)
{
    const char *value = node->text;
    if (value[0] == '\0') {
        app_refuse(r->problems, node->at, "leave the line out", "%s: the value is missing",
                   app_reader_path(r, o));
        return;
    }
    bool file = o->type == APP_OPT_FILE || o->type == APP_OPT_PATH ||
                (o->type == APP_OPT_CA && strcmp(value, "system") != 0);
    *(const char **)place(o, base) = file ? in_folder(r, value) : value;
}

static void domain(app_reader *r, const app_option *o, const app_node *node, void *base)
{
    s2s_domain d;
    if (s2s_domain_make(s2s_span_of(node->text), &d) != S2S_E_OK)
        refuse(r, o, node->at, node->text, "a domain is wanted");
    else
        *(s2s_domain *)place(o, base) = d;
}

/* ---- lists; one value alone is a list of one ---- */

static size_t list_length(const app_node *node)
{
    return node->kind == APP_LIST ? node->n : 1;
}

static const app_node *list_item(app_reader *r, const app_option *o, const app_node *node, size_t i)
{
    const app_node *item = node->kind == APP_LIST ? node->item[i] : node;
    if (item->kind == APP_SCALAR) return item;
    app_refuse(r->problems, item->at, "addresses that begin with [ must be quoted",
               "%s: text is wanted here, not %s", app_reader_path(r, o), app_node_kind_name(item));
    return NULL;
}

static void add_endpoint(app_reader *r, app_endpoints *list, app_endpoint e)
{
    list->item = app_arena_more(r->arena, list->item, list->n, sizeof e);
    list->item[list->n++] = e;
}

static void endpoint(app_reader *r, const app_option *o, const app_node *item, app_endpoints *list)
{
    app_endpoint e = {.at = item->at};
    const char *why = app_value_endpoint(item->text, (uint16_t)o->least, &e.addr, &e.any);
    bool listens = strncmp(o->path, "listen.", 7) == 0;
    if (!why && e.any && !listens) why = "\"*\" is only for listening; an address is wanted";
    if (why) {
        refuse(r, o, item->at, item->text, why);
        return;
    }
    add_endpoint(r, list, e);
}

static void host(app_reader *r, const app_option *o, const app_node *item, app_endpoints *list)
{
    app_endpoint e = {.at = item->at};
    if (io_addr_parse(s2s_span_of(item->text), &e.addr) != S2S_E_OK || e.addr.port)
        refuse(r, o, item->at, item->text, "an address without a port is wanted");
    else
        add_endpoint(r, list, e);
}

static void block(app_reader *r, const app_option *o, const app_node *item, app_blocks *list)
{
    io_cidr b;
    if (io_cidr_parse(s2s_span_of(item->text), &b) != S2S_E_OK) {
        refuse(r, o, item->at, item->text,
               "a block of addresses is wanted, like 10.0.0.0/24 or 10.0.0.10, with no bits set "
               "beyond the prefix");
        return;
    }
    list->item = app_arena_more(r->arena, list->item, list->n, sizeof b);
    list->item[list->n++] = b;
}

static void pin(app_reader *r, const app_option *o, const app_node *item, app_pins *list)
{
    io_pin p;
    if (!io_pin_parse(s2s_span_of(item->text), &p)) {
        refuse(r, o, item->at, item->text,
               "a pin is wanted, sha256// and 44 letters of base64: see causeway pin");
        return;
    }
    list->item = app_arena_more(r->arena, list->item, list->n, sizeof p);
    list->item[list->n++] = p;
}

static bool is_word(const app_option *o, const char *word)
{
    const char *cursor = o->words;
    int index = 0;
    for (app_word w; app_word_next(&cursor, &index, &w);)
        if (!strcmp(w.text, word)) return true;
    return false;
}

static void trust(app_reader *r, const app_option *o, const app_node *item, app_trust *t)
{
    char near[32];
    if (is_word(o, item->text) || app_word_nearest(o->words, item->text, near, sizeof near)) {
        int index = choice(r, o, item);
        if (index >= 0) t->words |= 1U << index;
        return;
    }
    block(r, o, item, &t->blocks);
}

/* A list of endpoints, or one name. */
static void address(app_reader *r, const app_option *o, const app_node *node, const app_node *item,
                    app_addresses *a)
{
    io_addr unused;
    bool any = false;
    if (node->kind == APP_SCALAR && app_value_endpoint(item->text, 1, &unused, &any) != NULL &&
        s2s_domain_make(s2s_span_of(item->text), &a->host) == S2S_E_OK)
        return;
    s2s_domain name;
    if (node->kind == APP_LIST && s2s_domain_make(s2s_span_of(item->text), &name) == S2S_E_OK)
        refuse(r, o, item->at, item->text, "a name stands alone, not in a list of addresses");
    else
        endpoint(r, o, item, &a->list);
}

static void list_of(app_reader *r, const app_option *o, const app_node *node, void *base)
{
    void *at = place(o, base);
    unsigned words = 0;
    if (o->type == APP_OPT_PINS)
        *(app_pins *)at = (app_pins){NULL, 0}; /* not those of the wider peer */
    for (size_t i = 0; i < list_length(node); i++) {
        const app_node *item = list_item(r, o, node, i);
        if (!item) continue;
        int index = 0;
        switch (o->type) {
        case APP_OPT_ENDPOINTS: endpoint(r, o, item, at); break;
        case APP_OPT_HOSTS: host(r, o, item, at); break;
        case APP_OPT_ADDRESSES: address(r, o, node, item, at); break;
        case APP_OPT_BLOCKS: block(r, o, item, at); break;
        case APP_OPT_PINS: pin(r, o, item, at); break;
        case APP_OPT_TRUST: trust(r, o, item, at); break;
        case APP_OPT_TEXTS: {
            app_texts *t = at;
            t->item = app_arena_more(r->arena, t->item, t->n, sizeof *t->item);
            t->item[t->n++] = item->text;
            break;
        }
        default:
            index = choice(r, o, item);
            if (index >= 0) words |= 1U << index;
        }
    }
    if (o->type == APP_OPT_CHOICES && words) *(unsigned *)at = words;
    bool may_be_empty =
        o->type != APP_OPT_CHOICES && o->type != APP_OPT_ADDRESSES && o->type != APP_OPT_TRUST;
    if (list_length(node) == 0 && !may_be_empty)
        app_refuse(r->problems, node->at,
                   o->type == APP_OPT_CHOICES ? "leave the line out for the default" : NULL,
                   "%s: the list is empty", app_reader_path(r, o));
}

static bool is_list(app_option_type type)
{
    return type == APP_OPT_ENDPOINTS || type == APP_OPT_HOSTS || type == APP_OPT_ADDRESSES ||
           type == APP_OPT_BLOCKS || type == APP_OPT_PINS || type == APP_OPT_TRUST ||
           type == APP_OPT_TEXTS || type == APP_OPT_CHOICES;
}

void app_reader_value(app_reader *r, const app_option *o, const app_node *node, void *base)
{
    if (node->kind == APP_MAP || (node->kind == APP_LIST && !is_list(o->type))) {
        app_refuse(r->problems, node->at, NULL, "%s: %s is wanted, this is %s",
                   app_reader_path(r, o), is_list(o->type) ? "a list" : "one value",
                   app_node_kind_name(node));
        return;
    }
    switch (o->type) {
    case APP_OPT_BOOL: yes_or_no(r, o, node, base); break;
    case APP_OPT_COUNT:
    case APP_OPT_SIZE:
    case APP_OPT_RATE:
    case APP_OPT_TIME:
    case APP_OPT_MODE: number(r, o, node, base); break;
    case APP_OPT_CHOICE: one_word(r, o, node, base); break;
    case APP_OPT_NAME:
    case APP_OPT_SECRET:
    case APP_OPT_PATH:
    case APP_OPT_FILE:
    case APP_OPT_CA: text(r, o, node, base); break;
    case APP_OPT_DOMAIN: domain(r, o, node, base); break;
    case APP_OPT_TEXTS:
    case APP_OPT_CHOICES:
    case APP_OPT_ENDPOINTS:
    case APP_OPT_HOSTS:
    case APP_OPT_ADDRESSES:
    case APP_OPT_BLOCKS:
    case APP_OPT_PINS:
    case APP_OPT_TRUST: list_of(r, o, node, base); break;
    case APP_OPT_LATER:
    case APP_OPT_SECTION: break;
    }
}

/* ---- defaults: written in the table as in a file, read by the same code ---- */

static bool is_in(const char *path, const char *section)
{
    size_t len = strlen(section);
    if (len == 0) return strchr(path, '*') == NULL;
    return strncmp(path, section, len) == 0 && path[len] == '.';
}

void app_reader_defaults(app_reader *r, const char *section, void *base)
{
    for (const app_option *o = app_options; o->path; o++) {
        if (o->type == APP_OPT_SECTION || o->type == APP_OPT_LATER || !o->fallback[0]) continue;
        if (!is_in(o->path, section)) continue;
        const app_node *node =
            app_document_parse(o->fallback, strlen(o->fallback), r->arena, r->problems);
        S2S_ASSERT(node != NULL);
        app_reader_value(r, o, node, base);
    }
}
