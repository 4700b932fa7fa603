/* pair.c - see pair.h. */
#include "fed/pair.h"

#include <stdlib.h>

#include "fed/back.h"
#include "fed/conn.h"
#include "fed/deaf.h"
#include "fed/hold.h"
#include "fed/link.h"
#include "fed/route.h"
#include "fed/say.h"
#include "fed/target.h"
#include "fed/turn.h"

const char *fed_pair_state_name(fed_pair_state state)
{
    switch (state) {
    case FED_PAIR_IDLE: return "idle";
    case FED_PAIR_WAITING: return "waiting";
    case FED_PAIR_ASSIGNED: return "assigned";
    case FED_PAIR_ASKED: return "asked";
    case FED_PAIR_OPEN: break;
    }
    return "open";
}

/* ---- life ---- */

static void fire(fed *f, fed_timer *t);

static uint32_t hash_of(const fed *f, const s2s_domain *from, const s2s_domain *to)
{
    return s2s_domain_hash(to, s2s_domain_hash(from, f->seed));
}

fed_pair *fed_pair_find(fed *f, const s2s_domain *from, const s2s_domain *to)
{
    fed_node *n = fed_table_find(&f->pairs, hash_of(f, from, to));
    for (; n != NULL; n = fed_table_again(n)) {
        fed_pair *p = FED_OF(fed_pair, node, n);
        if (s2s_domain_eq(&p->from, from) && s2s_domain_eq(&p->to, to)) return p;
    }
    return NULL;
}

fed_pair *fed_pair_of(fed *f, const fed_item *item)
{
    s2s_stanza st;
    fed_item_view(item, &st);
    return fed_pair_find(f, &st.from_domain, &st.to_domain);
}

/* What the settings say of it: looked up once, not for each stanza. */
static void look_up(fed_pair *p)
{
    const fed_config *c = p->f->config;
    p->from_local = fed_config_local(c, &p->from);
    p->to_local = fed_config_local(c, &p->to);
    p->way = p->to_local != NULL ? FED_INBOUND : FED_OUTBOUND;
    p->loop = p->to_local == NULL && fed_config_under_local(c, &p->to);
    if (p->to_local == NULL)
        p->policy = fed_config_policy(c, &p->to);
    else if (p->from_local == NULL)
        p->policy = fed_config_policy(c, &p->from);
}

fed_pair *fed_pair_get(fed *f, const s2s_domain *from, const s2s_domain *to)
{
    const fed_limits *l = &f->config->limits;
    fed_pair *p = fed_pair_find(f, from, to);
    if (p != NULL) return p;
    p = calloc(1, sizeof *p);
    if (p == NULL) return NULL;
    p->f = f;
    p->from = *from;
    p->to = *to;
    look_up(p);
    p->timer.fire = fire;
    fed_queue_init(&p->queue, l->queue_pair, &f->total);
    fed_backoff_init(&p->backoff, l->backoff_first_ms, l->backoff_max_ms);
    fed_table_put(&f->pairs, &p->node, hash_of(f, from, to));
    fed_pair_loosen(p);
    return p;
}

void fed_pair_free(fed_pair *p)
{
    S2S_ASSERT(p->back == NULL);
    fed_timer_clear(&p->f->timers, &p->timer);
    fed_table_take(&p->f->pairs, &p->node);
    fed_chain_take(&p->hook);
    fed_chain_take(&p->round);
    fed_chain_take(&p->loose);
    fed_queue_fini(&p->queue);
    while (p->stalled.first != NULL)
        fed_conn_unstall(FED_OF(fed_conn, stall, p->stalled.first));
    if (p->target != NULL) {
        p->target->pairs--;
        fed_target_loosen(p->target);
    }
    free(p);
}

void fed_pair_loosen(fed_pair *p)
{
    if (p->loose.on == NULL) fed_chain_add(&p->f->loose_pairs, &p->loose);
}

bool fed_pair_needed(const fed_pair *p)
{
    return p->state != FED_PAIR_IDLE || p->queue.stanzas > 0 || p->sources > 0 ||
           fed_backoff_holds(&p->backoff, p->f->now);
}

/* Whom it is sent to; NULL: no memory. */
static fed_target *target_of(fed_pair *p)
{
    if (p->target != NULL) return p->target;
    fed_target *t =
        p->to_local != NULL ? p->f->servers[p->to_local->server] : fed_target_get(p->f, &p->to);
    if (t == NULL) return NULL;
    p->target = t;
    t->pairs++;
    return t;
}

/* ---- states ---- */

/* One that is on its list already keeps its place. */
static void stand_on(fed_chain *list, fed_pair *p)
{
    if (p->hook.on != list) fed_chain_move(list, &p->hook);
}

