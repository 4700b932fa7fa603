/* race.c - see race.h. */
#include "fed/race.h"

#include "fed/back.h"
#include "fed/conn.h"
#include "fed/link.h"
#include "fed/link_priv.h"
#include "fed/lookup.h"
#include "fed/say.h"
#include "fed/session.h"
#include "fed/target.h"

/* ---- beginning one ---- */

/* Room for the longest stanza behind what made the pairs wait. */
static size_t most_out(const fed_limits *limits)
{
    return limits->link_out + limits->stanza + 65536;
}

static bool wants_sm(const fed_link *l)
{
    const fed_target *t = l->target;
    return t->server != NULL ? t->server->sm : fed_config_policy(l->f->config, &t->domain)->sm;
}

static fed_conn *attempt_conn(fed_link *l, const fed_attempt *a)
{
    const fed_limits *limits = &l->f->config->limits;
    const fed_local *local = fed_config_local(l->f->config, &l->from);
    bool inside = l->target->server != NULL;
    s2s_stream_config config;
    s2s_stream_config_init(&config, S2S_INITIATING);
    config.from = l->from;
    config.to = l->to;
    config.tls = a->dane.tls ? S2S_TLS_REQUIRED : fed_link_tls_level(l->target);
    config.direct_tls = a->direct;
    config.try_external = !inside && local != NULL && local->certificate && !a->no_external;
    config.try_sm = !l->target->no_sm && wants_sm(l);
    fed_session_offer(l, &config);
    config.open.stanza = limits->stanza;
    config.max_pairs = inside ? limits->pairs_inside : limits->pairs_per_stream;
    config.max_out = most_out(limits);
    return fed_conn_new(l->f, inside ? FED_INSIDE : FED_OUTSIDE, &config, NULL, &a->addr);
}

static void show_endpoint(fed_link *l, const fed_attempt *a)
{
    l->endpoint = l->target->endpoint = a->addr;
    l->direct = a->direct;
}

/* Without a connection object there is nothing to end: the attempt is told here. */
static void begin(fed_link *l, const fed_attempt *a)
{
    show_endpoint(l, a);
    fed_link_enter(l, FED_LINK_DIALLING);
    l->next_at = l->f->now + l->f->config->limits.attempt_ms;
    fed_conn *c = attempt_conn(l, a);
    if (c == NULL) {
        l->why = S2S_E_NOMEM;
        fed_plan_failed(l->plan, a->endpoint);
        fed_say_attempt_ended(l, a, NULL, l->why, (s2s_span){NULL, 0});
        return;
    }
    c->link = l;
    c->ours = l->from;
    c->theirs = l->to;
    c->server = l->target->server;
    c->direct = a->direct;
    c->attempt = *a;
    fed_chain_add(&l->racing, &c->race);
    l->f->racing++;
    c->io = l->f->world->dial(l->f->w, c, c->side, &a->addr);
    if (c->io == NULL) fed_conn_end(c, S2S_E_RESOURCE, (s2s_span){NULL, 0});
}

/* ---- or riding on another link ---- */

/* Another domain's link leads to the same place, and the peer is fine with several targets on one stream
 * (XEP-0220 2.6.2): its certificate must cover this one, or not have mattered. */
static bool may_join(const fed_link *l, const fed_plan_step *dial, const fed_link *host)
{
    if (host->target == l->target) return false;
    if (!fed_addr_eq(&host->endpoint, &dial->addr) || !fed_link_usable(host)) return false;
    if (host->pairs.n + l->pairs.n > l->f->config->limits.pairs_per_stream) return false;
    if (!s2s_stream_offers_dialback_errors(host->conn->s)) return false;
    /* What is believed there comes back there. */
    if (s2s_stream_bidi(host->conn->s) && !fed_back_believes(host->conn, &l->target->domain))
        return false;
    const fed_policy *policy = fed_config_policy(l->f->config, &l->target->domain);
    if (!host->conn->in_tls)
        return !dial->dane.tls && policy->tls != S2S_TLS_REQUIRED &&
               (policy->proofs & FED_PROOF_DIALBACK) != 0;
    const fed_judge_ask ask = fed_link_judge_ask(&l->target->domain, &dial->dane);
    s2s_proof proof = S2S_PROOF_NONE;
    s2s_err verdict = l->f->world->judge(l->f->w, host->conn->io, &ask, &proof);
    if (verdict == S2S_E_OK && fed_policy_takes(policy, proof)) return true;
    if (dial->dane.n_tlsa > 0) return false;
    return !host->cert_ok && (policy->proofs & FED_PROOF_DIALBACK) != 0;
}

