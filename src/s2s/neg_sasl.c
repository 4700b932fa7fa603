/* SASL EXTERNAL (RFC 6120 6, XEP-0178 3). */
#include "stream_priv.h"

/* ---- features ---- */

void s2s_sasl_read_feature(s2s_features *f, const s2s_xml_child *child)
{
    if (child->depth == 2 && s2s_span_is(child->ns, S2S_NS_SASL) &&
        s2s_span_is(child->name, "mechanism") && s2s_span_is(child->text, "EXTERNAL"))
        f->external = true;
}

void s2s_sasl_write_feature(s2s_stream *s)
{
    if (!s->in_tls || !s->offer_external || s->after_sasl) return;
    s2s_out_text(s, "<mechanisms xmlns='" S2S_NS_SASL
                    "'><mechanism>EXTERNAL</mechanism></mechanisms>");
}

/* ---- initiating ---- */

/* The identity is always said: some peers answer an empty element with malformed-request. */
static void write_identity(s2s_stream *s, const char *end_tag)
{
    char wire[S2S_DOMAIN_WIRE_MAX + 1], text[S2S_BASE64_SIZE(S2S_DOMAIN_WIRE_MAX)];
    size_t len = s2s_base64_write(s2s_domain_wire(&s->config.from, wire), text);
    S2S_ASSERT(s->in_tls);
    s2s_out_span(s, (s2s_span){text, len});
    s2s_out_text(s, end_tag);
}

void s2s_sasl_send_auth(s2s_stream *s, const s2s_input *in)
{
    s2s_pair_enter(s->ours, in->pair, S2S_PAIR_SASL);
    s->challenged = false;
    s2s_out_text(s, "<auth xmlns='" S2S_NS_SASL "' mechanism='EXTERNAL'>");
    write_identity(s, "</auth>");
}

/* A challenge after an initial response is strange, but harmless to answer, once. */
void s2s_sasl_send_response(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s->challenged = true;
    s2s_out_text(s, "<response xmlns='" S2S_NS_SASL "'>");
    write_identity(s, "</response>");
}

/* Both roles: a new stream, on which the proof counts. */
static void begin(s2s_stream *s)
{
    s->after_sasl = true;
    s->skip_space = true;
    s2s_head_restart(s);
}

void s2s_sasl_begin(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    begin(s);
}

static s2s_pair *pair_in_sasl(const s2s_stream *s)
{
    s2s_pair *pair = s2s_pairs_find(s->ours, &s->config.from, &s->config.to);
    return pair != NULL && pair->state == S2S_PAIR_SASL ? pair : NULL;
}

/* Not before the features: until then nothing may be sent on the new stream (4.3.5). */
void s2s_sasl_open_pair(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s2s_pair *pair = pair_in_sasl(s); /* NULL: dropped meanwhile */
    if (pair != NULL) s2s_pair_opened(s, s->ours, pair, S2S_PROOF_CERTIFICATE);
}

/* Dialback takes over on the same stream where it can: state WANTED is asked on at once. */
void s2s_sasl_take_failure(s2s_stream *s, const s2s_input *in)
{
    const char *cond = s2s_condition_of(in->item, 1, S2S_NS_SASL);
    s2s_pair *pair = pair_in_sasl(s);

    if (cond == NULL) cond = "not-authorized";
    s->sasl_failed = true;
    if (pair == NULL) return;
    if (s->config.allow_dialback && s->dialback_declared) {
        s2s_pair_enter(s->ours, pair, S2S_PAIR_WANTED);
        s2s_event *ev = s2s_stream_tell(s, S2S_EV_NOTE);
        ev->err = S2S_E_SASL_FAILED;
        ev->from = pair->from;
        ev->to = pair->to;
        ev->cond = s2s_span_of(cond);
    } else {
        s2s_pair_refused(s, pair, S2S_E_SASL_FAILED, cond);
    }
}

/* ---- receiving ---- */

/* '=' is zero octets (6.4.2); zero octets mean the identity of the header. */
static bool read_authzid(s2s_stream *s, s2s_span text, bool *encoding_ok)
{
    char domain[S2S_DOMAIN_WIRE_MAX + 3]; /* whole groups of three, and room for a trailing dot */
    size_t len = 0;

    *encoding_ok = true;
    if (text.len == 0 || s2s_span_is(text, "=")) {
        s->authzid = s->head.from;
        return s->authzid.len > 0;
    }
    if (text.len > S2S_BASE64_SIZE(sizeof domain)) return false; /* no domain is that long */
    *encoding_ok = s2s_base64_read(text, domain, sizeof domain, &len);
    return *encoding_ok && s2s_domain_make((s2s_span){domain, len}, &s->authzid) == S2S_E_OK;
}

void s2s_sasl_read_auth(s2s_stream *s, s2s_input *in)
{
    bool encoding_ok;
    s2s_span text = in->item->text;

    s->authzid = (s2s_domain){0};
    if (s2s_span_is(s2s_attr_find(in->item, NULL, "mechanism"), "EXTERNAL"))
        in->facts |= S2S_HAS(MECH_EXTERNAL);
    if (text.len > 0) in->facts |= S2S_HAS(HAS_DATA);
    if (read_authzid(s, text, &encoding_ok)) in->facts |= S2S_HAS(AUTHZID_OK);
    if (encoding_ok) in->facts |= S2S_HAS(ENCODING_OK);
}

void s2s_sasl_send_challenge(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s2s_out_text(s, "<challenge xmlns='" S2S_NS_SASL "'/>");
}

void s2s_sasl_ask(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    S2S_ASSERT(s->in_tls);
    s2s_event *ev = s2s_stream_tell(s, S2S_EV_AUTH);
    ev->from = s->authzid;
    ev->to = s->as;
}

void s2s_sasl_send_success(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s2s_pair *pair;
    s2s_err err = s2s_pairs_get(s->theirs, &s->authzid, &s->as, &pair);
    if (err != S2S_E_OK) {
        s2s_stream_die(s, err);
        return;
    }
    s2s_out_text(s, "<success xmlns='" S2S_NS_SASL "'/>");
    s2s_pair_opened(s, s->theirs, pair, S2S_PROOF_CERTIFICATE);
    begin(s);
}

static void fail(s2s_stream *s, const char *cond)
{
    s->sasl_failures++;
    s2s_out_text(s, "<failure xmlns='" S2S_NS_SASL "'><");
    s2s_out_text(s, cond);
    s2s_out_text(s, "/></failure>");
}

void s2s_sasl_send_failure(s2s_stream *s, const s2s_input *in)
{
    fail(s, in->cond);
}

void s2s_sasl_fail_mechanism(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    fail(s, "invalid-mechanism");
}

void s2s_sasl_fail_encryption(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    fail(s, "encryption-required");
}

void s2s_sasl_fail_encoding(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    fail(s, "incorrect-encoding");
}

void s2s_sasl_fail_authzid(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    fail(s, "invalid-authzid");
}

void s2s_sasl_fail_malformed(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    fail(s, "malformed-request");
}

void s2s_sasl_fail_aborted(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    fail(s, "aborted");
}

void s2s_stream_answer_auth(s2s_stream *s, bool ok, const char *sasl_cond)
{
    s2s_input in = {.brings = ok ? S2S_BRINGS_AUTH_YES : S2S_BRINGS_AUTH_NO, .cond = sasl_cond};
    if (s->expect != S2S_EXPECT_AUTH_ANSWER) return; /* the stream ended meanwhile */
    S2S_ASSERT(ok || sasl_cond != NULL);
    s2s_handshake_step(s, &in);
}
