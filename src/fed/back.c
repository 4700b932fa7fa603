/* back.c - see back.h. */
#include "fed/back.h"

#include "fed/conn.h"
#include "fed/link.h"
#include "fed/pair.h"
#include "fed/receive.h"
#include "fed/say.h"
#include "fed/target.h"

/* ---- with whom ---- */

static bool shows_inside(const fed_conn *c, const s2s_domain *theirs)
{
    const fed *f = c->f;
    const fed_judge_ask ask = {.domain = theirs, .side = FED_INSIDE};
    s2s_proof proof = S2S_PROOF_NONE;
    return c->in_tls && c->tls.has_cert && f->world->judge(f->w, c->io, &ask, &proof) == S2S_E_OK;
}

static s2s_proof believed_inside(const fed_conn *c, const s2s_domain *theirs)
{
    const fed_config *config = c->f->config;
    const fed_local *local = fed_config_local(config, theirs);
    if (local == NULL || c->server != &config->servers[local->server] || !c->server->bidi)
        return S2S_PROOF_NONE;
    if (shows_inside(c, theirs)) return S2S_PROOF_CERTIFICATE;
    return c->server->trust_certificate ? S2S_PROOF_NONE : S2S_PROOF_DIALBACK;
}

/* Where signed records say which certificate the domain has, we would not write to it for a key alone; of who connects we do
 * not know whether there are any. */
static bool by_key(const fed_conn *c, const fed_policy *policy)
{
    bool signs = c->f->config->dnssec && (policy->proofs & FED_PROOF_DANE) != 0;
    if (signs && c->role == S2S_RECEIVING) return false;
    return policy->bidi == FED_BIDI_YES && (policy->proofs & FED_PROOF_DIALBACK) != 0;
}

/* What is demanded of a peer that we dial is demanded here: its certificate; or, where dialback is proof enough, that the
 * DNS leads to it. */
static s2s_proof believed(const fed_conn *c, const s2s_domain *theirs)
{
    if (c->side == FED_INSIDE) return believed_inside(c, theirs);
    const fed_policy *policy = fed_config_policy(c->f->config, theirs);
    if (policy->bidi == FED_BIDI_NO || !policy->allow) return S2S_PROOF_NONE;
    s2s_proof shown = fed_outside_shown(c, theirs);
    if (shown != S2S_PROOF_NONE) return shown;
    return by_key(c, policy) ? S2S_PROOF_DIALBACK : S2S_PROOF_NONE;
}

bool fed_back_believes(const fed_conn *c, const s2s_domain *theirs)
{
    return believed(c, theirs) != S2S_PROOF_NONE;
}

bool fed_back_offers(const fed_conn *c, const s2s_domain *from)
{
    if (c->side == FED_INSIDE) return c->server->bidi;
    const fed_policy *policy = fed_config_policy(c->f->config, from);
    return by_key(c, policy) || (from->len > 0 && fed_back_believes(c, from));
}

/* A connection for questions alone is closed when they are answered. */
void fed_back_try(fed_link *l)
{
    fed_conn *c = l->conn;
    if (fed_conn_ending(c)) return;
    s2s_stream_say_limits(c->s, (uint32_t)fed_receive_most(c, &l->from),
                          c->f->config->limits.idle_ms / 1000);
    s2s_stream_try_bidi(c->s, l->pairs.n > 0 && fed_back_believes(c, &l->to));
}

/* ---- on a connection we made ---- */

/* It may have given a key for just that pair before. */
void fed_back_takes(fed_conn *c, const s2s_domain *ours, const s2s_domain *theirs)
{
    if (!s2s_stream_bidi(c->s) || s2s_stream_takes(c->s, theirs, ours)) return;
    s2s_proof proof = believed(c, theirs);
    if (proof == S2S_PROOF_NONE) return;
    if (s2s_stream_open_back(c->s, theirs, ours, proof) == S2S_E_OK)
        fed_receive_feed(c, theirs, ours, proof);
}

/* ---- on an accepted one ---- */

static fed_target *target_of(const fed_conn *c, const s2s_domain *theirs)
{
    if (c->side == FED_OUTSIDE) return fed_target_get(c->f, theirs);
    return c->f->servers[c->server - c->f->config->servers];
}

/* What only waits for a connection need not wait any longer. */
static void call(fed_pair *p)
{
    fed_link *l = p->link;
    if (p->state == FED_PAIR_ASSIGNED) {
        fed_pair_left(p);
        fed_link_spare(l);
    } else {
        fed_pair_go(p);
    }
    if (p->state == FED_PAIR_WAITING) fed_target_want(p->target);
}

void fed_back_sends(fed_conn *c, const s2s_domain *theirs, const s2s_domain *ours, s2s_proof proof)
{
    if (!s2s_stream_bidi(c->s) || fed_conn_ending(c) || !fed_back_believes(c, theirs)) return;
    fed_pair *forth = fed_pair_find(c->f, theirs, ours);
    if (s2s_stream_open_back(c->s, ours, theirs, proof) != S2S_E_OK) return;
    fed_target *t = c->link != NULL ? c->link->target : target_of(c, theirs);
    if (c->link == NULL && t != NULL) c->link = fed_link_new_back(t, c, ours, theirs);
    if (c->link == NULL) return; /* no memory: each way has a connection of its own */
    forth->back = c->link;
    forth->back_proof = proof;
    fed_pair *p = fed_pair_find(c->f, ours, theirs);
    if (p != NULL) call(p);
}

fed_link *fed_back_link(const fed_pair *p)
{
    const fed_pair *forth = fed_pair_find(p->f, &p->to, &p->from);
    fed_link *l = forth != NULL ? forth->back : NULL;
    return l != NULL && fed_link_usable(l) ? l : NULL;
}

bool fed_back_give(fed_pair *p)
{
    fed_link *l = fed_back_link(p);
    if (l == NULL) return false;
    s2s_proof proof = fed_pair_find(p->f, &p->to, &p->from)->back_proof;
    fed_say_pair_open(p->f, l->conn, &p->from, &p->to, proof);
    fed_pair_assigned(p, l);
    fed_pair_opened(p, proof);
    return true;
}

void fed_back_ended(fed_conn *c)
{
    for (size_t i = 0; i < c->n_feeds; i++)
        if (c->feeds[i]->back != NULL && c->feeds[i]->back == c->link) c->feeds[i]->back = NULL;
}
