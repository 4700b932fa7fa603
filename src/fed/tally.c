/* tally.c - see tally.h. */
#include "fed/tally.h"

#include <stdlib.h>

#include "fed/conn.h"

enum {
    TELL_EACH = 64,       /* taken stanzas the peer is told of at once; fewer wait for the sweep */
    STUCK_STANZAS = 1000, /* so many that cannot be acknowledged, */
    STUCK_BYTES = 4 * 1024 * 1024, /* or their memory: beyond, what cannot go on is answered */
};

/* A stanza that is not taken yet, by its number on the stream. */
struct fed_ticket {
    fed_ticket *prev, *next;
    fed_tally *of;
    fed_item *item;
    uint32_t number; /* from 1, modulo 2^32 */
    uint64_t offset; /* bytes of all that came before it */
};

struct fed_tally {
    fed_conn *conn; /* NULL: it has ended */
    fed_ticket *first, *last;
    uint32_t number; /* of the last stanza */
    uint64_t bytes;  /* of all that came, as items */
    uint32_t taken;
    fed_hook untold; /* on f->untold */
};

static fed_tally *tally_of(fed_conn *c)
{
    if (c->tally != NULL) return c->tally;
    c->tally = calloc(1, sizeof *c->tally);
    if (c->tally != NULL) c->tally->conn = c;
    return c->tally;
}

bool fed_tally_add(fed_conn *c, fed_item *item)
{
    if (s2s_stream_sm(c->s) != S2S_SM_ON) return true;
    fed_tally *t = tally_of(c);
    fed_ticket *ticket = t != NULL ? malloc(sizeof *ticket) : NULL;
    if (ticket == NULL) return false;
    *ticket = (fed_ticket){
        .prev = t->last, .of = t, .item = item, .number = ++t->number, .offset = t->bytes};
    *(t->last != NULL ? &t->last->next : &t->first) = ticket;
    t->last = ticket;
    t->bytes += item->size;
    item->ticket = ticket;
    return true;
}

static void tell(fed_tally *t)
{
    fed_conn *c = t->conn;
    fed_chain_take(&t->untold);
    s2s_stream_tell_taken(c->s);
    fed_conn_poke(c);
}

static void tell_later(fed_tally *t)
{
    fed *f = t->conn->f;
    if (t->untold.on == NULL) fed_chain_add(&f->untold, &t->untold);
    fed_timer_sooner(&f->timers, &f->sweep, f->now + f->config->limits.sweep_ms);
}

void fed_tally_owe(fed_conn *c)
{
    if (c->tally != NULL) tell_later(c->tally);
}

/* Everything before the first that is left has been taken. */
static void advance(fed_tally *t)
{
    uint32_t taken = t->first != NULL ? t->first->number - 1 : t->number;
    uint32_t more = taken - t->taken;
    t->taken = taken;
    if (more == 0 || t->conn == NULL) return;
    s2s_stream *s = t->conn->s;
    s2s_stream_taken(s, more);
    if (s2s_stream_ack_due(s) || s2s_stream_untold(s) >= TELL_EACH)
        tell(t);
    else
        tell_later(t);
}

static void free_if_done(fed_tally *t)
{
    if (t->conn == NULL && t->first == NULL) free(t);
}

void fed_tally_settle(fed_ticket *ticket)
{
    fed_tally *t = ticket->of;
    *(ticket->prev != NULL ? &ticket->prev->next : &t->first) = ticket->next;
    *(ticket->next != NULL ? &ticket->next->prev : &t->last) = ticket->prev;
    if (ticket->prev == NULL) advance(t);
    free(ticket);
    free_if_done(t);
}

void fed_tally_leave(fed_conn *c)
{
    fed_tally *t = c->tally;
    if (t == NULL) return;
    c->tally = NULL;
    t->conn = NULL;
    fed_chain_take(&t->untold);
    free_if_done(t);
}

void fed_tally_sweep(fed *f)
{
    while (f->untold.first != NULL)
        tell(FED_OF(fed_tally, untold, f->untold.first));
}

/* The oldest alone holds up all that came behind it. In flight it is its link's: that one hears of it, or ends. */
fed_item *fed_tally_stuck(const fed_conn *c)
{
    const fed_tally *t = c->tally;
    if (t == NULL || t->first == NULL) return NULL;
    bool many = fed_tally_untaken(c) > STUCK_STANZAS || t->bytes - t->first->offset > STUCK_BYTES;
    return many && t->first->item->end == 0 ? t->first->item : NULL;
}

size_t fed_tally_untaken(const fed_conn *c)
{
    return c->tally != NULL ? c->tally->number - c->tally->taken : 0;
}
