#include "s2s/stream.h"

#include <stdlib.h>
#include <string.h>

#include "stream_priv.h"

/* ---- life ---- */

const char *s2s_proof_name(s2s_proof proof)
{
    switch (proof) {
    case S2S_PROOF_NONE: return "none";
    case S2S_PROOF_CERTIFICATE: return "certificate";
    case S2S_PROOF_DIALBACK: return "dialback";
    case S2S_PROOF_DANE: return "dane";
    case S2S_PROOF_POSH: return "posh";
    case S2S_PROOF_PIN: return "pin";
    }
    return "none";
}

void s2s_stream_config_init(s2s_stream_config *c, s2s_role role)
{
    *c = (s2s_stream_config){
        .role = role,
        .tls = S2S_TLS_REQUIRED,
        .allow_dialback = true,
        .preauth = s2s_xml_limits_preauth,
        .open = s2s_xml_limits_open,
        .max_pairs = 1000,
        .max_out = 1048576, /* bytes: one pair's share of section 19 */
    };
}

static void say(s2s_stream *s, s2s_brings brings);

static void begin(s2s_stream *s)
{
    if (s->config.direct_tls)
        say(s, S2S_BRINGS_DIRECT_TLS);
    else if (s->config.role == S2S_INITIATING)
        s2s_head_write_initial(s);
}

s2s_stream *s2s_stream_new(const s2s_stream_config *config)
{
    s2s_stream *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    s->config = *config;
    s->config.error_id = (s2s_span){NULL, 0}; /* it is the caller's; ours is a copy */
    s->error_id_len = config->error_id.len;
    if (s->error_id_len > S2S_ERROR_ID_MAX) s->error_id_len = S2S_ERROR_ID_MAX;
    if (s->error_id_len > 0) memcpy(s->error_id, config->error_id.ptr, s->error_id_len);
    s->expect = S2S_EXPECT_HEAD;
    s->tls = config->role == S2S_INITIATING ? config->tls : S2S_TLS_REQUIRED;
    s2s_buf_init(&s->in, 0);
    s2s_buf_init(&s->out, 0);
    s2s_buf_init(&s->stanza, 0);
    s2s_buf_init(&s->address, 0);
    /* The peer does not know where the stream lies, so it cannot choose domains that collide. */
    uint32_t seed = (uint32_t)((uintptr_t)s >> 4) * UINT32_C(2654435761);
    s2s_pairs_init(&s->natural, config->max_pairs, seed);
    *(config->role == S2S_INITIATING ? &s->ours : &s->theirs) = &s->natural;
    s->config.resume = NULL;
    s->xml = s2s_xml_new(&config->preauth);
    if (s->xml != NULL) begin(s);
    if (s->xml == NULL || s->out_failed || !s2s_sm_init(s, config->resume)) {
        s2s_stream_free(s);
        return NULL;
    }
    return s;
}

void s2s_stream_free(s2s_stream *s)
{
    if (s == NULL) return;
    s2s_questions_free(s);
    s2s_sm_fini(s);
    s2s_bidi_fini(s);
    s2s_pairs_fini(&s->natural);
    s2s_xml_free(s->xml);
    s2s_buf_fini(&s->address);
    s2s_buf_fini(&s->stanza);
    s2s_buf_fini(&s->out);
    s2s_buf_fini(&s->in);
    free(s);
}

void s2s_stream_enter(s2s_stream *s, s2s_expect next)
{
    s->expect = next;
    if (next == S2S_EXPECT_DIALBACK) s2s_pairs_pump(s);
}

static bool is_over(const s2s_stream *s)
{
    return s->expect == S2S_CLOSED || s->expect == S2S_DEAD;
}

/* Nothing is read while our caller owes an answer. */
static bool is_waiting(const s2s_stream *s)
{
    return s->expect == S2S_EXPECT_ANSWER || s->expect == S2S_EXPECT_AUTH_ANSWER ||
           s->expect == S2S_EXPECT_TLS;
}

bool s2s_stream_can_write(const s2s_stream *s)
{
    return s->head_sent && !s->close_sent && !is_over(s) && s->expect != S2S_EXPECT_TLS;
}

/* ---- bytes in ---- */

static void restart_if_due(s2s_stream *s)
{
    if (!s->restart_due) return;
    s->restart_due = false;
    if (s2s_xml_restart(s->xml) != S2S_E_OK) s2s_stream_die(s, S2S_E_NOMEM);
}

/* White space a peer put behind <success/> or <auth/> belongs to the old stream; in front of an
 * XML declaration it would be an error. */
