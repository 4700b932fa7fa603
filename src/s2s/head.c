#include <string.h>

#include "stream_priv.h"

/* ---- reading ---- */

/* Absent and empty are the same: old peers send from='' (RFC 6120 4.7.1 asks for tolerance). */
static s2s_err read_domain(s2s_span value, s2s_domain *out)
{
    *out = (s2s_domain){0};
    return value.len == 0 ? S2S_E_OK : s2s_domain_make(value, out);
}

/* 4.7.5: numbers, compared as numbers; we speak 1.0, so only the first decides. */
static bool is_version_1(s2s_span version)
{
    bool nonzero = false;
    size_t i = 0;
    for (; i < version.len && version.ptr[i] >= '0' && version.ptr[i] <= '9'; i++)
        nonzero = nonzero || version.ptr[i] != '0';
    return nonzero && (i == version.len || version.ptr[i] == '.');
}

/* Letters, digits and hyphens, else we have no language to stamp on stanzas. */
static void keep_lang(s2s_stream *s, s2s_span lang)
{
    s->lang_len = 0;
    if (lang.len > S2S_LANG_MAX) return;
    for (size_t i = 0; i < lang.len; i++) {
        unsigned char c = (unsigned char)lang.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && c != '-' && !(c >= '0' && c <= '9')) return;
    }
    if (lang.len > 0) memcpy(s->lang, lang.ptr, lang.len);
    s->lang_len = lang.len;
}

/* 4.8: the root's namespace and the content's. Without prefixes the root's is the default one and
 * each child names its own. */
static s2s_err check_root(const s2s_xml_item *item)
{
    bool named = s2s_span_is(item->name, "stream");
    if (!s2s_span_is(item->ns, S2S_NS_STREAMS))
        return named ? S2S_E_XML_NAMESPACE : S2S_E_XML_BAD_ROOT;
    if (!named) return S2S_E_XML_BAD_ROOT;
    if (s2s_span_is(item->content_ns, S2S_NS_SERVER)) return S2S_E_OK;
    return s2s_span_is(item->content_ns, S2S_NS_STREAMS) ? S2S_E_OK : S2S_E_XML_NAMESPACE;
}

s2s_err s2s_head_read(s2s_stream *s, const s2s_xml_item *item)
{
    s2s_head *h = &s->head;
    s->head_read = true;
    *h = (s2s_head){.declares_db = item->declares_db,
                    .after_tls = s->in_tls,
                    .after_sasl = s->after_sasl,
                    .id = s2s_attr_find(item, NULL, "id")};
    h->from_err = read_domain(s2s_attr_find(item, NULL, "from"), &h->from);
    h->to_err = read_domain(s2s_attr_find(item, NULL, "to"), &h->to);
    h->version_1 = is_version_1(s2s_attr_find(item, NULL, "version"));
    keep_lang(s, s2s_attr_find(item, S2S_NS_XML, "lang"));
    h->lang = (s2s_span){s->lang, s->lang_len};
    return check_root(item);
}

/* ---- telling ---- */

/* After SASL an absent address is the one said before: it is bound to the proof. After TLS it is
 * not, since nothing from before TLS counts (5.4.3.3). */
static void remember(s2s_stream *s)
{
    s2s_head *h = &s->head;
    if (s->after_sasl && h->from.len == 0 && h->from_err == S2S_E_OK) h->from = s->peer_from;
    if (s->after_sasl && h->to.len == 0 && h->to_err == S2S_E_OK) h->to = s->peer_to;
    s->peer_from = h->from;
    s->peer_to = h->to;
}

void s2s_head_tell(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    remember(s);
    if (s->config.role == S2S_INITIATING) {
        memcpy(s->id, s->head.id.ptr, s->head.id.len);
        s->id_len = s->head.id.len;
        s->dialback_declared = s->dialback_declared || s->head.declares_db;
    }
    s2s_event *ev = s2s_stream_tell(s, S2S_EV_HEAD);
    ev->head = &s->head;
    ev->from = s->head.from;
    ev->to = s->head.to;
    ev->id = s->head.id;
}

/* A peer without version knows dialback and nothing else, and sends no features. */
void s2s_head_tell_old(s2s_stream *s, const s2s_input *in)
{
    s2s_head_tell(s, in);
    s->dialback_declared = true;
    s2s_head_ready(s, in);
}

/* READY comes once, whatever is negotiated after it. */
void s2s_head_ready(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s->ready_due = !s->ready_told;
    s->ready_told = true;
}