static fed_link *find_host(const fed_link *l, const fed_plan_step *dial)
{
    if (l->target->server != NULL || l->exclusive || l->checks.n > 0) return NULL;
    uint32_t hash = fed_addr_hash(&dial->addr, l->f->seed);
    for (fed_node *n = fed_table_find(&l->f->hosts, hash); n != NULL; n = fed_table_again(n)) {
        fed_link *host = FED_OF(fed_link, at, n);
        if (may_join(l, dial, host)) return host;
    }
    return NULL;
}

static bool join(fed_link *l, const fed_plan_step *dial)
{
    fed_target *t = l->target;
    fed_link *host = find_host(l, dial);
    if (host == NULL) return false;
    t->endpoint = dial->addr;
    t->host = host;
    fed_chain_move(&host->guests, &t->guest);
    while (l->pairs.first != NULL) {
        fed_pair *p = FED_OF(fed_pair, hook, l->pairs.first);
        fed_link_add_pair(host, p);
    }
    fed_link_end(l, S2S_E_IDLE);
    return true;
}

/* ---- the race ---- */

static bool is_needed(const fed_link *l)
{
    return l->pairs.n > 0 || l->checks.n > 0;
}

/* The first of a link is begun at once; others beside it a delay apart, so many for a link and so many in all: whoever writes
 * a long list of addresses into the DNS must not make us knock at many doors at a time. */
static bool may_begin(const fed_link *l)
{
    const fed_limits *limits = &l->f->config->limits;
    if (l->racing.n == 0) return true;
    return l->racing.n < limits->attempts && l->f->racing < limits->attempts_in_all &&
           l->next_at <= l->f->now;
}

static void wait_for_turn(fed_link *l)
{
    const fed_limits *limits = &l->f->config->limits;
    if (l->racing.n >= limits->attempts) return; /* the end of one goes on */
    uint64_t at = l->next_at > l->f->now ? l->next_at : l->f->now + limits->attempt_ms;
    fed_timer_set(&l->f->timers, &l->stagger, at);
}

static void ask_dns(fed_link *l, const fed_plan_step *ask)
{
    if (l->racing.n == 0) fed_link_enter(l, FED_LINK_RESOLVING);
    if (ask->kind == FED_PLAN_ASK) fed_lookup_begin(l->f, &l->lookup, &ask->ask);
}

static void nothing_left(fed_link *l, s2s_err why)
{
    if (l->racing.n > 0) return; /* one of them may still answer */
    fed_link_fail(l, why == S2S_E_NO_ENDPOINT_LEFT && l->why != S2S_E_OK ? l->why : why);
}

static bool begin_again(fed_link *l)
{
    l->again = false;
    begin(l, &l->retry);
    return true;
}

/* One step of the plan. False: nothing more is to be done now, or the link is over. */
static bool step(fed_link *l)
{
    if (l->conn != NULL) return false;
    if (!is_needed(l)) {
        fed_link_end(l, S2S_E_IDLE);
        return false;
    }
    bool over = l->given_up || l->f->drain_over;
    if (l->again && !over) return begin_again(l);
    if (!over && !may_begin(l)) {
        wait_for_turn(l);
        return false;
    }
    fed_plan_step next = {.kind = FED_PLAN_END, .why = S2S_E_NO_ENDPOINT_LEFT};
    if (!over) next = fed_plan_next(l->plan);
    switch (next.kind) {
    case FED_PLAN_END: nothing_left(l, next.why); return false;
    case FED_PLAN_ASK:
    case FED_PLAN_WAIT: ask_dns(l, &next); return false;
    case FED_PLAN_DIAL: break;
    }
    if (join(l, &next)) return false;
    begin(l, &(fed_attempt){.addr = next.addr,
                            .endpoint = next.endpoint,
                            .direct = next.direct,
                            .dane = next.dane});
    return true;
}

