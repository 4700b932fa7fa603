/* link_stream.c - what the stream of a link says, and what it is asked; see link.h. */
#include <string.h>

#include "fed/alive.h"
#include "fed/back.h"
#include "fed/conn.h"
#include "fed/deaf.h"
#include "fed/hold.h"
#include "fed/inquiry.h"
#include "fed/link.h"
#include "fed/link_priv.h"
#include "fed/lookup.h"
#include "fed/pair.h"
#include "fed/say.h"
#include "fed/session.h"
#include "fed/settle.h"
#include "fed/target.h"
#include "fed/verify.h"

static bool is_head_pair(const fed_link *l, const s2s_domain *from, const s2s_domain *to)
{
    return s2s_domain_eq(from, &l->from) && s2s_domain_eq(to, &l->to);
}

static const fed_policy *policy_of(const fed_link *l)
{
    return fed_config_policy(l->f->config, &l->target->domain);
}

/* ---- TLS ---- */

void fed_link_tls_ask(const fed_link *l, const fed_conn *c, fed_tls_ask *ask)
{
    const fed_local *local = fed_config_local(l->f->config, &l->from);
    if (l->target->server == NULL && local != NULL && local->certificate) ask->ours = l->from;
    ask->sni = l->to;
    ask->full = c->attempt.full;
}

/* A resumed session is not worth what a full handshake may be: the same endpoint again. False: it was no resumed one. */
static bool not_by_resuming(fed_link *l)
{
    fed_conn *c = l->conn;
    if (!c->tls.resumed || l->state == FED_LINK_UP) return false;
    fed_conn_end(c, S2S_E_TLS_NOT_RESUMED, (s2s_span){NULL, 0});
    return true;
}

static void certificate_will_not_do(fed_link *l, s2s_err why)
{
    if (!not_by_resuming(l)) fed_conn_close(l->conn, why, (s2s_span){NULL, 0});
}

fed_judge_ask fed_link_judge_ask(const s2s_domain *domain, const fed_dane *dane)
{
    return (fed_judge_ask){.domain = domain,
                           .side = FED_OUTSIDE,
                           .hosts = dane->host,
                           .n_hosts = dane->host != NULL ? 1 : 0,
                           .tlsa = dane->tlsa,
                           .n_tlsa = dane->n_tlsa};
}

/* What is to become of a connection whose certificate is judged, in the end. */
static void judged(fed_link *l, s2s_err verdict)
{
    fed_conn *c = l->conn;
    const fed_policy *policy = policy_of(l);
    bool proved = fed_policy_takes(policy, c->proof);
    /* What TLSA records say of the endpoint no dialback can unsay (RFC 7673 3.4). */
    bool must = c->attempt.dane.n_tlsa > 0 || (policy->proofs & FED_PROOF_DIALBACK) == 0;
    l->f->world->found(l->f->w, c->io, &l->to, c->proof);
    if (!proved && must)
        certificate_will_not_do(l, l->cert_ok ? S2S_E_PROOF_POLICY : verdict);
    else if (verdict == S2S_E_CERT_EXPIRED)
        (void)not_by_resuming(l);
}

static void ready(fed_link *l);

/* What nobody vouches for, the domain may: it is asked once all that costs less has said no. */
static void inquired(fed_conn *c, const s2s_domain *domain, s2s_proof proof)
{
    fed_link *l = c->link;
    (void)domain;
    if (l == NULL || l->conn != c || fed_conn_ending(c)) return;
    c->proof = proof;
    l->cert_ok = proof != S2S_PROOF_NONE;
    judged(l, l->cert_ok ? S2S_E_OK : S2S_E_CERT_POSH);
    if (l->conn == c) fed_back_try(l);
    if (l->held && l->conn == c && !fed_conn_ending(c)) ready(l);
}

/* The peer's certificate must name whom we want to reach, unless dialback is proof enough for policy. What it showed when
 * the session began may have expired since; it may have a new one. */
