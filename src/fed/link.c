/* link.c - see link.h: life, endpoints and attempts. What its stream says: link_stream.c. */
#include "fed/link.h"

#include <stdlib.h>

#include "fed/conn.h"
#include "fed/link_priv.h"
#include "fed/lookup.h"
#include "fed/pair.h"
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

void fed_link_enter(fed_link *l, fed_link_state state)
{
    if (l->state == state) return;
    fed_link_state was = l->state;
    l->state = state;
    fed_say_link_state(l, fed_link_state_name(was), fed_link_state_name(state));
    fed_target_show(l->target);
}

/* ---- life ---- */

static void try_next(fed_link *l);

static void give_up(fed *f, fed_timer *timer)
{
    fed_link *l = FED_OF(fed_link, timer, timer);
    (void)f;
    l->given_up = true;
    if (l->conn == NULL) {
        if (l->why == S2S_E_OK) l->why = S2S_E_DNS_FAILED;
        try_next(l);
        return;
    }
    bool tcp = l->conn->state == FED_CONN_DIALLING;
    fed_conn_end(l->conn, tcp ? S2S_E_TCP_TIMEOUT : S2S_E_NEGOTIATION_TIMEOUT, (s2s_span){NULL, 0});
}

static s2s_tls_level tls_level(const fed_target *t)
{
    if (t->server != NULL) return t->server->tls;
    return fed_config_policy(t->f->config, &t->domain)->tls;
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
    if (p != NULL && tls_level(t) == S2S_TLS_NONE) fed_plan_without_direct(p);
    return p;
}

fed_link *fed_link_dial(fed_target *t, const s2s_domain *from, const s2s_domain *to)
{
    S2S_ASSERT(t->dialling == NULL);
    fed_link *l = calloc(1, sizeof *l);
    if (l == NULL) return NULL;
    l->plan = plan_for(t);
    if (l->plan == NULL) {
        free(l);
        return NULL;
    }
    l->f = t->f;
    l->target = t;
    l->from = *from;
    l->to = *to;
    l->timer.fire = give_up;
    fed_queue_init(&l->flight, 0, &t->f->total);
    fed_chain_add(&t->links, &l->hook);
    t->dialling = l;
    fed_timer_set(&t->f->timers, &l->timer, t->f->now + t->f->config->limits.plan_ms);
    fed_target_show(t);
    return l;
}

void fed_link_begin(fed_link *l)
{
    try_next(l);
}

void fed_link_free(fed_link *l)
{
    fed_timer_clear(&l->f->timers, &l->timer);
    fed_lookup_drop(l);
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
    fed_timer_clear(&l->f->timers, &l->timer);
    fed_lookup_drop(l);
    if (t->dialling == l) t->dialling = NULL;
    fed_chain_take(&l->hook);
    fed_link_enter(l, FED_LINK_ENDED);
    fed_chain_add(&l->f->loose_links, &l->loose);
    fed_target_loosen(t);
}

/* No endpoint is left. */
static void fail(fed_link *l, s2s_err why)
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

/* ---- attempts ---- */

/* Room for the longest stanza behind what made the pairs wait. */
static size_t most_out(const fed_limits *limits)
{
    return limits->link_out + limits->stanza + 65536;
}

static fed_conn *attempt_conn(fed_link *l)
{
    const fed_limits *limits = &l->f->config->limits;
    const fed_local *local = fed_config_local(l->f->config, &l->from);
    bool inside = l->target->server != NULL;
    s2s_stream_config config;
    s2s_stream_config_init(&config, S2S_INITIATING);
    config.from = l->from;
    config.to = l->to;
    config.tls = tls_level(l->target);
    config.direct_tls = l->direct;
    config.try_external = !inside && local != NULL && local->certificate && !l->no_external;
    config.open.stanza = limits->stanza;
    config.max_pairs = inside ? limits->pairs_inside : limits->pairs_per_stream;
    config.max_out = most_out(limits);
    return fed_conn_new(l->f, inside ? FED_INSIDE : FED_OUTSIDE, &config, NULL, &l->endpoint);
}

/* Without a connection object there is nothing to end: the attempt is told here. */
static void attempt(fed_link *l)
{
    l->in_external = false;
    fed_link_enter(l, FED_LINK_DIALLING);
    fed_conn *c = attempt_conn(l);
    if (c == NULL) {
        l->why = S2S_E_NOMEM;
        fed_say_attempt_ended(l, l->why, (s2s_span){NULL, 0});
        return;
    }
    c->link = l;
    c->ours = l->from;
    c->theirs = l->to;
    c->server = l->target->server;
    c->direct = l->direct;
    l->conn = c;
    c->io = l->f->world->dial(l->f->w, c, c->side, &l->endpoint);
    if (c->io == NULL) fed_conn_end(c, S2S_E_RESOURCE, (s2s_span){NULL, 0});
}

/* Another domain's link leads to the same place, and the peer is fine with several targets on one stream
 * (XEP-0220 2.6.2): its certificate must cover this one, or not have mattered. */