static s2s_span without_old_space(s2s_stream *s, s2s_span bytes)
{
    while (s->skip_space && bytes.len > 0) {
        s->skip_space = s2s_only_space((s2s_span){bytes.ptr, 1});
        if (!s->skip_space) break;
        bytes.ptr++;
        bytes.len--;
    }
    return bytes;
}

static void hold(s2s_stream *s, s2s_span bytes)
{
    if (s2s_buf_span(&s->in).len + bytes.len > 2 * S2S_FEED_MAX)
        s2s_stream_die(s, S2S_E_RESOURCE); /* the caller reads on without looking */
    else if (s2s_buf_put(&s->in, bytes) != S2S_E_OK)
        s2s_stream_die(s, S2S_E_NOMEM);
}

void s2s_stream_feed(s2s_stream *s, s2s_span bytes)
{
    if (is_over(s) || bytes.len == 0) return;
    if (s->expect == S2S_EXPECT_TLS) {
        if (!s2s_only_space(bytes)) s2s_stream_die(s, S2S_E_TLS_INJECTION);
        return;
    }
    if (!is_waiting(s) && s2s_buf_span(&s->in).len == 0) {
        restart_if_due(s);
        if (is_over(s)) return;
        bytes = without_old_space(s, bytes);
        if (bytes.len > 0) {
            size_t taken = s2s_xml_feed(s->xml, bytes);
            bytes = (s2s_span){bytes.ptr + taken, bytes.len - taken};
        }
    }
    if (bytes.len > 0) hold(s, bytes);
}

void s2s_stream_eof(s2s_stream *s)
{
    s->eof = true;
}

/* Gives the parser what is held. False: there is nothing. */
static bool feed_held(s2s_stream *s)
{
    s2s_span held = s2s_buf_span(&s->in);
    s2s_span rest = without_old_space(s, held);
    size_t taken = held.len - rest.len;
    if (rest.len > 0) taken += s2s_xml_feed(s->xml, rest);
    if (taken == 0) return false;
    s2s_buf_consume(&s->in, taken);
    return true;
}

enum { KEPT = 4096, OUT_KEPT = 16384 /* bytes a buffer keeps for what comes next */ };

/* A stranger's stream keeps none. */
static void keep_small(const s2s_stream *s, s2s_buf *b, size_t most)
{
    if (!s->limits_open || b->size > most) s2s_buf_trim(b);
}

/* What was large is given back at once, the rest when the stream rests. */
static void give_back(s2s_stream *s)
{
    s2s_buf_clear(&s->stanza);
    s2s_buf_clear(&s->address);
    keep_small(s, &s->in, KEPT);
    keep_small(s, &s->stanza, KEPT);
    keep_small(s, &s->address, KEPT);
}

void s2s_stream_rest(s2s_stream *s)
{
    s2s_buf_clear(&s->stanza);
    s2s_buf_clear(&s->address);
    s2s_buf_trim(&s->in);
    s2s_buf_trim(&s->stanza);
    s2s_buf_trim(&s->address);
    s2s_buf_trim(&s->out);
    s2s_xml_rest(s->xml);
}

/* ---- bytes out ---- */

s2s_span s2s_stream_out(const s2s_stream *s)
{
    return s2s_buf_span(&s->out);
}

void s2s_stream_sent(s2s_stream *s, size_t n)
{
    s2s_buf_consume(&s->out, n);
    keep_small(s, &s->out, OUT_KEPT);
}

uint64_t s2s_stream_out_total(const s2s_stream *s)
{
    return s->out_total;
}

/* A receiving stream whose peer has yet to begin anew after SASL waits with what it has to send. */
static bool may_send_now(const s2s_stream *s)
{
    bool initiating = s->config.role == S2S_INITIATING;
    return s->expect == (initiating ? S2S_EXPECT_DIALBACK : S2S_EXPECT_STANZA) &&
           s->sm.state != S2S_SM_RESUMING;
}

s2s_err s2s_stream_send(s2s_stream *s, const s2s_domain *from, const s2s_domain *to, s2s_span bytes)
{
    if (!may_send_now(s) || !s2s_stream_sends(s, from, to)) return S2S_E_NOT_PROVED;
    S2S_ASSERT(s->in_tls || s->tls != S2S_TLS_REQUIRED);
    if (s2s_buf_span(&s->out).len + bytes.len > s->config.max_out) return S2S_E_FULL;
    s2s_err err = s2s_buf_put(&s->out, bytes);
    if (err != S2S_E_OK) return err;
    s->out_total += bytes.len;
    s->sm.sent++; /* means nothing while it is off */
    return S2S_E_OK;
}

/* ---- events ---- */