void fed_link_tls(fed_link *l)
{
    fed_conn *c = l->conn;
    fed_judge_ask ask = fed_link_judge_ask(&l->to, &c->attempt.dane);
    ask.side = c->side;
    s2s_proof proof = S2S_PROOF_NONE;
    s2s_err verdict = l->f->world->judge(l->f->w, c->io, &ask, &proof);
    l->cert_ok = verdict == S2S_E_OK;
    l->held = false;
    c->proof = l->cert_ok ? proof : S2S_PROOF_NONE;
    if (l->target->server != NULL) {
        if (l->target->server->trust_certificate && !l->cert_ok)
            certificate_will_not_do(l, verdict);
        return;
    }
    bool open = !fed_policy_takes(policy_of(l), c->proof) && c->attempt.dane.n_tlsa == 0;
    if (open && fed_inquiry_may_help(c, &l->to) && fed_inquiry_begin(c, &l->to, inquired)) return;
    judged(l, verdict);
}

/* ---- asking ---- */

void fed_link_ask(fed_link *l, fed_pair *p)
{
    fed_conn *c = l->conn;
    if (!fed_link_usable(l)) return; /* its end will give the pair back */
    if (fed_hold_busy(l, p)) return; /* asked when the other one is answered */
    fed_conn_unstall(c);             /* or the answer would not be read */
    s2s_err err = s2s_stream_want_pair(c->s, &p->from, &p->to);
    fed_conn_poke(c);
    if (err == S2S_E_OK) {
        fed_pair_asked(p);
        fed_hold_begin(l, p);
    } else if (err == S2S_E_PAIR_LIMIT) {
        fed_pair_refused(p, err, S2S_LIT("resource-constraint"));
    } else if (err != S2S_E_PEER_CLOSED) {
        fed_conn_close(c, S2S_E_RESOURCE, (s2s_span){NULL, 0});
    }
}

static void ask_check(fed_link *l, fed_check *k)
{
    if (!fed_link_usable(l)) return;
    fed_conn_unstall(l->conn);
    s2s_err err = s2s_stream_ask_verify(l->conn->s, &k->to, &k->from, k->id, k->key);
    fed_conn_poke(l->conn);
    k->asked = err == S2S_E_OK;
    if (!k->asked && err != S2S_E_PEER_CLOSED) fed_verify_fail(k, err, NULL);
}

static bool is_ready(const fed_link *l)
{
    return l->state == FED_LINK_ASKING || l->state == FED_LINK_UP;
}

void fed_link_add_pair(fed_link *l, fed_pair *p)
{
    fed_pair_assigned(p, l);
    if (is_ready(l)) fed_link_ask(l, p);
}

void fed_link_add_check(fed_link *l, fed_check *k)
{
    k->link = l;
    k->asked = false;
    fed_chain_move(&l->checks, &k->on_target);
    if (is_ready(l)) ask_check(l, k);
}

void fed_link_spare(fed_link *l)
{
    if (l->pairs.n > 0 || l->checks.n > 0 || l->back || !fed_link_usable(l) || l->trying) return;
    fed_link_end(l, S2S_E_IDLE);
}

/* ---- events ---- */

/* Nothing is said about any pair before it is known whom we speak to. */
static void ready(fed_link *l)
{
    fed_conn *c = l->conn;
    l->held = c->inquiry != NULL;
    if (l->held) return;
    fed_conn_enter(c, FED_CONN_OPEN);
    bool outside = l->target->server == NULL;
    if (outside && !c->in_tls && (policy_of(l)->proofs & FED_PROOF_DIALBACK) == 0) {
        fed_conn_close(c, S2S_E_PROOF_POLICY, (s2s_span){NULL, 0});
        return;
    }
    const fed_local *local = fed_config_local(l->f->config, &l->from);
    l->in_external = outside && l->pairs.n > 0 && c->in_tls && local != NULL &&
                     local->certificate && !c->attempt.no_external;
    fed_link_enter(l, FED_LINK_ASKING);
    for (fed_hook *h = l->pairs.first, *next; h != NULL; h = next) {
        next = h->next;
        fed_link_ask(l, FED_OF(fed_pair, hook, h));
    }
    for (fed_hook *h = l->checks.first, *next; h != NULL; h = next) {
        next = h->next;
        ask_check(l, FED_OF(fed_check, on_target, h));
    }
}

/* The peer has taken a stand: this endpoint it is. */
static void settle_on_it(fed_link *l)
{
    if (l->state != FED_LINK_ASKING) return;
    fed_timer_clear(&l->f->timers, &l->timer);
    fed_lookup_drop(&l->lookup);
    fed_plan_free(l->plan);
    l->plan = NULL;
    l->conn->attempt.dane = (fed_dane){.n_tlsa = 0}; /* it was the plan's */
    l->why = S2S_E_OK;
    l->up_at = l->f->now;
    l->failures = l->target->backoff.failures;
    if (l->target->dialling == l) l->target->dialling = NULL;
    fed_session_missed(l);
    fed_link_enter(l, FED_LINK_UP);
    fed_target_want(l->target); /* whoever did not want this link may want its own now */
}

