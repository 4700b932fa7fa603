/* actor.c - see actor.h. One link is one connection with its stream, either role. */
#include "actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct waiting { /* a stanza before its pair is proved */
    struct waiting *next;
    size_t len;
    char bytes[];
} waiting;

typedef struct check { /* a db:result which we let verify on another link */
    struct check *next;
    uint64_t asker; /* id of the link that asked */
    s2s_domain from, to;
    char id[65];
} check;

struct actor_link {
    actor_link *next;
    actors *a;
    uint64_t id;
    net_conn *conn;
    s2s_stream *stream;
    bool initiating, remote, over, in_tls, verify_only;
    s2s_domain ours, theirs;
    char tls[16];
    waiting *first, **last;
    check *checks; /* initiating: asked here */
};

struct actors {
    net *net;
    actor_link *links;
    actor_domain domains[ACTOR_MAX_DOMAINS];
    size_t n_domains;
    char outside[ACTOR_ADDR], inside[ACTOR_ADDR];
    const actor_story *story;
    void *ctx;
    uint64_t ids;
};

static const char SECRET[] = "the played servers share one secret";

static const actor_domain *domain_of(const actors *a, const s2s_domain *name)
{
    for (size_t i = 0; i < a->n_domains; i++)
        if (s2s_domain_eq(&a->domains[i].name, name)) return &a->domains[i];
    return NULL;
}

/* ---- links ---- */

static actor_link *link_new(actors *a, bool initiating)
{
    actor_link *l = calloc(1, sizeof *l);
    S2S_ASSERT(l);
    l->a = a;
    l->id = ++a->ids;
    l->initiating = initiating;
    l->last = &l->first;
    l->next = a->links;
    a->links = l;
    return l;
}

static void link_free(actor_link *l)
{
    while (l->first) {
        waiting *w = l->first;
        l->first = w->next;
        free(w);
    }
    while (l->checks) {
        check *k = l->checks;
        l->checks = k->next;
        free(k);
    }
    if (l->stream) s2s_stream_free(l->stream);
    free(l);
}

static void sweep(actors *a)
{
    for (actor_link **at = &a->links; *at;) {
        actor_link *l = *at;
        if (l->over && !l->conn) {
            *at = l->next;
            link_free(l);
        } else
            at = &l->next;
    }
}

static actor_link *link_of(actors *a, uint64_t id)
{
    for (actor_link *l = a->links; l; l = l->next)
        if (l->id == id && !l->over) return l;
    return NULL;
}

static void link_end(actor_link *l, s2s_err why)
{
    if (l->over) return;
    l->over = true;
    if (why != S2S_E_OK) l->a->story->broke(l->a->ctx, &l->ours, &l->theirs, why);
    if (l->conn) {
        net_close(l->conn);
        l->conn = NULL;
    }
}

static actor_link *link_dial(actors *a, const s2s_domain *from, const s2s_domain *to)
{
    const actor_domain *d = domain_of(a, from);
    actor_link *l = link_new(a, true);
    s2s_stream_config config;
    S2S_ASSERT(d);
    s2s_stream_config_init(&config, S2S_INITIATING);
    config.from = *from;
    config.to = *to;
    config.tls = d->remote ? S2S_TLS_REQUIRED : S2S_TLS_NONE;
    config.try_external = d->remote && d->cert;
    config.allow_dialback = true;
    l->remote = d->remote;
    l->ours = *from;
    l->theirs = *to;
    l->stream = s2s_stream_new(&config);
    S2S_ASSERT(l->stream);
    l->conn = net_dial(a->net, d->remote ? a->outside : a->inside, l);
    if (!l->conn) link_end(l, S2S_E_TCP_UNREACHABLE);
    return l;
}

static actor_link *link_open_for(actors *a, const s2s_domain *from, const s2s_domain *to)
{
    for (actor_link *l = a->links; l; l = l->next)
        if (l->initiating && !l->over && !l->verify_only && s2s_domain_eq(&l->ours, from) &&
            s2s_domain_eq(&l->theirs, to))
            return l;
    return NULL;
}

/* ---- events ---- */

static void answer_head(actor_link *l, const s2s_head *head)
{
    actors *a = l->a;
    const actor_domain *d = head->to.len ? domain_of(a, &head->to) : NULL;
    s2s_answer answer = {.offer_dialback = true};
    char id[33];
    if (!d) {
        s2s_stream_close(l->stream, S2S_E_HOST_UNKNOWN, (s2s_span){NULL, 0});
        return;
    }
    l->ours = head->to;
    l->theirs = head->from;
    l->remote = d->remote;
    net_random_id(id);
    answer.as = head->to;
    answer.id = s2s_span_of(id);
    answer.tls = d->remote ? S2S_TLS_REQUIRED : S2S_TLS_NONE;
    answer.offer_external =
        head->after_tls && head->from.len && d->cert && net_judge(l->conn, &head->from);
    s2s_stream_answer(l->stream, &answer);
}

