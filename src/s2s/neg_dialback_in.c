/* Dialback of the receiving and the authoritative role (XEP-0220 2.2). */
#include "stream_priv.h"

/* ---- answers ---- */

/* Ends an answer begun by s2s_dialback_put. */
static void put_verdict(s2s_stream *s, const char *name, s2s_verdict verdict, const char *cond)
{
    if (verdict != S2S_ERROR) {
        s2s_out_text(s, verdict == S2S_VALID ? " type='valid'/>" : " type='invalid'/>");
        return;
    }
    s2s_out_text(s, " type='error'><error type='cancel'><");
    s2s_out_text(s, cond);
    s2s_out_text(s, " xmlns='" S2S_NS_STANZA_ERRORS "'/></error></db:");
    s2s_out_text(s, name);
    s2s_out_text(s, ">");
}

static void put_result(s2s_stream *s, const s2s_pair *pair, s2s_verdict verdict, const char *cond)
{
    s2s_dialback_put_pair(s, "result", &pair->to, &pair->from);
    put_verdict(s, "result", verdict, cond);
}

void s2s_dialback_put_valid(s2s_stream *s, const s2s_pair *pair)
{
    put_result(s, pair, S2S_VALID, NULL);
}

/* Refusals name the addresses as the peer spelt them: only so it finds its question again. */
static void refuse_result(s2s_stream *s, const s2s_input *in, const char *cond)
{
    s2s_dialback_put(s, "result", in->raw_to, in->raw_from);
    put_verdict(s, "result", S2S_ERROR, cond);
}

static void refuse_verify(s2s_stream *s, const s2s_input *in, const char *cond)
{
    s2s_dialback_put(s, "verify", in->raw_to, in->raw_from);
    if (in->id.len > 0) s2s_out_attr(s, "id", in->id);
    put_verdict(s, "verify", S2S_ERROR, cond);
}

/* ---- receiving: keys that come ---- */

void s2s_dialback_result_tls(s2s_stream *s, const s2s_input *in)
{
    refuse_result(s, in, "policy-violation");
}

void s2s_dialback_result_unknown(s2s_stream *s, const s2s_input *in)
{
    refuse_result(s, in, "item-not-found");
}

void s2s_dialback_result_key(s2s_stream *s, const s2s_input *in)
{
    refuse_result(s, in, "not-acceptable");
}

void s2s_dialback_result_room(s2s_stream *s, const s2s_input *in)
{
    refuse_result(s, in, "resource-constraint");
    s2s_event *ev = s2s_stream_tell(s, S2S_EV_NOTE);
    ev->err = S2S_E_PAIR_LIMIT;
    ev->from = in->from.domain;
    ev->to = in->to.domain;
}

void s2s_dialback_ask_prove(s2s_stream *s, const s2s_input *in)
{
    s2s_pair *pair;
    S2S_ASSERT(s->in_tls || s->tls != S2S_TLS_REQUIRED);
    s2s_err err = s2s_pairs_get(s->theirs, &in->from.domain, &in->to.domain, &pair);
    if (err != S2S_E_OK) {
        s2s_stream_die(s, err);
        return;
    }
    s2s_pair_enter(s->theirs, pair, S2S_PAIR_ASKED);
    s2s_event *ev = s2s_stream_tell(s, S2S_EV_PROVE);
    ev->from = in->from.domain;
    ev->to = in->to.domain;
    ev->key = in->key;
}

/* Proved on this very stream already: nothing is asked again. */
void s2s_dialback_repeat(s2s_stream *s, const s2s_input *in)
{
    put_result(s, in->pair, S2S_VALID, NULL);
}

/* ---- our caller's verdict ---- */

static s2s_brings verdict_word(s2s_verdict v)
{
    switch (v) {
    case S2S_VALID: return S2S_BRINGS_RESULT_VALID;
    case S2S_INVALID: return S2S_BRINGS_RESULT_INVALID;
    case S2S_ERROR: break;
    }
    return S2S_BRINGS_RESULT_ERROR;
}

void s2s_stream_answer_result(s2s_stream *s, const s2s_domain *from, const s2s_domain *to,
                              s2s_verdict v, const char *cond, s2s_proof proof)
{
    s2s_input in = {.brings = verdict_word(v), .cond = cond, .proof = proof};
    S2S_ASSERT(v != S2S_ERROR || cond != NULL);
    S2S_ASSERT(v != S2S_VALID || proof != S2S_PROOF_NONE);
    in.pair = s2s_pairs_find(s->theirs, from, to);
    if (in.pair == NULL || !s2s_stream_can_write(s)) return;
    if (in.pair->state == S2S_PAIR_ASKED) in.facts |= S2S_HAS(PAIR_ASKED);
    if (s->theirs->count > 1) in.facts |= S2S_HAS(OTHER_PAIRS);
    s2s_handshake_step(s, &in);
}

void s2s_dialback_open(s2s_stream *s, const s2s_input *in)
{
    S2S_ASSERT(s->in_tls || s->tls != S2S_TLS_REQUIRED);
    put_result(s, in->pair, S2S_VALID, NULL);
    s2s_pair_opened(s, s->theirs, in->pair, in->proof);
}

static void refuse_pair(s2s_stream *s, const s2s_input *in, s2s_verdict v)
{
    put_result(s, in->pair, v, in->cond);
    s2s_pair_enter(s->theirs, in->pair, S2S_PAIR_GONE);
    s2s_pair_release(s->theirs, in->pair);
}

void s2s_dialback_deny(s2s_stream *s, const s2s_input *in)
{
    refuse_pair(s, in, S2S_INVALID);
}

void s2s_dialback_deny_last(s2s_stream *s, const s2s_input *in)
{
    refuse_pair(s, in, S2S_INVALID);
    s2s_stream_die(s, S2S_E_DIALBACK_DENIED);
}

void s2s_dialback_fail(s2s_stream *s, const s2s_input *in)
{
    refuse_pair(s, in, S2S_ERROR);
}

/* ---- authoritative: nothing is kept of a question ---- */

void s2s_dialback_check(s2s_stream *s, const s2s_input *in)
{
    s2s_event *ev = s2s_stream_tell(s, S2S_EV_CHECK_KEY);
    ev->from = in->from.domain;
    ev->to = in->to.domain;
    ev->id = in->id;
    ev->key = in->key;
}

void s2s_dialback_verify_tls(s2s_stream *s, const s2s_input *in)
{
    refuse_verify(s, in, "policy-violation");
}

void s2s_dialback_verify_unknown(s2s_stream *s, const s2s_input *in)
{
    refuse_verify(s, in, "item-not-found");
}

void s2s_dialback_verify_key(s2s_stream *s, const s2s_input *in)
{
    refuse_verify(s, in, "not-acceptable");
}

void s2s_stream_answer_verify(s2s_stream *s, const s2s_domain *from, const s2s_domain *to,
                              s2s_span id, s2s_verdict v, const char *cond)
{
    S2S_ASSERT(v != S2S_ERROR || cond != NULL);
    if (!s2s_stream_can_write(s)) return;
    s2s_dialback_put_pair(s, "verify", to, from);
    s2s_out_attr(s, "id", id);
    put_verdict(s, "verify", v, cond);
    s2s_out_check(s);
}
