/* sim.c - the world: clock, names, pipes; see sim.h. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_priv.h"

/* ---- the world as fed sees it ---- */

static uint64_t world_now(void *w)
{
    return ((sim *)w)->now;
}

static void world_random(void *w, void *out, size_t n)
{
    sim *s = w;
    for (size_t i = 0; i < n; i++) {
        s->seed ^= s->seed << 13;
        s->seed ^= s->seed >> 7;
        s->seed ^= s->seed << 17;
        ((unsigned char *)out)[i] = (unsigned char)(s->seed >> 32);
    }
}

static void world_wake_at(void *w, uint64_t ms)
{
    ((sim *)w)->wake = ms;
}

static void world_resolve(void *w, uint64_t ticket, const fed_ask *ask)
{
    sim *s = w;
    sim_zone_ask(&s->zone, &(sim_question){.ticket = ticket, .ask = *ask});
    s->asked++;
    s->asked_tlsa += ask->query == FED_QUERY_TLSA;
}

static void world_posh(void *w, uint64_t ticket, const s2s_domain *domain)
{
    sim *s = w;
    sim_zone_ask(&s->zone,
                 &(sim_question){.ticket = ticket, .ask = {.name = *domain}, .posh = true});
    s->asked_posh++;
}

static sim_host *host_at(sim *s, const fed_addr *a, bool direct)
{
    for (size_t i = 0; i < s->n_hosts; i++) {
        sim_host *h = s->hosts[i];
        fed_addr at = h->addr;
        if (direct) at.port = SIM_DIRECT_PORT;
        if (fed_addr_eq(&at, a) && (!direct || h->direct)) return h;
    }
    return NULL;
}

static void note_dial(sim *s, const fed_addr *to)
{
    s->dialled = realloc(s->dialled, (s->n_dialled + 1) * sizeof *s->dialled);
    S2S_ASSERT(s->dialled != NULL);
    sim_dial *d = &s->dialled[s->n_dialled++];
    d->at = s->now;
    fed_addr_print(to, d->endpoint);
}

static void *world_dial(void *w, fed_conn *c, fed_side side, const fed_addr *to)
{
    sim *s = w;
    sim_pipe *p = sim_pipe_new(s, side);
    p->fc = c;
    p->to = host_at(s, to, false);
    p->direct = p->to == NULL && host_at(s, to, true) != NULL;
    if (p->direct) p->to = host_at(s, to, true);
    p->dialled = true;
    p->dialled_at = s->now;
    s->dials++;
    if (side == FED_OUTSIDE) note_dial(s, to);
    return p;
}

static sim_pipe *alive(void *io)
{
    sim_pipe *p = io;
    S2S_ASSERT(p != NULL && !p->freed);
    return p;
}

static void take_out(sim_pipe *p)
{
    p->dirty = false;
    while (p->fc != NULL && !p->freed) {
        size_t room = SIM_KERNEL - s2s_buf_span(&p->send).len;
        s2s_span out = fed_conn_out(p->fc);
        size_t n = out.len < room ? out.len : room;
        if (n == 0) break;
        S2S_ASSERT(s2s_buf_put(&p->send, (s2s_span){out.ptr, n}) == S2S_E_OK);
        fed_conn_sent(p->s->fed, p->fc, n);
    }
}

static void world_start_tls(void *w, void *io, const fed_tls_ask *ask)
{
    (void)w;
    sim_pipe *p = alive(io);
    take_out(p);
    p->fed_tls = true;
    p->ask = *ask;
}

static void world_log(void *w, fed_level level, const char *event, const fed_field *fields,
                      size_t n);

