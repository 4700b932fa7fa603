/* xml_write.c - one stanza written anew in canonical form while it is parsed. */
#include "s2s/xml_write.h"

#include <stdlib.h>
#include <string.h>

#define KEEP_SIZE 2048 /* bytes a buffer may keep between stanzas */

/* Namespaces in scope at once, in tags' worth of declarations: looking one up is a walk over them. */
#define SCOPE_TAGS 4

/* ---- bytes ---- */

static void put(s2s_xml_writer *w, s2s_span bytes)
{
    if (w->err == S2S_E_OK) w->err = s2s_buf_put(w->to, bytes);
    if (w->err == S2S_E_FULL) w->err = S2S_E_STANZA_TOO_BIG;
}

enum { IN_TEXT = 1, IN_ATTR = 2 };

static const unsigned char special[256] = {
    ['&'] = IN_TEXT | IN_ATTR,  ['<'] = IN_TEXT | IN_ATTR, ['>'] = IN_TEXT,
    ['\''] = IN_ATTR,           ['\t'] = IN_ATTR,          ['\n'] = IN_ATTR,
    ['\r'] = IN_TEXT | IN_ATTR,
};

static s2s_span reference(char c)
{
    switch (c) {
    case '&': return S2S_LIT("&amp;");
    case '<': return S2S_LIT("&lt;");
    case '>': return S2S_LIT("&gt;");
    case '\'': return S2S_LIT("&apos;");
    case '\t': return S2S_LIT("&#x9;");
    case '\n': return S2S_LIT("&#xA;");
    case '\r': return S2S_LIT("&#xD;");
    default: s2s_assert_failed("a special character", __FILE__, __LINE__);
    }
}

/* One piece for `n` bytes, in place of many puts; NULL: nothing is to be written. */
static char *piece(s2s_xml_writer *w, size_t n)
{
    if (w->err != S2S_E_OK) return NULL;
    char *to = s2s_buf_room(w->to, n, &w->err);
    if (w->err == S2S_E_FULL) w->err = S2S_E_STANZA_TOO_BIG;
    return to;
}

static char *lay(char *to, s2s_span bytes)
{
    if (bytes.len > 0) memcpy(to, bytes.ptr, bytes.len);
    return to + bytes.len;
}

static bool is_plain(s2s_span text, unsigned char where)
{
    unsigned char seen = 0;
    for (size_t i = 0; i < text.len; i++)
        seen |= special[(unsigned char)text.ptr[i]];
    return (seen & where) == 0;
}

static void put_escaped(s2s_xml_writer *w, s2s_span text, unsigned char where)
{
    if (text.len == 0) return;
    if (is_plain(text, where)) {
        put(w, text);
        return;
    }
    size_t done = 0;
    for (size_t i = 0; i < text.len; i++) {
        if ((special[(unsigned char)text.ptr[i]] & where) == 0) continue;
        put(w, (s2s_span){text.ptr + done, i - done});
        put(w, reference(text.ptr[i]));
        done = i + 1;
    }
    put(w, (s2s_span){text.ptr + done, text.len - done});
}

static size_t escaped_len(s2s_span text, unsigned char where)
{
    size_t n = text.len;
    for (size_t i = 0; i < text.len; i++) {
        if ((special[(unsigned char)text.ptr[i]] & where) != 0) n += reference(text.ptr[i]).len - 1;
    }
    return n;
}

static size_t qname_len(s2s_span prefix, s2s_span local)
{
    return local.len + (prefix.len > 0 ? prefix.len + 1 : 0);
}

static char *lay_qname(char *to, s2s_span prefix, s2s_span local)
{
    if (prefix.len > 0) {
        to = lay(to, prefix);
        *to++ = ':';
    }
    return lay(to, local);
}

/* `before`, the name, `behind`. */
static void put_qname(s2s_xml_writer *w, s2s_span before, s2s_span prefix, s2s_span local,
                      s2s_span behind)
{
    size_t n = before.len + qname_len(prefix, local) + behind.len;
    char *to = piece(w, n);
    if (to == NULL) return;
    (void)lay(lay_qname(lay(to, before), prefix, local), behind);
    w->to->end += n;
}

/* The prefix an element is written with: none in the stanza's own namespace. */
static s2s_span element_prefix(const s2s_xml_name *name)
{
    return s2s_span_is(name->ns, S2S_NS_SERVER) ? S2S_LIT("") : name->prefix;
}

/* ---- namespaces ---- */

static uint32_t hash(s2s_span prefix)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < prefix.len; i++)
        h = (h ^ (unsigned char)prefix.ptr[i]) * 16777619u;
    return h;
}

