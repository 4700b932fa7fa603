#include <string.h>

#include "stream_priv.h"

/* ---- the stream as it stands ---- */

static uint64_t fact(bool so, uint64_t bit)
{
    return so ? bit : 0;
}

static uint64_t facts_receiving(const s2s_stream *s)
{
    /* Once a pair is asked or proved, neither TLS nor SASL may begin: both would start the stream
     * anew under the feet of what is pending. */
    bool fresh = s->theirs->count == 0;
    return fact(!s->in_tls && s->tls != S2S_TLS_NONE && fresh, S2S_HAS(TLS_OFFERED)) |
           fact(s->in_tls && s->offer_external && !s->after_sasl && fresh,
                S2S_HAS(EXTERNAL_OFFERED)) |
           fact(s->in_tls && s->offer_bidi && !s->after_sasl && fresh, S2S_HAS(BIDI_OFFERED)) |
           fact(s->sasl_failures >= S2S_SASL_TRIES, S2S_HAS(SASL_SPENT)) |
           fact(s->offer_sm, S2S_HAS(SM_OFFERED));
}

static uint64_t facts_initiating(const s2s_stream *s)
{
    unsigned idle = s->ours->states[S2S_PAIR_WANTED] + s->ours->states[S2S_PAIR_GONE];
    bool external =
        s->features.external && s->config.try_external && !s->after_sasl && !s->sasl_failed;
    return fact(s->tls != S2S_TLS_NONE, S2S_HAS(TLS_WANTED)) |
           fact(s->features.starttls, S2S_HAS(TLS_OFFERED)) |
           fact(s->features.starttls_required, S2S_HAS(TLS_FORCED)) |
           fact(s->features.unknown_required, S2S_HAS(UNKNOWN_REQUIRED)) |
           fact(external, S2S_HAS(EXTERNAL_OFFERED)) | fact(s->challenged, S2S_HAS(CHALLENGED)) |
           fact(s->config.allow_dialback && s->dialback_declared, S2S_HAS(DIALBACK_POSSIBLE)) |
           fact(s->features.bidi && s->config.try_bidi && !s->bidi, S2S_HAS(BIDI_OFFERED)) |
           fact(s->ours->count > idle || s2s_pairs_count(s->theirs) > 0, S2S_HAS(PAIRS_BUSY)) |
           fact(s->n_sent > 0, S2S_HAS(VERIFY_BUSY)) |
           fact(s->sm.state == S2S_SM_ASKED, S2S_HAS(SM_ASKED)) |
           fact(s->sm.state == S2S_SM_RESUMING, S2S_HAS(SM_RESUMING));
}

uint64_t s2s_facts(const s2s_stream *s)
{
    uint64_t own = s->config.role == S2S_INITIATING ? facts_initiating(s) : facts_receiving(s);
    return own | fact(s->in_tls, S2S_HAS(IN_TLS)) | fact(s->sm.state == S2S_SM_ON, S2S_HAS(SM_ON)) |
           fact(s->tls == S2S_TLS_REQUIRED && !s->in_tls, S2S_HAS(TLS_DEMANDED)) |
           fact(s->bidi, S2S_HAS(BIDI)) |
           fact(s2s_pairs_in(s->theirs, S2S_PAIR_OPEN) > 0, S2S_HAS(ANY_PROOF)) |
           fact(s2s_pairs_count(s->ours) + s2s_pairs_count(s->theirs) < s->config.max_pairs,
                S2S_HAS(PAIR_ROOM)) |
           fact(!s2s_only_space(s2s_buf_span(&s->in)), S2S_HAS(BYTES_BEHIND)) |
           fact(s->head.version_1, S2S_HAS(VERSION_1)) | fact(s->after_sasl, S2S_HAS(AFTER_SASL)) |
           fact(s->unsolicited + 1 >= S2S_UNSOLICITED_MAX, S2S_HAS(ANSWERS_SPENT));
}

/* ---- an element ---- */

bool s2s_only_space(s2s_span bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (strchr(" \t\r\n", bytes.ptr[i]) == NULL || bytes.ptr[i] == '\0') return false;
    return true;
}

s2s_span s2s_attr_find(const s2s_xml_item *item, const char *ns, const char *name)
{
    for (size_t i = 0; i < item->n_attrs; i++) {
        const s2s_xml_attr *attr = &item->attrs[i];
        bool right = ns == NULL ? attr->ns.len == 0 : s2s_span_is(attr->ns, ns);
        if (right && s2s_span_is(attr->name, name)) return attr->value;
    }
    return (s2s_span){NULL, 0};
}