static void make_key(fed_link *l, const s2s_event *ev)
{
    char key[65];
    if (is_head_pair(l, &ev->from, &ev->to)) {
        if (l->in_external && not_by_resuming(l)) return; /* it knows our certificate no more */
        l->in_external = false;
    }
    l->f->world->dialback_key(l->f->w, l->conn->side, &ev->to, &ev->from, ev->id, key);
    s2s_domain from = ev->from, to = ev->to;
    s2s_stream_give_key(l->conn->s, &from, &to, s2s_span_of(key));
}

/* A pair that is not on this link any more was given up; the stream may still answer. */
static fed_pair *pair_of(fed_link *l, const s2s_event *ev)
{
    fed_pair *p = fed_pair_find(l->f, &ev->from, &ev->to);
    return p != NULL && p->link == l ? p : NULL;
}

static void pair_open(fed_link *l, const s2s_event *ev)
{
    fed_deaf_heard(l);
    fed_pair *p = pair_of(l, ev);
    if (is_head_pair(l, &ev->from, &ev->to)) l->in_external = false;
    fed_say_pair_open(l->f, l->conn, &ev->from, &ev->to, ev->proof);
    settle_on_it(l);
    fed_alive_enabling(l->conn);
    fed_target_proved(l->target);
    s2s_domain from = ev->from, to = ev->to;
    fed_back_takes(l->conn, &from, &to);
    if (p == NULL) return;
    fed_pair_opened(p, ev->proof);
    if (p->target != l->target) fed_target_proved(p->target);
}

/* A peer that offers nothing we can use is no worse than one that cannot be reached: the next endpoint may. */
static bool is_of_the_endpoint(const fed_link *l, const s2s_event *ev)
{
    return l->state == FED_LINK_ASKING && is_head_pair(l, &ev->from, &ev->to) && l->checks.n == 0 &&
           s2s_err_of(ev->err)->retry == S2S_RETRY_OTHER;
}

static void pair_refused(fed_link *l, const s2s_event *ev)
{
    fed_deaf_heard(l);
    fed_pair *p = pair_of(l, ev);
    if (p == NULL) return;
    if (is_of_the_endpoint(l, ev)) {
        fed_conn_close(l->conn, ev->err, (s2s_span){NULL, 0});
        return;
    }
    if (is_head_pair(l, &ev->from, &ev->to)) l->in_external = false;
    settle_on_it(l);
    fed_pair_refused(p, ev->err, ev->cond);
}

void fed_link_event(fed_link *l, const s2s_event *ev)
{
    switch (ev->kind) {
    case S2S_EV_HEAD:
        if (l->conn->state == FED_CONN_HEAD) fed_conn_enter(l->conn, FED_CONN_OPENING);
        return;
    case S2S_EV_READY: ready(l); return;
    case S2S_EV_MAKE_KEY: make_key(l, ev); return;
    case S2S_EV_PAIR_OPEN: pair_open(l, ev); return;
    case S2S_EV_PAIR_REFUSED: pair_refused(l, ev); return;
    case S2S_EV_VERIFY_ANSWER:
        settle_on_it(l);
        fed_verify_answered(l, ev);
        return;
    case S2S_EV_ACKED: fed_settle_acked(l, ev->count); return;
    case S2S_EV_RESUMED: fed_session_resumed(l, ev); return;
    case S2S_EV_NOTE: fed_deaf_heard(l); return; /* an answer that comes too late is one of these */
    case S2S_EV_NONE:
    case S2S_EV_NEED_TLS:
    case S2S_EV_AUTH:
    case S2S_EV_PROVE:
    case S2S_EV_CHECK_KEY:
    case S2S_EV_STANZA:
    case S2S_EV_STANZA_REFUSED:
    case S2S_EV_CLOSED:
    case S2S_EV_DEAD: return; /* conn.c, or the other role */
    }
}

void fed_link_closing(fed_link *l)
{
    if (l->state == FED_LINK_UP) fed_link_enter(l, FED_LINK_CLOSING);
}
