/* sim_host.c - servers of play on the core's own streams; see sim.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_priv.h"

/* ---- hosts ---- */

s2s_domain sim_domain(const char *text)
{
    s2s_domain d;
    S2S_ASSERT(s2s_domain_make(s2s_span_of(text), &d) == S2S_E_OK);
    return d;
}

static sim_host *host_new(sim *s, fed_side side, const char *addr)
{
    sim_host *h = calloc(1, sizeof *h);
    fed_cidr one;
    S2S_ASSERT(h != NULL && s->n_hosts < SIM_MAX);
    S2S_ASSERT(fed_cidr_parse(s2s_span_of(addr), &one) == S2S_E_OK);
    s->hosts[s->n_hosts++] = h;
    h->s = s;
    h->side = side;
    h->addr = one.net;
    h->addr.port = 5269;
    h->offers_dialback = true;
    h->secret = (uint32_t)s->n_hosts * UINT32_C(2654435761);
    return h;
}

sim_host *sim_hq(sim *s)
{
    return s->hosts[0];
}

sim_host *sim_server(sim *s, const char *name, const char *addr, const char *local)
{
    size_t i = s->config.n_servers++;
    sim_host *h = host_new(s, FED_INSIDE, addr);
    s->server_addr[i] = h->addr;
    s->trust[i] = (fed_cidr){.net = h->addr, .bits = 32};
    s->servers[i] = (fed_server){.name = name,
                                 .addr = &s->server_addr[i],
                                 .n_addr = 1,
                                 .trust = &s->trust[i],
                                 .n_trust = 1,
                                 .sm = true,
                                 .tls = S2S_TLS_NONE};
    h->tls = S2S_TLS_NONE;
    h->prove = SIM_PROVE_VERIFY;
    sim_serve(h, local);
    sim_local(s, local, i, true);
    return h;
}

sim_host *sim_remote(sim *s, const char *domain, const char *addr)
{
    sim_host *h = host_new(s, FED_OUTSIDE, addr);
    char name[300];
    h->tls = S2S_TLS_REQUIRED;
    h->offers_external = h->accepts_external = h->uses_external = true;
    h->prove = SIM_PROVE_VERIFY;
    snprintf(name, sizeof name, "xmpp.%s", domain);
    sim_add_addr(s, name, addr);
    sim_serve(h, domain);
    h->names[h->n_names++] = h->domain;
    return h;
}

void sim_serve(sim_host *h, const char *domain)
{
    char name[300];
    if (h->n_domains == 0) h->domain = sim_domain(domain);
    h->domains[h->n_domains++] = sim_domain(domain);
    if (h->side == FED_INSIDE) return;
    snprintf(name, sizeof name, "xmpp.%s", h->domain.text);
    sim_add_srv(h->s, domain, 0, 5269, name);
}

static bool serves(const sim_host *h, const s2s_domain *d)
{
    for (size_t i = 0; i < h->n_domains; i++)
        if (s2s_domain_eq(&h->domains[i], d)) return true;
    return false;
}

/* ---- keys of its own ---- */

static void key_of(const sim_host *h, const s2s_domain *receiving, const s2s_domain *originating,
                   s2s_span id, char out[33])
{
    uint32_t k = h->secret ^ s2s_domain_hash(receiving, 7) ^ (s2s_domain_hash(originating, 11) * 3);
    for (size_t i = 0; i < id.len; i++)
        k = (k ^ (unsigned char)id.ptr[i]) * UINT32_C(16777619);
    snprintf(out, 33, "%08x%08x%08x%08x", (unsigned)k, (unsigned)(k * 3), (unsigned)(k * 5),
             (unsigned)(k * 7));
}

/* ---- ends ---- */

