/* session.c - see session.h. */
#include "fed/session.h"

#include <stdlib.h>
#include <string.h>

#include "fed/pair.h"
#include "fed/route.h"

struct fed_session {
    uint32_t number;
    s2s_domain from, to; /* of the stream header: the peer knows it by them */
    s2s_resumable at;    /* id: kept behind the struct */
    uint64_t until;      /* ms */
    char id[];
};

/* Whoever says goodbye, we or the peer, ends the stream for good. */
static bool is_broken(s2s_err why)
{
    return why == S2S_E_TCP_RESET || why == S2S_E_TCP_EOF || why == S2S_E_TCP_TIMEOUT ||
           why == S2S_E_TCP_UNREACHABLE || why == S2S_E_TLS_BROKEN || why == S2S_E_SEND_TIMEOUT;
}

/* Later nothing would be left of it. */
static uint64_t end_of(const fed *f, const s2s_resumable *at)
{
    uint64_t ms = f->config->limits.queue_ms;
    uint64_t theirs = (uint64_t)at->seconds * 1000;
    return f->now + (theirs != 0 && theirs < ms ? theirs : ms);
}

uint32_t fed_session_keep(const fed_link *l, const fed_conn *c)
{
    fed *f = l->f;
    fed_target *t = l->target;
    s2s_resumable at = s2s_stream_resumable(c->s);
    if (at.id.len == 0 || !is_broken(c->why) || l->flight.stanzas == 0 || f->draining) return 0;
    fed_session *se = malloc(sizeof *se + at.id.len + 1);
    if (se == NULL) return 0;
    if (++f->last_session == 0) ++f->last_session;
    *se = (fed_session){
        .number = f->last_session, .from = l->from, .to = l->to, .at = at, .until = end_of(f, &at)};
    memcpy(se->id, at.id.ptr, at.id.len);
    se->id[at.id.len] = '\0';
    se->at.id = (s2s_span){se->id, at.id.len};
    free(t->session);
    t->session = se;
    return se->number;
}

void fed_session_forget(fed_target *t)
{
    free(t->session);
    t->session = NULL;
}

static bool is_of(const fed_session *se, const fed_link *l)
{
    return se != NULL && s2s_domain_eq(&se->from, &l->from) && s2s_domain_eq(&se->to, &l->to);
}

void fed_session_offer(const fed_link *l, s2s_stream_config *config)
{
    const fed_session *se = l->target->session;
    if (is_of(se, l) && se->until > l->f->now) config->resume = &se->at;
}

void fed_session_missed(fed_link *l)
{
    if (is_of(l->target->session, l)) fed_session_forget(l->target);
}

/* The first `arrived` of the session are acknowledged; if it `goes_on` the rest is as good as never sent. */
static void tell_pair(fed_pair *p, uint32_t session, uint32_t arrived, bool goes_on)
{
    for (fed_item *item; (item = fed_queue_peek(&p->queue)) != NULL;) {
        if (item->session != session || item->number > arrived) break;
        fed_route_acked(p->f, fed_queue_take(&p->queue));
    }
    for (fed_item *item = p->queue.head; goes_on && item != NULL; item = item->next)
        if (item->session == session) item->session = 0;
    fed_pair_shrunk(p);
}

void fed_session_resumed(fed_link *l, const s2s_event *ev)
{
    fed_target *t = l->target;
    if (t->session == NULL) return;
    uint32_t session = t->session->number;
    for (fed_node *n = NULL; (n = fed_table_walk(&l->f->pairs, n)) != NULL;) {
        fed_pair *p = FED_OF(fed_pair, node, n);
        if (p->target == t) tell_pair(p, session, ev->count, ev->verdict == S2S_VALID);
    }
    fed_session_forget(t);
}

bool fed_session_doubt(fed_pair *p)
{
    fed_item *item = fed_queue_take(&p->queue);
    item->session = 0;
    bool goes_on = fed_route_unacked(p->f, item, p->target);
    if (goes_on) fed_pair_put_back(p, item);
    return goes_on;
}