static bool may_join(const fed_link *l, const fed_link *host)
{
    if (host->state != FED_LINK_UP || host->target == l->target || host->target->server != NULL)
        return false;
    if (!fed_addr_eq(&host->endpoint, &l->endpoint) || !fed_link_usable(host)) return false;
    if (host->pairs.n + l->pairs.n > l->f->config->limits.pairs_per_stream) return false;
    if (!s2s_stream_offers_dialback_errors(host->conn->s)) return false;
    const fed_policy *policy = fed_config_policy(l->f->config, &l->target->domain);
    if (!host->conn->in_tls)
        return policy->tls != S2S_TLS_REQUIRED && (policy->proofs & FED_PROOF_DIALBACK) != 0;
    s2s_err verdict = l->f->world->judge(l->f->w, host->conn->io, &l->target->domain, FED_OUTSIDE);
    if (verdict == S2S_E_OK && (policy->proofs & FED_PROOF_CERTIFICATE) != 0) return true;
    return !host->cert_ok && (policy->proofs & FED_PROOF_DIALBACK) != 0;
}

static fed_link *find_host(const fed_link *l)
{
    if (l->target->server != NULL || l->exclusive || l->checks.n > 0) return NULL;
    for (fed_hook *h = l->f->conns.first; h != NULL; h = h->next) {
        fed_link *host = FED_OF(fed_conn, hook, h)->link;
        if (host != NULL && may_join(l, host)) return host;
    }
    return NULL;
}

static bool join(fed_link *l)
{
    fed_target *t = l->target;
    fed_link *host = find_host(l);
    if (host == NULL) return false;
    t->host = host;
    fed_chain_move(&host->guests, &t->guest);
    while (l->pairs.first != NULL) {
        fed_pair *p = FED_OF(fed_pair, hook, l->pairs.first);
        fed_link_add_pair(host, p);
    }
    fed_link_end(l, S2S_E_IDLE);
    return true;
}

static bool is_needed(const fed_link *l)
{
    return l->pairs.n > 0 || l->checks.n > 0;
}

/* One step of the plan. False: an attempt or a lookup is under way, or the link is over. */
static bool step(fed_link *l)
{
    if (!is_needed(l)) {
        fed_link_end(l, S2S_E_IDLE);
        return false;
    }
    if (l->again) {
        l->again = false;
        attempt(l);
        return l->conn == NULL;
    }
    fed_plan_step next = {.kind = FED_PLAN_END, .why = S2S_E_NO_ENDPOINT_LEFT};
    if (!l->given_up && !l->f->drain_over) next = fed_plan_next(l->plan);
    switch (next.kind) {
    case FED_PLAN_END:
        fail(l, next.why == S2S_E_NO_ENDPOINT_LEFT && l->why != S2S_E_OK ? l->why : next.why);
        return false;
    case FED_PLAN_ASK:
        fed_link_enter(l, FED_LINK_RESOLVING);
        fed_lookup_begin(l, &next);
        return false;
    case FED_PLAN_DIAL: break;
    }
    l->endpoint = l->target->endpoint = next.addr;
    l->direct = next.direct;
    l->no_external = l->full = false;
    if (join(l)) return false;
    attempt(l);
    return l->conn == NULL;
}

static void try_next(fed_link *l)
{
    l->trying = true;
    while (step(l)) {
    }
    l->trying = false;
}

void fed_link_answer(fed_link *l, const fed_dns *answer)
{
    fed_plan_answer(l->plan, answer);
    try_next(l);
}

/* Some servers answer EXTERNAL they do not like by closing: the same endpoint may still take dialback. */
static bool external_was_disliked(const fed_link *l, s2s_err why)
{
    if (!l->in_external || l->no_external || l->given_up) return false;
    return why == S2S_E_PEER_ERROR || why == S2S_E_PEER_CLOSED || why == S2S_E_TCP_EOF ||
           why == S2S_E_TCP_RESET || why == S2S_E_OUT_OF_TURN || why == S2S_E_TLS_BROKEN;
}

/* What the peer knew of us in the full handshake it may not know in a resumed one, our certificate above all, and its own may
 * be another one by now. */
static bool resuming_was_disliked(const fed_link *l, const fed_conn *c, s2s_err why)
{
    if (l->full || l->given_up) return false;
    return why == S2S_E_TLS_NOT_RESUMED || (c->in_tls && c->tls.resumed);
}

void fed_link_lost(fed_link *l, fed_conn *c, s2s_err why, s2s_span detail)
{
    S2S_ASSERT(l->conn == c);
    l->cond = c->cond;
    if (l->state == FED_LINK_UP || l->state == FED_LINK_CLOSING) {
        fed_say_conn_ended(c, why, detail);
        fed_settle_end(l, c);
        l->conn = NULL;
        broke(l, why);
        return;
    }
    fed_say_attempt_ended(l, why, detail);
    S2S_ASSERT(l->flight.stanzas == 0);
    l->conn = NULL;
    l->why = why;
    for (fed_hook *h = l->pairs.first; h != NULL; h = h->next)
        fed_pair_unasked(FED_OF(fed_pair, hook, h));
    for (fed_hook *h = l->checks.first; h != NULL; h = h->next)
        FED_OF(fed_check, on_target, h)->asked = false;
    bool resuming = resuming_was_disliked(l, c, why), external = external_was_disliked(l, why);
    l->again = resuming || external;
    l->full = l->full || resuming;
    l->no_external = l->no_external || (external && !resuming);
    if (!l->trying) try_next(l);
}
