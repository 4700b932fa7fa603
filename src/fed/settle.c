/* settle.c - see settle.h. */
#include "fed/settle.h"

#include "fed/alive.h"
#include "fed/conn.h"
#include "fed/pair.h"
#include "fed/route.h"
#include "fed/session.h"
#include "fed/tally.h"

/* A fast link would carry its whole flight from one sweep to the next: much memory, and none of it in the cache. */
enum { CONFIRM_EACH = 128 * 1024 };

/* A peer that acknowledges by itself (XEP-0198): how often it is asked, and how much it may owe. */
enum {
    ASK_EACH = 64, /* stanzas, */
    ASK_BYTES =
        131072, /* or so much of their memory in flight beyond what was there when it was asked last */
    ASK_AGAIN_MS = 1000, /* or after this, when something is still owed */
    OWED_STANZAS = 1000,
    OWED_BYTES = 4 * 1024 * 1024,
};

static bool is_managed(const fed_conn *c)
{
    return s2s_stream_sm(c->s) != S2S_SM_OFF;
}

bool fed_settle_has_room(const fed_link *l)
{
    if (l->flight.stanzas < OWED_STANZAS && l->flight.bytes < OWED_BYTES) return true;
    return !is_managed(l->conn);
}

static void ask(fed_link *l)
{
    (void)fed_alive_ask(l->conn);
    l->asked_at = l->f->now;
    l->confirm_at = l->flight.bytes + ASK_BYTES;
}

/* What is in flight at the end of a sweep was asked for: at once the first time, and again while it is owed. */
static void ask_if_owed(fed_link *l)
{
    if (s2s_stream_sm(l->conn->s) != S2S_SM_ON || fed_conn_ending(l->conn)) return;
    bool again = l->asked_at + ASK_AGAIN_MS <= l->f->now;
    if (s2s_stream_unasked(l->conn->s) > 0 || again) ask(l);
}

/* The first of the flight goes. */
static void take_uncounted(fed_link *l)
{
    if (l->uncounted > 0) l->uncounted--;
}

static void confirm(fed_link *l, fed_conn *c)
{
    bool managed = is_managed(c);
    if (l->flight.stanzas == 0 || (managed && l->uncounted == 0)) return;
    uint64_t acked = l->f->world->acked(l->f->w, c->io);
    for (fed_item *item; (item = fed_queue_peek(&l->flight)) != NULL && item->end <= acked;) {
        if (managed && l->uncounted == 0) break;
        take_uncounted(l);
        fed_route_written(l->f, fed_queue_take(&l->flight));
    }
    l->confirm_at = l->flight.bytes + CONFIRM_EACH;
    if (l->flight.stanzas == 0) fed_chain_take(&l->flying);
}

void fed_settle_sent(fed_link *l, fed_item *item)
{
    fed_queue one;
    fed_queue_init(&one, 0, &l->f->total);
    item->end = s2s_stream_out_total(l->conn->s);
    if (!is_managed(l->conn)) l->uncounted++;
    fed_queue_put_front(&one, item);
    fed_queue_append(&l->flight, &one); /* caps do not apply: it was let in long ago */
    if (l->flying.on == NULL) fed_chain_add(&l->f->flying, &l->flying);
    fed_timer_sooner(&l->f->timers, &l->f->sweep, l->f->now + l->f->config->limits.sweep_ms);
    if (l->confirm_at == 0) l->confirm_at = CONFIRM_EACH;
    bool asks = s2s_stream_unasked(l->conn->s) >= ASK_EACH;
    if (!asks && l->flight.bytes < l->confirm_at) return;
    if (s2s_stream_sm(l->conn->s) == S2S_SM_ON)
        ask(l);
    else
        confirm(l, l->conn);
}

void fed_settle_acked(fed_link *l, uint32_t n)
{
    for (; n > 0 && l->uncounted > 0; l->uncounted--) /* older than what has arrived */
        fed_route_written(l->f, fed_queue_take(&l->flight));
    for (; n > 0; n--) {
        S2S_ASSERT(l->flight.stanzas > 0); /* the stream counts what is here */
        fed_route_acked(l->f, fed_queue_take(&l->flight));
    }
    l->confirm_at = l->flight.bytes + ASK_BYTES;
    if (l->flight.stanzas == 0) fed_chain_take(&l->flying);
}

void fed_settle_confirm(fed_link *l)
{
    confirm(l, l->conn);
    if (l->flight.stanzas == 0) fed_conn_poke(l->conn); /* it may have waited for just that */
}

void fed_settle_sweep(fed *f)
{
    for (fed_hook *h = f->flying.first, *next; h != NULL; h = next) {
        next = h->next;
        fed_link *l = FED_OF(fed_link, flying, h);
        ask_if_owed(l);
        fed_settle_confirm(l);
    }
    fed_tally_sweep(f);
    if (f->flying.n > 0)
        fed_timer_sooner(&f->timers, &f->sweep, f->now + f->config->limits.sweep_ms);
}

/* Nobody has more than a part of it. */
static bool never_left(const fed_item *item, const fed_conn *c)
{
    return item->end > c->sent;
}

static void give_back(fed *f, fed_item *item)
{
    fed_pair *p = fed_pair_of(f, item);
    S2S_ASSERT(p != NULL); /* its link carries it until this is done */
    item->end = 0;
    fed_pair_put_back(p, item);
}

static bool goes_on(fed_link *l, const fed_conn *c, fed_item *item)
{
    bool counted = is_managed(c) && item->number > l->uncounted;
    return counted ? fed_route_unacked(l->f, item, l->target)
                   : fed_route_in_doubt(l->f, item, l->target);
}

/* What goes on is put to the front of its pair's queue, the last one first. */
void fed_settle_end(fed_link *l, fed_conn *c)
{
    fed_item *kept = NULL;
    uint32_t number = 0, session = fed_session_keep(l, c);
    confirm(l, c);
    fed_chain_take(&l->flying);
    for (fed_item *item; (item = fed_queue_take(&l->flight)) != NULL;) {
        item->number = ++number;
        if (!never_left(item, c)) {
            item->session = session; /* its doubt waits for what comes of that */
            if (session == 0 && !goes_on(l, c, item)) continue;
        }
        item->next = kept;
        kept = item;
    }
    for (fed_item *item = kept, *next; item != NULL; item = next) {
        next = item->next;
        item->next = NULL;
        give_back(l->f, item);
    }
}
