/* conn.c - see conn.h. */
#include "fed/conn.h"

#include <stdlib.h>
#include <string.h>

#include "fed/admit.h"
#include "fed/alive.h"
#include "fed/back.h"
#include "fed/inquiry.h"
#include "fed/link.h"
#include "fed/pair.h"
#include "fed/race.h"
#include "fed/receive.h"
#include "fed/say.h"
#include "fed/tally.h"
#include "fed/turn.h"

const char *fed_conn_state_name(fed_conn_state state)
{
    switch (state) {
    case FED_CONN_DIALLING: return "dialling";
    case FED_CONN_HEAD: return "head";
    case FED_CONN_OPENING: return "opening";
    case FED_CONN_OPEN: return "open";
    case FED_CONN_CLOSING: return "closing";
    case FED_CONN_SHUTTING: return "shutting";
    case FED_CONN_ENDED: break;
    }
    return "ended";
}

/* ---- life ---- */

static void fire(fed *f, fed_timer *t);
static void arm(fed_conn *c);

fed_conn *fed_conn_new(fed *f, fed_side side, const s2s_stream_config *config, void *io,
                       const fed_addr *peer)
{
    fed_conn *c = calloc(1, sizeof *c);
    if (c == NULL) return NULL;
    c->s = s2s_stream_new(config);
    if (c->s == NULL) {
        free(c);
        return NULL;
    }
    c->f = f;
    c->id = ++f->last_id;
    c->side = side;
    c->role = config->role;
    c->io = io;
    c->peer = *peer;
    c->timer.fire = fire;
    c->since = c->opened_at = c->active_at = c->stirred_at = c->entered_at = f->now;
    c->state = FED_CONN_DIALLING;
    fed_chain_add(&f->conns, &c->hook);
    arm(c);
    if (io != NULL) fed_conn_enter(c, FED_CONN_HEAD);
    return c;
}

void fed_conn_free(fed_conn *c)
{
    fed_timer_clear(&c->f->timers, &c->timer);
    fed_chain_take(&c->hook);
    fed_chain_take(&c->restless);
    fed_chain_take(&c->race);
    fed_conn_unstall(c);
    fed_tally_leave(c);
    free(c->feeds);
    s2s_stream_free(c->s);
    free(c);
}

bool fed_conn_ending(const fed_conn *c)
{
    return c->state >= FED_CONN_CLOSING;
}

/* ---- deadlines: one timer, set for the first of all that hold ---- */

typedef struct due {
    uint64_t at;
    s2s_err why; /* OK: only a pause ends */
} due;

static void sooner(due *d, uint64_t at, s2s_err why)
{
    if (at < d->at) *d = (due){at, why};
}

/* Nothing is half read, nothing is held back. */
static uint64_t rests_at(const fed_conn *c)
{
    bool quiet = c->state == FED_CONN_OPEN && c->half_since == 0 && c->paused == 0;
    return quiet && !c->resting ? c->stirred_at + c->f->config->limits.rest_ms : UINT64_MAX;
}

/* RFC 6120 13.7.2.3: the peer is known by a certificate, and that expires. Of pins and TLSA records dates are no part. */
static uint64_t unknown_from(const fed_conn *c)
{
    bool by_date = c->proof == S2S_PROOF_CERTIFICATE || c->proof == S2S_PROOF_POSH;
    return c->side == FED_OUTSIDE && c->in_tls && by_date ? c->cert_ends : UINT64_MAX;
}

static void due_by_state(const fed_conn *c, due *d)
{
    const fed_limits *l = &c->f->config->limits;
    switch (c->state) {
    case FED_CONN_DIALLING: sooner(d, c->entered_at + l->connect_ms, S2S_E_TCP_TIMEOUT); return;
    case FED_CONN_HEAD:
        sooner(d, c->entered_at + l->head_ms, S2S_E_HEAD_TIMEOUT);
        sooner(d, c->opened_at + l->negotiate_ms, S2S_E_NEGOTIATION_TIMEOUT);
        return;
    case FED_CONN_OPENING:
        sooner(d, c->opened_at + l->negotiate_ms, S2S_E_NEGOTIATION_TIMEOUT);
        return;
    case FED_CONN_OPEN:
        if (c->half_since != 0) sooner(d, c->half_since + l->stanza_ms, S2S_E_STANZA_TIMEOUT);
        if (c->paused == 0) sooner(d, c->active_at + l->idle_ms, S2S_E_IDLE);
        sooner(d, fed_alive_due(c), S2S_E_PEER_GONE);
        sooner(d, unknown_from(c), S2S_E_CERT_OVER);
        sooner(d, rests_at(c), S2S_E_OK);
        return;
    case FED_CONN_CLOSING:
    case FED_CONN_SHUTTING: sooner(d, c->entered_at + l->close_ms, S2S_E_CLOSE_TIMEOUT); return;
    case FED_CONN_ENDED: return;
    }
}