sim_end *sim_end_new(sim_host *h, sim_pipe *p, bool direct, const s2s_domain *from,
                     const s2s_domain *to)
{
    s2s_role role = from != NULL ? S2S_INITIATING : S2S_RECEIVING;
    sim_end *e = calloc(1, sizeof *e);
    s2s_stream_config config;
    S2S_ASSERT(e != NULL);
    e->host = h;
    e->pipe = p;
    e->role = role;
    e->direct = direct;
    s2s_stream_config_init(&config, role);
    config.direct_tls = direct;
    config.max_pairs = 100000;
    config.max_out = 64 * 1024 * 1024;
    config.open.stanza = 4 * 1024 * 1024;
    if (role == S2S_INITIATING) {
        e->from = config.from = *from;
        e->to = config.to = *to;
        config.tls = h->tls;
        config.try_external = h->uses_external;
        config.allow_dialback = !h->keyless;
        config.try_sm = h->sm;
        config.try_bidi = h->bidi;
    }
    e->st = s2s_stream_new(&config);
    S2S_ASSERT(e->st != NULL);
    return e;
}

void sim_end_free(sim_end *e)
{
    if (e == NULL) return;
    for (size_t i = 0; i < e->n_pending; i++)
        free(e->pending[i].bytes);
    free(e->pending);
    s2s_stream_free(e->st);
    free(e);
}

static void answer_head(sim_end *e, const s2s_event *ev)
{
    sim_host *h = e->host;
    char id[32];
    if (h->silent) return;
    snprintf(id, sizeof id, "h%u-%u", e->pipe->id, ++h->ids);
    bool tls = s2s_stream_in_tls(e->st);
    bool mute = e->pipe->resumed && h->resume == SIM_RESUME_DISPROVES;
    bool forgot = mute || (e->pipe->resumed && h->resume == SIM_RESUME_FORGETS);
    s2s_answer answer = {.as = ev->to.len > 0 ? ev->to : h->domain,
                         .id = s2s_span_of(id),
                         .tls = h->tls,
                         .offer_external = tls && h->offers_external && !forgot,
                         .offer_dialback = h->offers_dialback && !mute,
                         .offer_sm = h->sm,
                         .max_bytes = h->max_bytes,
                         .idle_seconds = h->idle_seconds,
                         .offer_bidi = h->bidi};
    s2s_stream_answer(e->st, &answer);
}

static void close_end(sim_end *e)
{
    e->over = true;
}

static void remember(sim_end *e, const s2s_stanza *st)
{
    sim_host *h = e->host;
    h->got = realloc(h->got, (h->n_got + 1) * sizeof *h->got);
    S2S_ASSERT(h->got != NULL);
    s2s_span texts[] = {st->from, st->to, st->id, st->type, st->bytes};
    sim_stanza *g = &h->got[h->n_got++];
    char **to[] = {&g->from, &g->to, &g->id, &g->type, &g->bytes};
    for (size_t i = 0; i < 5; i++) {
        *to[i] = calloc(1, texts[i].len + 1);
        S2S_ASSERT(*to[i] != NULL);
        if (texts[i].len > 0) memcpy(*to[i], texts[i].ptr, texts[i].len);
    }
    g->kind = st->kind;
    g->at = h->s->now;
    g->conn = e->pipe->id;
}

/* Asks us whether a key is ours, as any receiving server would: at the domain that sent it. */
static void verify(sim_end *e, const s2s_event *ev)
{
    sim_end *v = sim_connect(e->host, &ev->to, &ev->from);
    if (v == NULL) return;
    if (e->host->prove != SIM_PROVE_ASKS) v->asks_for = e->pipe->id;
    v->asked_from = ev->from;
    v->asked_to = ev->to;
    S2S_ASSERT(s2s_stream_ask_verify(v->st, &ev->to, &ev->from, s2s_stream_id(e->st), ev->key) ==
               S2S_E_OK);
}

static void prove(sim_end *e, const s2s_event *ev)
{
    sim_host *h = e->host;
    s2s_domain from = ev->from, to = ev->to;
    h->proves++;
    if (!serves(h, &to)) {
        s2s_stream_answer_result(e->st, &from, &to, S2S_ERROR, "item-not-found", S2S_PROOF_NONE);
        return;
    }
    switch (h->prove) {
    case SIM_PROVE_VERIFY:
    case SIM_PROVE_ASKS: verify(e, ev); return;
    case SIM_PROVE_VALID:
        s2s_stream_answer_result(e->st, &from, &to, S2S_VALID, NULL, S2S_PROOF_DIALBACK);
        if (h->closes_when_proved) close_end(e);
        return;
    case SIM_PROVE_INVALID:
        s2s_stream_answer_result(e->st, &from, &to, S2S_INVALID, NULL, S2S_PROOF_NONE);
        return;
    case SIM_PROVE_ERROR:
        s2s_stream_answer_result(e->st, &from, &to, S2S_ERROR, h->prove_cond, S2S_PROOF_NONE);
        return;
    case SIM_PROVE_MUTE: return;
    }
}