static s2s_err world_judge(void *w, void *io, const fed_judge_ask *ask, s2s_proof *proof)
{
    const sim *s = w;
    const sim_pipe *p = alive(io);
    const sim_host *h = p->end != NULL ? p->end->host : NULL;
    unsigned proofs = fed_config_policy(&s->config, ask->domain)->proofs;
    sim_cert c = {.trust = S2S_E_CERT_MISSING};
    if (h != NULL && h->n_names > 0)
        c = (sim_cert){h->trust, h->names, h->n_names, h->key, h->signer};
    if (p->resumed && h != NULL && h->trust_resumed != S2S_E_OK) c.trust = h->trust_resumed;
    if (c.trust != S2S_E_CERT_MISSING && ask->side == FED_OUTSIDE &&
        (proofs & FED_PROOF_PIN) != 0) {
        *proof = S2S_PROOF_PIN;
        if (h->pinned) return S2S_E_OK;
        if ((proofs & ~(unsigned)(FED_PROOF_PIN | FED_PROOF_DIALBACK)) == 0) return S2S_E_CERT_PIN;
    }
    return sim_cert_judge(&c, ask, proof);
}

static void world_found(void *w, void *io, const s2s_domain *domain, s2s_proof proof)
{
    (void)alive(io);
    const fed_field fields[] = {{"domain", s2s_domain_span(domain)},
                                {"proof", s2s_span_of(s2s_proof_name(proof))}};
    world_log(w, FED_DEBUG, "found", fields, 2);
}

static void world_flush(void *w, void *io)
{
    (void)w;
    alive(io)->dirty = true;
}

static void world_pause(void *w, void *io, bool paused)
{
    (void)w;
    sim_pipe *p = alive(io);
    p->paused = paused;
    p->s->pauses += paused ? 1 : 0;
}

static uint64_t world_acked(void *w, void *io)
{
    (void)w;
    return alive(io)->acked;
}

static void world_close(void *w, void *io, bool gracefully)
{
    (void)w;
    sim_pipe *p = alive(io);
    p->fc = NULL;
    p->freed = true;
    p->fed_fin = gracefully;
    p->fed_rst = !gracefully;
}

static uint64_t mix(uint64_t h, s2s_span text)
{
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.ptr[i]) * UINT64_C(1099511628211);
    return (h ^ 0x20) * UINT64_C(1099511628211);
}

/* Not XEP-0185: nobody checks it but ourselves. */
static void world_key(void *w, fed_side side, const s2s_domain *receiving,
                      const s2s_domain *originating, s2s_span id, char out[65])
{
    (void)w;
    uint64_t h = UINT64_C(14695981039346656037) + (side == FED_OUTSIDE ? 1 : 2);
    for (int i = 0; i < 4; i++) {
        h = mix(mix(mix(h, s2s_domain_span(receiving)), s2s_domain_span(originating)), id);
        snprintf(out + 16 * (size_t)i, 17, "%016llx", (unsigned long long)h);
    }
}

void sim_key(sim *s, fed_side side, const s2s_domain *receiving, const s2s_domain *originating,
             const char *id, char out[65])
{
    world_key(s, side, receiving, originating, s2s_span_of(id), out);
}

static void world_log(void *w, fed_level level, const char *event, const fed_field *fields,
                      size_t n)
{
    sim *s = w;
    char text[2048];
    size_t at = (size_t)snprintf(text, sizeof text, "%s", event);
    (void)level;
    for (size_t i = 0; i < n && at < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, " %s=%.*s", fields[i].key,
                               (int)fields[i].value.len, fields[i].value.ptr);
    if (getenv("SIM_LOG") != NULL) fprintf(stderr, "%llu %s\n", (unsigned long long)s->now, text);
    s->logs = realloc(s->logs, (s->n_logs + 1) * sizeof *s->logs);
    S2S_ASSERT(s->logs != NULL);
    s->logs[s->n_logs] = malloc(at + 1);
    S2S_ASSERT(s->logs[s->n_logs] != NULL);
    memcpy(s->logs[s->n_logs++], text, strlen(text) + 1);
}

static const fed_world WORLD = {
    .now = world_now,
    .random = world_random,
    .wake_at = world_wake_at,
    .resolve = world_resolve,
    .posh = world_posh,
    .dial = world_dial,
    .start_tls = world_start_tls,
    .judge = world_judge,
    .found = world_found,
    .flush = world_flush,
    .pause = world_pause,
    .acked = world_acked,
    .close = world_close,
    .dialback_key = world_key,
    .log = world_log,
};

/* ---- names ---- */

static sim_row *row_new(sim *s, const char *name, fed_query kind)
{
    const s2s_domain d = sim_domain(name);
    return sim_zone_add(&s->zone, &d, kind);
}