/* What a prefix means here; the empty one is the default namespace. Absent: nothing yet. */
static s2s_span meaning(const s2s_xml_writer *w, s2s_span prefix)
{
    uint32_t h = hash(prefix);
    for (size_t i = w->n_bindings; i > 0; i--) {
        const s2s_xml_binding *b = &w->bindings[i - 1];
        if (b->hash != h || b->prefix_len != prefix.len) continue;
        /* Never NULL, though all strings in scope may be empty: xmlns='' was declared. */
        const char *text = s2s_buf_span(&w->strings).ptr;
        if (prefix.len == 0 || memcmp(text + b->at, prefix.ptr, prefix.len) == 0)
            return (s2s_span){text + b->at + b->prefix_len, b->ns_len};
    }
    return prefix.len == 0 ? S2S_LIT(S2S_NS_SERVER) : (s2s_span){NULL, 0};
}

static s2s_err make_room(s2s_xml_writer *w)
{
    if (w->n_bindings / SCOPE_TAGS >= w->limits.nsdecls) return S2S_E_XML_TOO_MANY_ATTRS;
    if (w->n_bindings < w->size_bindings) return S2S_E_OK;
    size_t size = w->size_bindings == 0 ? 8 : w->size_bindings * 2;
    s2s_xml_binding *more = realloc(w->bindings, size * sizeof *more);
    if (more == NULL) return S2S_E_NOMEM;
    w->bindings = more;
    w->size_bindings = size;
    return S2S_E_OK;
}

static void bind(s2s_xml_writer *w, s2s_span prefix, s2s_span ns)
{
    size_t at = s2s_buf_span(&w->strings).len;
    if (w->err == S2S_E_OK) w->err = make_room(w);
    if (w->err == S2S_E_OK) w->err = s2s_buf_put(&w->strings, prefix);
    if (w->err == S2S_E_OK) w->err = s2s_buf_put(&w->strings, ns);
    if (w->err != S2S_E_OK) return;
    w->bindings[w->n_bindings++] = (s2s_xml_binding){.at = at,
                                                     .prefix_len = prefix.len,
                                                     .ns_len = ns.len,
                                                     .depth = w->depth,
                                                     .hash = hash(prefix)};
}

static void unbind(s2s_xml_writer *w)
{
    while (w->n_bindings > 0 && w->bindings[w->n_bindings - 1].depth >= w->depth) {
        w->n_bindings--;
        w->strings.end = w->bindings[w->n_bindings].at;
    }
}

static void declare(s2s_xml_writer *w, s2s_span prefix, s2s_span ns)
{
    s2s_span now = meaning(w, prefix);
    if (now.ptr != NULL && s2s_span_eq(now, ns)) return;
    if (++w->n_declared > w->limits.nsdecls && w->err == S2S_E_OK)
        w->err = S2S_E_XML_TOO_MANY_ATTRS;
    put(w, prefix.len > 0 ? S2S_LIT(" xmlns:") : S2S_LIT(" xmlns"));
    put(w, prefix);
    put(w, S2S_LIT("='"));
    put_escaped(w, ns, IN_ATTR);
    put(w, S2S_LIT("'"));
    bind(w, prefix, ns);
}

static void declare_of_element(s2s_xml_writer *w, const s2s_xml_name *name)
{
    if (!s2s_span_is(name->prefix, "xml")) declare(w, element_prefix(name), name->ns);
}

/* ---- tags ---- */

static void put_attribute(s2s_xml_writer *w, const s2s_xml_tag_attr *attr)
{
    const s2s_xml_name *name = &attr->name;
    if (!is_plain(attr->value, IN_ATTR)) {
        put_qname(w, S2S_LIT(" "), name->prefix, name->local, S2S_LIT("='"));
        put_escaped(w, attr->value, IN_ATTR);
        put(w, S2S_LIT("'"));
        return;
    }
    size_t n = sizeof " =''" - 1 + qname_len(name->prefix, name->local) + attr->value.len;
    char *to = piece(w, n);
    if (to == NULL) return;
    *to = ' ';
    to = lay(lay_qname(to + 1, name->prefix, name->local), S2S_LIT("='"));
    *lay(to, attr->value) = '\'';
    w->to->end += n;
}

static void put_attributes(s2s_xml_writer *w, const s2s_xml_tag *tag)
{
    for (size_t i = 0; i < tag->n_attrs; i++) {
        const s2s_xml_name *name = &tag->attrs[i].name;
        if (name->prefix.len > 0 && !s2s_span_is(name->prefix, "xml"))
            declare(w, name->prefix, name->ns);
    }
    for (size_t i = 0; i < tag->n_attrs; i++) {
        if (w->depth > 1 || !tag->attrs[i].routing) put_attribute(w, &tag->attrs[i]);
    }
}

/* Writes the end of the start tag, if one is open. */
static void close_tag(s2s_xml_writer *w, s2s_span how)
{
    if (!w->tag_open) return;
    bool too_long = w->tag_len + how.len > w->limits.token;
    if (too_long && w->err == S2S_E_OK) w->err = S2S_E_XML_TOKEN_TOO_LONG;
    put(w, how);
    w->tag_open = false;
}

