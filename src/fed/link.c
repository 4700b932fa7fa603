/* link.c - see link.h: life and end. How it gets a connection: race.c. What its stream says: link_stream.c. */
#include "fed/link.h"

#include <stdlib.h>

#include "fed/conn.h"
#include "fed/link_priv.h"
#include "fed/lookup.h"
#include "fed/pair.h"
#include "fed/race.h"
#include "fed/say.h"
#include "fed/settle.h"
#include "fed/target.h"
#include "fed/verify.h"

const char *fed_link_state_name(fed_link_state state)
{
    switch (state) {
    case FED_LINK_RESOLVING: return "resolving";
    case FED_LINK_DIALLING: return "dialling";
    case FED_LINK_ASKING: return "asking";
    case FED_LINK_UP: return "up";
    case FED_LINK_CLOSING: return "closing";
    case FED_LINK_ENDED: break;
    }
    return "ended";
}

/* Does it stand among the hosts while it is up? */
static bool may_host(const fed_link *l)
{
    return l->target->server == NULL && !l->back;
}

void fed_link_enter(fed_link *l, fed_link_state state)
{
    if (l->state == state) return;
    fed_link_state was = l->state;
    bool host = may_host(l);
    if (host && was == FED_LINK_UP) fed_table_take(&l->f->hosts, &l->at);
    l->state = state;
    if (host && state == FED_LINK_UP)
        fed_table_put(&l->f->hosts, &l->at, fed_addr_hash(&l->endpoint, l->f->seed));
    fed_say_link_state(l, fed_link_state_name(was), fed_link_state_name(state));
    fed_target_show(l->target);
}

/* ---- life ---- */

static void give_up(fed *f, fed_timer *timer)
{
    (void)f;
    fed_race_over(FED_OF(fed_link, timer, timer));
}

s2s_tls_level fed_link_tls_level(const fed_target *t)
{
    if (t->server != NULL) return t->server->tls;
    return fed_policy_tls(fed_config_policy(t->f->config, &t->domain));
}

static void plan_dane(fed_plan *p, const fed_target *t)
{
    const fed_policy *policy = fed_config_policy(t->f->config, &t->domain);
    if (!t->f->config->dnssec || policy->tls == S2S_TLS_NONE) return;
    if ((policy->proofs & FED_PROOF_DANE) != 0)
        fed_plan_with_dane(p, policy->proofs == FED_PROOF_DANE);
}

static fed_plan *plan_for(const fed_target *t)
{
    const fed *f = t->f;
    const fed_server *server = t->server;
    fed_plan *p = NULL;
    if (server == NULL)
        p = fed_plan_new(f->config, &t->domain, f->world->random, f->w);
    else if (server->n_addr > 0)
        p = fed_plan_new_fixed(server->addr, server->n_addr);
    else
        p = fed_plan_new_inside(f->config, &server->host, f->world->random, f->w);
    if (p != NULL && fed_link_tls_level(t) == S2S_TLS_NONE) fed_plan_without_direct(p);
    if (p != NULL && server == NULL) plan_dane(p, t);
    return p;
}

static void answered(fed_lookup *k, const fed_dns *answer)
{
    fed_link *l = FED_OF(fed_link, lookup, k);
    fed_plan_answer(l->plan, answer);
    fed_race_run(l);
}

static fed_link *link_new(fed_target *t, const s2s_domain *from, const s2s_domain *to)
{
    fed_link *l = calloc(1, sizeof *l);
    if (l == NULL) return NULL;
    l->f = t->f;
    l->target = t;
    l->from = *from;
    l->to = *to;
    l->timer.fire = give_up;
    l->lookup.answered = answered;
    l->stagger.fire = fed_race_fire;
    fed_queue_init(&l->flight, 0, &t->f->total);
    return l;
}

fed_link *fed_link_new_back(fed_target *t, fed_conn *c, const s2s_domain *from,
                            const s2s_domain *to)
{
    fed_link *l = link_new(t, from, to);
    if (l == NULL) return NULL;
    l->back = true;
    l->conn = c;
    l->up_at = t->f->now;
    fed_chain_add(&t->backs, &l->hook);
    fed_link_enter(l, FED_LINK_UP);
    return l;
}