static sim_row *last_row(sim *s)
{
    return &s->zone.rows[s->zone.n - 1];
}

void sim_publish(sim *s, const char *domain, const char *key)
{
    sim_row *row = row_new(s, domain, FED_QUERY_SRV);
    row->posh = true;
    snprintf(row->key, sizeof row->key, "%s", key);
}

void sim_zone_signs(sim *s, const char *name, fed_query kind, unsigned port)
{
    sim_row *row = row_new(s, name, kind);
    row->signs = true;
    row->port = (uint16_t)port;
    s->config.dnssec = true;
}

void sim_zone_fails_of(sim *s, const char *name, fed_query kind, unsigned port)
{
    sim_row *row = row_new(s, name, kind);
    row->fails = row->alone = true;
    row->port = (uint16_t)port;
}

void sim_add_tlsa(sim *s, const char *name, unsigned port, unsigned usage, const char *key)
{
    sim_row *row = row_new(s, name, FED_QUERY_TLSA);
    row->port = (uint16_t)port;
    row->usage = (uint8_t)usage;
    snprintf(row->key, sizeof row->key, "%s", key);
}

void sim_zone_fails(sim *s, const char *name)
{
    row_new(s, name, FED_QUERY_ADDR)->fails = true;
}

void sim_add_srv(sim *s, const char *name, unsigned priority, unsigned port, const char *target)
{
    sim_row *row = row_new(s, name, FED_QUERY_SRV);
    row->srv = (fed_srv){.priority = (uint16_t)priority, .port = (uint16_t)port};
    if (strcmp(target, ".") != 0) row->srv.target = sim_domain(target);
}

void sim_add_srv_direct(sim *s, const char *name, unsigned priority, unsigned port,
                        const char *target)
{
    sim_add_srv(s, name, priority, port, target);
    last_row(s)->srv.direct = true;
}

void sim_weigh(sim *s, unsigned weight)
{
    S2S_ASSERT(last_row(s)->kind == FED_QUERY_SRV);
    last_row(s)->srv.weight = (uint16_t)weight;
}

void sim_add_addr(sim *s, const char *name, const char *addr)
{
    fed_cidr one;
    S2S_ASSERT(fed_cidr_parse(s2s_span_of(addr), &one) == S2S_E_OK);
    row_new(s, name, FED_QUERY_ADDR)->addr = one.net;
}

/* ---- pipes ---- */

sim_pipe *sim_pipe_new(sim *s, fed_side side)
{
    sim_pipe *p = calloc(1, sizeof *p);
    s->pipes = realloc(s->pipes, (s->n_pipes + 1) * sizeof *s->pipes);
    S2S_ASSERT(p != NULL && s->pipes != NULL);
    s->pipes[s->n_pipes++] = p;
    p->s = s;
    p->id = ++s->last_pipe;
    p->side = side;
    s2s_buf_init(&p->send, 0);
    s2s_buf_init(&p->recv, 0);
    s2s_buf_init(&p->back, 0);
    return p;
}

static void pipe_free(sim_pipe *p)
{
    sim_end_free(p->end);
    s2s_buf_fini(&p->send);
    s2s_buf_fini(&p->recv);
    s2s_buf_fini(&p->back);
    free(p);
}

/* fed is told that it ended; the handle is dead then. */
static void lose(sim_pipe *p, s2s_err why)
{
    fed_conn *fc = p->fc;
    if (fc == NULL) return;
    fed_on_lost(p->s->fed, fc, why, (s2s_span){NULL, 0});
    p->fc = NULL;
    p->freed = true;
    p->fed_rst = true;
}

static bool answer_dial(sim_pipe *p)
{
    if (!p->dialled || p->fc == NULL) return false;
    sim_host *h = p->to;
    if (h != NULL && (h->blackhole || p->dialled_at + h->slow > p->s->now)) return false;
    p->dialled = false;
    if (h == NULL || h->refuses) {
        lose(p, S2S_E_TCP_REFUSED);
        return true;
    }
    h->accepted++;
    p->end = sim_end_new(h, p, p->direct, NULL, NULL);
    sim_end_walk(p->end);
    fed_addr ours = {.family = 4, .bytes = {192, 0, 2, 254}, .port = 40000};
    fed_on_connected(p->s->fed, p->fc, &ours);
    return true;
}