static void pair_enter(fed_pair *p, fed_pair_state state)
{
    if (p->state == FED_PAIR_OPEN && state != FED_PAIR_OPEN) {
        fed_chain_take(&p->round);
        p->in_turn = false;
        p->held = false;
        p->deficit = 0;
    }
    p->state = state;
    switch (state) {
    case FED_PAIR_IDLE:
        p->link = NULL;
        fed_chain_take(&p->hook);
        fed_pair_loosen(p);
        return;
    case FED_PAIR_WAITING:
        p->link = NULL;
        stand_on(&p->target->waiting, p);
        return;
    case FED_PAIR_ASSIGNED:
    case FED_PAIR_ASKED:
    case FED_PAIR_OPEN: stand_on(&p->link->pairs, p); return;
    }
}

/* ---- deadlines ---- */

static void arm(fed_pair *p)
{
    uint64_t at = fed_queue_deadline(&p->queue, p->f->config->limits.queue_ms);
    if (p->state == FED_PAIR_ASKED && p->answer_by < at) at = p->answer_by;
    if (p->state == FED_PAIR_IDLE && fed_backoff_holds(&p->backoff, p->f->now) &&
        p->backoff.until < at)
        at = p->backoff.until;
    fed_timer_sooner(&p->f->timers, &p->timer, at);
}

/* What an operator should read: what keeps the stanza here, not only that it was kept. */
static s2s_err why_waiting(const fed_pair *p)
{
    const fed_target *t = p->target;
    if (p->state == FED_PAIR_OPEN || t == NULL) return S2S_E_EXPIRED;
    if (t->server != NULL && t->state != FED_TARGET_UP) return S2S_E_LOCAL_DOWN;
    if (p->why != S2S_E_OK) return p->why;
    return t->why != S2S_E_OK ? t->why : S2S_E_EXPIRED;
}

static void shortened(fed_pair *p)
{
    if (p->queue.stanzas == 0 && p->state == FED_PAIR_WAITING) pair_enter(p, FED_PAIR_IDLE);
    if (p->queue.stanzas == 0) fed_chain_take(&p->round);
    fed_pair_shrunk(p);
}

/* Ends what will be too old at `at`. */
static void expire(fed_pair *p, uint64_t at, s2s_err why)
{
    uint32_t age = p->f->config->limits.queue_ms;
    for (fed_item *item; (item = fed_queue_expire(&p->queue, at, age)) != NULL;)
        fed_route_refuse(p->f, item, why, p->target);
    shortened(p);
}

void fed_pair_yield(fed_pair *p, const fed_item *last)
{
    s2s_err why = p->state == FED_PAIR_OPEN ? S2S_E_FULL : why_waiting(p);
    for (bool more = true; more;) {
        fed_item *item = fed_queue_take(&p->queue);
        S2S_ASSERT(item != NULL);
        more = item != last;
        fed_route_refuse(p->f, item, why, p->target);
    }
    shortened(p);
}

/* The peer did not answer in time. */
static void unanswered(fed_pair *p)
{
    fed_link *l = p->link;
    s2s_stream_drop_pair(l->conn->s, &p->from, &p->to);
    fed_conn_poke(l->conn);
    fed_pair_refused(p, S2S_E_DIALBACK_TIMEOUT, (s2s_span){NULL, 0});
    fed_deaf_unanswered(l, p->answer_by - p->f->config->limits.dialback_ms);
}

static void fire(fed *f, fed_timer *t)
{
    fed_pair *p = FED_OF(fed_pair, timer, t);
    expire(p, f->now, why_waiting(p));
    if (p->state == FED_PAIR_ASKED && p->answer_by <= f->now) unanswered(p);
    fed_pair_go(p);
    arm(p);
    fed_pair_loosen(p);
}

void fed_pair_fail(fed_pair *p, s2s_err why)
{
    expire(p, UINT64_MAX, why);
}

void fed_pair_hurry(fed_pair *p, uint64_t until, s2s_err why)
{
    expire(p, until, why);
}

/* ---- the queue ---- */

/* A remote that refuses the pair, or cannot be reached in time: its stanzas need not wait for that. */
static s2s_err no_hope(fed_pair *p)
{
    if (p->target->server != NULL || p->state > FED_PAIR_WAITING) return S2S_E_OK;
    if (fed_back_link(p) != NULL) return S2S_E_OK;
    if (fed_backoff_holds(&p->backoff, p->f->now)) return p->why;
    return fed_target_hopeless(p->target);
}

s2s_err fed_pair_put(fed_pair *p, fed_item *item)
{
    if (target_of(p) == NULL) return S2S_E_NOMEM;
    s2s_err why = no_hope(p);
    if (why == S2S_E_OK) why = fed_queue_put(&p->queue, item);
    if (why != S2S_E_OK) return why;
    if (fed_item_counts(item)) p->stanzas++;
    fed_pair_go(p);
    return S2S_E_OK;
}

void fed_pair_put_back(fed_pair *p, fed_item *item)
{
    fed_queue_put_front(&p->queue, item);
}

/* A refusal elsewhere is no reason not to take the way back. */
static bool may_go(const fed_pair *p)
{
    return !fed_backoff_holds(&p->backoff, p->f->now) || fed_back_link(p) != NULL;
}

