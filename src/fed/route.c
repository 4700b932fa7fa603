/* route.c - see route.h. */
#include "fed/route.h"

#include "fed/bounce.h"
#include "fed/conn.h"
#include "fed/pair.h"
#include "fed/ping.h"
#include "fed/say.h"
#include "fed/tally.h"
#include "fed/target.h"

/* ---- the ends of a stanza ---- */

static void drop(fed *f, fed_item *item, s2s_err why)
{
    fed_ledger_dropped(&f->ledger, item, why);
    fed_say_stanza_ended(f, item, "dropped", why);
    fed_item_free(item);
}

/* Puts an error of our own on its way; it is never answered itself. */
static void send_own(fed *f, fed_item *answer)
{
    fed_ledger_own(&f->ledger, answer);
    s2s_stanza st;
    fed_item_view(answer, &st);
    fed_pair *p = f->drain_over ? NULL : fed_pair_get(f, &st.from_domain, &st.to_domain);
    s2s_err why = p != NULL ? fed_pair_put(p, answer) : S2S_E_SHUTDOWN;
    if (why != S2S_E_OK) drop(f, answer, why);
}

/* The error answer to st; NULL: there may be none, or no memory. */
static fed_item *answer_to(fed *f, const s2s_stanza *st, s2s_err why, const fed_target *about)
{
    bool inside = fed_config_local(f->config, &st->from_domain) != NULL;
    fed_bounce b = {
        .why = why, .toward = inside ? FED_INSIDE : FED_OUTSIDE, .domain = &st->to_domain};
    if (about != NULL && about->endpoint.family != 0) b.endpoint = &about->endpoint;
    if (!fed_bounce_allowed(st, b.toward)) return NULL;
    return fed_bounce_new(st, &b, inside ? FED_INBOUND : FED_OUTBOUND, f->now);
}

static bool in_doubt(fed *f, fed_item *item, const fed_target *about, bool again)
{
    s2s_stanza st;
    fed_ledger_in_doubt(&f->ledger, item, S2S_E_IN_DOUBT);
    fed_say_stanza_ended(f, item, "in_doubt", S2S_E_IN_DOUBT);
    if (!item->own && again && !f->draining) {
        fed_ledger_resent(&f->ledger, item);
        return true;
    }
    fed_item_view(item, &st);
    fed_item *answer = NULL;
    if (!item->own && f->config->doubt != FED_DOUBT_DROP)
        answer = answer_to(f, &st, S2S_E_IN_DOUBT, about);
    fed_item_free(item);
    if (answer != NULL) send_own(f, answer);
    return false;
}

void fed_route_refuse(fed *f, fed_item *item, s2s_err why, const fed_target *about)
{
    if (item->session != 0) { /* it may have arrived all the same */
        item->session = 0;
        (void)in_doubt(f, item, about, false);
        return;
    }
    s2s_stanza st;
    fed_item_view(item, &st);
    bool mute = item->own || f->drain_over; /* nobody would read it */
    fed_item *answer = mute ? NULL : answer_to(f, &st, why, about);
    if (answer == NULL) {
        drop(f, item, why);
        return;
    }
    fed_ledger_bounced(&f->ledger, item, why);
    fed_say_stanza_ended(f, item, "bounced", why);
    fed_item_free(item);
    send_own(f, answer);
}

bool fed_route_in_doubt(fed *f, fed_item *item, const fed_target *about)
{
    return in_doubt(f, item, about, f->config->doubt == FED_DOUBT_RESEND);
}

bool fed_route_unacked(fed *f, fed_item *item, const fed_target *about)
{
    if (item->own && !f->draining) return true; /* not part of the sum: nothing to be counted */
    return in_doubt(f, item, about, true);
}

void fed_route_acked(fed *f, fed_item *item)
{
    fed_ledger_acked(&f->ledger, item);
    fed_item_free(item);
}

void fed_route_written(fed *f, fed_item *item)
{
    fed_ledger_written(&f->ledger, item);
    fed_item_free(item);
}

/* ---- crossing ---- */

static size_t smaller(size_t limit, size_t all)
{
    return limit != 0 && limit < all ? limit : all;
}

/* What enters a trunk is shared by all remotes: nothing may be in it for which a local server closes or goes deaf. The
 * core has seen to the rest: proved from, canonical text, addresses present. */