/* fed's kernel to the host's. */
static bool cross(sim_pipe *p)
{
    s2s_span out = s2s_buf_span(&p->send);
    if (out.len == 0 || p->end == NULL || p->end->host->unplugged) return false;
    size_t room = SIM_KERNEL - s2s_buf_span(&p->recv).len;
    size_t n = out.len < room ? out.len : room;
    if (n == 0) return false;
    S2S_ASSERT(s2s_buf_put(&p->recv, (s2s_span){out.ptr, n}) == S2S_E_OK);
    s2s_buf_consume(&p->send, n);
    p->acked += n;
    if (s2s_buf_span(&p->send).len < SIM_KERNEL) p->dirty = p->fc != NULL;
    return true;
}

static bool host_reads(sim_pipe *p)
{
    s2s_span in = s2s_buf_span(&p->recv);
    if (in.len == 0 || p->end == NULL || p->end->host->stalled || p->end->over) return false;
    char copy[8192];
    size_t n = in.len < sizeof copy ? in.len : sizeof copy;
    memcpy(copy, in.ptr, n);
    s2s_buf_consume(&p->recv, n);
    sim_end_feed(p->end, (s2s_span){copy, n});
    return true;
}

/* Where the features begin, 0: nowhere in it. */
static size_t offers_at(s2s_span out)
{
    static const char tag[] = "<stream:features>";
    const char *at = memmem(out.ptr, out.len, tag, sizeof tag - 1);
    return at != NULL ? (size_t)(at - out.ptr) + sizeof tag - 1 : 0;
}

static bool host_writes(sim_pipe *p)
{
    sim_end *e = p->end;
    if (e == NULL || e->host->unplugged || s2s_buf_span(&p->back).len > SIM_KERNEL) return false;
    s2s_span out = s2s_stream_out(e->st);
    if (out.len == 0) {
        if (!e->over || p->host_fin) return false;
        p->host_fin = true;
        return true;
    }
    size_t room = SIM_KERNEL + 1 - s2s_buf_span(&p->back).len;
    size_t n = out.len < room ? out.len : room;
    size_t features = e->host->features != NULL ? offers_at(out) : 0;
    if (features > 0) n = features;
    S2S_ASSERT(s2s_buf_put(&p->back, (s2s_span){out.ptr, n}) == S2S_E_OK);
    if (features > 0) S2S_ASSERT(s2s_buf_put(&p->back, s2s_span_of(e->host->features)) == S2S_E_OK);
    s2s_stream_sent(e->st, n);
    return true;
}

static bool fed_reads(sim_pipe *p)
{
    s2s_span in = s2s_buf_span(&p->back);
    if (p->fc == NULL || p->dialled || p->paused) return false;
    if (in.len == 0) {
        if (!p->host_fin) return false;
        lose(p, S2S_E_TCP_EOF);
        return true;
    }
    if (p->fed_tls) return false; /* plaintext waits for the handshake */
    size_t n = p->s->chunk != 0 && p->s->chunk < in.len ? p->s->chunk : in.len;
    if (n > 16384) n = 16384;
    char copy[16384];
    memcpy(copy, in.ptr, n);
    s2s_buf_consume(&p->back, n);
    fed_on_bytes(p->s->fed, p->fc, (s2s_span){copy, n});
    return true;
}

/* Would the real world resume, and does it come to that? */
static bool resumes(sim_pipe *p)
{
    sim_host *h = p->end->host;
    if (p->ask.role != S2S_INITIATING) return false;
    h->barred = h->barred || p->ask.full;
    p->resumed = h->gave_session && !h->barred;
    h->gave_session = h->resume != SIM_RESUME_NEVER;
    h->barred = h->barred || (p->resumed && h->resume == SIM_RESUME_BREAKS);
    *(p->resumed ? &h->resumed : &h->full) += 1;
    return p->resumed;
}

