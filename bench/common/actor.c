/* actor.c - see actor.h. One link is one connection with its stream, either role. */
#include "actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"

enum { SWEEP_EVERY = 128, MAX_PAIRS = 100000 };

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
    bool initiating, over, in_tls, verify_only, for_load, direct;
    s2s_domain ours, theirs;
    char tls[16];
    waiting *first, **last;
    check *checks; /* initiating: asked here */
    raw raw;       /* initiating: sent past the stream */
    flush_mode mode;
    bool shows_raw; /* that is what the connection was lent last */
    bool restarts;  /* receiving: SASL is done, a new header is due */
    bool scans;     /* receiving: stanzas are cut out before the stream sees them */
    scan scan;
    s2s_buf carry; /* of an element whose end has not come */
};

struct actors {
    net *net;
    actor_link *links;
    actor_domain *domains;
    size_t n_domains, domains_size;
    uint32_t *places; /* of the domains by hash: index + 1, or 0; twice as many as domains */
    char outside[ACTOR_ADDR], inside[ACTOR_ADDR];
    const actor_story *story;
    void *ctx;
    uint64_t ids;
};

static const char SECRET[] = "the played servers share one secret";

static const actor_domain *domain_of(const actors *a, const s2s_domain *name)
{
    size_t mask = 2 * a->domains_size - 1;
    if (a->n_domains == 0) return NULL;
    for (size_t at = s2s_domain_hash(name, 0) & mask; a->places[at]; at = (at + 1) & mask)
        if (s2s_domain_eq(&a->domains[a->places[at] - 1].name, name))
            return &a->domains[a->places[at] - 1];
    return NULL;
}

static void place(actors *a, size_t index)
{
    size_t mask = 2 * a->domains_size - 1;
    size_t at = s2s_domain_hash(&a->domains[index].name, 0) & mask;
    while (a->places[at])
        at = (at + 1) & mask;
    a->places[at] = (uint32_t)index + 1;
}

static bool domains_grow(actors *a)
{
    size_t size = a->domains_size ? 2 * a->domains_size : 64;
    actor_domain *domains = realloc(a->domains, size * sizeof *domains);
    if (domains) a->domains = domains;
    uint32_t *places = domains ? calloc(2 * size, sizeof *places) : NULL;
    if (!places) return false;
    free(a->places);
    a->places = places;
    a->domains_size = size;
    for (size_t i = 0; i < a->n_domains; i++)
        place(a, i);
    return true;
}

static bool wants_tls(const actor_domain *d)
{
    return d->remote || d->cert;
}

/* ---- links ---- */

static void pump(actor_link *l);

static actor_link *link_new(actors *a, bool initiating)
{
    actor_link *l = calloc(1, sizeof *l);
    S2S_ASSERT(l);
    l->a = a;
    l->id = ++a->ids;
    l->initiating = initiating;
    l->last = &l->first;
    raw_init(&l->raw);
    s2s_buf_init(&l->carry, 0);
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
    raw_fini(&l->raw);
    s2s_buf_fini(&l->carry);
    free(l);
}