/* A key is verified by whom it speaks of: Causeway, over a connection of our own. */
static void verify(actor_link *l, const s2s_event *e)
{
    actors *a = l->a;
    check *k = calloc(1, sizeof *k);
    s2s_span id = s2s_stream_id(l->stream);
    S2S_ASSERT(k && id.len < sizeof k->id);
    k->asker = l->id;
    k->from = e->from;
    k->to = e->to;
    memcpy(k->id, id.ptr, id.len);
    char key[257];
    snprintf(key, sizeof key, "%.*s", (int)e->key.len, e->key.ptr);
    actor_link *to = link_dial(a, &k->to, &k->from);
    to->verify_only = true;
    k->next = to->checks;
    to->checks = k;
    if (to->over || s2s_stream_ask_verify(to->stream, &k->to, &k->from, s2s_span_of(k->id),
                                          s2s_span_of(key)) != S2S_E_OK)
        s2s_stream_answer_result(l->stream, &k->from, &k->to, S2S_ERROR, "remote-connection-failed",
                                 S2S_PROOF_NONE);
}

static void verify_answered(actor_link *l, const s2s_event *e)
{
    for (check *k = l->checks; k; k = k->next) {
        actor_link *asker = link_of(l->a, k->asker);
        if (!asker || !s2s_span_is(e->id, k->id)) continue;
        s2s_stream_answer_result(asker->stream, &k->from, &k->to, e->verdict, "forbidden",
                                 S2S_PROOF_DIALBACK);
        net_flush(asker->conn);
    }
    s2s_stream_close(l->stream, S2S_E_OK, (s2s_span){NULL, 0});
}

static void check_key(actor_link *l, const s2s_event *e)
{
    char want[65];
    if (!domain_of(l->a, &e->to)) {
        s2s_stream_answer_verify(l->stream, &e->from, &e->to, e->id, S2S_ERROR, "item-not-found");
        return;
    }
    net_key(SECRET, &e->from, &e->to, e->id, want);
    s2s_stream_answer_verify(l->stream, &e->from, &e->to, e->id,
                             s2s_span_is(e->key, want) ? S2S_VALID : S2S_INVALID, NULL);
}

static void give_key(actor_link *l, const s2s_event *e)
{
    char key[65];
    net_key(SECRET, &e->to, &e->from, e->id, key);
    s2s_stream_give_key(l->stream, &e->from, &e->to, s2s_span_of(key));
}

static void start_tls(actor_link *l)
{
    const actor_domain *d = domain_of(l->a, &l->ours);
    net_tls(l->conn, l->initiating, d ? d->cert : NULL, l->initiating ? l->theirs.text : NULL);
}

static void pair_open(actor_link *l, const s2s_event *e)
{
    l->a->story->proved(l->a->ctx, &e->from, &e->to, e->proof, l->in_tls ? l->tls : "clear");
    if (!l->initiating) return;
    while (l->first) {
        waiting *w = l->first;
        s2s_err err = s2s_stream_send(l->stream, &e->from, &e->to, (s2s_span){w->bytes, w->len});
        S2S_ASSERT(err == S2S_E_OK);
        l->first = w->next;
        if (!l->first) l->last = &l->first;
        free(w);
    }
}

static void event(actor_link *l, const s2s_event *e)
{
    switch (e->kind) {
    case S2S_EV_HEAD:
        if (!l->initiating) answer_head(l, e->head);
        break;
    case S2S_EV_NEED_TLS: start_tls(l); break;
    case S2S_EV_MAKE_KEY: give_key(l, e); break;
    case S2S_EV_AUTH:
        s2s_stream_answer_auth(l->stream, net_judge(l->conn, &e->from), "not-authorized");
        break;
    case S2S_EV_PROVE: verify(l, e); break;
    case S2S_EV_CHECK_KEY: check_key(l, e); break;
    case S2S_EV_PAIR_OPEN: pair_open(l, e); break;
    case S2S_EV_PAIR_REFUSED: l->a->story->broke(l->a->ctx, &e->from, &e->to, e->err); break;
    case S2S_EV_VERIFY_ANSWER: verify_answered(l, e); break;
    case S2S_EV_STANZA: l->a->story->arrived(l->a->ctx, e->stanza, net_now_us()); break;
    case S2S_EV_CLOSED: link_end(l, S2S_E_OK); break;
    case S2S_EV_DEAD: link_end(l, e->err); break;
    case S2S_EV_NONE:
    case S2S_EV_READY:
    case S2S_EV_STANZA_REFUSED:
    case S2S_EV_NOTE: break;
    }
}