static due next_due(const fed_conn *c)
{
    due d = {UINT64_MAX, S2S_E_OK};
    due_by_state(c, &d);
    if (c->unsent_since != 0)
        sooner(&d, c->unsent_since + c->f->config->limits.send_ms, S2S_E_SEND_TIMEOUT);
    if ((c->paused & FED_PAUSE_RATE) != 0) sooner(&d, c->rate_at, S2S_E_OK);
    return d;
}

/* Deadlines which moved away are found out when the old one comes. */
static void arm(fed_conn *c)
{
    if (c->state != FED_CONN_ENDED) fed_timer_sooner(&c->f->timers, &c->timer, next_due(c).at);
}

static void expire(fed_conn *c, s2s_err why)
{
    if (why == S2S_E_PEER_GONE && fed_alive_look(c)) return;
    if (why == S2S_E_OK)
        fed_conn_pause(c, FED_PAUSE_RATE, false);
    else if (c->state == FED_CONN_DIALLING || fed_conn_ending(c) || why == S2S_E_SEND_TIMEOUT)
        fed_conn_end(c, why, (s2s_span){NULL, 0});
    else
        fed_conn_close(c, why, (s2s_span){NULL, 0});
}

static void fire(fed *f, fed_timer *t)
{
    fed_conn *c = FED_OF(fed_conn, timer, t);
    if (rests_at(c) <= f->now) {
        s2s_stream_rest(c->s);
        c->resting = true;
    }
    due d = next_due(c);
    if (d.at <= f->now) expire(c, d.why);
    arm(c);
}

void fed_conn_rearm(fed_conn *c)
{
    arm(c);
}

/* Bytes came or went. Those which only keep it alive are no activity. */
static void stir(fed_conn *c, bool active)
{
    c->stirred_at = c->f->now;
    if (active) c->active_at = c->f->now;
    if (!c->resting) return;
    c->resting = false;
    arm(c);
}

void fed_conn_enter(fed_conn *c, fed_conn_state state)
{
    if (c->state == state) return;
    fed_say_conn_state(c, fed_conn_state_name(c->state), fed_conn_state_name(state));
    c->state = state;
    c->entered_at = c->f->now;
    arm(c);
}

/* ---- events ---- */

void fed_conn_poke(fed_conn *c)
{
    if (c->state != FED_CONN_ENDED && c->restless.on == NULL)
        fed_chain_add(&c->f->restless, &c->restless);
}

static void start_tls(fed_conn *c)
{
    fed_tls_ask ask = {.role = c->role, .side = c->side, .direct = c->direct};
    if (c->link != NULL)
        fed_link_tls_ask(c->link, c, &ask);
    else
        fed_receive_tls_ask(c, &ask);
    c->f->world->start_tls(c->f->w, c->io, &ask);
}

/* The stream is over: what is still to be sent goes, and then the connection. */
static void stream_ended(fed_conn *c, s2s_err why, const s2s_event *ev)
{
    if (c->why == S2S_E_OK) c->why = why != S2S_E_OK ? why : S2S_E_IDLE;
    if (why == S2S_E_PEER_ERROR || why == S2S_E_SEE_OTHER_HOST) {
        size_t len = ev->text.len < sizeof c->detail ? ev->text.len : sizeof c->detail - 1;
        if (len > 0) memcpy(c->detail, ev->text.ptr, len);
        c->cond = ev->cond.ptr;
    }
    fed_conn_enter(c, FED_CONN_SHUTTING);
    if (c->link != NULL) fed_link_closing(c->link);
}

/* What concerns their stanzas is the same on either kind of connection. */
static bool is_theirs(const s2s_event *ev)
{
    return ev->kind == S2S_EV_STANZA || ev->kind == S2S_EV_STANZA_REFUSED ||
           ev->kind == S2S_EV_PROVE || ev->kind == S2S_EV_CHECK_KEY || ev->theirs;
}

