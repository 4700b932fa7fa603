/* target.c - see target.h. */
#include "fed/target.h"

#include <stdlib.h>
#include <string.h>

#include "fed/back.h"
#include "fed/link.h"
#include "fed/pair.h"
#include "fed/say.h"
#include "fed/session.h"
#include "fed/turn.h"
#include "fed/verify.h"

const char *fed_target_state_name(fed_target_state state)
{
    switch (state) {
    case FED_TARGET_IDLE: return "idle";
    case FED_TARGET_RESOLVING: return "resolving";
    case FED_TARGET_DIALLING: return "dialling";
    case FED_TARGET_UP: return "up";
    case FED_TARGET_BACKOFF: break;
    }
    return "backoff";
}

/* ---- life ---- */

/* A local server is close by and ours: it is tried again soon after it is back (attack 158). */
enum { SERVER_BACKOFF_FIRST_MS = 250, SERVER_BACKOFF_MAX_MS = 1000 };

static void fire(fed *f, fed_timer *t);

static fed_target *target_new(fed *f)
{
    fed_target *t = calloc(1, sizeof *t);
    if (t == NULL) return NULL;
    t->f = f;
    t->timer.fire = fire;
    return t;
}

fed_target *fed_target_new_server(fed *f, const fed_server *server)
{
    fed_target *t = target_new(f);
    if (t == NULL) return NULL;
    t->server = server;
    fed_backoff_init(&t->backoff, SERVER_BACKOFF_FIRST_MS, SERVER_BACKOFF_MAX_MS);
    return t;
}

fed_target *fed_target_find(fed *f, const s2s_domain *remote)
{
    fed_node *n = fed_table_find(&f->targets, s2s_domain_hash(remote, f->seed));
    for (; n != NULL; n = fed_table_again(n)) {
        fed_target *t = FED_OF(fed_target, node, n);
        if (s2s_domain_eq(&t->domain, remote)) return t;
    }
    return NULL;
}

fed_target *fed_target_get(fed *f, const s2s_domain *remote)
{
    fed_target *t = fed_target_find(f, remote);
    if (t != NULL) return t;
    t = target_new(f);
    if (t == NULL) return NULL;
    t->domain = *remote;
    fed_backoff_init(&t->backoff, f->config->limits.backoff_first_ms,
                     f->config->limits.backoff_max_ms);
    fed_table_put(&f->targets, &t->node, s2s_domain_hash(remote, f->seed));
    fed_target_loosen(t);
    return t;
}

/* Its pairs are gone; links may be left only when everything goes (fed_free). */
void fed_target_free(fed_target *t)
{
    fed *f = t->f;
    S2S_ASSERT(t->pairs == 0);
    fed_timer_clear(&f->timers, &t->timer);
    while (t->links.first != NULL)
        fed_link_free(FED_OF(fed_link, hook, t->links.first));
    while (t->backs.first != NULL)
        fed_link_free(FED_OF(fed_link, hook, t->backs.first));
    fed_session_forget(t);
    fed_chain_take(&t->guest);
    fed_chain_take(&t->wanted);
    fed_chain_take(&t->loose);
    if (t->server == NULL) fed_table_take(&f->targets, &t->node);
    free(t);
}

void fed_target_loosen(fed_target *t)
{
    if (t->server == NULL && t->loose.on == NULL) fed_chain_add(&t->f->loose_targets, &t->loose);
}

/* Failures are remembered for a while after their backoff is over, or the next would begin from first again. Of too many
 * domains at once, as somebody may make up, only the first. */
enum { REMEMBERED_MAX = 16384 };

static uint64_t forget_at(const fed_target *t)
{
    if (t->backoff.failures == 0 || t->f->targets.count > REMEMBERED_MAX) return t->ask_at;
    return t->backoff.until + t->f->config->limits.backoff_max_ms;
}

bool fed_target_needed(const fed_target *t)
{
    return t->server != NULL || t->links.n > 0 || t->backs.n > 0 || t->checks.n > 0 ||
           t->pairs > 0 || t->host != NULL || t->wanted.on != NULL || forget_at(t) > t->f->now;
}

/* ---- states ---- */

