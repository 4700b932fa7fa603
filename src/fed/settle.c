/* settle.c - see settle.h. */
#include "fed/settle.h"

#include "fed/conn.h"
#include "fed/pair.h"
#include "fed/route.h"

/* A fast link would carry its whole flight from one sweep to the next: much memory, and none of it in the cache. */
enum { CONFIRM_EACH = 128 * 1024 };

static void confirm(fed_link *l, fed_conn *c)
{
    if (l->flight.stanzas == 0) return;
    uint64_t acked = l->f->world->acked(l->f->w, c->io);
    for (fed_item *item; (item = fed_queue_peek(&l->flight)) != NULL && item->end <= acked;)
        fed_route_written(l->f, fed_queue_take(&l->flight));
    l->confirm_at = l->flight.bytes + CONFIRM_EACH;
    if (l->flight.stanzas == 0) fed_chain_take(&l->flying);
}

void fed_settle_sent(fed_link *l, fed_item *item)
{
    fed_queue one;
    fed_queue_init(&one, 0, &l->f->total);
    item->end = s2s_stream_out_total(l->conn->s);
    fed_queue_put_front(&one, item);
    fed_queue_append(&l->flight, &one); /* caps do not apply: it was let in long ago */
    if (l->flying.on == NULL) fed_chain_add(&l->f->flying, &l->flying);
    fed_timer_sooner(&l->f->timers, &l->f->sweep, l->f->now + l->f->config->limits.sweep_ms);
    if (l->flight.bytes >= l->confirm_at) confirm(l, l->conn);
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
        fed_settle_confirm(FED_OF(fed_link, flying, h));
    }
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

/* What goes on is put to the front of its pair's queue, the last one first. */
void fed_settle_end(fed_link *l, fed_conn *c)
{
    fed_item *kept = NULL;
    confirm(l, c);
    fed_chain_take(&l->flying);
    for (fed_item *item; (item = fed_queue_take(&l->flight)) != NULL;) {
        if (!never_left(item, c) && !fed_route_in_doubt(l->f, item, l->target)) continue;
        item->next = kept;
        kept = item;
    }
    for (fed_item *item = kept, *next; item != NULL; item = next) {
        next = item->next;
        item->next = NULL;
        give_back(l->f, item);
    }
}
