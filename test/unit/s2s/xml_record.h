/* xml_record.h - runs an XML session and writes down what came out, as text.
 * For:    comparing what two ways of cutting the same bytes give; looking at canonical bytes.
 * Never:  judges. Shared by the unit tests and the fuzz target, hence only static functions.
 * Owner:  the test.                                                                           */
#ifndef XML_RECORD_H
#define XML_RECORD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <s2s/buf.h>
#include <s2s/xml.h>

static inline void record_put(s2s_buf *out, s2s_span bytes)
{
    S2S_ASSERT(s2s_buf_put(out, bytes) == S2S_E_OK);
}

static inline void record_puts(s2s_buf *out, const char *text)
{
    record_put(out, s2s_span_of(text));
}

static inline void record_name(s2s_buf *out, s2s_span ns, s2s_span name)
{
    if (ns.ptr != NULL) {
        record_puts(out, "{");
        record_put(out, ns);
        record_puts(out, "}");
    }
    record_put(out, name);
}

/* Attributes the caller of the parser writes himself, in the order of appearance. */
static inline bool record_is_routing(const s2s_xml_attr *a)
{
    if (a->ns.ptr != NULL)
        return s2s_span_is(a->ns, "http://www.w3.org/XML/1998/namespace") &&
               s2s_span_is(a->name, "lang");
    return s2s_span_is(a->name, "from") || s2s_span_is(a->name, "to") ||
           s2s_span_is(a->name, "type") || s2s_span_is(a->name, "id");
}

/* The whole stanza as it would be sent on, addresses untouched. */
static inline void record_stanza(s2s_buf *out, const s2s_xml_item *item)
{
    record_puts(out, "<");
    record_put(out, item->name);
    for (size_t i = 0; i < item->n_attrs; i++) {
        if (!record_is_routing(&item->attrs[i])) continue;
        record_puts(out, item->attrs[i].ns.ptr != NULL ? " xml:" : " ");
        record_put(out, item->attrs[i].name);
        record_puts(out, "='");
        S2S_ASSERT(s2s_buf_put_escaped(out, item->attrs[i].value) == S2S_E_OK);
        record_puts(out, "'");
    }
    record_put(out, item->other_attrs);
    record_put(out, item->inside);
}

static inline void record_attrs(s2s_buf *out, const s2s_xml_item *item)
{
    for (size_t i = 0; i < item->n_attrs; i++) {
        record_puts(out, " ");
        record_name(out, item->attrs[i].ns, item->attrs[i].name);
        record_puts(out, "=");
        record_put(out, item->attrs[i].value);
    }
}

static inline void record_children(s2s_buf *out, const s2s_xml_item *item)
{
    for (size_t i = 0; i < item->n_children; i++) {
        record_puts(out, item->children[i].depth == 1 ? " / " : " // ");
        record_name(out, item->children[i].ns, item->children[i].name);
        record_puts(out, "=");
        record_put(out, item->children[i].text);
    }
}

static inline void record_head(s2s_buf *out, const s2s_xml_item *item)
{
    record_puts(out, "HEAD ");
    record_name(out, item->ns, item->name);
    record_attrs(out, item);
    if (item->content_ns.ptr != NULL) {
        record_puts(out, " content ");
        record_put(out, item->content_ns);
    }
    if (item->declares_db) record_puts(out, " db");
}

static inline void record_element(s2s_buf *out, const s2s_xml_item *item)
{
    if (item->inside.ptr != NULL) {
        record_puts(out, "STANZA ");
        record_stanza(out, item);
        return;
    }
    record_puts(out, "ELEMENT ");
    record_name(out, item->ns, item->name);
    record_attrs(out, item);
    record_puts(out, " text ");
    record_put(out, item->text);
    record_children(out, item);
}

/* One line for one item. */
static inline void record_item(s2s_buf *out, const s2s_xml_item *item)
{
    switch (item->kind) {
    case S2S_XML_NONE: return;
    case S2S_XML_HEAD: record_head(out, item); break;
    case S2S_XML_ELEMENT: record_element(out, item); break;
    case S2S_XML_END: record_puts(out, "END"); break;
    case S2S_XML_ERROR:
        record_puts(out, "ERROR ");
        record_puts(out, s2s_err_of(item->err)->name);
        break;
    }
    record_puts(out, "\n");
}