static fed_target_state state_of(const fed_target *t)
{
    if (t->host != NULL || t->backs.n > 0) return FED_TARGET_UP;
    for (fed_hook *h = t->links.first; h != NULL; h = h->next) {
        const fed_link *l = FED_OF(const fed_link, hook, h);
        if (l->state == FED_LINK_UP) return FED_TARGET_UP;
    }
    if (t->dialling != NULL && t->dialling->state == FED_LINK_RESOLVING)
        return FED_TARGET_RESOLVING;
    if (t->dialling != NULL) return FED_TARGET_DIALLING;
    return fed_backoff_holds(&t->backoff, t->f->now) ? FED_TARGET_BACKOFF : FED_TARGET_IDLE;
}

static void target_enter(fed_target *t, fed_target_state state)
{
    if (state == t->state) return;
    fed_target_state was = t->state;
    t->state = state;
    fed_say_target_state(t, fed_target_state_name(was), fed_target_state_name(state));
    fed_target_loosen(t);
}

void fed_target_show(fed_target *t)
{
    target_enter(t, state_of(t));
}

static void arm(fed_target *t)
{
    if (fed_backoff_holds(&t->backoff, t->f->now))
        fed_timer_set(&t->f->timers, &t->timer, t->backoff.until);
    else if (forget_at(t) > t->f->now)
        fed_timer_set(&t->f->timers, &t->timer, forget_at(t));
}

static void fire(fed *f, fed_timer *timer)
{
    fed_target *t = FED_OF(fed_target, timer, timer);
    (void)f;
    fed_target_show(t);
    fed_target_want(t);
    arm(t);
    fed_target_loosen(t);
}

/* ---- giving links ---- */

void fed_target_want(fed_target *t)
{
    if (t->wanted.on == NULL) fed_chain_add(&t->f->wanted, &t->wanted);
}

/* A domain with a certificate is proved by it where the peer takes it, and that proves the pair of a header alone: its own
 * stream is worth more than a key on another domain's (decision 005). */
static bool better_by_itself(const fed_pair *p, const fed_link *l)
{
    const fed_local *local = p->from_local;
    if (l->target->server != NULL || local == NULL || !local->certificate || p->was_alone)
        return false;
    if (s2s_domain_eq(&l->from, &p->from)) return false;
    return l->state < FED_LINK_ASKING || s2s_stream_offers_external(l->conn->s);
}

static fed_link *link_for_pair(const fed_target *t, const fed_pair *p)
{
    if (p->alone) return NULL;
    for (fed_hook *h = t->links.first; h != NULL; h = h->next) {
        fed_link *l = FED_OF(fed_link, hook, h);
        if (fed_link_usable(l) && fed_link_has_room(l) && !better_by_itself(p, l)) return l;
    }
    return t->host != NULL && fed_link_usable(t->host) && fed_link_has_room(t->host) ? t->host
                                                                                     : NULL;
}

/* The authoritative server is found by the sender's domain: another domain's link will not do, nor the connection on
 * which the key came (XEP-0288 2.2). */
static fed_link *link_for_check(const fed_target *t, const fed_check *k)
{
    for (fed_hook *h = t->links.first; h != NULL; h = h->next) {
        fed_link *l = FED_OF(fed_link, hook, h);
        if (fed_link_usable(l) && l->conn != k->conn) return l;
    }
    return NULL;
}

static void give(fed_target *t)
{
    for (fed_hook *h = t->waiting.first, *next; h != NULL; h = next) {
        next = h->next;
        fed_pair *p = FED_OF(fed_pair, hook, h);
        if (fed_back_give(p)) continue;
        fed_link *l = link_for_pair(t, p);
        if (l != NULL) fed_link_add_pair(l, p);
    }
    for (fed_hook *h = t->checks.first, *next; h != NULL; h = next) {
        next = h->next;
        fed_check *k = FED_OF(fed_check, on_target, h);
        fed_link *l = link_for_check(t, k);
        if (l != NULL) fed_link_add_check(l, k);
    }
}

/* Anybody may claim a domain and have its server asked: that must not make us dial it as fast as keys can be made up.
 * Whoever asks meanwhile waits for the same dial. */
enum { ASK_EVERY_MS = 250 };

static bool may_ask(fed_target *t)
{
    if (t->checks.n == 0) return false;
    if (t->ask_at <= t->f->now) return true;
    fed_timer_sooner(&t->f->timers, &t->timer, t->ask_at);
    return false;
}