static sim_end *end_by_id(sim *s, unsigned id)
{
    for (size_t i = 0; i < s->n_pipes; i++)
        if (s->pipes[i]->id == id) return s->pipes[i]->end;
    return NULL;
}

static void verified(sim_end *e, const s2s_event *ev)
{
    e->verdicts[ev->verdict]++;
    if (e->asks_for == 0) return;
    sim_end *asker = end_by_id(e->host->s, e->asks_for);
    s2s_domain from = e->asked_from, to = e->asked_to;
    if (asker != NULL) {
        s2s_stream_answer_result(asker->st, &from, &to, ev->verdict,
                                 ev->verdict == S2S_ERROR ? "not-acceptable" : NULL,
                                 ev->verdict == S2S_VALID ? S2S_PROOF_DIALBACK : S2S_PROOF_NONE);
        sim_end_walk(asker);
    }
    e->asks_for = 0;
    if (e->n_pending == 0) s2s_stream_close(e->st, S2S_E_OK, (s2s_span){NULL, 0});
}

static void check_key(sim_end *e, const s2s_event *ev)
{
    char key[33];
    s2s_domain from = ev->from, to = ev->to;
    if (e->host->hides) return;
    if (!serves(e->host, &to)) {
        s2s_stream_answer_verify(e->st, &from, &to, ev->id, S2S_ERROR, "item-not-found");
        return;
    }
    key_of(e->host, &from, &to, ev->id, key);
    bool ok = s2s_span_is(ev->key, key) && !e->host->denies;
    s2s_stream_answer_verify(e->st, &from, &to, ev->id, ok ? S2S_VALID : S2S_INVALID, NULL);
}

static void make_key(sim_end *e, const s2s_event *ev)
{
    char key[33];
    s2s_domain from = ev->from, to = ev->to;
    key_of(e->host, &to, &from, ev->id, key);
    if (e->host->lies) key[0] = key[0] == 'f' ? '0' : 'f';
    s2s_stream_give_key(e->st, &from, &to, s2s_span_of(key));
}

static void send_pending(sim_end *e)
{
    size_t kept = 0;
    for (size_t i = 0; i < e->n_pending; i++) {
        sim_pending *m = &e->pending[i];
        if (!s2s_stream_sends(e->st, &m->from, &m->to)) {
            e->pending[kept++] = *m;
            continue;
        }
        s2s_err err = s2s_stream_send(e->st, &m->from, &m->to, s2s_span_of(m->bytes));
        S2S_ASSERT(err == S2S_E_OK || err == S2S_E_NOT_PROVED); /* it is closing: never sent */
        free(m->bytes);
    }
    e->n_pending = kept;
}

static void answer_auth(sim_end *e)
{
    const sim_host *h = e->host;
    bool resumed = e->pipe->resumed;
    bool accepts = h->accepts_external && !(resumed && h->resume == SIM_RESUME_REFUSES);
    if (h->slams_external || (resumed && h->resume == SIM_RESUME_SLAMS))
        close_end(e);
    else
        s2s_stream_answer_auth(e->st, accepts, accepts ? NULL : "not-authorized");
}

/* It believes whom it dialled, and whom it has verified. */
static void open_back(sim_end *e, const s2s_event *ev)
{
    s2s_domain from = ev->from, to = ev->to;
    if (ev->theirs && e->role == S2S_INITIATING) return; /* proved by its own key */
    S2S_ASSERT(s2s_stream_open_back(e->st, &to, &from, S2S_PROOF_CERTIFICATE) == S2S_E_OK);
}