/* Those for load belong to whoever opened them. */
static void sweep(actors *a)
{
    for (actor_link **at = &a->links; *at;) {
        actor_link *l = *at;
        if (l->over && !l->conn && !l->for_load) {
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
    config.tls = wants_tls(d) ? S2S_TLS_REQUIRED : S2S_TLS_NONE;
    config.try_external = d->cert && !d->no_external;
    config.allow_dialback = true;
    config.max_pairs = MAX_PAIRS;
    config.direct_tls = l->direct = d->direct;
    l->ours = *from;
    l->theirs = *to;
    l->stream = s2s_stream_new(&config);
    S2S_ASSERT(l->stream);
    const char *where = d->remote ? a->outside : a->inside;
    l->conn =
        d->own_source ? net_dial_from(a->net, where, d->address, l) : net_dial(a->net, where, l);
    if (!l->conn) link_end(l, S2S_E_TCP_UNREACHABLE);
    if (d->own_source) pump(l); /* nobody tells when it is connected */
    return l;
}

static actor_link *link_open_for(actors *a, const s2s_domain *from, const s2s_domain *to)
{
    for (actor_link *l = a->links; l; l = l->next)
        if (l->initiating && !l->over && !l->verify_only && !l->for_load &&
            s2s_domain_eq(&l->ours, from) && s2s_domain_eq(&l->theirs, to))
            return l;
    return NULL;
}

/* ---- events ---- */

static void tell_shaken(const actor_link *l)
{
    const actor_shake shake = {l->initiating, net_resumed(l->conn), l->direct};
    if (l->a->story->shaken) l->a->story->shaken(l->a->ctx, &l->ours, &shake);
}

static void answer_head(actor_link *l, const s2s_head *head)
{
    actors *a = l->a;
    l->restarts = false;
    const actor_domain *d = head->to.len ? domain_of(a, &head->to) : NULL;
    s2s_answer answer = {.offer_dialback = true};
    char id[33];
    if (!d) {
        s2s_stream_close(l->stream, S2S_E_HOST_UNKNOWN, (s2s_span){NULL, 0});
        return;
    }
    bool is_first = l->ours.len == 0;
    l->ours = head->to;
    l->theirs = head->from;
    if (l->direct && is_first) tell_shaken(l);
    net_random_id(id);
    answer.as = head->to;
    answer.id = s2s_span_of(id);
    answer.tls = wants_tls(d) ? S2S_TLS_REQUIRED : S2S_TLS_NONE;
    answer.offer_external = head->after_tls && head->from.len && d->cert && !d->no_external &&
                            net_judge(l->conn, &head->from);
    s2s_stream_answer(l->stream, &answer);
}

/* A key is verified by whom it speaks of: Causeway, over a connection of our own. */
static void verify(actor_link *l, const s2s_event *e)
{
    actors *a = l->a;
    const actor_domain *asked = domain_of(a, &e->to);
    if (asked && asked->believes) {
        s2s_domain from = e->from, to = e->to;
        s2s_stream_answer_result(l->stream, &from, &to, S2S_VALID, NULL, S2S_PROOF_DIALBACK);
        return;
    }
    if (a->ids % SWEEP_EVERY == 0) sweep(a); /* those of earlier checks are over */
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

/* Who begins with TLS has not said yet whom it wants: then the door decides. */
static void start_tls(actor_link *l)
{
    const actor_domain *d = domain_of(l->a, &l->ours);
    const net_cert *cert = d ? d->cert : net_face(l->conn);
    if (d && d->bare) net_spare(l->conn);
    if (d && d->bare && l->initiating) cert = NULL;
    if (l->direct) net_direct(l->conn);
    net_tls(l->conn, l->initiating, cert, l->initiating ? l->theirs.text : NULL);
}

static void pair_open(actor_link *l, const s2s_event *e)
{
    l->a->story->proved(l->a->ctx, &e->from, &e->to, e->proof, l->in_tls ? l->tls : "clear",
                        l->initiating);
    if (!l->initiating) return;
    if (l->for_load && l->in_tls && l->mode == FLUSH_RECORD) (void)net_cork(l->conn);
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
        l->restarts = net_judge(l->conn, &e->from);
        s2s_stream_answer_auth(l->stream, l->restarts, "not-authorized");
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
    case S2S_EV_ACKED:
    case S2S_EV_RESUMED:
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
    config.max_pairs = MAX_PAIRS;
    l->stream = s2s_stream_new(&config);
    S2S_ASSERT(l->stream);
    l->conn = c;
    net_adopt(c, l);
}

static void on_connected(void *user)
{
    pump(user);
}

static bool starts_with(s2s_span bytes, const char *word)
{
    size_t n = strlen(word);
    return bytes.len > n && !memcmp(bytes.ptr, word, n) && strchr(" />\t\r\n", bytes.ptr[n]);
}

static void take_element(actor_link *l, s2s_span bytes)
{
    while (bytes.len > 0 && *bytes.ptr != '<') {
        bytes.ptr++;
        bytes.len--;
    }
    if (starts_with(bytes, "<message") || starts_with(bytes, "<presence") ||
        starts_with(bytes, "<iq")) {
        l->a->story->raw(l->a->ctx, bytes);
        return;
    }
    s2s_stream_feed(l->stream, bytes);
    pump(l);
}

static void scan_bytes(actor_link *l, s2s_span bytes)
{
    while (bytes.len > 0 && !l->over) {
        bool whole, carried = s2s_buf_span(&l->carry).len > 0;
        s2s_span piece = {bytes.ptr, scan_run(&l->scan, bytes.ptr, bytes.len, &whole)};
        bytes.ptr += piece.len;
        bytes.len -= piece.len;
        if (!whole && scan_between(&l->scan)) return;
        if (carried || !whole) {
            s2s_err err = s2s_buf_put(&l->carry, piece);
            S2S_ASSERT(err == S2S_E_OK);
        }
        if (!whole) return;
        take_element(l, carried ? s2s_buf_span(&l->carry) : piece);
        s2s_buf_clear(&l->carry);
    }
}

static void on_bytes(void *user, s2s_span bytes)
{
    actor_link *l = user;
    if (l->over) return;
    if (l->scans) {
        scan_bytes(l, bytes);
        return;
    }
    s2s_stream_feed(l->stream, bytes);
    pump(l);
    l->scans = l->a->story->raw && !l->initiating && !l->over && !l->restarts &&
               s2s_stream_pairs(l->stream) > 0 && !s2s_stream_half_stanza(l->stream);
}

static void on_tls(void *user, const char *version)
{
    actor_link *l = user;
    if (l->over) return;
    l->in_tls = true;
    snprintf(l->tls, sizeof l->tls, "%s", version);
    if (l->ours.len) tell_shaken(l);
    s2s_stream_tls_done(l->stream);
    pump(l);
}

static void on_hello(void *user)
{
    actor_link *l = user;
    if (l->over || !net_face(l->conn)) return;
    l->direct = true;
    s2s_stream_hello(l->stream);
    pump(l);
}

static void on_lost(void *user, s2s_err why)
{
    actor_link *l = user;
    l->conn = NULL;
    link_end(l, why);
}

/* Whichever of the two was begun goes to its end first: what was lent must not change. */
static s2s_span on_out(void *user)
{
    actor_link *l = user;
    s2s_span next = raw_out(&l->raw, l->mode), stream = s2s_stream_out(l->stream);
    l->shows_raw = next.len > 0 && (l->shows_raw || stream.len == 0);
    return l->shows_raw ? next : stream;
}

static void on_sent(void *user, size_t n)
{
    actor_link *l = user;
    if (l->shows_raw)
        raw_sent(&l->raw, n);
    else
        s2s_stream_sent(l->stream, n);
}

static const net_handler handler = {on_accepted, on_connected, on_bytes, on_tls,
                                    on_lost,     on_out,       on_sent,  on_hello};

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
    for (actor_link *l = a->links; l; l = l->next) {
        link_end(l, S2S_E_OK);
        l->for_load = false;
    }
    sweep(a);
    net_free(a->net);
    free(a->domains);
    free(a->places);
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

bool actors_add_domain(actors *a, const actor_domain *d)
{
    bool listening = d->deaf;
    for (size_t i = a->n_domains; i > 0 && !listening; i--) /* the newest is the likeliest */
        listening = !a->domains[i - 1].deaf && !strcmp(a->domains[i - 1].address, d->address);
    net_door_plan door = {
        .addr = d->address, .handler = &handler, .owner = a, .face = d->remote ? d->cert : NULL};
    if (!listening && !net_listen_as(a->net, &door)) return false;
    if (a->n_domains == a->domains_size && !domains_grow(a)) return false;
    a->domains[a->n_domains] = *d;
    place(a, a->n_domains++);
    return true;
}

bool actors_add(actors *a, const char *name, bool remote, const net_cert *cert, const char *address)
{
    actor_domain d = {.remote = remote, .cert = cert};
    if (s2s_domain_make(s2s_span_of(name), &d.name) != S2S_E_OK) return false;
    snprintf(d.address, sizeof d.address, "%s", address);
    return actors_add_domain(a, &d);
}

actor_link *actors_open(actors *a, const s2s_domain *from, const s2s_domain *to, flush_mode mode)
{
    actor_link *l = link_dial(a, from, to);
    l->for_load = true;
    l->mode = mode;
    return !l->over && actor_want(l, from, to) ? l : NULL;
}

bool actor_want(actor_link *l, const s2s_domain *from, const s2s_domain *to)
{
    bool ok = !l->over && s2s_stream_want_pair(l->stream, from, to) == S2S_E_OK;
    if (ok && l->conn) net_flush(l->conn);
    return ok;
}

void actor_put(actor_link *l, s2s_span stanza)
{
    if (l->over) return;
    raw_put(&l->raw, stanza);
    net_flush(l->conn);
}

bool actor_alive(const actor_link *l)
{
    return !l->over;
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

static bool was_dialled(const actor_link *l)
{
    if (l->initiating || l->over || !l->conn || l->ours.len == 0) return false;
    const actor_domain *d = domain_of(l->a, &l->ours);
    return d && d->remote;
}

unsigned actors_dialled(const actors *a)
{
    unsigned n = 0;
    for (const actor_link *l = a->links; l; l = l->next)
        n += was_dialled(l);
    return n;
}

void actors_hang_up(actors *a)
{
    for (actor_link *l = a->links; l; l = l->next)
        if (was_dialled(l)) {
            s2s_stream_close(l->stream, S2S_E_OK, (s2s_span){NULL, 0});
            pump(l);
        }
}
