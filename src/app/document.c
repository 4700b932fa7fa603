#include "app/document.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "s2s/base.h"

enum { DEPTH_MAX = 8 }; /* the options table needs 4 */

typedef struct reader {
    yaml_parser_t parser;
    app_arena *arena;
    app_problems *problems;
    app_node *open[DEPTH_MAX]; /* collections being filled, outermost first */
    size_t depth;
    app_node *root;
} reader;

static app_mark mark_of(yaml_mark_t m)
{
    return (app_mark){m.line + 1, m.column + 1};
}

app_mark app_node_mark(const app_node *node)
{
    return node ? node->at : (app_mark){0, 0};
}

const char *app_node_kind_name(const app_node *node)
{
    switch (node->kind) {
    case APP_SCALAR: return "text";
    case APP_LIST: return "a list";
    case APP_MAP: return "a mapping";
    }
    return "";
}

const app_node *app_node_get(const app_node *map, const char *key)
{
    if (!map || map->kind != APP_MAP) return NULL;
    for (size_t i = 0; i + 1 < map->n; i += 2) {
        const app_node *k = map->item[i];
        if (k->kind == APP_SCALAR && !strcmp(k->text, key)) return map->item[i + 1];
    }
    return NULL;
}

/* ---- building ---- */

static app_node *add_node(reader *r, app_node_kind kind, yaml_mark_t at)
{
    app_node *node = app_arena_take(r->arena, sizeof *node);
    node->kind = kind;
    node->at = mark_of(at);
    if (r->depth == 0) {
        r->root = node;
        return node;
    }
    app_node *parent = r->open[r->depth - 1];
    parent->item = app_arena_more(r->arena, parent->item, parent->n, sizeof *parent->item);
    parent->item[parent->n++] = node;
    return node;
}

static bool refuse_extras(reader *r, const yaml_event_t *e, bool anchor, bool tag)
{
    if (anchor)
        app_refuse(r->problems, mark_of(e->start_mark), NULL, "anchors are not used in settings");
    if (tag) app_refuse(r->problems, mark_of(e->start_mark), NULL, "tags are not used in settings");
    return !anchor && !tag;
}

static bool open_collection(reader *r, const yaml_event_t *e, app_node_kind kind, bool anchor,
                            bool tag)
{
    if (!refuse_extras(r, e, anchor, tag)) return false;
    if (r->depth == DEPTH_MAX) {
        app_refuse(r->problems, mark_of(e->start_mark), NULL, "nested too deeply");
        return false;
    }
    app_node *node = add_node(r, kind, e->start_mark);
    r->open[r->depth++] = node;
    return true;
}

static bool add_scalar(reader *r, const yaml_event_t *e)
{
    const char *value = (const char *)e->data.scalar.value;
    if (!refuse_extras(r, e, e->data.scalar.anchor != NULL, e->data.scalar.tag != NULL))
        return false;
    if (strlen(value) != e->data.scalar.length) {
        app_refuse(r->problems, mark_of(e->start_mark), NULL, "a NUL character stands in a value");
        return false;
    }
    app_node *node = add_node(r, APP_SCALAR, e->start_mark);
    node->text = app_arena_text(r->arena, value, e->data.scalar.length);
    node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return true;
}

/* One event; false: refused, said why. */
static bool take_event(reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_MAPPING_START_EVENT:
        return open_collection(r, e, APP_MAP, e->data.mapping_start.anchor != NULL,
                               e->data.mapping_start.tag != NULL);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(r, e, APP_LIST, e->data.sequence_start.anchor != NULL,
                               e->data.sequence_start.tag != NULL);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: r->depth--; return true;
    case YAML_SCALAR_EVENT: return add_scalar(r, e);
    case YAML_ALIAS_EVENT:
        app_refuse(r->problems, mark_of(e->start_mark),
                   "text that begins with * must be quoted, like \"*\"",
                   "YAML reads *%s as a reference to an anchor",
                   (const char *)e->data.alias.anchor);
        return false;
    case YAML_DOCUMENT_START_EVENT:
        if (!r->root) return true;
        app_refuse(r->problems, mark_of(e->start_mark), "take out the --- line",
                   "a second YAML document begins here");
        return false;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT: return true;
    }
    return true;
}

