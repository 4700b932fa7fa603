/* alive.c - see alive.h. */
#include "fed/alive.h"

#include "fed/conn.h"
#include "fed/ping.h"

/* A peer that closes idle streams itself is shown in time that this one is wanted. */
static uint64_t quiet_ms(const fed_conn *c)
{
    uint64_t ours = c->f->config->limits.keepalive_ms;
    uint64_t theirs = (uint64_t)s2s_stream_peer_idle_seconds(c->s) * 1000 / 2;
    return theirs != 0 && theirs < ours ? theirs : ours;
}

/* A connection that is paused is not quiet: we are. */
static uint64_t next_at(const fed_conn *c)
{
    return c->paused == 0 ? c->stirred_at + quiet_ms(c) : UINT64_MAX;
}

/* `end`: offset the peer's kernel must have acknowledged by then; 0: the peer must have said something. */
static void expect_answer(fed_conn *c, uint64_t end)
{
    if (c->answer_by != 0) return;
    c->answer_by = c->f->now + c->f->config->limits.answer_ms;
    c->answer_end = end;
}

void fed_alive_heard(fed_conn *c)
{
    c->answer_by = 0;
}

/* What was written since then is no activity. */
static uint64_t quietly(fed_conn *c, uint64_t before)
{
    uint64_t end = s2s_stream_out_total(c->s);
    c->quiet_out += (size_t)(end - before);
    return end;
}

bool fed_alive_ask(fed_conn *c)
{
    uint64_t before = s2s_stream_out_total(c->s);
    s2s_stream_ask_ack(c->s);
    if (quietly(c, before) == before) return false;
    expect_answer(c, 0);
    fed_conn_rearm(c);
    fed_conn_poke(c);
    return true;
}

/* Whatever else it says: until then nobody knows how its stanzas are to be counted. */
static bool is_enabling(const fed_conn *c)
{
    return c->enabled_by != 0 && s2s_stream_sm(c->s) == S2S_SM_ASKED;
}

void fed_alive_enabling(fed_conn *c)
{
    if (c->enabled_by != 0 || s2s_stream_sm(c->s) != S2S_SM_ASKED) return;
    c->enabled_by = c->f->now + c->f->config->limits.answer_ms;
    fed_conn_rearm(c);
}

uint64_t fed_alive_due(const fed_conn *c)
{
    uint64_t at = next_at(c);
    if (c->answer_by != 0 && c->answer_by < at) at = c->answer_by;
    return is_enabling(c) && c->enabled_by < at ? c->enabled_by : at;
}

static void keep_alive(fed_conn *c)
{
    uint64_t before = s2s_stream_out_total(c->s);
    c->stirred_at = c->f->now;
    if (fed_alive_ask(c)) return;
    bool pinged = fed_ping_send(c);
    if (!pinged) s2s_stream_keep_alive(c->s);
    uint64_t end = quietly(c, before);
    expect_answer(c, pinged ? 0 : end);
    fed_conn_poke(c);
}

bool fed_alive_look(fed_conn *c)
{
    if (is_enabling(c) && c->enabled_by <= c->f->now) {
        if (c->link != NULL) c->link->target->no_sm = true;
        return false;
    }
    if (c->answer_by != 0 && c->answer_by <= c->f->now) {
        bool lives = c->answer_end != 0 && c->f->world->acked(c->f->w, c->io) >= c->answer_end;
        if (!lives) return false;
        c->answer_by = 0;
    }
    if (next_at(c) <= c->f->now) keep_alive(c);
    return true;
}