s2s_event *s2s_stream_tell(s2s_stream *s, s2s_event_kind kind)
{
    S2S_ASSERT(!s->event_due);
    s->event = (s2s_event){.kind = kind};
    s->event_due = true;
    return &s->event;
}

void s2s_stream_note(s2s_stream *s, s2s_err err)
{
    s2s_stream_tell(s, S2S_EV_NOTE)->err = err;
}

/* An event of a pair; a pair nobody needs any more goes with it. False: none is due. */
static bool tell_pair(s2s_stream *s, s2s_pairs *of)
{
    s2s_pair *pair = s2s_pairs_take_due(of);
    if (pair == NULL) return false;
    s->event = (s2s_event){.kind = pair->due,
                           .theirs = of == s->theirs,
                           .err = pair->err,
                           .from = pair->from,
                           .to = pair->to,
                           .proof = pair->proof,
                           .cond = s2s_span_of(pair->cond)};
    pair->due = S2S_EV_NONE;
    if (s->event.kind == S2S_EV_MAKE_KEY) s->event.id = s2s_stream_id(s);
    if (s->event.kind == S2S_EV_PAIR_REFUSED) s2s_pair_release(of, pair);
    return true;
}

/* Fills s->event with what is due, in the order it came about. */
static bool take_event(s2s_stream *s)
{
    if (s->event_due) {
        s->event_due = false;
        return true;
    }
    if (s->ready_due) {
        s->ready_due = false;
        s->event = (s2s_event){.kind = S2S_EV_READY};
        return true;
    }
    bool held = s->sm.state == S2S_SM_RESUMING; /* what is open cannot be used yet */
    if (!held && (tell_pair(s, s->ours) || tell_pair(s, s->theirs))) return true;
    if (s->dead_due) {
        s->dead_due = false;
        s->event = (s2s_event){
            .kind = S2S_EV_DEAD, .err = s->dead_err, .cond = s->dead_cond, .text = s->dead_text};
        return true;
    }
    return false;
}

/* Reads one element. False: more bytes are needed. */
static bool read_on(s2s_stream *s)
{
    restart_if_due(s);
    if (is_over(s)) return true;
    s2s_xml_item item = s2s_xml_next(s->xml);
    if (item.kind == S2S_XML_NONE) return feed_held(s);
    s2s_input in;
    s2s_input_of_item(s, &item, &in);
    s2s_handshake_step(s, &in);
    return true;
}

const s2s_event *s2s_stream_next(s2s_stream *s)
{
    while (!take_event(s)) {
        bool more = !is_over(s) && !is_waiting(s) && read_on(s);
        if (!more && s->eof && !is_over(s)) {
            s2s_stream_die(s, S2S_E_TCP_EOF);
        } else if (!more && !s2s_sm_pay(s)) {
            give_back(s);
            s->event = (s2s_event){.kind = S2S_EV_NONE};
            break;
        }
    }
    return &s->event;
}

/* ---- the end ---- */

/* Close tag, behind a header if there was none. */
static void write_close(s2s_stream *s)
{
    if (s->close_sent || s->expect == S2S_EXPECT_TLS) return;
    if (!s->head_sent) s2s_head_write_bare(s);
    s2s_sm_last(s);
    s2s_out_text(s, "</stream:stream>");
    s->close_sent = true;
}

/* After these nothing is said: what the peer sent was not meant for us to answer (attacks 47, 48),
 * or nobody listens. */
static bool is_mute(s2s_err err)
{
    return err == S2S_E_TLS_INJECTION || err == S2S_E_TCP_EOF || err == S2S_E_NOMEM;
}

void s2s_stream_die_text(s2s_stream *s, s2s_err err, s2s_span text)
{
    if (is_over(s)) return;
    if (!is_mute(err)) {
        s2s_sm_last(s);
        if (s2s_err_of(err)->stream[0] != '\0') s2s_error_write(s, err, text);
        write_close(s);
    }
    s->expect = S2S_DEAD;
    s->event_due = false;
    s->ready_due = false;
    s2s_pairs_drop_due(s->ours);
    s2s_pairs_drop_due(s->theirs);
    s2s_buf_clear(&s->in);
    s->dead_due = true;
    s->dead_err = err;
    s->dead_cond = s2s_span_of(s2s_err_of(err)->stream);
    s->dead_text = (s2s_span){NULL, 0};
}

void s2s_stream_die(s2s_stream *s, s2s_err err)
{
    s2s_stream_die_text(s, err, (s2s_span){NULL, 0});
}

