/* xml_events.c - expat's events: limits of number and depth, restricted XML, and where items end. */
#include <string.h>

#include "s2s/xml_private.h"

#define NS_DIALBACK "jabber:server:dialback"

/* What expat keeps for each name besides its characters (measured: 78 to 271 bytes for all). */
#define NAME_COST 64

void s2s_xml_fail(s2s_xml *x, s2s_err err)
{
    if (err == S2S_E_OK || x->err != S2S_E_OK) return;
    x->err = err;
    if (x->parser != NULL) (void)XML_StopParser(x->parser, XML_FALSE);
}

/* Some events still come after parsing was stopped; and those of our own root are no news. */
static bool is_deaf(const s2s_xml *x)
{
    return x->err != S2S_E_OK || x->building;
}

static size_t event_end(const s2s_xml *x)
{
    return (size_t)XML_GetCurrentByteIndex(x->parser) + (size_t)XML_GetCurrentByteCount(x->parser);
}

static void stand_still(s2s_xml *x, s2s_xml_kind kind)
{
    x->ready = kind;
    x->item_end = event_end(x);
    (void)XML_StopParser(x->parser, XML_TRUE);
}

/* ---- the root ---- */

static s2s_err put_root_declaration(s2s_xml *x, const char *prefix, const char *ns)
{
    s2s_err err = s2s_buf_puts(&x->root, prefix == NULL ? " xmlns" : " xmlns:");
    if (err == S2S_E_OK && prefix != NULL) err = s2s_buf_puts(&x->root, prefix);
    if (err == S2S_E_OK) err = s2s_buf_puts(&x->root, "='");
    if (err == S2S_E_OK) err = s2s_buf_put_escaped(&x->root, s2s_span_of(ns));
    if (err == S2S_E_OK) err = s2s_buf_puts(&x->root, "'");
    return err;
}

static s2s_err note_root_declaration(s2s_xml *x, const char *prefix, const char *ns)
{
    if (strcmp(ns, NS_DIALBACK) == 0) x->declares_db = true;
    s2s_err err = put_root_declaration(x, prefix, ns);
    if (err != S2S_E_OK || prefix != NULL || *ns == '\0') return err;
    x->has_content_ns = true;
    return s2s_buf_puts(&x->content_ns, ns);
}

/* x->root holds the declarations so far: the name goes before, '>' behind. */
static s2s_err finish_root(s2s_xml *x, const s2s_xml_name *name)
{
    s2s_buf tag;
    s2s_buf_init(&tag, 0);
    s2s_err err = s2s_buf_puts(&tag, "<");
    if (err == S2S_E_OK && name->prefix.len > 0) {
        err = s2s_buf_put(&tag, name->prefix);
        if (err == S2S_E_OK) err = s2s_buf_puts(&tag, ":");
    }
    if (err == S2S_E_OK) err = s2s_buf_put(&tag, name->local);
    if (err == S2S_E_OK) err = s2s_buf_put(&tag, s2s_buf_span(&x->root));
    if (err == S2S_E_OK) err = s2s_buf_puts(&tag, ">");
    s2s_buf_fini(&x->root);
    x->root = tag;
    return err;
}

static s2s_err start_root(s2s_xml *x, const s2s_xml_tag *tag)
{
    s2s_err err = finish_root(x, &tag->name);
    if (err == S2S_E_OK) err = s2s_xml_facts_begin(&x->facts, tag, x->limits.stanza);
    if (err == S2S_E_OK) stand_still(x, S2S_XML_HEAD);
    return err;
}

/* ---- elements ---- */

static bool is_stanza(const s2s_xml_name *name)
{
    if (!s2s_span_is(name->ns, S2S_NS_SERVER)) return false;
    return s2s_span_is(name->local, "message") || s2s_span_is(name->local, "presence") ||
           s2s_span_is(name->local, "iq");
}

static s2s_err start_first_level(s2s_xml *x, const s2s_xml_tag *tag)
{
    x->element_at = (size_t)XML_GetCurrentByteIndex(x->parser);
    x->n_children = 0;
    x->is_stanza = is_stanza(&tag->name);
    /* What is recorded of children may repeat their namespaces, hence twice. */
    s2s_err err = s2s_xml_facts_begin(&x->facts, tag, 2 * x->limits.stanza);
    if (err != S2S_E_OK || !x->is_stanza) return err;
    return s2s_xml_writer_begin(&x->writer, tag, &x->limits);
}

static s2s_err start_descendant(s2s_xml *x, const s2s_xml_tag *tag)
{
    if (x->n_children >= x->limits.children) return S2S_E_XML_TOO_MANY_CHILDREN;
    x->n_children++;
    if (x->is_stanza) return s2s_xml_writer_start(&x->writer, tag);
    return s2s_xml_facts_start(&x->facts, x->depth - 2, &tag->name);
}

/* Counts what expat will keep. */
static void count_names(s2s_xml *x, const s2s_xml_tag *tag)
{
    x->spent += tag->name.whole.len + NAME_COST;
    for (size_t i = 0; i < tag->n_attrs; i++)
        x->spent += tag->attrs[i].name.whole.len + NAME_COST;
}

static s2s_err start_element(s2s_xml *x, const s2s_xml_tag *tag)
{
    if (x->depth == 1) return start_root(x, tag);
    return x->depth == 2 ? start_first_level(x, tag) : start_descendant(x, tag);
}