/* Bytes of "<name" and the attributes the stream writes, as they were read. */
static size_t routing_len(const s2s_xml_tag *tag)
{
    size_t n = 1 + tag->name.local.len;
    for (size_t i = 0; i < tag->n_attrs; i++) {
        const s2s_xml_tag_attr *attr = &tag->attrs[i];
        if (!attr->routing) continue;
        n += sizeof " =''" - 1 + qname_len(attr->name.prefix, attr->name.local);
        n += escaped_len(attr->value, IN_ATTR);
    }
    return n;
}

/* Where the name of the element that is begun will stand. */
static void open_element(s2s_xml_writer *w, size_t at, size_t len)
{
    size_t n = w->depth - 2;
    if (n == w->size_open) {
        size_t size = n == 0 ? 8 : n * 2;
        s2s_xml_open *more = realloc(w->open, size * sizeof *more);
        if (more == NULL && w->err == S2S_E_OK) w->err = S2S_E_NOMEM;
        if (more == NULL) return;
        w->open = more;
        w->size_open = size;
    }
    w->open[n] = (s2s_xml_open){at, len};
}

/* The name is copied from the start tag as it was written; the parser has compared the two. */
static void put_end_tag(s2s_xml_writer *w, s2s_span name)
{
    if (w->depth > 1) name = (s2s_span){NULL, w->open[w->depth - 2].len};
    size_t n = sizeof "</>" - 1 + name.len;
    char *to = piece(w, n);
    if (to == NULL) return;
    if (w->depth > 1) name.ptr = s2s_buf_span(w->to).ptr + w->open[w->depth - 2].at;
    *lay(lay(to, S2S_LIT("</")), name) = '>';
    w->to->end += n;
}

/* ---- the life of a stanza ---- */

void s2s_xml_writer_init(s2s_xml_writer *w)
{
    *w = (s2s_xml_writer){.depth = 0};
}

void s2s_xml_writer_fini(s2s_xml_writer *w)
{
    s2s_buf_fini(&w->attrs);
    s2s_buf_fini(&w->inside);
    s2s_buf_fini(&w->strings);
    free(w->bindings);
    free(w->open);
    s2s_xml_writer_init(w);
}

static void clear_buf(s2s_buf *b)
{
    s2s_buf_clear(b);
    if (b->size > KEEP_SIZE) s2s_buf_fini(b);
}

void s2s_xml_writer_clear(s2s_xml_writer *w)
{
    clear_buf(&w->attrs);
    clear_buf(&w->inside);
    clear_buf(&w->strings);
    w->n_bindings = 0;
    w->depth = 0;
    w->tag_open = false;
    w->err = S2S_E_OK;
}

s2s_err s2s_xml_writer_begin(s2s_xml_writer *w, const s2s_xml_tag *tag,
                             const s2s_xml_limits *limits)
{
    s2s_xml_writer_clear(w);
    size_t routing = routing_len(tag);
    if (routing >= limits->stanza) return S2S_E_STANZA_TOO_BIG;
    w->limits = *limits;
    w->depth = 1;
    w->n_declared = 0;
    w->attrs.cap = limits->stanza - routing;
    w->to = &w->attrs;
    put_attributes(w, tag);
    if (w->err != S2S_E_OK) return w->err;
    w->to = &w->inside;
    w->tag_open = true;
    w->tag_len = routing + s2s_buf_span(&w->attrs).len;
    w->inside.cap = limits->stanza - routing - s2s_buf_span(&w->attrs).len;
    /* A cap of 0 would mean none. */
    return w->inside.cap == 0 ? S2S_E_STANZA_TOO_BIG : S2S_E_OK;
}

s2s_err s2s_xml_writer_start(s2s_xml_writer *w, const s2s_xml_tag *tag)
{
    close_tag(w, S2S_LIT(">"));
    w->depth++;
    size_t at = s2s_buf_span(&w->inside).len;
    w->n_declared = 0;
    s2s_span prefix = element_prefix(&tag->name);
    open_element(w, at + 1, qname_len(prefix, tag->name.local));
    put_qname(w, S2S_LIT("<"), prefix, tag->name.local, S2S_LIT(""));
    declare_of_element(w, &tag->name);
    put_attributes(w, tag);
    w->tag_open = true;
    w->tag_len = s2s_buf_span(&w->inside).len - at;
    return w->err;
}

s2s_err s2s_xml_writer_text(s2s_xml_writer *w, s2s_span text)
{
    if (text.len == 0) return w->err;
    close_tag(w, S2S_LIT(">"));
    put_escaped(w, text, IN_TEXT);
    return w->err;
}

s2s_err s2s_xml_writer_end(s2s_xml_writer *w, s2s_span name)
{
    if (w->err != S2S_E_OK) return w->err;
    if (w->tag_open)
        close_tag(w, S2S_LIT("/>"));
    else
        put_end_tag(w, name);
    unbind(w);
    w->depth--;
    return w->err;
}
