/* fed.c - the object: its life, a turn, connections accepted, deadlines come; see fed.h. */
#include "fed/fed.h"

#include <stdlib.h>

#include "fed/admit.h"
#include "fed/conn.h"
#include "fed/drain.h"
#include "fed/link.h"
#include "fed/pair.h"
#include "fed/receive.h"
#include "fed/say.h"
#include "fed/settle.h"
#include "fed/target.h"
#include "fed/turn.h"

/* ---- life ---- */

static void sweep_fire(fed *f, fed_timer *t)
{
    (void)t;
    fed_settle_sweep(f);
}

static bool make_servers(fed *f)
{
    f->servers = calloc(f->config->n_servers + 1, sizeof *f->servers);
    if (f->servers == NULL) return false;
    for (size_t i = 0; i < f->config->n_servers; i++) {
        f->servers[i] = fed_target_new_server(f, &f->config->servers[i]);
        if (f->servers[i] == NULL) return false;
    }
    return true;
}

fed *fed_new(const fed_config *config, const fed_world *world, void *w)
{
    fed *f = calloc(1, sizeof *f);
    if (f == NULL) return NULL;
    f->config = config;
    f->world = world;
    f->w = w;
    f->now = world->now(w);
    f->wake = UINT64_MAX;
    f->total.cap = config->limits.queue_total;
    f->sweep.fire = sweep_fire;
    f->drain.fire = fed_drain_fire;
    fed_ledger_init(&f->ledger);
    f->seed = fed_random(f);
    if (!fed_table_init(&f->pairs) || !fed_table_init(&f->targets) || !fed_table_init(&f->admits) ||
        !fed_table_init(&f->hosts) || !make_servers(f)) {
        fed_free(f);
        return NULL;
    }
    return f;
}

static void free_ended(fed *f)
{
    for (fed_hook *h; (h = fed_chain_pop(&f->dead)) != NULL;)
        fed_conn_free(FED_OF(fed_conn, hook, h));
    for (fed_hook *h; (h = fed_chain_pop(&f->loose_links)) != NULL;)
        fed_link_free(FED_OF(fed_link, loose, h));
    for (fed_hook *h; (h = fed_chain_pop(&f->loose_pairs)) != NULL;) {
        fed_pair *p = FED_OF(fed_pair, loose, h);
        if (!fed_pair_needed(p)) fed_pair_free(p);
    }
    for (fed_hook *h; (h = fed_chain_pop(&f->loose_targets)) != NULL;) {
        fed_target *t = FED_OF(fed_target, loose, h);
        if (!fed_target_needed(t)) fed_target_free(t);
    }
}

/* Whatever still waits for a lookup is let go; the rest hangs on links, pairs and connections. */
void fed_free(fed *f)
{
    if (f == NULL) return;
    f->depth++; /* nothing that is told below begins anything */
    f->draining = f->drain_over = true;
    while (f->conns.first != NULL)
        fed_conn_end(FED_OF(fed_conn, hook, f->conns.first), S2S_E_SHUTDOWN, (s2s_span){NULL, 0});
    for (fed_node *n = NULL;
         f->pairs.buckets != NULL && (n = fed_table_walk(&f->pairs, NULL)) != NULL;)
        fed_pair_free(FED_OF(fed_pair, node, n));
    for (fed_node *n = NULL;
         f->targets.buckets != NULL && (n = fed_table_walk(&f->targets, NULL)) != NULL;)
        fed_target_free(FED_OF(fed_target, node, n));
    for (size_t i = 0; f->servers != NULL && i < f->config->n_servers; i++)
        if (f->servers[i] != NULL) fed_target_free(f->servers[i]);
    free_ended(f);
    free(f->servers);
    fed_table_fini(&f->hosts);
    fed_table_fini(&f->admits);
    fed_table_fini(&f->targets);
    fed_table_fini(&f->pairs);
    free(f);
}

/* ---- a turn ---- */

void fed_turn_begin(fed *f)
{
    if (f->depth++ == 0) f->now = f->world->now(f->w);
}

static void look_after(fed *f)
{
    while (f->restless.first != NULL || f->wanted.first != NULL) {
        fed_hook *h = fed_chain_pop(&f->restless);
        if (h != NULL) {
            fed_conn_walk(FED_OF(fed_conn, restless, h));
            continue;
        }
        h = fed_chain_pop(&f->wanted);
        fed_target_pump(FED_OF(fed_target, wanted, h));
    }
}

