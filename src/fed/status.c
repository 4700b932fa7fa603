/* status.c - read-only walks for the operator, and the ledger; see fed.h. */
#include <string.h>

#include "fed/conn.h"
#include "fed/ledger.h"
#include "fed/pair.h"
#include "fed/settle.h"
#include "fed/tally.h"
#include "fed/target.h"
#include "fed/turn.h"

/* ---- the ledger: what is queued is counted where it lies ---- */

static uint64_t count(const fed_queue *q, fed_way way)
{
    uint64_t n = 0;
    for (const fed_item *item = q->head; item != NULL; item = item->next)
        n += item->way == way && fed_item_counts(item) ? 1 : 0;
    return n;
}

void fed_ledger_read(fed *f, fed_way way, fed_ledger_view *out)
{
    fed_turn_begin(f);
    fed_settle_sweep(f);
    fed_ledger_copy(&f->ledger, way, out);
    for (fed_node *n = NULL; (n = fed_table_walk(&f->pairs, n)) != NULL;)
        out->queued += count(&FED_OF(const fed_pair, node, n)->queue, way);
    for (fed_hook *h = f->flying.first; h != NULL; h = h->next)
        out->queued += count(&FED_OF(const fed_link, flying, h)->flight, way);
    fed_turn_end(f);
}

void fed_each_why(const fed *f,
                  void (*each)(void *ctx, const char *what, const s2s_err_info *why,
                               uint64_t count),
                  void *ctx)
{
    fed_ledger_each_why(&f->ledger, each, ctx);
}

/* ---- connections ---- */

static const char *state_of(const fed_conn *c)
{
    bool by_stream =
        c->state == FED_CONN_HEAD || c->state == FED_CONN_OPENING || c->state == FED_CONN_OPEN;
    return by_stream ? s2s_stream_state(c->s) : fed_conn_state_name(c->state);
}

void fed_each_conn(const fed *f, void (*each)(void *ctx, const fed_conn_view *v), void *ctx)
{
    for (const fed_hook *h = f->conns.first; h != NULL; h = h->next) {
        const fed_conn *c = FED_OF(const fed_conn, hook, h);
        fed_conn_view v = {
            .id = c->id,
            .side = c->side,
            .role = c->role,
            .state = state_of(c),
            .peer = c->peer,
            .ours = c->ours,
            .theirs = c->theirs,
            .server = c->server != NULL ? c->server->name : "",
            .tls = c->in_tls ? &c->tls : NULL,
            .direct = c->direct,
            .peer_proof = c->proof,
            .bidi = s2s_stream_bidi(c->s),
            .pairs = s2s_stream_pairs(c->s),
            .stanzas_in = c->stanzas_in,
            .stanzas_out = c->stanzas_out,
            .since_ms = c->since,
            .sm = s2s_stream_sm(c->s) == S2S_SM_ON,
            .unacked = s2s_stream_unacked(c->s),
            .untaken = fed_tally_untaken(c),
        };
        each(ctx, &v);
    }
}

/* ---- pairs ---- */

static void add_flight(const fed_pair *p, fed_pair_view *v)
{
    const fed_item *item = p->state == FED_PAIR_OPEN ? p->link->flight.head : NULL;
    for (; item != NULL; item = item->next) {
        if (!s2s_span_is(item->from_domain, p->from.text) ||
            !s2s_span_is(item->to_domain, p->to.text))
            continue;
        v->queued++;
        v->queued_bytes += item->size;
    }
}

void fed_each_pair(const fed *f, void (*each)(void *ctx, const fed_pair_view *v), void *ctx)
{
    for (const fed_node *n = NULL; (n = fed_table_walk(&f->pairs, n)) != NULL;) {
        const fed_pair *p = FED_OF(const fed_pair, node, n);
        fed_pair_view v = {
            .from = p->from,
            .to = p->to,
            .way = p->way,
            .open = p->state == FED_PAIR_OPEN,
            .proof = p->proof,
            .conn = p->link != NULL && p->link->conn != NULL ? p->link->conn->id : 0,
            .stanzas = p->stanzas,
            .queued = p->queue.stanzas,
            .queued_bytes = p->queue.bytes,
            .why = p->why != S2S_E_OK ? s2s_err_of(p->why)->name : "",
        };
        add_flight(p, &v);
        each(ctx, &v);
    }
}

/* ---- remotes ---- */

static void view_target(const fed_target *t, fed_remote_view *v)
{
    *v = (fed_remote_view){
        .domain = t->domain,
        .state = fed_target_state_name(t->state),
        .backoff_ms = fed_backoff_left(&t->backoff, t->f->now),
        .why = t->why != S2S_E_OK ? s2s_err_of(t->why)->name : "",
    };
    if (t->endpoint.family != 0) fed_addr_print(&t->endpoint, v->endpoint);
}

void fed_each_remote(const fed *f, void (*each)(void *ctx, const fed_remote_view *v), void *ctx)
{
    for (const fed_node *n = NULL; (n = fed_table_walk(&f->targets, n)) != NULL;) {
        fed_remote_view v;
        view_target(FED_OF(const fed_target, node, n), &v);
        each(ctx, &v);
    }
}

/* ---- local servers ---- */

static const char *server_state(const fed_target *t)
{
    switch (t->state) {
    case FED_TARGET_UP: return "up";
    case FED_TARGET_RESOLVING:
    case FED_TARGET_DIALLING: return "dialling";
    case FED_TARGET_BACKOFF: return "down";
    case FED_TARGET_IDLE: break;
    }
    return t->why != S2S_E_OK ? "down" : "idle";
}

static void add_link(const fed_link *l, fed_server_view *v)
{
    for (const fed_hook *h = l->pairs.first; h != NULL; h = h->next)
        v->pairs += FED_OF(const fed_pair, hook, h)->state == FED_PAIR_OPEN ? 1 : 0;
    v->queued += l->flight.stanzas;
    v->queued_bytes += l->flight.bytes;
}

static void add_queues(const fed_target *t, fed_server_view *v)
{
    for (const fed_node *n = NULL; (n = fed_table_walk(&t->f->pairs, n)) != NULL;) {
        const fed_pair *p = FED_OF(const fed_pair, node, n);
        if (p->target != t) continue;
        v->queued += p->queue.stanzas;
        v->queued_bytes += p->queue.bytes;
    }
}

static void view_server(const fed_target *t, fed_server_view *v)
{
    *v = (fed_server_view){
        .name = t->server->name,
        .state = server_state(t),
        .backoff_ms = fed_backoff_left(&t->backoff, t->f->now),
        .why = t->why != S2S_E_OK ? s2s_err_of(t->why)->name : "",
    };
    if (t->endpoint.family != 0) fed_addr_print(&t->endpoint, v->endpoint);
    for (const fed_hook *h = t->links.first; h != NULL; h = h->next)
        add_link(FED_OF(const fed_link, hook, h), v);
    for (const fed_hook *h = t->backs.first; h != NULL; h = h->next)
        add_link(FED_OF(const fed_link, hook, h), v);
    add_queues(t, v);
}

void fed_each_server(const fed *f, void (*each)(void *ctx, const fed_server_view *v), void *ctx)
{
    for (size_t i = 0; i < f->config->n_servers; i++) {
        fed_server_view v;
        view_server(f->servers[i], &v);
        each(ctx, &v);
    }
}

void fed_flush(fed *f, const s2s_domain *remote)
{
    fed_turn_begin(f);
    fed_target *t = fed_target_find(f, remote);
    if (t != NULL) fed_target_cut(t);
    fed_turn_end(f);
}