void fed_pair_go(fed_pair *p)
{
    if (p->queue.stanzas == 0) return;
    if (p->state == FED_PAIR_IDLE && may_go(p)) {
        pair_enter(p, FED_PAIR_WAITING);
        fed_target_want(p->target);
    } else if (p->state == FED_PAIR_OPEN && !p->held) {
        if (p->round.on == NULL) fed_chain_add(&p->link->round, &p->round);
        fed_link_pump(p->link);
    }
    if (p->queue.stanzas > 0) arm(p);
}

/* ---- its way through a link ---- */

void fed_pair_assigned(fed_pair *p, fed_link *l)
{
    p->link = l;
    pair_enter(p, FED_PAIR_ASSIGNED);
}

/* The peer will have to ask us about the key, perhaps over the very connection that waits for room the other way. */
static void free_the_way_back(fed_pair *p)
{
    fed_pair *back = fed_pair_find(p->f, &p->to, &p->from);
    while (back != NULL && back->stalled.first != NULL)
        fed_conn_unstall(FED_OF(fed_conn, stall, back->stalled.first));
}

void fed_pair_asked(fed_pair *p)
{
    p->answer_by = p->f->now + p->f->config->limits.dialback_ms;
    pair_enter(p, FED_PAIR_ASKED);
    free_the_way_back(p);
    arm(p);
}

void fed_pair_opened(fed_pair *p, s2s_proof proof)
{
    if (p->way == FED_OUTBOUND) p->proof = proof;
    p->why = S2S_E_OK;
    p->alone = p->was_alone = false;
    fed_backoff_reset(&p->backoff);
    pair_enter(p, FED_PAIR_OPEN);
    fed_hold_end(p->link, p);
    fed_pair_go(p);
}

void fed_pair_unasked(fed_pair *p)
{
    S2S_ASSERT(p->state != FED_PAIR_OPEN);
    pair_enter(p, FED_PAIR_ASSIGNED);
}

/* On a connection that was made for another pair, or has no room, it may just be in the wrong place (XEP-0220 2.5). */
static bool wants_own_link(const fed_pair *p, const fed_link *l, s2s_span cond)
{
    if (p->was_alone || l->target->server != NULL) return false;
    bool shared = !s2s_domain_eq(&l->from, &p->from) || !s2s_domain_eq(&l->to, &p->to);
    return shared || s2s_span_is(cond, "resource-constraint");
}

void fed_pair_refused(fed_pair *p, s2s_err why, s2s_span cond)
{
    fed_link *l = p->link;
    fed_say_pair_refused(p, l->conn, why, cond);
    p->why = why;
    p->alone = wants_own_link(p, l, cond);
    p->was_alone = p->was_alone || p->alone;
    if (!p->alone) fed_backoff_fail(&p->backoff, p->f->now, fed_random(p->f));
    pair_enter(p, FED_PAIR_IDLE);
    if (!p->alone && p->target->server == NULL) fed_pair_fail(p, why);
    fed_hold_end(l, p);
    fed_pair_go(p);
    arm(p);
    fed_link_spare(l);
}

void fed_pair_left(fed_pair *p)
{
    pair_enter(p, FED_PAIR_IDLE);
    fed_pair_go(p);
}

/* ---- back-pressure ---- */

/* A remote host's connection waits: it chose what to share. A local server's waits only if it carries nothing else. Neither
 * waits while its server may have to ask us about a key over it. Who does not wait is bounced when the queue is full. */
static bool may_stall(const fed_pair *p, const fed_conn *c)
{
    if (c->stalled_on != NULL || fed_conn_ending(c)) return false;
    if (c->side == FED_INSIDE && c->n_feeds != 1) return false;
    if (c->role == S2S_INITIATING && (c->side == FED_INSIDE || s2s_stream_waits(c->s)))
        return false; /* or answers would not be read */
    const fed_pair *back = fed_pair_find(p->f, &p->to, &p->from);
    return back == NULL || back->state != FED_PAIR_ASKED;
}

void fed_pair_stall(fed_pair *p, fed_conn *c)
{
    if (p->queue.bytes <= p->f->config->limits.queue_pair / 2 || !may_stall(p, c)) return;
    c->stalled_on = p;
    fed_chain_add(&p->stalled, &c->stall);
    fed_conn_pause(c, FED_PAUSE_STALL, true);
}

void fed_conn_unstall(fed_conn *c)
{
    if (c->stalled_on == NULL) return;
    c->stalled_on = NULL;
    fed_chain_take(&c->stall);
    fed_conn_pause(c, FED_PAUSE_STALL, false);
}

void fed_pair_shrunk(fed_pair *p)
{
    if (p->queue.bytes > p->f->config->limits.queue_pair / 4) return;
    while (p->stalled.first != NULL)
        fed_conn_unstall(FED_OF(fed_conn, stall, p->stalled.first));
}