void fed_turn_end(fed *f)
{
    S2S_ASSERT(f->depth > 0);
    if (f->depth == 1) {
        look_after(f);
        if (f->draining) fed_drain_look(f);
        look_after(f);
        free_ended(f);
        uint64_t next = fed_timers_next(&f->timers);
        if (next != f->wake) f->world->wake_at(f->w, next);
        f->wake = next;
    }
    f->depth--;
}

void fed_tick(fed *f)
{
    fed_turn_begin(f);
    f->wake = UINT64_MAX; /* it has gone off: whatever is next must be said again */
    for (fed_timer *t; (t = fed_timers_due(&f->timers, f->now)) != NULL;)
        t->fire(f, t);
    fed_turn_end(f);
}

uint32_t fed_random(fed *f)
{
    uint32_t out;
    f->world->random(f->w, &out, sizeof out);
    return out;
}

void fed_random_id(fed *f, char out[33])
{
    static const char HEX[] = "0123456789abcdef";
    unsigned char bits[16];
    f->world->random(f->w, bits, sizeof bits);
    for (size_t i = 0; i < sizeof bits; i++) {
        out[2 * i] = HEX[bits[i] >> 4];
        out[2 * i + 1] = HEX[bits[i] & 15];
    }
    out[32] = '\0';
}

/* ---- accepting ---- */

static fed_conn *accepted(fed *f, fed_side side, bool direct, const fed_addr *peer, void *io)
{
    const fed_limits *limits = &f->config->limits;
    s2s_stream_config config;
    char id[33];
    fed_random_id(f, id);
    s2s_stream_config_init(&config, S2S_RECEIVING);
    if (side == FED_OUTSIDE && f->config->n_locals > 0) config.from = f->config->locals[0].domain;
    if (side == FED_INSIDE && f->config->inside_name != NULL &&
        s2s_domain_make(s2s_span_of(f->config->inside_name), &config.from) != S2S_E_OK)
        config.from = (s2s_domain){.len = 0};
    config.error_id = s2s_span_of(id);
    config.direct_tls = direct;
    config.open.stanza = limits->stanza;
    config.max_pairs = side == FED_OUTSIDE ? limits->pairs_per_stream : limits->pairs_inside;
    config.max_out = limits->link_out;
    fed_conn *c = fed_conn_new(f, side, &config, io, peer);
    if (c != NULL) c->direct = direct;
    return c;
}

/* What to say to whoever may not stay. OK: it may. */
static s2s_err objection(fed *f, fed_side side, const fed_addr *peer, fed_admission admission)
{
    /* A local server may still have to ask us for a key, or errors of ours would not reach it. */
    if (f->draining && (side == FED_OUTSIDE || f->drain_over)) return S2S_E_SHUTDOWN;
    if (side == FED_INSIDE) return fed_inside_known(f, peer) ? S2S_E_OK : S2S_E_NOT_A_LOCAL_SERVER;
    return admission == FED_ADMIT_SERVE ? S2S_E_OK : S2S_E_TOO_MANY_CONNECTIONS;
}

static fed_conn *turn_away(fed *f, fed_admit *admit, const fed_addr *peer, s2s_err why)
{
    fed_admit_leave(f, admit);
    fed_say_refused(f, peer, why);
    return NULL;
}

/* Where TLS comes first no reason can be given in time: a handshake for it is what a flood would like. */
static fed_conn *take_in(fed *f, fed_side side, bool direct, const fed_addr *peer, void *io)
{
    fed_admit *admit = NULL;
    fed_admission admission = FED_ADMIT_SERVE;
    if (side == FED_OUTSIDE) admission = fed_admit_outside(f, peer, &admit);
    if (admission == FED_ADMIT_RESET) return turn_away(f, NULL, peer, S2S_E_TOO_MANY_CONNECTIONS);
    s2s_err why = objection(f, side, peer, admission);
    if (why != S2S_E_OK && direct) return turn_away(f, admit, peer, why);
    fed_conn *c = accepted(f, side, direct, peer, io);
    if (c == NULL) return turn_away(f, admit, peer, S2S_E_NOMEM);
    c->admit = admit;
    fed_say_accepted(c);
    if (why != S2S_E_OK) fed_conn_close(c, why, (s2s_span){NULL, 0});
    if (direct) fed_conn_poke(c);
    return c;
}

/* A refusal has something to send, so that the object outlives the turn. */
fed_conn *fed_on_accept(fed *f, fed_side side, bool direct, const fed_addr *peer, void *io)
{
    fed_turn_begin(f);
    fed_conn *c = take_in(f, side, direct, peer, io);
    fed_turn_end(f);
    return c;
}