void fed_race_run(fed_link *l)
{
    if (l->trying) return; /* whoever is at it sees it */
    l->trying = true;
    while (step(l)) {
    }
    l->trying = false;
}

void fed_race_fire(fed *f, fed_timer *stagger)
{
    (void)f;
    fed_race_run(FED_OF(fed_link, stagger, stagger));
}

/* ---- how they end ---- */

static void leave(fed_link *l, fed_conn *c)
{
    if (c->race.on == NULL) return;
    fed_chain_take(&c->race);
    l->f->racing--;
}

/* `dialling`: the why of those that wait for TCP. */
static void end_all(fed_link *l, s2s_err dialling, s2s_err others)
{
    bool trying = l->trying;
    l->trying = true;
    while (l->racing.first != NULL) {
        fed_conn *c = FED_OF(fed_conn, race, l->racing.first);
        fed_conn_end(c, c->state == FED_CONN_DIALLING ? dialling : others, (s2s_span){NULL, 0});
    }
    fed_timer_clear(&l->f->timers, &l->stagger);
    l->trying = trying;
}

void fed_race_stop(fed_link *l, s2s_err why)
{
    end_all(l, why, why);
}

void fed_race_over(fed_link *l)
{
    l->given_up = true;
    end_all(l, S2S_E_TCP_TIMEOUT, S2S_E_NEGOTIATION_TIMEOUT);
    if (l->conn != NULL) {
        fed_conn_end(l->conn, S2S_E_NEGOTIATION_TIMEOUT, (s2s_span){NULL, 0});
        return;
    }
    if (l->why == S2S_E_OK) l->why = S2S_E_DNS_FAILED;
    fed_race_run(l);
}

void fed_race_answered(fed_link *l, fed_conn *c)
{
    if (c->race.on == NULL) return;
    leave(l, c);
    l->conn = c;
    l->in_external = false;
    show_endpoint(l, &c->attempt);
    fed_race_stop(l, S2S_E_OUTRUN);
}

/* Some servers answer EXTERNAL they do not like by closing: the same endpoint may still take dialback. */
static bool external_was_disliked(const fed_link *l, const fed_conn *c, s2s_err why)
{
    if (!l->in_external || c->attempt.no_external) return false;
    return why == S2S_E_PEER_ERROR || why == S2S_E_PEER_CLOSED || why == S2S_E_TCP_EOF ||
           why == S2S_E_TCP_RESET || why == S2S_E_OUT_OF_TURN || why == S2S_E_TLS_BROKEN;
}

/* What the peer knew of us in the full handshake it may not know in a resumed one, our certificate above all, and its own may
 * be another one by now. */
static bool resuming_was_disliked(const fed_conn *c, s2s_err why)
{
    if (c->attempt.full) return false;
    return why == S2S_E_TLS_NOT_RESUMED || (c->in_tls && c->tls.resumed);
}

/* We have ended it ourselves: that says nothing about the endpoint. */
static bool is_ours(s2s_err why)
{
    return why == S2S_E_OUTRUN || why == S2S_E_IDLE || why == S2S_E_SHUTDOWN;
}

/* Once more the same, or it has failed. */
static void judge(fed_link *l, const fed_conn *c, s2s_err why, bool won)
{
    bool resuming = !l->given_up && resuming_was_disliked(c, why);
    bool external = !l->given_up && won && external_was_disliked(l, c, why);
    l->again = resuming || external;
    l->retry = c->attempt;
    l->retry.full = c->attempt.full || resuming;
    l->retry.no_external = c->attempt.no_external || (external && !resuming);
    if (!l->again) fed_plan_failed(l->plan, c->attempt.endpoint);
    l->cond = c->cond;
    l->next_at = l->f->now; /* no reason to wait any longer (RFC 8305 5) */
    show_endpoint(l, &c->attempt);
}

void fed_race_lost(fed_link *l, fed_conn *c, s2s_err why, s2s_span detail)
{
    bool won = l->conn == c;
    leave(l, c);
    if (won) l->conn = NULL;
    fed_say_attempt_ended(l, &c->attempt, c, why, detail);
    if (!is_ours(why))
        judge(l, c, why, won);
    else
        fed_plan_put_back(l->plan, c->attempt.endpoint);
    if (why != S2S_E_OUTRUN) l->why = why;
    fed_race_run(l);
}