/* ---- features ---- */

/* What we use, and what may say "required" without meaning it for us (leftovers of XEP-0198). */
static const char *const known_features[] = {S2S_NS_TLS,   S2S_NS_SASL,     S2S_NS_DB_FEATURE,
                                             S2S_NS_SM,    "urn:xmpp:sm:2", S2S_NS_BIDI_FEATURE,
                                             S2S_NS_LIMITS};

static bool is_known_feature(s2s_span ns)
{
    for (size_t i = 0; i < sizeof known_features / sizeof known_features[0]; i++)
        if (s2s_span_is(ns, known_features[i])) return true;
    return false;
}

void s2s_features_read(s2s_stream *s, const s2s_xml_item *item)
{
    s2s_features *f = &s->features;
    bool foreign = false; /* the feature the grandchildren belong to */

    *f = (s2s_features){0};
    for (size_t i = 0; i < item->n_children; i++) {
        const s2s_xml_child *child = &item->children[i];
        s2s_tls_read_feature(f, child);
        s2s_sasl_read_feature(f, child);
        s2s_dialback_read_feature(f, child);
        s2s_bidi_read_feature(f, child);
        s2s_sm_read_feature(f, child);
        s2s_limits_read_feature(f, child);
        if (child->depth == 1) foreign = !is_known_feature(child->ns);
        if (child->depth == 2 && foreign && s2s_span_is(child->name, "required"))
            f->unknown_required = true;
    }
    /* Required, but beside it something we can do: then we do that (4.9.3.23 speaks of "only"). */
    if (f->starttls || f->external || f->dialback) f->unknown_required = false;
    s->dialback_declared = s->dialback_declared || f->dialback;
    s->dialback_errors = s->dialback_errors || f->dialback_errors;
    s->external_offered = s->external_offered || (s->in_tls && f->external);
    s2s_limits_keep(s);
}

/* Required TLS stands alone (5.4.1); without a version there are none at all (4.7.5). */
static void write_features(s2s_stream *s)
{
    if (!s->head.version_1) return;
    s2s_out_text(s, "<stream:features>");
    s2s_tls_write_feature(s);
    if (s->in_tls || s->tls != S2S_TLS_REQUIRED) {
        s2s_sasl_write_feature(s);
        s2s_dialback_write_feature(s);
        s2s_bidi_write_feature(s);
        s2s_sm_write_feature(s);
        s2s_limits_write_feature(s);
    }
    s2s_out_text(s, "</stream:features>");
}

/* ---- writing ---- */

static void write_open(s2s_stream *s)
{
    s2s_out_text(s, "<?xml version='1.0'?><stream:stream xmlns='" S2S_NS_SERVER
                    "' xmlns:stream='" S2S_NS_STREAMS "' xmlns:db='" S2S_NS_DIALBACK "'");
    s->head_sent = true;
}

void s2s_head_write_initial(s2s_stream *s)
{
    write_open(s);
    s2s_out_domain(s, "from", &s->config.from);
    s2s_out_domain(s, "to", &s->config.to);
    s2s_out_text(s, " version='1.0' xml:lang='en'>");
}

static void write_response(s2s_stream *s, const s2s_domain *from, s2s_span id, bool version)
{
    write_open(s);
    if (id.len > 0) s2s_out_attr(s, "id", id);
    s2s_out_domain(s, "from", from);
    if (s->head.from.len > 0) s2s_out_domain(s, "to", &s->head.from);
    if (version) s2s_out_text(s, " version='1.0'");
    s2s_out_text(s, " xml:lang='en'>");
}

/* The error may concern a header of which nothing could be read: then we speak 1.0 (4.9.1.2). */
void s2s_head_write_bare(s2s_stream *s)
{
    const s2s_domain *from = s->as.len > 0 ? &s->as : &s->config.from;
    s2s_span id = s2s_stream_id(s);
    if (id.len == 0) id = (s2s_span){s->error_id, s->error_id_len};
    write_response(s, from, id, !s->head_read || s->head.version_1);
}

void s2s_head_write_response(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    write_response(s, &s->as, s2s_stream_id(s), s->head.version_1);
    write_features(s);
}

void s2s_head_restart(s2s_stream *s)
{
    s->restart_due = true;
    s->head_read = false;
    s->head_sent = false;
    s->id_len = 0;
    s->features = (s2s_features){0};
    if (s->config.role == S2S_INITIATING) s2s_head_write_initial(s);
}