/* ---- syntax errors ---- */

static const char *byte_at(const char *text, size_t len, size_t line, size_t column)
{
    const char *p = text, *end = text + len;
    for (; line > 1; line--) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (!p) return NULL;
        p++;
    }
    return (size_t)(end - p) >= column ? p + column - 1 : NULL;
}

static void refuse_encoding(reader *r, const char *text, size_t len)
{
    size_t offset = r->parser.problem_offset < len ? r->parser.problem_offset : len;
    app_mark at = {1, 1};
    for (size_t i = 0; i < offset; i++) {
        at.column++;
        if (text[i] == '\n') at = (app_mark){at.line + 1, 1};
    }
    app_refuse(r->problems, at, "save the file as UTF-8 text", "not readable as text: %s",
               r->parser.problem);
}

static void refuse_syntax(reader *r, const char *text, size_t len)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_READER_ERROR) {
        refuse_encoding(r, text, len);
        return;
    }
    app_mark at = mark_of(p->problem_mark);
    const char *byte = byte_at(text, len, at.line, at.column);
    if (byte && byte < text + len && *byte == '\t') {
        app_refuse(r->problems, at, "indent with spaces", "a tab stands where YAML wants spaces");
        return;
    }
    if (app_document_find_unquoted(text, len, r->problems)) return;
    char hint[160];
    const char *said = NULL;
    if (p->context) {
        snprintf(hint, sizeof hint, "%s that begins at line %zu, column %zu", p->context,
                 p->context_mark.line + 1, p->context_mark.column + 1);
        said = hint;
    }
    app_refuse(r->problems, at, said, "YAML: %s", p->problem ? p->problem : "cannot be read");
}

static bool read_events(reader *r, const char *text, size_t len)
{
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) {
            refuse_syntax(r, text, len);
            return false;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        bool fine = take_event(r, &event);
        yaml_event_delete(&event);
        if (!fine) return false;
    }
    return true;
}

const app_node *app_document_parse(const char *text, size_t len, app_arena *arena,
                                   app_problems *problems)
{
    reader r = {.arena = arena, .problems = problems};
    S2S_ASSERT(yaml_parser_initialize(&r.parser) == 1);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    bool fine = read_events(&r, text, len);
    yaml_parser_delete(&r.parser);
    if (!fine) return NULL;
    if (!r.root) {
        app_refuse(problems, (app_mark){0, 0}, "`causeway options` prints a sample",
                   "there are no settings in this file");
        return NULL;
    }
    return r.root;
}

/* ---- file ---- */

static char *read_all(int fd, size_t *len)
{
    char *text = app_take(APP_DOCUMENT_SIZE_MAX + 1);
    *len = 0;
    while (*len <= APP_DOCUMENT_SIZE_MAX) {
        ssize_t n = read(fd, text + *len, APP_DOCUMENT_SIZE_MAX + 1 - *len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            free(text);
            return NULL;
        }
        if (n == 0) break;
        *len += (size_t)n;
    }
    return text;
}

const app_node *app_document_read(const char *file, app_arena *arena, app_problems *problems)
{
    const app_mark whole = {0, 0};
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    char *text = fd < 0 ? NULL : read_all(fd, &len);
    int why = errno;
    if (fd >= 0) close(fd);
    if (!text) {
        app_refuse(problems, whole, NULL, "cannot be read: %s", strerror(why));
        return NULL;
    }
    const app_node *root = NULL;
    if (len >= APP_DOCUMENT_SIZE_MAX)
        app_refuse(problems, whole, NULL, "too big: a settings file is below %d bytes",
                   APP_DOCUMENT_SIZE_MAX);
    else
        root = app_document_parse(text, len, arena, problems);
    free(text);
    return root;
}
