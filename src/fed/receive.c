/* receive.c - see receive.h: what both sides share. */
#include "fed/receive.h"

#include <stdlib.h>

#include "fed/admit.h"
#include "fed/back.h"
#include "fed/conn.h"
#include "fed/inquiry.h"
#include "fed/pair.h"
#include "fed/route.h"
#include "fed/say.h"
#include "fed/settle.h"
#include "fed/target.h"
#include "fed/turn.h"
#include "fed/verify.h"

static bool offers_sm(const fed_conn *c)
{
    if (c->side == FED_INSIDE) return c->server->sm;
    return fed_config_policy(c->f->config, &c->theirs)->sm;
}

static size_t smaller(size_t limit, size_t all)
{
    return limit != 0 && limit < all ? limit : all;
}

/* As route.c judges it. */
size_t fed_receive_most(const fed_conn *c, const s2s_domain *as)
{
    const fed_config *config = c->f->config;
    size_t most = config->limits.stanza;
    const fed_local *local = fed_config_local(config, as);
    if (c->side == FED_INSIDE) return most;
    most = smaller(fed_config_policy(config, &c->theirs)->max_stanza, most);
    return local != NULL ? smaller(config->servers[local->server].max_stanza, most) : most;
}

void fed_receive_answer(fed_conn *c, const s2s_domain *as, s2s_tls_level tls, bool external,
                        bool dialback)
{
    char id[33];
    fed_random_id(c->f, id);
    const fed_limits *limits = &c->f->config->limits;
    s2s_answer answer = {.as = *as,
                         .id = s2s_span_of(id),
                         .tls = tls,
                         .offer_external = external,
                         .offer_dialback = dialback,
                         .offer_sm = offers_sm(c),
                         .max_bytes = (uint32_t)fed_receive_most(c, as),
                         .idle_seconds = limits->idle_ms / 1000,
                         .offer_bidi = c->in_tls && fed_back_offers(c, &c->theirs)};
    s2s_stream_answer(c->s, &answer);
}

void fed_receive_tls_ask(const fed_conn *c, fed_tls_ask *ask)
{
    ask->ask_client_cert = c->side == FED_OUTSIDE || fed_inside_asks_cert(c);
    if (c->side == FED_OUTSIDE) ask->ours = c->ours;
}

/* ---- pairs proved on it ---- */

/* A pair opens once on a stream. */
static bool feed(fed_conn *c, fed_pair *p)
{
    if (c->n_feeds == c->size_feeds) {
        size_t size = c->size_feeds == 0 ? 4 : 2 * c->size_feeds;
        fed_pair **wider = realloc(c->feeds, size * sizeof *wider);
        if (wider == NULL) return false;
        c->feeds = wider;
        c->size_feeds = size;
    }
    c->feeds[c->n_feeds++] = p;
    p->sources++;
    return true;
}

/* The core knows that it was a certificate, we know what that was judged by: EXTERNAL's pair opens as soon as it is granted. */
static s2s_proof proof_of(fed_conn *c, const s2s_event *ev)
{
    s2s_proof by = c->auth_proof;
    c->auth_proof = S2S_PROOF_NONE;
    return ev->proof == S2S_PROOF_CERTIFICATE && by != S2S_PROOF_NONE ? by : ev->proof;
}

void fed_receive_feed(fed_conn *c, const s2s_domain *from, const s2s_domain *to, s2s_proof proof)
{
    fed_pair *p = fed_pair_get(c->f, from, to);
    fed_say_pair_open(c->f, c, from, to, proof);
    if (p == NULL || !feed(c, p)) {
        fed_conn_close(c, S2S_E_RESOURCE, (s2s_span){NULL, 0});
        return;
    }
    if (c->state != FED_CONN_OPEN && !fed_conn_ending(c)) fed_conn_enter(c, FED_CONN_OPEN);
    if (c->side == FED_INSIDE) return;
    p->proof = proof;
    if (c->theirs.len == 0) c->theirs = *from;
    c->rate = fed_config_policy(c->f->config, from)->rate;
    fed_target *t = fed_target_find(c->f, from);
    if (t != NULL) fed_target_proved(t);
}

static void pair_open(fed_conn *c, const s2s_event *ev)
{
    s2s_domain from = ev->from, to = ev->to;
    s2s_proof proof = proof_of(c, ev);
    fed_receive_feed(c, &from, &to, proof);
    if (c->role == S2S_RECEIVING) fed_back_sends(c, &from, &to, proof);
}

void fed_receive_ended(fed_conn *c)
{
    fed_conn_unstall(c);
    fed_verify_drop_all(c);
    fed_back_ended(c);
    for (size_t i = 0; i < c->n_feeds; i++) {
        c->feeds[i]->sources--;
        fed_pair_loosen(c->feeds[i]);
    }
    c->n_feeds = 0;
    fed_admit_leave(c->f, c->admit);
    c->admit = NULL;
}

/* ---- events ---- */

static void head(fed_conn *c, const s2s_head *h)
{
    c->theirs = h->from;
    if (h->to_err == S2S_E_OK && h->to.len > 0) c->ours = h->to;
    if (c->side == FED_OUTSIDE)
        fed_outside_head(c, h);
    else
        fed_inside_head(c, h);
}

static void check_key(fed_conn *c, const s2s_event *ev)
{
    s2s_domain from = ev->from, to = ev->to;
    if (c->side == FED_OUTSIDE && fed_config_local(c->f->config, &to) == NULL)
        s2s_stream_answer_verify(c->s, &from, &to, ev->id, S2S_ERROR, "item-not-found");
    else
        fed_verify_key(c, ev);
}

void fed_receive_event(fed_conn *c, const s2s_event *ev)
{
    bool outside = c->side == FED_OUTSIDE;
    switch (ev->kind) {
    case S2S_EV_HEAD: head(c, ev->head); return;
    case S2S_EV_AUTH:
        if (outside)
            fed_outside_auth(c, &ev->from);
        else
            fed_inside_auth(c, &ev->from);
        return;
    case S2S_EV_PROVE:
        if (outside)
            fed_outside_prove(c, ev);
        else
            fed_inside_prove(c, ev);
        return;
    case S2S_EV_CHECK_KEY: check_key(c, ev); return;
    case S2S_EV_ACKED:
        if (c->link != NULL) fed_settle_acked(c->link, ev->count); /* of what went back on it */
        return;
    case S2S_EV_PAIR_OPEN: pair_open(c, ev); return;
    case S2S_EV_STANZA:
        c->stanzas_in++;
        fed_route_stanza(c, ev->stanza);
        return;
    case S2S_EV_STANZA_REFUSED:
        c->stanzas_in++;
        fed_route_refused(c, ev->stanza, ev->err);
        return;
    case S2S_EV_NONE:
    case S2S_EV_NEED_TLS:
    case S2S_EV_READY:
    case S2S_EV_MAKE_KEY:
    case S2S_EV_PAIR_REFUSED:
    case S2S_EV_VERIFY_ANSWER:
    case S2S_EV_RESUMED:
    case S2S_EV_NOTE:
    case S2S_EV_CLOSED:
    case S2S_EV_DEAD: return; /* conn.c, or the other role */
    }
}