/* Of what it tried for a pair, not of questions about keys. */
static void hear_no(const sim_end *e, const s2s_event *ev)
{
    sim_host *h = e->host;
    if (e->role != S2S_INITIATING || e->asks_for != 0 || h->told != S2S_E_OK) return;
    h->told = ev->err;
    snprintf(h->told_cond, sizeof h->told_cond, "%.*s", (int)ev->cond.len, ev->cond.ptr);
}

static void pair_open(sim_end *e, const s2s_event *ev)
{
    sim_host *h = e->host;
    if (s2s_stream_bidi(e->st)) open_back(e, ev);
    send_pending(e);
    if (!ev->theirs) h->proved_by = ev->proof;
    if (e->role == S2S_RECEIVING && h->closes_when_proved) close_end(e);
}

static void act(sim_end *e, const s2s_event *ev)
{
    sim_host *h = e->host;
    switch (ev->kind) {
    case S2S_EV_HEAD:
        if (e->role == S2S_RECEIVING) answer_head(e, ev);
        return;
    case S2S_EV_NEED_TLS: e->wants_tls = true; return;
    case S2S_EV_AUTH: answer_auth(e); return;
    case S2S_EV_PROVE: prove(e, ev); return;
    case S2S_EV_CHECK_KEY: check_key(e, ev); return;
    case S2S_EV_MAKE_KEY: make_key(e, ev); return;
    case S2S_EV_VERIFY_ANSWER: verified(e, ev); return;
    case S2S_EV_PAIR_OPEN: pair_open(e, ev); return;
    case S2S_EV_PAIR_REFUSED: hear_no(e, ev); return;
    case S2S_EV_STANZA:
    case S2S_EV_STANZA_REFUSED:
        remember(e, ev->stanza);
        if (s2s_stream_sm(e->st) == S2S_SM_ON && !h->never_acks) s2s_stream_taken(e->st, 1);
        return;
    case S2S_EV_ACKED: h->acked += ev->count; return;
    case S2S_EV_DEAD:
        hear_no(e, ev);
        close_end(e);
        return;
    case S2S_EV_CLOSED: close_end(e); return;
    case S2S_EV_NONE:
    case S2S_EV_READY:
    case S2S_EV_RESUMED:
    case S2S_EV_NOTE: return;
    }
}

void sim_end_walk(sim_end *e)
{
    for (;;) {
        const s2s_event *ev = s2s_stream_next(e->st);
        if (ev->kind == S2S_EV_NONE) break;
        act(e, ev);
    }
    if (s2s_stream_ack_asked(e->st)) s2s_stream_tell_taken(e->st); /* at once, whatever it is */
}

void sim_end_feed(sim_end *e, s2s_span bytes)
{
    e->host->heard += bytes.len;
    if (e->deaf) return;
    s2s_stream_feed(e->st, bytes);
    sim_end_walk(e);
}

void sim_deafen(sim_host *h)
{
    for (size_t i = 0; i < h->s->n_pipes; i++) {
        sim_end *e = h->s->pipes[i]->end;
        if (e != NULL && e->host == h) e->deaf = true;
    }
}

void sim_end_tls(sim_end *e)
{
    s2s_stream_tls_done(e->st);
    sim_end_walk(e);
}

/* ---- connecting to fed ---- */

sim_end *sim_connect(sim_host *h, const s2s_domain *from, const s2s_domain *to)
{
    sim_pipe *p = sim_pipe_new(h->s, h->side);
    fed_addr peer = h->addr;
    peer.port = (uint16_t)(40000 + p->id % 20000);
    p->end = sim_end_new(h, p, h->connects_direct || h->at_direct_door, from, to);
    p->fc = fed_on_accept(h->s->fed, h->side, h->at_direct_door, &peer, p);
    if (p->fc != NULL && h->connects_direct) fed_on_hello(h->s->fed, p->fc);
    if (p->fc != NULL && p->end->direct) sim_end_walk(p->end); /* it says that it needs TLS */
    if (p->fc != NULL) return p->end;
    p->freed = p->fed_rst = true;
    return NULL;
}

void sim_open(sim_host *h, const char *from, const char *to)
{
    s2s_domain f = sim_domain(from), t = sim_domain(to);
    sim_connect(h, &f, &t);
}