/* The first that waits names the stream. */
static fed_link *dial(fed_target *t)
{
    if (t->waiting.first == NULL) {
        t->ask_at = t->f->now + ASK_EVERY_MS;
        fed_timer_sooner(&t->f->timers, &t->timer, t->ask_at);
        const fed_check *k = FED_OF(const fed_check, on_target, t->checks.first);
        return fed_link_dial(t, &k->to, &k->from);
    }
    fed_pair *p = FED_OF(fed_pair, hook, t->waiting.first);
    fed_link *l = fed_link_dial(t, &p->from, &p->to);
    if (l == NULL) return NULL;
    l->exclusive = p->alone;
    fed_link_add_pair(l, p);
    return l;
}

void fed_target_pump(fed_target *t)
{
    if (t->f->drain_over) return;
    give(t);
    bool waits = t->waiting.n > 0 && !fed_backoff_holds(&t->backoff, t->f->now);
    if (t->dialling != NULL || (!waits && !may_ask(t))) return;
    fed_link *l = dial(t);
    if (l == NULL) {
        fed_target_failed(t, S2S_E_NOMEM);
        return;
    }
    give(t);
    fed_link_begin(l);
}

/* ---- how it went ---- */

/* No retry within the time a stanza may wait can help. */
static bool is_plain_no(s2s_err why)
{
    return why == S2S_E_DNS_NOT_FOUND || why == S2S_E_DNS_NO_SERVICE || why == S2S_E_DNS_BLOCKED ||
           why == S2S_E_DNS_NO_TLSA;
}

s2s_err fed_target_hopeless(const fed_target *t)
{
    if (t->server != NULL || t->links.n > 0 || t->host != NULL) return S2S_E_OK;
    if (!fed_backoff_holds(&t->backoff, t->f->now)) return S2S_E_OK;
    bool too_late = t->backoff.until > t->f->now + t->f->config->limits.queue_ms;
    return too_late || is_plain_no(t->why) ? t->why : S2S_E_OK;
}

void fed_target_proved(fed_target *t)
{
    t->why = S2S_E_OK;
    t->cond = NULL;
    fed_backoff_reset(&t->backoff);
    fed_target_show(t);
    if (t->waiting.n > 0) fed_target_want(t);
    fed_target_loosen(t);
}

/* Nobody here wants to write there when only keys were to be checked: nothing is put off then, nor remembered. */
static void fall_back(fed_target *t, s2s_err why)
{
    t->why = why;
    if (t->server == NULL && t->pairs == 0) return;
    fed_backoff_fail(&t->backoff, t->f->now, fed_random(t->f));
    arm(t);
    fed_target_show(t);
}

void fed_target_failed(fed_target *t, s2s_err why)
{
    fall_back(t, why);
    uint64_t until = is_plain_no(why) ? UINT64_MAX : t->backoff.until;
    for (fed_hook *h = t->waiting.first, *next; h != NULL && t->server == NULL; h = next) {
        next = h->next;
        fed_pair_hurry(FED_OF(fed_pair, hook, h), until, why);
    }
    while (t->checks.first != NULL)
        fed_verify_fail(FED_OF(fed_check, on_target, t->checks.first), why, t->cond);
    fed_target_want(t);
}

/* A link that comes up and breaks again and again is no better than one that does not come up (attack 153). */
void fed_target_dropped(fed_target *t, fed_link *l, s2s_err why)
{
    bool flapped = t->f->now - l->up_at < t->f->config->limits.backoff_max_ms;
    if (flapped && !l->back && l->failures > t->backoff.failures) t->backoff.failures = l->failures;
    bool ours = why == S2S_E_IDLE || why == S2S_E_SHUTDOWN;
    if (!l->back && !ours && (flapped || why != S2S_E_PEER_CLOSED)) fall_back(t, why);
    fed_target_show(t);
    fed_target_want(t);
}

void fed_target_cut(fed_target *t)
{
    fed_backoff_cut(&t->backoff);
    for (fed_node *n = NULL; (n = fed_table_walk(&t->f->pairs, n)) != NULL;) {
        fed_pair *p = FED_OF(fed_pair, node, n);
        if (p->target == t) fed_backoff_cut(&p->backoff);
        if (p->target == t) fed_pair_go(p);
    }
    arm(t);
    fed_target_show(t);
    fed_target_want(t);
}