/* Says how many of the `left` bytes come next. */
typedef size_t record_cut(void *ctx, size_t left);

static inline size_t record_whole(void *ctx, size_t left)
{
    (void)ctx;
    return left;
}

static inline size_t record_bytewise(void *ctx, size_t left)
{
    (void)ctx;
    return left > 0 ? 1 : 0;
}

/* Byte by byte, and it rests behind each. */
static inline size_t record_resting(void *ctx, size_t left)
{
    return record_bytewise(ctx, left);
}

/* Takes every item that is ready; false once the document is over, either way. */
static inline bool record_drain(s2s_buf *out, s2s_xml *x)
{
    for (;;) {
        s2s_xml_item item = s2s_xml_next(x);
        record_item(out, &item);
        if (item.kind == S2S_XML_ERROR || item.kind == S2S_XML_END) return false;
        if (item.kind == S2S_XML_NONE) return true;
    }
}

/* Feeds all bytes, cut as `cut` says: what an item leaves over is cut anew. Gives how many were
 * consumed. */
static inline size_t record_feed(s2s_buf *out, s2s_xml *x, s2s_span all, record_cut *cut, void *ctx)
{
    size_t at = 0;
    bool alive = true;
    while (alive && at < all.len) {
        size_t n = cut(ctx, all.len - at);
        S2S_ASSERT(n > 0 && n <= all.len - at);
        /* A copy of its own: bytes read beyond it, or kept from it, are seen by ASan. */
        char *piece = malloc(n);
        S2S_ASSERT(piece != NULL);
        memcpy(piece, all.ptr + at, n);
        size_t used = s2s_xml_feed(x, (s2s_span){piece, n});
        free(piece);
        alive = record_drain(out, x);
        S2S_ASSERT(used <= n && (used > 0 || !alive));
        if (cut == record_resting) s2s_xml_rest(x);
        at += used;
    }
    return at;
}

/* A whole session with a parser of its own. */
static inline size_t record_session(s2s_buf *out, const s2s_xml_limits *limits, s2s_span all,
                                    record_cut *cut, void *ctx)
{
    s2s_xml *x = s2s_xml_new(limits);
    S2S_ASSERT(x != NULL);
    size_t used = record_feed(out, x, all, cut, ctx);
    s2s_xml_free(x);
    return used;
}

/* Canonical text must be what it says it is: alone on a plain stream it gives itself. */
static inline void record_check_canonical(const s2s_xml_limits *limits, s2s_span stanza)
{
    s2s_buf text, again, want;
    s2s_buf_init(&text, 0);
    s2s_buf_init(&again, 0);
    s2s_buf_init(&want, 0);
    record_puts(&text, "<s:s xmlns='jabber:server' xmlns:s='s'>");
    record_put(&text, stanza);
    record_puts(&want, "HEAD {s}s content jabber:server\nSTANZA ");
    record_put(&want, stanza);
    record_puts(&want, "\n");
    record_session(&again, limits, s2s_buf_span(&text), record_whole, NULL);
    S2S_ASSERT(s2s_span_eq(s2s_buf_span(&again), s2s_buf_span(&want)));
    s2s_buf_fini(&text);
    s2s_buf_fini(&again);
    s2s_buf_fini(&want);
}

/* Checks each stanza of a session, fed whole. */
static inline void record_check_stanzas(const s2s_xml_limits *limits, s2s_span all)
{
    s2s_xml *x = s2s_xml_new(limits);
    S2S_ASSERT(x != NULL);
    s2s_xml_item item = {.kind = S2S_XML_NONE};
    for (size_t at = 0; at < all.len;) {
        at += s2s_xml_feed(x, (s2s_span){all.ptr + at, all.len - at});
        item = s2s_xml_next(x);
        if (item.kind == S2S_XML_ERROR || item.kind == S2S_XML_END) break;
        if (item.kind != S2S_XML_ELEMENT || item.inside.ptr == NULL) continue;
        s2s_buf stanza;
        s2s_buf_init(&stanza, 0);
        record_stanza(&stanza, &item);
        record_check_canonical(limits, s2s_buf_span(&stanza));
        s2s_buf_fini(&stanza);
    }
    s2s_xml_free(x);
}

#endif
