/* settings.c - walks a settings file: sections, names, options. */
#include "app/settings.h"

#include <stdlib.h>
#include <string.h>

#include "app/settings_priv.h"

enum { PATH = 64 };

typedef void element_fn(app_reader *r, const app_node *key, const app_node *value);

static void read_section(app_reader *r, const char *section, const app_node *map, void *base);

/* ---- maps ---- */

/* Keys are text and stand once. */
static bool check_key(app_reader *r, const app_node *map, size_t i)
{
    const app_node *key = map->item[i];
    if (key->kind != APP_SCALAR) {
        app_refuse(r->problems, key->at, "addresses that begin with [ must be quoted",
                   "a name is wanted here, not %s", app_node_kind_name(key));
        return false;
    }
    for (size_t j = 0; j < i; j += 2) {
        const app_node *other = map->item[j];
        if (other->kind != APP_SCALAR || strcmp(other->text, key->text) != 0) continue;
        app_refuse(r->problems, key->at, NULL, "%s is written twice; the first is at line %zu",
                   key->text, other->at.line);
        return false;
    }
    return true;
}

static bool check_map(app_reader *r, const char *what, const app_node *node)
{
    if (node->kind == APP_MAP) return true;
    bool empty = node->kind == APP_SCALAR && !node->quoted && node->text[0] == '\0';
    if (empty) return false; /* "limits:" with nothing below is fine */
    app_refuse(r->problems, node->at, "write `name: value` lines, indented by two spaces",
               "%s holds options of its own; this is %s", what, app_node_kind_name(node));
    return false;
}

static void each_element(app_reader *r, const char *section, const app_node *map, element_fn *fn)
{
    if (!check_map(r, section, map)) return;
    for (size_t i = 0; i + 1 < map->n; i += 2)
        if (check_key(r, map, i)) fn(r, map->item[i], map->item[i + 1]);
    r->element = "";
}

static void refuse_unknown(app_reader *r, const char *section, const app_node *key)
{
    char near[PATH], hint[2 * PATH + 32];
    const char *said = hint, *dot = strchr(key->text, '.');
    if (dot && app_option_find(key->text)) {
        snprintf(hint, sizeof hint, "write %s below %.*s:", dot + 1, (int)(dot - key->text),
                 key->text);
        app_refuse(r->problems, key->at, hint, "there is no option %s", key->text);
        return;
    }
    switch (app_option_nearest(section, key->text, near, sizeof near)) {
    case APP_NEAR_HERE: snprintf(hint, sizeof hint, "did you mean %s?", near); break;
    case APP_NEAR_ELSEWHERE: snprintf(hint, sizeof hint, "there is %s", near); break;
    case APP_NEAR_NONE: said = "`causeway options` lists them all"; break;
    }
    if (section[0])
        app_refuse(r->problems, key->at, said, "there is no option %s in %s", key->text, section);
    else
        app_refuse(r->problems, key->at, said, "there is no option %s", key->text);
}

static void refuse_later(app_reader *r, const app_option *o, const app_node *key)
{
    app_refuse(r->problems, key->at, "take it out", "%s: %s is not available yet", o->path,
               o->help);
}

/* ---- elements: domains, servers, peers ---- */

static const char *domain_fault(s2s_err err, const char *text)
{
    if (err == S2S_E_DOMAIN_IDN)
        return "an internationalised label must be one of IDNA2008 (RFC 5890)";
    if (strchr(text, '@') || strchr(text, '/')) return "a domain, not an address";
    return "labels of letters, digits and hyphens, joined by dots";
}

static bool parse_domain(app_reader *r, const app_node *key, const char *text, s2s_domain *out)
{
    size_t len = strlen(text);
    s2s_err err = s2s_domain_make(s2s_span_of(text), out);
    if (err != S2S_E_OK) {
        app_refuse(r->problems, key->at, domain_fault(err, text), "%s is not a domain", text);
        return false;
    }
    if (text[len - 1] != '.') return true;
    char hint[S2S_DOMAIN_MAX + 16];
    snprintf(hint, sizeof hint, "write %s", out->text);
    app_refuse(r->problems, key->at, hint, "%s is written with a dot at the end", text);
    return false;
}