/* Not while a connection of its own is still being closed: what that brings must come first. */
static sim_end *way_back(sim_host *h, const s2s_domain *from, const s2s_domain *to)
{
    sim_end *found = NULL;
    for (size_t i = 0; i < h->s->n_pipes; i++) {
        const sim_pipe *p = h->s->pipes[i];
        sim_end *e = p->end;
        if (e == NULL || e->host != h || p->fc == NULL) continue;
        if (e->role == S2S_INITIATING && e->over) return NULL;
        if (e->role == S2S_RECEIVING && !e->over && s2s_stream_sends(e->st, from, to)) found = e;
    }
    return found;
}

static sim_end *end_for(sim_host *h, const s2s_domain *from, const s2s_domain *to)
{
    for (size_t i = 0; i < h->s->n_pipes; i++) {
        sim_end *e = h->s->pipes[i]->end;
        if (e == NULL || e->host != h || e->role != S2S_INITIATING || e->over || e->asks_for != 0)
            continue;
        if (h->s->pipes[i]->fc == NULL) continue;
        if (h->one_conn || (s2s_domain_eq(&e->from, from) && s2s_domain_eq(&e->to, to))) return e;
    }
    return NULL;
}

void sim_send_xml(sim_host *h, const char *from, const char *to, const char *xml)
{
    s2s_jid f, t;
    S2S_ASSERT(s2s_jid_parse(s2s_span_of(from), &f) == S2S_E_OK);
    S2S_ASSERT(s2s_jid_parse(s2s_span_of(to), &t) == S2S_E_OK);
    sim_end *e = end_for(h, &f.domain, &t.domain);
    if (e == NULL) e = way_back(h, &f.domain, &t.domain);
    if (e == NULL) e = sim_connect(h, &f.domain, &t.domain);
    if (e == NULL) return;
    e->pending = realloc(e->pending, (e->n_pending + 1) * sizeof *e->pending);
    S2S_ASSERT(e->pending != NULL);
    sim_pending *m = &e->pending[e->n_pending++];
    *m = (sim_pending){.from = f.domain, .to = t.domain, .bytes = calloc(1, strlen(xml) + 1)};
    S2S_ASSERT(m->bytes != NULL);
    memcpy(m->bytes, xml, strlen(xml));
    s2s_err err = S2S_E_OK;
    if (e->role == S2S_INITIATING) err = s2s_stream_want_pair(e->st, &f.domain, &t.domain);
    S2S_ASSERT(err == S2S_E_OK || err == S2S_E_PEER_CLOSED);
    send_pending(e);
    sim_end_walk(e);
}

void sim_send(sim_host *h, const char *from, const char *to, const char *id, size_t body)
{
    size_t size = strlen(from) + strlen(to) + strlen(id) + body + 128;
    char *text = malloc(size);
    S2S_ASSERT(text != NULL);
    int n = snprintf(text, size, "<message from='%s' to='%s' id='%s'><body>", from, to, id);
    S2S_ASSERT(n > 0);
    memset(text + n, 'x', body);
    memcpy(text + n + body, "</body></message>", sizeof "</body></message>");
    sim_send_xml(h, from, to, text);
    free(text);
}

void sim_ask(sim_host *h, const char *from, const char *to, const char *id, const char *key)
{
    s2s_domain f = sim_domain(from), t = sim_domain(to);
    sim_end *e = end_for(h, &f, &t);
    if (e == NULL) e = sim_connect(h, &f, &t);
    S2S_ASSERT(e != NULL);
    S2S_ASSERT(s2s_stream_ask_verify(e->st, &f, &t, s2s_span_of(id), s2s_span_of(key)) == S2S_E_OK);
    sim_end_walk(e);
}

/* ---- looking ---- */

size_t sim_count(const sim_host *h, const char *id, const char *type)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n_got; i++)
        if ((id == NULL || strcmp(h->got[i].id, id) == 0) &&
            (type == NULL || strcmp(h->got[i].type, type) == 0))
            n++;
    return n;
}

const sim_stanza *sim_last(const sim_host *h)
{
    S2S_ASSERT(h->n_got > 0);
    return &h->got[h->n_got - 1];
}