fed_link *fed_link_dial(fed_target *t, const s2s_domain *from, const s2s_domain *to)
{
    S2S_ASSERT(t->dialling == NULL);
    fed_plan *plan = plan_for(t);
    fed_link *l = plan != NULL ? link_new(t, from, to) : NULL;
    if (l == NULL) {
        fed_plan_free(plan);
        return NULL;
    }
    l->plan = plan;
    fed_chain_add(&t->links, &l->hook);
    t->dialling = l;
    fed_timer_set(&t->f->timers, &l->timer, t->f->now + t->f->config->limits.plan_ms);
    fed_target_show(t);
    return l;
}

void fed_link_begin(fed_link *l)
{
    fed_race_run(l);
}

void fed_link_free(fed_link *l)
{
    S2S_ASSERT(l->state != FED_LINK_UP || !may_host(l)); /* it stands among the hosts */
    fed_timer_clear(&l->f->timers, &l->timer);
    fed_timer_clear(&l->f->timers, &l->stagger);
    fed_lookup_drop(&l->lookup);
    fed_plan_free(l->plan);
    fed_queue_fini(&l->flight);
    fed_chain_take(&l->hook);
    fed_chain_take(&l->flying);
    fed_chain_take(&l->loose);
    free(l);
}

bool fed_link_usable(const fed_link *l)
{
    return l->state < FED_LINK_CLOSING && !l->given_up &&
           (l->conn == NULL || !fed_conn_ending(l->conn));
}

bool fed_link_has_room(const fed_link *l)
{
    const fed_limits *limits = &l->f->config->limits;
    return l->pairs.n <
           (l->target->server != NULL ? limits->pairs_inside : limits->pairs_per_stream);
}

/* ---- the end ---- */

/* Nobody who counted on it does any more. `why` OK: the questions it had are somebody else's now. */
static void let_go(fed_link *l, s2s_err why)
{
    while (l->checks.first != NULL)
        fed_verify_fail(FED_OF(fed_check, on_target, l->checks.first), why, l->cond);
    while (l->pairs.first != NULL)
        fed_pair_left(FED_OF(fed_pair, hook, l->pairs.first));
    for (fed_hook *h; (h = fed_chain_pop(&l->guests)) != NULL;) {
        fed_target *guest = FED_OF(fed_target, guest, h);
        guest->host = NULL;
        fed_target_show(guest);
        fed_target_loosen(guest);
    }
}

static void over(fed_link *l)
{
    fed_target *t = l->target;
    S2S_ASSERT(l->racing.n == 0);
    fed_timer_clear(&l->f->timers, &l->timer);
    fed_timer_clear(&l->f->timers, &l->stagger);
    fed_lookup_drop(&l->lookup);
    if (t->dialling == l) t->dialling = NULL;
    fed_chain_take(&l->hook);
    fed_link_enter(l, FED_LINK_ENDED);
    fed_chain_add(&l->f->loose_links, &l->loose);
    fed_target_loosen(t);
}

void fed_link_fail(fed_link *l, s2s_err why)
{
    fed_target *t = l->target;
    t->cond = l->cond;
    t->why = why;
    over(l);
    let_go(l, why);
    fed_target_failed(t, why);
}

void fed_link_end(fed_link *l, s2s_err why)
{
    if (l->conn != NULL) {
        fed_conn_close(l->conn, why, (s2s_span){NULL, 0});
        return;
    }
    fed_race_stop(l, why);
    over(l);
    let_go(l, why);
    fed_target_want(l->target);
}

/* It had been up: its end is no verdict on the endpoint. */
static void broke(fed_link *l, s2s_err why)
{
    fed_target *t = l->target;
    over(l);
    let_go(l, why);
    fed_target_dropped(t, l, why);
}

/* ---- what its connections come to ---- */

static void nobody_is_asked(fed_link *l)
{
    for (fed_hook *h = l->pairs.first; h != NULL; h = h->next)
        fed_pair_unasked(FED_OF(fed_pair, hook, h));
    for (fed_hook *h = l->checks.first; h != NULL; h = h->next)
        FED_OF(fed_check, on_target, h)->asked = false;
}

void fed_link_lost(fed_link *l, fed_conn *c, s2s_err why, s2s_span detail)
{
    if (l->state == FED_LINK_UP || l->state == FED_LINK_CLOSING) {
        S2S_ASSERT(l->conn == c);
        l->cond = c->cond;
        fed_say_conn_ended(c, why, detail);
        fed_settle_end(l, c);
        l->conn = NULL;
        broke(l, why);
        return;
    }
    S2S_ASSERT(l->flight.stanzas == 0);
    if (l->conn == c) nobody_is_asked(l);
    fed_race_lost(l, c, why, detail);
}