static void read_domain(app_reader *r, const app_node *key, const app_node *value)
{
    app_settings *s = r->settings;
    app_domain d = {.key = key, .node = value, .shown = APP_NO_DOMAIN};
    bool good = parse_domain(r, key, key->text, &d.name);
    for (size_t i = 0; good && i < s->n_domains; i++) {
        if (!s2s_domain_eq(&s->domains[i].name, &d.name)) continue;
        app_refuse(r->problems, key->at, NULL, "%s is the same domain as %s at line %zu", key->text,
                   s->domains[i].key->text, s->domains[i].key->at.line);
        good = false;
    }
    app_reader_defaults(r, "domains.*", &d);
    r->element = key->text;
    if (check_map(r, "a domain", value)) read_section(r, "domains.*", value, &d);
    if (!good) return;
    s->domains = app_arena_more(r->arena, s->domains, s->n_domains, sizeof d);
    s->domains[s->n_domains++] = d;
}

static void read_server(app_reader *r, const app_node *key, const app_node *value)
{
    app_settings *s = r->settings;
    app_server v = {.name = key->text, .key = key, .node = value};
    size_t plain =
        strspn(key->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    if (plain == 0 || plain > 32 || key->text[plain])
        app_refuse(r->problems, key->at, "letters, digits, - and _, at most 32",
                   "%s is not a name for a server", key->text);
    app_reader_defaults(r, "servers.*", &v);
    r->element = key->text;
    if (check_map(r, "a server", value)) read_section(r, "servers.*", value, &v);
    s->servers = app_arena_more(r->arena, s->servers, s->n_servers, sizeof v);
    s->servers[s->n_servers++] = v;
}

static bool parse_pattern(app_reader *r, const app_node *key, app_peer *p)
{
    const char *text = key->text;
    if (strcmp(text, "*") == 0) {
        p->match = FED_MATCH_ALL;
        return true;
    }
    p->match = strncmp(text, "*.", 2) == 0 ? FED_MATCH_SUBTREE : FED_MATCH_EXACT;
    if (p->match == FED_MATCH_SUBTREE) text += 2;
    if (strchr(text, '*')) {
        app_refuse(r->problems, key->at, "\"*\", \"*.far.example\" or far.example",
                   "%s: a star stands for everything below a domain, or alone", key->text);
        return false;
    }
    return parse_domain(r, key, text, &p->domain);
}

static bool same_pattern(const app_peer *a, const app_peer *b)
{
    if (a->match != b->match) return false;
    return a->match == FED_MATCH_ALL || s2s_domain_eq(&a->domain, &b->domain);
}

/* Only the pattern: the options are read once all are known, from wide to narrow. */
static void read_pattern(app_reader *r, const app_node *key, const app_node *value)
{
    app_settings *s = r->settings;
    app_peer p = {.key = key, .node = value};
    if (!parse_pattern(r, key, &p)) {
        app_peer unused = p;
        if (check_map(r, "a peer", value)) read_section(r, "peers.*", value, &unused);
        return;
    }
    for (size_t i = 0; i < s->n_peers; i++) {
        if (!same_pattern(&s->peers[i], &p)) continue;
        app_refuse(r->problems, key->at, NULL, "%s is the same as %s at line %zu", key->text,
                   s->peers[i].key->text, s->peers[i].key->at.line);
        return;
    }
    s->peers = app_arena_more(r->arena, s->peers, s->n_peers, sizeof p);
    s->peers[s->n_peers++] = p;
}

static int from_wide_to_narrow(const void *a, const void *b)
{
    const app_peer *x = a, *y = b;
    if (x->match != y->match) return x->match > y->match ? -1 : 1;
    if (x->domain.len != y->domain.len) return x->domain.len < y->domain.len ? -1 : 1;
    return s2s_domain_order(&x->domain, &y->domain);
}

static bool covers(const app_peer *wide, const app_peer *narrow)
{
    if (wide->match == FED_MATCH_ALL) return true;
    return wide->match == FED_MATCH_SUBTREE && s2s_domain_under(&narrow->domain, &wide->domain);
}

static void inherit(app_peer *p, const app_peer *wider)
{
    app_peer own = *p;
    *p = *wider;
    p->match = own.match;
    p->domain = own.domain;
    p->key = own.key;
    p->node = own.node;
}

static void read_peers(app_reader *r, const app_node *map)
{
    app_settings *s = r->settings;
    app_peer all = {.match = FED_MATCH_ALL};
    app_reader_defaults(r, "peers.*", &all);
    if (map) each_element(r, "peers", map, read_pattern);
    if (s->n_peers) qsort(s->peers, s->n_peers, sizeof all, from_wide_to_narrow);
    for (size_t i = 0; i < s->n_peers; i++) {
        app_peer *p = &s->peers[i];
        const app_peer *wider = &all;
        for (size_t j = 0; j < i; j++)
            if (covers(&s->peers[j], p)) wider = &s->peers[j];
        inherit(p, wider);
        r->element = p->key->text;
        if (check_map(r, "a peer", p->node)) read_section(r, "peers.*", p->node, p);
    }
    r->element = "";
    if (s->n_peers && s->peers[0].match == FED_MATCH_ALL) return;
    app_peer *more = app_arena_take(r->arena, (s->n_peers + 1) * sizeof all);
    more[0] = all;
    if (s->n_peers) memcpy(more + 1, s->peers, s->n_peers * sizeof all);
    s->peers = more;
    s->n_peers++;
}

/* ---- sections ---- */

static void read_key(app_reader *r, const char *section, const app_node *key, const app_node *value,
                     void *base)
{
    char path[2 * PATH];
    int n = snprintf(path, sizeof path, "%s%s%s", section, section[0] ? "." : "", key->text);
    bool plain = (size_t)n < sizeof path && !strpbrk(key->text, ".*");
    const app_option *o = plain ? app_option_find(path) : NULL;
    if (o && o->type == APP_OPT_LATER)
        refuse_later(r, o, key);
    else if (o)
        app_reader_value(r, o, value, base);
    else if (!plain || !app_option_is_section(path))
        refuse_unknown(r, section, key);
    else if (!strcmp(path, "domains"))
        each_element(r, path, value, read_domain);
    else if (!strcmp(path, "servers"))
        each_element(r, path, value, read_server);
    else if (strcmp(path, "peers") != 0 && check_map(r, path, value)) /* peers: last, see below */
        read_section(r, path, value, base);
}

static void read_section(app_reader *r, const char *section, const app_node *map, void *base)
{
    for (size_t i = 0; i + 1 < map->n; i += 2)
        if (check_key(r, map, i)) read_key(r, section, map->item[i], map->item[i + 1], base);
}

static void read_root(app_reader *r, const app_node *root)
{
    app_settings *s = r->settings;
    s->root = root;
    app_reader_defaults(r, "", s);
    if (root->kind != APP_MAP) {
        app_refuse(r->problems, root->at, "`causeway options` prints a sample",
                   "settings are `name: value` lines; this is %s", app_node_kind_name(root));
        return;
    }
    read_section(r, "", root, s);
    read_peers(r, app_node_get(root, "peers"));
    app_rules_check(r);
}

/* ---- life ---- */

static const char *folder_of(app_arena *arena, const char *file)
{
    const char *slash = strrchr(file, '/');
    if (!slash) return ".";
    return app_arena_text(arena, file, slash == file ? 1 : (size_t)(slash - file));
}

app_settings *app_settings_load(const char *file, app_problems *problems)
{
    app_arena *arena = app_arena_new();
    app_settings *s = app_arena_take(arena, sizeof *s);
    s->arena = arena;
    s->file = app_arena_text(arena, file, strlen(file));
    s->folder = folder_of(arena, file);
    size_t before = app_problems_errors(problems);
    const app_node *root = app_document_read(file, arena, problems);
    if (root) read_root(&(app_reader){s, arena, problems, ""}, root);
    if (root && app_problems_errors(problems) == before) return s;
    app_settings_free(s);
    return NULL;
}

void app_settings_free(app_settings *s)
{
    if (s) app_arena_free(s->arena);
}

bool app_settings_has(const app_settings *s, const char *section, const char *name)
{
    return app_node_get(section[0] ? app_node_get(s->root, section) : s->root, name) != NULL;
}

app_mark app_settings_mark(const app_settings *s, const char *section, const char *name)
{
    const app_node *map = section[0] ? app_node_get(s->root, section) : s->root;
    const app_node *node = app_node_get(map, name);
    return app_node_mark(node ? node : section[0] ? map : NULL);
}