static void XMLCALL on_start(void *ctx, const XML_Char *triplet, const XML_Char **atts)
{
    s2s_xml *x = ctx;
    s2s_xml_tag tag; /* large: only what is needed of it is written */
    if (is_deaf(x)) return;
    x->n_nsdecls = 0;
    x->depth++;
    s2s_err err = x->depth > x->limits.depth ? S2S_E_XML_TOO_DEEP : S2S_E_OK;
    if (err == S2S_E_OK) err = s2s_xml_tag_read(&tag, triplet, atts, x->limits.attrs);
    if (err == S2S_E_OK) {
        count_names(x, &tag);
        err = start_element(x, &tag);
    }
    s2s_xml_fail(x, err);
}

static s2s_err end_element(s2s_xml *x)
{
    s2s_err err = S2S_E_OK;
    if (x->is_stanza)
        err = s2s_xml_writer_end(&x->writer, x->facts.name);
    else if (x->depth > 2)
        err = s2s_xml_facts_end(&x->facts, x->depth - 2);
    else
        err = s2s_xml_facts_finish(&x->facts);
    if (err == S2S_E_OK && x->depth == 2) stand_still(x, S2S_XML_ELEMENT);
    return err;
}

static void end_root(s2s_xml *x)
{
    if (x->ready == S2S_XML_HEAD)
        x->end_follows = true;
    else
        stand_still(x, S2S_XML_END);
}

static void XMLCALL on_end(void *ctx, const XML_Char *triplet)
{
    s2s_xml *x = ctx;
    (void)triplet; /* expat has compared it with the start tag's */
    if (is_deaf(x)) return;
    if (x->depth == 1)
        end_root(x);
    else
        s2s_xml_fail(x, end_element(x));
    x->depth--;
}

static void XMLCALL on_namespace(void *ctx, const XML_Char *prefix, const XML_Char *uri)
{
    s2s_xml *x = ctx;
    if (is_deaf(x)) return;
    const char *ns = uri == NULL ? "" : uri;
    x->spent += strlen(ns) + (prefix == NULL ? 0 : strlen(prefix)) + NAME_COST;
    if (x->n_nsdecls == x->limits.nsdecls) {
        s2s_xml_fail(x, S2S_E_XML_TOO_MANY_ATTRS);
        return;
    }
    x->n_nsdecls++;
    if (x->depth == 0) s2s_xml_fail(x, note_root_declaration(x, prefix, ns));
}

/* ---- text ---- */

static bool is_space(s2s_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (memchr(" \t\r\n", text.ptr[i], 4) == NULL) return false;
    }
    return true;
}

static void XMLCALL on_text(void *ctx, const XML_Char *ptr, int len)
{
    s2s_xml *x = ctx;
    if (is_deaf(x)) return;
    s2s_span text = {ptr, (size_t)len};
    s2s_err err = S2S_E_OK;
    if (x->depth < 2)
        err = is_space(text) ? S2S_E_OK : S2S_E_XML_TEXT;
    else if (x->is_stanza)
        err = s2s_xml_writer_text(&x->writer, text);
    else
        err = s2s_xml_facts_text(&x->facts, x->depth - 2, text);
    s2s_xml_fail(x, err);
}

/* Between stanzas even an empty section is more than whitespace. */
static void XMLCALL on_cdata(void *ctx)
{
    s2s_xml *x = ctx;
    if (!is_deaf(x) && x->depth < 2) s2s_xml_fail(x, S2S_E_XML_TEXT);
}

/* ---- what XMPP does without (RFC 6120 11.1, 11.5, 11.6) ---- */

static void XMLCALL on_instruction(void *ctx, const XML_Char *target, const XML_Char *data)
{
    (void)target;
    (void)data;
    s2s_xml_fail(ctx, S2S_E_XML_RESTRICTED);
}

static void XMLCALL on_comment(void *ctx, const XML_Char *text)
{
    (void)text;
    s2s_xml_fail(ctx, S2S_E_XML_RESTRICTED);
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *sysid,
                               const XML_Char *pubid, int has_internal)
{
    (void)name;
    (void)sysid;
    (void)pubid;
    (void)has_internal;
    s2s_xml_fail(ctx, S2S_E_XML_RESTRICTED);
}

static bool is_utf8(const char *encoding)
{
    static const char lower[] = "utf-8";
    size_t i = 0;
    for (; lower[i] != '\0'; i++) {
        char c = encoding[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if (c != lower[i]) return false;
    }
    return encoding[i] == '\0';
}

static void XMLCALL on_declaration(void *ctx, const XML_Char *version, const XML_Char *encoding,
                                   int standalone)
{
    /* The version is absent in a text declaration, which only other files have. */
    if (version == NULL || strcmp(version, "1.0") != 0)
        s2s_xml_fail(ctx, S2S_E_XML_VERSION);
    else if (encoding != NULL && !is_utf8(encoding))
        s2s_xml_fail(ctx, S2S_E_XML_ENCODING);
    else if (standalone == 0)
        s2s_xml_fail(ctx, S2S_E_XML_RESTRICTED);
}

void s2s_xml_listen(s2s_xml *x)
{
    XML_Parser p = x->parser;
    XML_SetUserData(p, x);
    XML_SetElementHandler(p, on_start, on_end);
    XML_SetStartNamespaceDeclHandler(p, on_namespace);
    XML_SetCharacterDataHandler(p, on_text);
    XML_SetStartCdataSectionHandler(p, on_cdata);
    XML_SetProcessingInstructionHandler(p, on_instruction);
    XML_SetCommentHandler(p, on_comment);
    XML_SetStartDoctypeDeclHandler(p, on_doctype);
    XML_SetXmlDeclHandler(p, on_declaration);
}