const sim_stanza *sim_find(const sim_host *h, const char *id)
{
    for (size_t i = h->n_got; i-- > 0;)
        if (strcmp(h->got[i].id, id) == 0) return &h->got[i];
    return NULL;
}

size_t sim_conns(const sim_host *h, s2s_role of_host)
{
    size_t n = 0;
    for (size_t i = 0; i < h->s->n_pipes; i++) {
        const sim_pipe *p = h->s->pipes[i];
        if (p->end != NULL && p->end->host == h && p->end->role == of_host && p->fc != NULL) n++;
    }
    return n;
}

size_t sim_count_logged(const sim *s, const char *event, const char *with)
{
    size_t len = strlen(event), n = 0;
    for (size_t i = 0; i < s->n_logs; i++)
        if (strncmp(s->logs[i], event, len) == 0 && s->logs[i][len] == ' ' &&
            strstr(s->logs[i], with) != NULL)
            n++;
    return n;
}

bool sim_logged(const sim *s, const char *event, const char *with)
{
    return sim_count_logged(s, event, with) > 0;
}

unsigned sim_verdicts(const sim_host *h, s2s_verdict v)
{
    unsigned n = 0;
    for (size_t i = 0; i < h->s->n_pipes; i++) {
        const sim_end *e = h->s->pipes[i]->end;
        if (e != NULL && e->host == h) n += e->verdicts[v];
    }
    return n;
}

fed_ledger_view sim_ledger(sim *s, fed_way way)
{
    fed_ledger_view v;
    fed_ledger_read(s->fed, way, &v);
    return v;
}

void sim_check(sim *s)
{
    fed_ledger_view in = sim_ledger(s, FED_INBOUND), out = sim_ledger(s, FED_OUTBOUND);
    S2S_ASSERT(fed_ledger_balanced(&in));
    S2S_ASSERT(fed_ledger_balanced(&out));
}

typedef struct wanted_pair {
    s2s_domain from, to;
    fed_pair_view found;
} wanted_pair;

static void match_pair(void *ctx, const fed_pair_view *v)
{
    wanted_pair *w = ctx;
    if (s2s_domain_eq(&v->from, &w->from) && s2s_domain_eq(&v->to, &w->to)) w->found = *v;
}

fed_pair_view sim_pair(sim *s, const char *from, const char *to)
{
    wanted_pair w = {.from = sim_domain(from), .to = sim_domain(to)};
    fed_each_pair(s->fed, match_pair, &w);
    return w.found;
}

typedef struct wanted_remote {
    s2s_domain domain;
    fed_remote_view found;
} wanted_remote;

static void match_remote(void *ctx, const fed_remote_view *v)
{
    wanted_remote *w = ctx;
    if (s2s_domain_eq(&v->domain, &w->domain)) w->found = *v;
}

fed_remote_view sim_target(sim *s, const char *domain)
{
    wanted_remote w = {.domain = sim_domain(domain), .found = {.state = "", .why = ""}};
    fed_each_remote(s->fed, match_remote, &w);
    return w.found;
}

typedef struct wanted_server {
    const char *name;
    fed_server_view found;
} wanted_server;

static void match_server(void *ctx, const fed_server_view *v)
{
    wanted_server *w = ctx;
    if (strcmp(v->name, w->name) == 0) w->found = *v;
}

fed_server_view sim_server_view(sim *s, const char *name)
{
    wanted_server w = {.name = name, .found = {.name = NULL}};
    fed_each_server(s->fed, match_server, &w);
    S2S_ASSERT(w.found.name != NULL);
    return w.found;
}

static void count_conn(void *ctx, const fed_conn_view *v)
{
    (void)v;
    ++*(size_t *)ctx;
}

static void count_bidi(void *ctx, const fed_conn_view *v)
{
    *(size_t *)ctx += v->bidi ? 1 : 0;
}

size_t sim_bidi_conns(sim *s)
{
    size_t n = 0;
    fed_each_conn(s->fed, count_bidi, &n);
    return n;
}

size_t sim_open_conns(sim *s)
{
    size_t n = 0;
    fed_each_conn(s->fed, count_conn, &n);
    return n;
}