static bool meet_in_tls(sim_pipe *p)
{
    bool quiet =
        s2s_buf_span(&p->send).len + s2s_buf_span(&p->recv).len + s2s_buf_span(&p->back).len == 0;
    if (!p->fed_tls || p->end == NULL || !quiet || p->fc == NULL) return false;
    if (p->ask.direct && !p->end->direct) { /* a ClientHello where XML is spoken */
        lose(p, S2S_E_TLS_HANDSHAKE);
        return true;
    }
    if (!p->end->wants_tls || p->end->host->stalled) return false;
    p->fed_tls = false;
    if (resumes(p) && p->end->host->resume == SIM_RESUME_BREAKS) {
        lose(p, S2S_E_TLS_NOT_RESUMED);
        return true;
    }
    p->in_tls = true;
    p->end->wants_tls = false;
    fed_tls_info info = {
        .resumed = p->resumed, .version = "TLSv1.3", .cipher = "TLS_AES_128_GCM_SHA256"};
    info.has_cert = p->end->host->n_names > 0;
    info.ends_in = p->end->host->cert_ends_in;
    fed_on_tls(p->s->fed, p->fc, &info);
    if (p->end != NULL) sim_end_tls(p->end);
    return true;
}

/* fed has closed: what it handed over still arrives, unless it reset. */
static bool end_on_host(sim_pipe *p)
{
    if (p->end == NULL || !p->freed) return false;
    if (!p->fed_rst && !p->end->over && s2s_buf_span(&p->send).len + s2s_buf_span(&p->recv).len > 0)
        return false;
    sim_end_free(p->end);
    p->end = NULL;
    return true;
}

static bool step_pipe(sim_pipe *p)
{
    if (p->dirty && !p->freed) {
        take_out(p);
        return true;
    }
    return answer_dial(p) || cross(p) || host_reads(p) || host_writes(p) || meet_in_tls(p) ||
           fed_reads(p) || end_on_host(p);
}

static void drop_dead_pipes(sim *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n_pipes; i++) {
        sim_pipe *p = s->pipes[i];
        if (p->freed && p->end == NULL)
            pipe_free(p);
        else
            s->pipes[kept++] = p;
    }
    s->n_pipes = kept;
}

/* ---- time ---- */

static void count_dialling(sim *s)
{
    unsigned open = 0;
    for (size_t i = 0; i < s->n_pipes; i++) {
        const sim_pipe *p = s->pipes[i];
        open += p->side == FED_OUTSIDE && p->dialled && p->fc != NULL ? 1 : 0;
    }
    if (open > s->dialling_most) s->dialling_most = open;
}

bool sim_step(sim *s)
{
    bool moved = false;
    if (s->wake <= s->now) {
        s->wake = UINT64_MAX;
        s->wakes++;
        fed_tick(s->fed);
        moved = true;
    }
    bool held = s->no_dns || (s->no_posh && s->zone.n_questions > 0 && s->zone.questions[0].posh);
    if (s->zone.n_questions > 0 && !held) {
        sim_zone_answer(&s->zone, s->fed);
        moved = true;
    }
    count_dialling(s);
    for (size_t i = 0; i < s->n_pipes; i++)
        while (step_pipe(s->pipes[i]))
            moved = true;
    drop_dead_pipes(s);
    return moved;
}

void sim_settle(sim *s)
{
    while (sim_step(s)) {
    }
}

void sim_settle_without_dns(sim *s)
{
    s->no_dns = true;
    sim_settle(s);
    s->no_dns = false;
}

/* When something happens next by itself. */
static uint64_t next_time(const sim *s)
{
    uint64_t at = s->wake;
    for (size_t i = 0; i < s->n_pipes; i++) {
        const sim_pipe *p = s->pipes[i];
        if (!p->dialled || p->fc == NULL || p->to == NULL || p->to->blackhole) continue;
        uint64_t answers = p->dialled_at + p->to->slow;
        if (answers < at) at = answers;
    }
    return at;
}

void sim_run(sim *s, uint64_t ms)
{
    uint64_t until = s->now + ms;
    sim_settle(s);
    for (uint64_t at; (at = next_time(s)) <= until;) {
        if (at > s->now) s->now = at;
        sim_settle(s);
    }
    s->now = until;
    sim_settle(s);
}