void s2s_stream_close(s2s_stream *s, s2s_err why, s2s_span text)
{
    if (is_over(s)) return;
    if (why != S2S_E_OK) {
        s2s_stream_die_text(s, why, text);
        return;
    }
    if (s->expect == S2S_EXPECT_CLOSE) return;
    if (s->expect == S2S_EXPECT_TLS) { /* in mid-handshake there is no stream to close */
        s2s_stream_die(s, S2S_E_OK);
        return;
    }
    write_close(s);
    s->expect = S2S_EXPECT_CLOSE;
    s2s_out_check(s);
}

void s2s_act_nothing(s2s_stream *s, const s2s_input *in)
{
    (void)s;
    (void)in;
}

void s2s_act_ignore(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s2s_stream_note(s, S2S_E_OUT_OF_TURN);
}

void s2s_act_ignore_foreign(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s2s_stream_note(s, S2S_E_UNSUPPORTED_STANZA);
}

void s2s_act_close_back(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    write_close(s);
    s2s_stream_tell(s, S2S_EV_CLOSED);
}

/* ---- our caller's words ---- */

static void say(s2s_stream *s, s2s_brings brings)
{
    s2s_input in = {.brings = brings};
    s2s_handshake_step(s, &in);
}

void s2s_stream_hello(s2s_stream *s)
{
    say(s, S2S_BRINGS_DIRECT_TLS);
}

void s2s_stream_tls_done(s2s_stream *s)
{
    if (s->expect == S2S_EXPECT_TLS) say(s, S2S_BRINGS_TLS_DONE);
}

void s2s_stream_answer(s2s_stream *s, const s2s_answer *answer)
{
    if (s->expect != S2S_EXPECT_ANSWER) return; /* the stream ended meanwhile */
    S2S_ASSERT(answer->id.len > 0 && answer->id.len <= S2S_ID_MAX);
    memcpy(s->id, answer->id.ptr, answer->id.len);
    s->id_len = answer->id.len;
    s->as = answer->as;
    s->tls = answer->tls;
    s->offer_external = answer->offer_external;
    s->offer_dialback = answer->offer_dialback;
    s->offer_sm = answer->offer_sm;
    s->max_bytes = answer->max_bytes;
    s->idle_seconds = answer->idle_seconds;
    s->offer_bidi = answer->offer_bidi;
    say(s, S2S_BRINGS_ANSWER);
}

/* ---- questions about it ---- */

bool s2s_stream_in_tls(const s2s_stream *s)
{
    return s->in_tls;
}

s2s_span s2s_stream_id(const s2s_stream *s)
{
    return s->id_len == 0 ? (s2s_span){NULL, 0} : (s2s_span){s->id, s->id_len};
}

bool s2s_stream_half_stanza(const s2s_stream *s)
{
    return !is_over(s) && (s2s_xml_in_element(s->xml) || s2s_buf_span(&s->in).len > 0);
}

bool s2s_stream_waits(const s2s_stream *s)
{
    return s->n_sent > 0 || s2s_pairs_in(s->ours, S2S_PAIR_ASKED) > 0 ||
           s2s_pairs_in(s->ours, S2S_PAIR_SASL) > 0;
}

unsigned s2s_stream_pairs(const s2s_stream *s)
{
    return s2s_pairs_in(&s->natural, S2S_PAIR_OPEN);
}

static bool is_open(const s2s_pairs *of, const s2s_domain *from, const s2s_domain *to)
{
    const s2s_pair *pair = s2s_pairs_find(of, from, to);
    return pair != NULL && pair->state == S2S_PAIR_OPEN;
}

bool s2s_stream_sends(const s2s_stream *s, const s2s_domain *from, const s2s_domain *to)
{
    return is_open(s->ours, from, to);
}

bool s2s_stream_takes(const s2s_stream *s, const s2s_domain *from, const s2s_domain *to)
{
    return is_open(s->theirs, from, to);
}

bool s2s_stream_pair_open(const s2s_stream *s, const s2s_domain *from, const s2s_domain *to)
{
    return is_open(&s->natural, from, to);
}

bool s2s_stream_offers_dialback_errors(const s2s_stream *s)
{
    return s->dialback_errors;
}

bool s2s_stream_offers_external(const s2s_stream *s)
{
    return s->external_offered && !s->sasl_failed;
}

void s2s_stream_keep_alive(s2s_stream *s)
{
    if (s->expect != S2S_EXPECT_DIALBACK && s->expect != S2S_EXPECT_STANZA) return;
    s2s_out_text(s, " ");
    s2s_out_check(s);
}

const char *s2s_stream_state(const s2s_stream *s)
{
    return s2s_expect_name(s->expect);
}