static void dispatch(fed_conn *c, const s2s_event *ev)
{
    switch (ev->kind) {
    case S2S_EV_NEED_TLS: start_tls(c); return;
    case S2S_EV_CLOSED: stream_ended(c, S2S_E_PEER_CLOSED, ev); return;
    case S2S_EV_DEAD: stream_ended(c, ev->err, ev); return;
    case S2S_EV_NONE: return;
    case S2S_EV_NOTE: fed_say_noted(c, ev); break;
    case S2S_EV_HEAD:
    case S2S_EV_READY:
    case S2S_EV_MAKE_KEY:
    case S2S_EV_AUTH:
    case S2S_EV_PROVE:
    case S2S_EV_CHECK_KEY:
    case S2S_EV_PAIR_OPEN:
    case S2S_EV_PAIR_REFUSED:
    case S2S_EV_VERIFY_ANSWER:
    case S2S_EV_STANZA:
    case S2S_EV_STANZA_REFUSED:
    case S2S_EV_ACKED:
    case S2S_EV_RESUMED: break;
    }
    if (c->role == S2S_RECEIVING || is_theirs(ev))
        fed_receive_event(c, ev);
    else if (c->link != NULL)
        fed_link_event(c->link, ev);
}

static void flush(fed_conn *c)
{
    if (c->state == FED_CONN_DIALLING || s2s_stream_out(c->s).len == 0) return;
    if (c->unsent_since == 0) {
        c->unsent_since = c->f->now;
        arm(c);
    }
    c->f->world->flush(c->f->w, c->io);
}

/* A stanza that is half read has its time from when the last whole one came. */
static void look_half(fed_conn *c, bool moved)
{
    if (!s2s_stream_half_stanza(c->s)) {
        c->half_since = 0;
    } else if (c->half_since == 0 || moved) {
        c->half_since = c->f->now;
        arm(c);
    }
}

void fed_conn_walk(fed_conn *c)
{
    bool moved = false;
    while (c->state != FED_CONN_ENDED) {
        const s2s_event *ev = s2s_stream_next(c->s);
        if (ev->kind == S2S_EV_NONE) break;
        moved = true;
        dispatch(c, ev);
    }
    if (c->state == FED_CONN_ENDED) return;
    if (moved) c->active_at = c->f->now;
    if (s2s_stream_ack_asked(c->s)) fed_tally_owe(c);
    look_half(c, moved);
    if (c->link != NULL) fed_link_pump(c->link);
    flush(c);
    fed_conn_finish(c);
}

/* ---- pausing ---- */

void fed_conn_pause(fed_conn *c, unsigned reason, bool on)
{
    unsigned before = c->paused;
    c->paused = on ? before | reason : before & ~reason;
    if (c->state == FED_CONN_ENDED || (before != 0) == (c->paused != 0)) return;
    if (c->paused == 0) c->active_at = c->stirred_at = c->f->now; /* it was not idle, it was held */
    c->f->world->pause(c->f->w, c->io, c->paused != 0);
    arm(c);
}

/* Virtual time: each byte moves rate_at on by what it costs; a debt of more than this pauses. */
enum { RATE_SLACK_MS = 200 };

static void pay(fed_conn *c, size_t bytes)
{
    if (c->rate == 0) return;
    if (c->rate_at < c->f->now) c->rate_at = c->f->now;
    c->rate_at += (bytes * 1000 + c->rate - 1) / c->rate;
    if (c->rate_at > c->f->now + RATE_SLACK_MS) {
        fed_conn_pause(c, FED_PAUSE_RATE, true);
        arm(c);
    }
}

/* ---- the end ---- */

static bool is_orderly(s2s_err why)
{
    return s2s_err_of(why)->stream[0] == '\0';
}

void fed_conn_close(fed_conn *c, s2s_err why, s2s_span text)
{
    S2S_ASSERT(why != S2S_E_OK);
    if (fed_conn_ending(c)) return;
    if (c->state == FED_CONN_DIALLING) {
        fed_conn_end(c, why, (s2s_span){NULL, 0});
        return;
    }
    c->why = why;
    s2s_stream_close(c->s, is_orderly(why) ? S2S_E_OK : why, text);
    fed_conn_enter(c, is_orderly(why) ? FED_CONN_CLOSING : FED_CONN_SHUTTING);
    if (c->link != NULL) fed_link_closing(c->link);
    fed_conn_poke(c);
}

/* After the peer's close tag its kernel may still be about to acknowledge what we sent just before. One that acknowledges
 * itself (XEP-0198) has said by then all it has to say. */
static bool waits_for_flight(const fed_conn *c)
{
    return c->why == S2S_E_PEER_CLOSED && c->link != NULL && c->link->flight.stanzas > 0 &&
           s2s_stream_sm(c->s) == S2S_SM_OFF;
}