static const struct {
    const char *ns;
    const char *name;
    s2s_brings brings;
} elements[] = {
    {S2S_NS_SERVER, "message", S2S_BRINGS_STANZA},
    {S2S_NS_SERVER, "presence", S2S_BRINGS_STANZA},
    {S2S_NS_SERVER, "iq", S2S_BRINGS_STANZA},
    {S2S_NS_DIALBACK, "result", S2S_BRINGS_RESULT},
    {S2S_NS_DIALBACK, "verify", S2S_BRINGS_VERIFY},
    {S2S_NS_STREAMS, "features", S2S_BRINGS_FEATURES},
    {S2S_NS_STREAMS, "error", S2S_BRINGS_STREAM_ERROR},
    {S2S_NS_TLS, "starttls", S2S_BRINGS_STARTTLS},
    {S2S_NS_TLS, "proceed", S2S_BRINGS_PROCEED},
    {S2S_NS_TLS, "failure", S2S_BRINGS_TLS_FAILURE},
    {S2S_NS_SASL, "auth", S2S_BRINGS_AUTH},
    {S2S_NS_SASL, "challenge", S2S_BRINGS_CHALLENGE},
    {S2S_NS_SASL, "response", S2S_BRINGS_RESPONSE},
    {S2S_NS_SASL, "success", S2S_BRINGS_SUCCESS},
    {S2S_NS_SASL, "failure", S2S_BRINGS_SASL_FAILURE},
    {S2S_NS_SASL, "abort", S2S_BRINGS_ABORT},
    {S2S_NS_SM, "r", S2S_BRINGS_SM_ASK},
    {S2S_NS_SM, "a", S2S_BRINGS_SM_ACK},
    {S2S_NS_SM, "enable", S2S_BRINGS_SM_ENABLE},
    {S2S_NS_SM, "enabled", S2S_BRINGS_SM_ENABLED},
    {S2S_NS_SM, "failed", S2S_BRINGS_SM_FAILED},
    {S2S_NS_SM, "resume", S2S_BRINGS_SM_RESUME},
    {S2S_NS_SM, "resumed", S2S_BRINGS_SM_RESUMED},
    {S2S_NS_BIDI, "bidi", S2S_BRINGS_BIDI},
};

static const char *const own_namespaces[] = {S2S_NS_SERVER, S2S_NS_DIALBACK, S2S_NS_STREAMS,
                                             S2S_NS_TLS, S2S_NS_SASL};

static s2s_brings element_of(const s2s_xml_item *item)
{
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++)
        if (s2s_span_is(item->ns, elements[i].ns) && s2s_span_is(item->name, elements[i].name))
            return elements[i].brings;
    for (size_t i = 0; i < sizeof own_namespaces / sizeof own_namespaces[0]; i++)
        if (s2s_span_is(item->ns, own_namespaces[i])) return S2S_BRINGS_OTHER;
    return S2S_BRINGS_FOREIGN;
}

/* May a header with these addresses follow the earlier one (RFC 6120 13.7.2)? Before TLS, or on
 * old peers, either may be absent; what was said once must not change. */
static bool head_same(const s2s_stream *s)
{
    const s2s_head *h = &s->head;
    bool from = s->peer_from.len == 0 || (h->from_err == S2S_E_OK && h->from.len == 0) ||
                s2s_domain_eq(&s->peer_from, &h->from);
    bool to = s->peer_to.len == 0 || (h->to_err == S2S_E_OK && h->to.len == 0) ||
              s2s_domain_eq(&s->peer_to, &h->to);
    return from && to;
}

static void read_head(s2s_stream *s, s2s_input *in)
{
    in->brings = S2S_BRINGS_HEAD;
    in->err = s2s_head_read(s, in->item);
    if (in->err != S2S_E_OK) in->brings = S2S_BRINGS_BAD_XML;
    in->facts |= fact(head_same(s), S2S_HAS(HEAD_SAME)) |
                 fact(s->head.id.len > 0 && s->head.id.len <= S2S_ID_MAX, S2S_HAS(HAS_ID));
}

static void read_element(s2s_stream *s, s2s_input *in)
{
    in->brings = element_of(in->item);
    switch (in->brings) {
    case S2S_BRINGS_STANZA: s2s_stanza_read(s, in); return;
    case S2S_BRINGS_RESULT:
    case S2S_BRINGS_VERIFY: s2s_dialback_read(s, in); return;
    case S2S_BRINGS_AUTH:
    case S2S_BRINGS_RESPONSE: s2s_sasl_read_auth(s, in); return;
    case S2S_BRINGS_SM_ACK:
    case S2S_BRINGS_SM_RESUMED:
    case S2S_BRINGS_SM_FAILED: s2s_sm_read_count(s, in); return;
    case S2S_BRINGS_FEATURES:
        if (s->expect == S2S_EXPECT_FEATURES) s2s_features_read(s, in->item);
        return;
    default: return; /* the name says it all */
    }
}

void s2s_input_of_item(s2s_stream *s, const s2s_xml_item *item, s2s_input *in)
{
    *in = (s2s_input){.item = item};
    switch (item->kind) {
    case S2S_XML_HEAD: read_head(s, in); return;
    case S2S_XML_ELEMENT: read_element(s, in); return;
    case S2S_XML_END: in->brings = S2S_BRINGS_STREAM_END; return;
    case S2S_XML_NONE:
    case S2S_XML_ERROR: break;
    }
    S2S_ASSERT(item->kind == S2S_XML_ERROR);
    in->brings = S2S_BRINGS_BAD_XML;
    in->err = item->err;
}