static s2s_err may_enter(const fed_pair *p, const s2s_stanza *st)
{
    const fed_config *config = p->f->config;
    if (p->from_local != NULL && p->from_local->server == p->to_local->server)
        return S2S_E_NO_LOCAL_SERVER; /* a loop */
    if (st->address != S2S_E_OK) return st->address;
    size_t most = smaller(config->servers[p->to_local->server].max_stanza, config->limits.stanza);
    if (p->policy != NULL) most = smaller(p->policy->max_stanza, most);
    return st->bytes.len <= most ? S2S_E_OK : S2S_E_STANZA_TOO_BIG;
}

static s2s_err may_leave(const fed_pair *p, const s2s_stanza *st)
{
    if (p->loop) return S2S_E_NO_LOCAL_SERVER; /* a loop too */
    if (st->address == S2S_E_JID_SYNTAX) return st->address;
    if (!p->policy->allow) return S2S_E_PEER_BLOCKED;
    size_t most = smaller(p->policy->max_stanza, p->f->config->limits.stanza);
    return st->bytes.len <= most ? S2S_E_OK : S2S_E_STANZA_TOO_BIG;
}

/* Promise 1, at the one place where stanzas cross: the pair is proved on this very stream; strangers reach only our own
 * domains and never speak for them; who is not a stranger speaks for one of ours. */
static void assert_proved(const fed_conn *c, const fed_pair *p)
{
    S2S_ASSERT(s2s_stream_takes(c->s, &p->from, &p->to));
    S2S_ASSERT((p->from_local != NULL) == (c->side == FED_INSIDE));
    S2S_ASSERT(c->side == FED_INSIDE || p->to_local != NULL);
}

static s2s_err may_cross(const fed_pair *p, const s2s_stanza *st)
{
    if (p->f->draining) return S2S_E_SHUTDOWN;
    return p->to_local != NULL ? may_enter(p, st) : may_leave(p, st);
}

static fed_item *accept(fed_conn *c, const s2s_stanza *st, fed_way way)
{
    fed_item *item = fed_item_new(st, way, c->f->now);
    if (item == NULL) {
        fed_conn_close(c, S2S_E_RESOURCE, (s2s_span){NULL, 0});
        return NULL;
    }
    fed_ledger_accepted(&c->f->ledger, item);
    if (fed_tally_add(c, item)) return item;
    fed_conn_close(c, S2S_E_RESOURCE, (s2s_span){NULL, 0});
    return item;
}

/* What waits for one remote must not keep those for all others from being acknowledged (XEP-0198). A connection of one pair is
 * paused instead. */
static void make_way(fed_conn *c)
{
    if (c->n_feeds < 2) return;
    for (fed_item *stuck; (stuck = fed_tally_stuck(c)) != NULL;)
        fed_pair_yield(fed_pair_of(c->f, stuck), stuck);
}

void fed_route_stanza(fed_conn *c, const s2s_stanza *st)
{
    fed *f = c->f;
    fed_pair *p = fed_pair_find(f, &st->from_domain, &st->to_domain);
    S2S_ASSERT(p != NULL); /* c feeds it */
    assert_proved(c, p);
    if (fed_ping_answered(c, st)) return;
    fed_item *item = accept(c, st, p->way);
    if (item == NULL) return;
    s2s_err why = may_cross(p, st);
    if (why == S2S_E_OK) why = fed_pair_put(p, item);
    if (why == S2S_E_OK)
        fed_pair_stall(p, c);
    else
        fed_route_refuse(f, item, why, p->target);
    make_way(c);
}

/* Its `to` may be no domain: the answer then comes from one that is proved to the sender. */
void fed_route_refused(fed_conn *c, const s2s_stanza *st, s2s_err why)
{
    s2s_stanza answered = *st;
    char to[S2S_DOMAIN_WIRE_MAX + 1];
    for (size_t i = 0; i < c->n_feeds && answered.to_domain.len == 0; i++) {
        if (!s2s_domain_eq(&c->feeds[i]->from, &st->from_domain)) continue;
        answered.to_domain = c->feeds[i]->to;
        answered.to = s2s_domain_wire(&c->feeds[i]->to, to);
    }
    S2S_ASSERT(answered.to_domain.len > 0);
    bool inward = fed_config_local(c->f->config, &answered.to_domain) != NULL;
    fed_item *item = accept(c, &answered, inward ? FED_INBOUND : FED_OUTBOUND);
    if (item != NULL) fed_route_refuse(c->f, item, why, NULL);
}