void fed_conn_finish(fed_conn *c)
{
    if (c->state != FED_CONN_SHUTTING || s2s_stream_out(c->s).len > 0 || waits_for_flight(c))
        return;
    fed_conn_end(c, c->why, (s2s_span){NULL, 0});
}

void fed_conn_end(fed_conn *c, s2s_err why, s2s_span detail)
{
    if (c->state == FED_CONN_ENDED) return;
    if (c->why == S2S_E_OK) c->why = why;
    if (detail.len == 0) detail = s2s_span_of(c->detail);
    bool gracefully = c->state != FED_CONN_DIALLING && s2s_stream_out(c->s).len == 0;
    fed_conn_enter(c, FED_CONN_ENDED);
    fed_timer_clear(&c->f->timers, &c->timer);
    fed_chain_take(&c->restless);
    fed_inquiry_drop(c);
    fed_receive_ended(c);
    if (c->link != NULL)
        fed_link_lost(c->link, c, c->why, detail);
    else
        fed_say_conn_ended(c, c->why, detail);
    c->link = NULL;
    fed_chain_move(&c->f->dead, &c->hook);
    if (c->io != NULL && !c->lost) c->f->world->close(c->f->w, c->io, gracefully);
    c->io = NULL;
}

/* ---- what the world tells (fed.h) ---- */

void fed_on_connected(fed *f, fed_conn *c, const fed_addr *ours)
{
    (void)ours;
    fed_turn_begin(f);
    if (c->state == FED_CONN_DIALLING) {
        c->opened_at = c->active_at = c->stirred_at = f->now;
        fed_conn_enter(c, FED_CONN_HEAD);
        fed_conn_poke(c);
        if (c->link != NULL && !c->direct) fed_race_answered(c->link, c);
    }
    fed_turn_end(f);
}

void fed_on_hello(fed *f, fed_conn *c)
{
    fed_turn_begin(f);
    if (c->state == FED_CONN_HEAD) {
        c->direct = true;
        s2s_stream_hello(c->s);
        fed_conn_walk(c);
    }
    fed_turn_end(f);
}

void fed_on_bytes(fed *f, fed_conn *c, s2s_span plaintext)
{
    fed_turn_begin(f);
    if (c->state != FED_CONN_ENDED && c->state != FED_CONN_SHUTTING) {
        stir(c, c->answer_by == 0); /* or it may be the answer */
        fed_alive_heard(c);
        pay(c, plaintext.len);
        s2s_stream_feed(c->s, plaintext);
        fed_conn_walk(c);
    }
    fed_turn_end(f);
}

void fed_on_tls(fed *f, fed_conn *c, const fed_tls_info *info)
{
    fed_turn_begin(f);
    if (c->state != FED_CONN_ENDED && !fed_conn_ending(c)) {
        c->tls = *info;
        c->in_tls = true;
        c->cert_ends = info->ends_in > 0 ? f->now + (uint64_t)info->ends_in * 1000 : UINT64_MAX;
        c->active_at = c->stirred_at = f->now;
        s2s_stream_tls_done(c->s);
        if (c->link != NULL) fed_race_answered(c->link, c);
        if (c->link != NULL) fed_link_tls(c->link);
        if (c->link != NULL) fed_back_try(c->link);
        fed_conn_poke(c);
    }
    fed_turn_end(f);
}

void fed_on_lost(fed *f, fed_conn *c, s2s_err why, s2s_span detail)
{
    fed_turn_begin(f);
    c->lost = true;
    fed_conn_end(c, why, detail);
    fed_turn_end(f);
}

s2s_span fed_conn_out(const fed_conn *c)
{
    if (c->state == FED_CONN_ENDED) return (s2s_span){NULL, 0};
    return s2s_stream_out(c->s);
}

bool fed_conn_carries(const fed_conn *c)
{
    if (c->state != FED_CONN_OPEN) return false;
    return c->link == NULL || c->link->state == FED_LINK_UP;
}

void fed_conn_sent(fed *f, fed_conn *c, size_t n)
{
    fed_turn_begin(f);
    if (c->state != FED_CONN_ENDED) {
        s2s_stream_sent(c->s, n);
        c->sent += n;
        size_t quiet = n < c->quiet_out ? n : c->quiet_out;
        c->quiet_out -= quiet;
        if (n > 0) stir(c, n > quiet);
        if (n > 0) c->unsent_since = s2s_stream_out(c->s).len > 0 ? f->now : 0;
        fed_conn_poke(c);
    }
    fed_turn_end(f);
}