/* ---- life ---- */

void sim_local(sim *s, const char *domain, size_t server, bool certificate)
{
    s->locals[s->config.n_locals++] =
        (fed_local){.domain = sim_domain(domain), .server = server, .certificate = certificate};
}

sim *sim_new(void)
{
    sim *s = calloc(1, sizeof *s);
    S2S_ASSERT(s != NULL);
    s->now = 1000000;
    s->wake = UINT64_MAX;
    s->seed = UINT64_C(0x9e3779b97f4a7c15);
    fed_limits_init(&s->config.limits);
    s->config.locals = s->locals;
    s->config.servers = s->servers;
    s->config.policies = s->policies;
    s->config.allow_private = s->allowed;
    s->config.n_allow_private = 2;
    S2S_ASSERT(fed_cidr_parse(S2S_LIT("192.0.2.0/24"), &s->allowed[0]) == S2S_E_OK);
    S2S_ASSERT(fed_cidr_parse(S2S_LIT("2001:db8::/32"), &s->allowed[1]) == S2S_E_OK);
    s->config.inside_name = "causeway.inside";
    s->config.n_policies = 1;
    s->policies[0] = (fed_policy){.match = FED_MATCH_ALL,
                                  .allow = true,
                                  .tls = S2S_TLS_REQUIRED,
                                  .sm = true,
                                  .proofs = FED_PROOF_CERTIFICATE | FED_PROOF_DIALBACK};
    sim_server(s, "hq", "10.0.0.10", "loc.example");
    sim_serve(sim_hq(s), "loc2.example");
    sim_local(s, "loc2.example", 0, true);
    return s;
}

void sim_start(sim *s)
{
    s->names = calloc(1, fed_config_index_size(&s->config));
    S2S_ASSERT(s->names != NULL);
    fed_config_index(&s->config, s->names);
    s->fed = fed_new(&s->config, &WORLD, s);
    S2S_ASSERT(s->fed != NULL);
}

void sim_end_all(sim *s)
{
    if (s->fed != NULL) {
        sim_check(s);
        fed_free(s->fed);
    }
    for (size_t i = 0; i < s->n_pipes; i++)
        pipe_free(s->pipes[i]);
    for (size_t i = 0; i < s->n_hosts; i++) {
        sim_host *h = s->hosts[i];
        for (size_t k = 0; k < h->n_got; k++) {
            sim_stanza *st = &h->got[k];
            free(st->from);
            free(st->to);
            free(st->id);
            free(st->type);
            free(st->bytes);
        }
        free(h->got);
        free(h);
    }
    for (size_t i = 0; i < s->n_logs; i++)
        free(s->logs[i]);
    free(s->names);
    free(s->logs);
    free(s->dialled);
    free(s->pipes);
    sim_zone_fini(&s->zone);
    free(s);
}

/* ---- ends of connections ---- */

static void reset_pipes(sim_host *h, s2s_err why, bool lose_unread)
{
    sim *s = h->s;
    for (size_t i = 0; i < s->n_pipes; i++) {
        sim_pipe *p = s->pipes[i];
        if (p->end == NULL || p->end->host != h) continue;
        if (!lose_unread)
            while (host_reads(p)) {
            }
        lose(p, why);
        sim_end_free(p->end);
        p->end = NULL;
    }
    sim_settle(s);
}

void sim_kill(sim_host *h)
{
    h->refuses = true;
    reset_pipes(h, S2S_E_TCP_RESET, true);
}

void sim_revive(sim_host *h)
{
    h->refuses = h->stalled = h->unplugged = h->blackhole = false;
}

void sim_cut(sim_host *h)
{
    reset_pipes(h, S2S_E_TCP_RESET, true);
}

void sim_shut(sim_host *h)
{
    for (size_t i = 0; i < h->s->n_pipes; i++) {
        sim_end *e = h->s->pipes[i]->end;
        if (e == NULL || e->host != h) continue;
        s2s_stream_close(e->st, S2S_E_OK, (s2s_span){NULL, 0});
        sim_end_walk(e);
    }
}