static void pump(actor_link *l)
{
    while (!l->over) {
        const s2s_event *e = s2s_stream_next(l->stream);
        if (e->kind == S2S_EV_NONE) break;
        event(l, e);
    }
    if (l->conn) net_flush(l->conn);
}

/* ---- what the net tells ---- */

static void on_accepted(void *owner, net_conn *c)
{
    actor_link *l = link_new(owner, false);
    s2s_stream_config config;
    s2s_stream_config_init(&config, S2S_RECEIVING);
    config.max_pairs = 1024;
    l->stream = s2s_stream_new(&config);
    S2S_ASSERT(l->stream);
    l->conn = c;
    net_adopt(c, l);
}

static void on_connected(void *user)
{
    pump(user);
}

static void on_bytes(void *user, s2s_span bytes)
{
    actor_link *l = user;
    if (l->over) return;
    s2s_stream_feed(l->stream, bytes);
    pump(l);
}

static void on_tls(void *user, const char *version)
{
    actor_link *l = user;
    if (l->over) return;
    l->in_tls = true;
    snprintf(l->tls, sizeof l->tls, "%s", version);
    s2s_stream_tls_done(l->stream);
    pump(l);
}

static void on_lost(void *user, s2s_err why)
{
    actor_link *l = user;
    l->conn = NULL;
    link_end(l, why);
}

static s2s_span on_out(void *user)
{
    return s2s_stream_out(((actor_link *)user)->stream);
}

static void on_sent(void *user, size_t n)
{
    s2s_stream_sent(((actor_link *)user)->stream, n);
}

static const net_handler handler = {on_accepted, on_connected, on_bytes, on_tls,
                                    on_lost,     on_out,       on_sent};

/* ---- the public part ---- */

actors *actors_new(const char *ca_file, const char *outside, const char *inside,
                   const actor_story *story, void *ctx)
{
    actors *a = calloc(1, sizeof *a);
    S2S_ASSERT(a);
    a->story = story;
    a->ctx = ctx;
    snprintf(a->outside, sizeof a->outside, "%s", outside);
    snprintf(a->inside, sizeof a->inside, "%s", inside);
    a->net = net_new(&handler, ca_file);
    if (!a->net) {
        free(a);
        return NULL;
    }
    return a;
}

void actors_free(actors *a)
{
    for (actor_link *l = a->links; l; l = l->next)
        link_end(l, S2S_E_OK);
    sweep(a);
    net_free(a->net);
    free(a);
}

net *actors_net(actors *a)
{
    return a->net;
}

net_cert *actors_load(actors *a, const char *cert_file, const char *key_file)
{
    return net_load(a->net, cert_file, key_file);
}

bool actors_add(actors *a, const char *name, bool remote, const net_cert *cert, const char *address)
{
    bool listening = false;
    if (a->n_domains == ACTOR_MAX_DOMAINS) return false;
    for (size_t i = 0; i < a->n_domains; i++)
        listening = listening || !strcmp(a->domains[i].address, address);
    if (!listening && !net_listen(a->net, address, a)) return false;
    actor_domain *d = &a->domains[a->n_domains];
    if (s2s_domain_make(s2s_span_of(name), &d->name) != S2S_E_OK) return false;
    d->remote = remote;
    d->cert = cert;
    snprintf(d->address, sizeof d->address, "%s", address);
    a->n_domains++;
    return true;
}

bool actors_send(actors *a, const s2s_domain *from, const s2s_domain *to, s2s_span stanza)
{
    sweep(a);
    actor_link *l = link_open_for(a, from, to);
    if (!l) {
        l = link_dial(a, from, to);
        if (l->over || s2s_stream_want_pair(l->stream, from, to) != S2S_E_OK) return false;
    }
    if (s2s_stream_pair_open(l->stream, from, to)) {
        bool ok = s2s_stream_send(l->stream, from, to, stanza) == S2S_E_OK;
        net_flush(l->conn);
        return ok;
    }
    waiting *w = malloc(sizeof *w + stanza.len);
    S2S_ASSERT(w);
    w->next = NULL;
    w->len = stanza.len;
    memcpy(w->bytes, stanza.ptr, stanza.len);
    *l->last = w;
    l->last = &w->next;
    return true;
}

void actors_close_all(actors *a)
{
    for (actor_link *l = a->links; l; l = l->next)
        if (!l->over && l->conn) {
            s2s_stream_close(l->stream, S2S_E_OK, (s2s_span){NULL, 0});
            net_flush(l->conn);
        }
}
