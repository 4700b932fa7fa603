/* drain.c - see drain.h. */
#include "fed/drain.h"

#include "fed/conn.h"
#include "fed/link.h"
#include "fed/pair.h"
#include "fed/turn.h"

static s2s_span no_text(void)
{
    return (s2s_span){NULL, 0};
}

/* Connections of the outside bring only more; but for those on which we send. Those of the inside stay: the local servers may have to ask us for keys, or
 * errors of ours would not reach them. */
static void close_outside(fed *f)
{
    for (fed_hook *h = f->conns.first, *next; h != NULL; h = next) {
        next = h->next;
        fed_conn *c = FED_OF(fed_conn, hook, h);
        if (c->side == FED_OUTSIDE && c->role == S2S_RECEIVING && c->link == NULL)
            fed_conn_close(c, S2S_E_SHUTDOWN, no_text());
    }
}

void fed_drain(fed *f, uint32_t limit_ms)
{
    fed_turn_begin(f);
    if (!f->draining) {
        f->draining = true;
        close_outside(f);
        fed_timer_set(&f->timers, &f->drain, f->now + limit_ms);
    }
    fed_turn_end(f);
}

static void fail_all(fed *f)
{
    for (fed_node *n = NULL; (n = fed_table_walk(&f->pairs, n)) != NULL;) {
        fed_pair *p = FED_OF(fed_pair, node, n);
        if (p->queue.stanzas > 0) fed_pair_fail(p, S2S_E_SHUTDOWN);
    }
}

static void close_all(fed *f)
{
    f->drain_over = true;
    fed_timer_clear(&f->timers, &f->drain);
    for (fed_hook *h = f->conns.first, *next; h != NULL; h = next) {
        next = h->next;
        fed_conn_close(FED_OF(fed_conn, hook, h), S2S_E_SHUTDOWN, no_text());
    }
}

/* The errors of the last minute are given a moment to be sent. */
void fed_drain_fire(fed *f, fed_timer *t)
{
    (void)t;
    if (f->drain_last) {
        close_all(f);
        return;
    }
    f->drain_last = true;
    fail_all(f);
    fed_timer_set(&f->timers, &f->drain, f->now + f->config->limits.close_ms);
}

void fed_drain_look(fed *f)
{
    if (!f->drain_over && f->total.stanzas == 0) close_all(f);
    if (f->drain_over) fail_all(f);
}

bool fed_drained(const fed *f)
{
    return f->drain_over && f->conns.n == 0;
}
