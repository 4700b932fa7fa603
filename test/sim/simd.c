/* simd.c - the federation logic behind a pipe, for the dialogues of test/script.
 * Commands come line by line on stdin; what fed did is printed until nothing moves any more, then ".".
 *
 *   local DOMAIN SERVER CERT(0|1)              server NAME ADDR:PORT TRUST-CIDR TLS(none|optional|required)
 *   peer PATTERN ALLOW(0|1) TLS PROOFS(bits) [BIDI(0|1|2)]   limit NAME VALUE        own ADDR:PORT    doubt bounce|resend|drop
 *   srv NAME PRIO WEIGHT PORT TARGET|.         addr NAME ADDRESS       private CIDR
 *   srvs ...                                   (the same of _xmpps-server: direct TLS)
 *   dnsfail NAME [srv|addr|tlsa]               signed NAME srv|addr|tlsa (DNSSEC)
 *   posh NAME KEY                              (a fingerprint of its document)
 *   tlsa NAME PORT USAGE KEY                   (KEY: a name; usage 3: of the certificate, 2: of who signed it; 0, 1: of no use)
 *   start
 *   accept outside|direct|inside ADDR:PORT     -> conn N
 *   hello N                                    the peer's first byte is TLS
 *   bytes N HEX      tls N TRUST NAME,NAME     (TRUST: ok none untrusted expired; names: what the certificate covers;
 *                                               tlsa=KEY among them: a name for its key, ta=KEY for its signer's)
 *   connected N      lost N ERRNAME            acked N on|off (does the peer's kernel acknowledge? on at first)
 *   advance MS       ledger in|out             drain MS   drained
 * Effects: out N HEX, starttls N server|client OURS SNI ASK DIRECT, dial N outside|inside ADDR, close N graceful|abrupt,
 *          pause N 0|1, found N DOMAIN PROOF, log EVENT key=value...
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fed/fed.h"
#include "names.h"

enum { MAX_CONNS = 4096, MAX_ROWS = 512, MAX_WORDS = 16, MAX_NAMES = 64 };

typedef struct sim_conn {
    unsigned id;
    fed_conn *fed; /* NULL: ended */
    bool dirty;
    bool withholds; /* the peer's kernel acknowledges nothing more */
    uint64_t sent;  /* plaintext bytes taken from fed */
    uint64_t acked;
    s2s_err trust; /* verdict on the chain, names apart */
    s2s_domain names[MAX_NAMES];
    size_t n_names;
    char key[32], signer[32];
} sim_conn;

typedef struct sim_daemon {
    fed *fed;
    fed_config config;
    void *names; /* the index of the settings */
    fed_local locals[MAX_ROWS];
    fed_server servers[MAX_ROWS];
    fed_addr server_addr[MAX_ROWS];
    fed_cidr server_trust[MAX_ROWS];
    char server_name[MAX_ROWS][32];
    fed_policy policies[MAX_ROWS];
    fed_cidr private_ok[MAX_ROWS];
    fed_addr own[MAX_ROWS];
    sim_zone zone;
    sim_conn conns[MAX_CONNS];
    size_t n_conns;
    uint64_t now;
    uint64_t wake;
    uint64_t seed;
} sim_daemon;

static _Noreturn void fail(const char *what, const char *word)
{
    fprintf(stderr, "simd: %s: %s\n", what, word ? word : "missing");
    exit(2);
}

static void print_hex(s2s_span bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        printf("%02x", (unsigned)(unsigned char)bytes.ptr[i]);
}

/* ---- the world ---- */

static uint64_t world_now(void *w)
{
    return ((sim_daemon *)w)->now;
}

/* A seeded xorshift: the same dialogue draws the same numbers. */
static void world_random(void *w, void *out, size_t n)
{
    sim_daemon *d = w;
    unsigned char *to = out;
    for (size_t i = 0; i < n; i++) {
        d->seed ^= d->seed << 13;
        d->seed ^= d->seed >> 7;
        d->seed ^= d->seed << 17;
        to[i] = (unsigned char)(d->seed >> 32);
    }
}

static void world_wake_at(void *w, uint64_t ms)
{
    ((sim_daemon *)w)->wake = ms;
}

static const char *const KINDS[] = {
    [FED_QUERY_SRV] = "srv", [FED_QUERY_ADDR] = "addr", [FED_QUERY_TLSA] = "tlsa"};

static void world_resolve(void *w, uint64_t ticket, const fed_ask *ask)
{
    sim_daemon *d = w;
    sim_zone_ask(&d->zone, &(sim_question){.ticket = ticket, .ask = *ask});
    if (ask->query == FED_QUERY_TLSA)
        printf("resolve tlsa _%u._tcp.%s\n", (unsigned)ask->port, ask->name.text);
    else
        printf("resolve %s %s\n", KINDS[ask->query], ask->name.text);
}

static void world_posh(void *w, uint64_t ticket, const s2s_domain *domain)
{
    sim_daemon *d = w;
    sim_zone_ask(&d->zone,
                 &(sim_question){.ticket = ticket, .ask = {.name = *domain}, .posh = true});
    printf("resolve posh %s\n", domain->text);
}

static sim_conn *conn_new(sim_daemon *d)
{
    S2S_ASSERT(d->n_conns < MAX_CONNS);
    sim_conn *c = &d->conns[d->n_conns];
    memset(c, 0, sizeof *c);
    c->id = (unsigned)d->n_conns++;
    c->trust = S2S_E_CERT_MISSING;
    return c;
}

static const char *side_name(fed_side side)
{
    return side == FED_OUTSIDE ? "outside" : "inside";
}

static void *world_dial(void *w, fed_conn *fc, fed_side side, const fed_addr *to)
{
    char text[FED_ADDR_TEXT];
    sim_conn *c = conn_new(w);
    c->fed = fc;
    printf("dial %u %s %s\n", c->id, side_name(side), fed_addr_print(to, text));
    return c;
}

static void take_out(sim_daemon *d, sim_conn *c)
{
    c->dirty = false;
    if (!c->fed) return;
    s2s_span out = fed_conn_out(c->fed);
    if (!out.len) return;
    printf("out %u ", c->id);
    print_hex(out);
    printf("\n");
    c->sent += out.len;
    if (!c->withholds) c->acked = c->sent;
    fed_conn_sent(d->fed, c->fed, out.len);
}

static void world_start_tls(void *w, void *io, const fed_tls_ask *ask)
{
    sim_conn *c = io;
    take_out(w, c);
    printf("starttls %u %s %s %s %d %d\n", c->id, ask->role == S2S_INITIATING ? "client" : "server",
           ask->ours.len ? ask->ours.text : "-", ask->sni.len ? ask->sni.text : "-",
           ask->ask_client_cert ? 1 : 0, ask->direct ? 1 : 0);
}

static s2s_err world_judge(void *w, void *io, const fed_judge_ask *ask, s2s_proof *proof)
{
    (void)w;
    const sim_conn *c = io;
    const sim_cert cert = {c->trust, c->names, c->n_names, c->key, c->signer};
    return sim_cert_judge(&cert, ask, proof);
}

static void world_found(void *w, void *io, const s2s_domain *domain, s2s_proof proof)
{
    (void)w;
    printf("found %u %s %s\n", ((sim_conn *)io)->id, domain->text, s2s_proof_name(proof));
}

static void world_flush(void *w, void *io)
{
    (void)w;
    ((sim_conn *)io)->dirty = true;
}

static void world_pause(void *w, void *io, bool paused)
{
    (void)w;
    printf("pause %u %d\n", ((sim_conn *)io)->id, paused ? 1 : 0);
}

static uint64_t world_acked(void *w, void *io)
{
    (void)w;
    return ((sim_conn *)io)->acked;
}

static void world_close(void *w, void *io, bool gracefully)
{
    sim_conn *c = io;
    if (gracefully) take_out(w, c);
    c->fed = NULL;
    printf("close %u %s\n", c->id, gracefully ? "graceful" : "abrupt");
}

static void world_key(void *w, fed_side side, const s2s_domain *receiving,
                      const s2s_domain *originating, s2s_span id, char out[65])
{
    (void)w;
    char text[1200];
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    const char *secret = side == FED_OUTSIDE ? "outside" : "inside";
    int n = snprintf(text, sizeof text, "%s %s %.*s", receiving->text, originating->text,
                     (int)id.len, id.ptr);
    S2S_ASSERT(n > 0 && (size_t)n < sizeof text);
    S2S_ASSERT(HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)text,
                    (size_t)n, mac, &len));
    for (unsigned i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", (unsigned)mac[i]);
}

static void world_log(void *w, fed_level level, const char *event, const fed_field *fields,
                      size_t n)
{
    (void)w;
    (void)level;
    printf("log %s", event);
    for (size_t i = 0; i < n; i++)
        printf(" %s=%.*s", fields[i].key, (int)fields[i].value.len, fields[i].value.ptr);
    printf("\n");
}

static const fed_world sim_world = {
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

/* ---- moving until nothing moves ---- */

static bool flush_some(sim_daemon *d)
{
    bool moved = false;
    for (size_t i = 0; i < d->n_conns; i++)
        if (d->conns[i].dirty) {
            take_out(d, &d->conns[i]);
            moved = true;
        }
    return moved;
}

static void settle(sim_daemon *d)
{
    for (;;) {
        if (d->zone.n_questions)
            sim_zone_answer(&d->zone, d->fed);
        else if (d->wake <= d->now) {
            d->wake = UINT64_MAX;
            fed_tick(d->fed);
        } else if (!flush_some(d))
            break;
    }
}

static void advance(sim_daemon *d, uint64_t ms)
{
    uint64_t until = d->now + ms;
    while (d->wake <= until) {
        if (d->wake > d->now) d->now = d->wake;
        settle(d);
    }
    d->now = until;
    settle(d);
}

/* ---- commands ---- */

static s2s_domain domain_of(const char *word)
{
    s2s_domain out;
    if (!word || s2s_domain_make(s2s_span_of(word), &out) != S2S_E_OK) fail("not a domain", word);
    return out;
}

static fed_addr addr_of(const char *word)
{
    fed_addr out;
    if (!word || fed_addr_parse(s2s_span_of(word), &out) != S2S_E_OK) fail("not an address", word);
    return out;
}

static fed_cidr cidr_of(const char *word)
{
    fed_cidr out;
    if (!word || fed_cidr_parse(s2s_span_of(word), &out) != S2S_E_OK) fail("not a network", word);
    return out;
}

static unsigned long number_of(const char *word)
{
    char *end = NULL;
    unsigned long n = word ? strtoul(word, &end, 10) : 0;
    if (!word || *end) fail("not a number", word);
    return n;
}

static s2s_tls_level tls_of(const char *word)
{
    if (word && !strcmp(word, "none")) return S2S_TLS_NONE;
    if (word && !strcmp(word, "optional")) return S2S_TLS_OPTIONAL;
    if (!word || strcmp(word, "required")) fail("not a TLS level", word);
    return S2S_TLS_REQUIRED;
}

static s2s_err err_of(const char *word)
{
    for (int e = 0; e < S2S_E_COUNT; e++)
        if (word && !strcmp(s2s_err_of((s2s_err)e)->name, word)) return (s2s_err)e;
    fail("not an error name", word);
    return S2S_E_OK;
}

static sim_conn *conn_of(sim_daemon *d, const char *word)
{
    unsigned long n = number_of(word);
    if (n >= d->n_conns) fail("no such connection", word);
    return &d->conns[n];
}

/* Whatever was sent meanwhile is acknowledged when it does so again. */
static void withhold(sim_conn *c, bool withholds)
{
    c->withholds = withholds;
    if (!withholds) c->acked = c->sent;
}

static void add_server(sim_daemon *d, char **words)
{
    size_t i = d->config.n_servers++;
    snprintf(d->server_name[i], sizeof d->server_name[i], "%s", words[1]);
    d->server_addr[i] = addr_of(words[2]);
    d->server_trust[i] = cidr_of(words[3]);
    d->servers[i] = (fed_server){.name = d->server_name[i],
                                 .addr = &d->server_addr[i],
                                 .n_addr = 1,
                                 .trust = &d->server_trust[i],
                                 .n_trust = 1,
                                 .sm = true,
                                 .tls = tls_of(words[4]),
                                 .bidi = true};
    d->config.servers = d->servers;
}

static void add_local(sim_daemon *d, char **words)
{
    for (size_t i = 0; i < d->config.n_servers; i++)
        if (words[2] && !strcmp(d->servers[i].name, words[2])) {
            d->locals[d->config.n_locals++] = (fed_local){.domain = domain_of(words[1]),
                                                          .server = i,
                                                          .certificate = number_of(words[3]) != 0};
            d->config.locals = d->locals;
            return;
        }
    fail("no such server", words[2]);
}

static void add_policy(sim_daemon *d, char **words)
{
    fed_policy p = {.allow = number_of(words[2]) != 0,
                    .sm = true,
                    .tls = tls_of(words[3]),
                    .proofs = (unsigned)number_of(words[4]),
                    .bidi = words[5] ? (fed_bidi)number_of(words[5]) : FED_BIDI_YES,
                    .ping = words[5] && words[6] && number_of(words[6]) != 0};
    if (!strcmp(words[1], "*"))
        p.match = FED_MATCH_ALL;
    else if (!strncmp(words[1], "*.", 2)) {
        p.match = FED_MATCH_SUBTREE;
        p.domain = domain_of(words[1] + 2);
    } else {
        p.match = FED_MATCH_EXACT;
        p.domain = domain_of(words[1]);
    }
    d->policies[d->config.n_policies++] = p;
    d->config.policies = d->policies;
}

static void set_limit(sim_daemon *d, const char *name, unsigned long value)
{
    fed_limits *l = &d->config.limits;
    struct {
        const char *name;
        size_t *size;
        unsigned *count;
        uint32_t *ms;
    } rows[] = {
        {"stanza", &l->stanza, NULL, NULL},
        {"queue_pair", &l->queue_pair, NULL, NULL},
        {"queue_total", &l->queue_total, NULL, NULL},
        {"link_out", &l->link_out, NULL, NULL},
        {"pairs_per_stream", NULL, &l->pairs_per_stream, NULL},
        {"checks_per_stream", NULL, &l->checks_per_stream, NULL},
        {"conns_per_address", NULL, &l->conns_per_address, NULL},
        {"conns_outside", NULL, &l->conns_outside, NULL},
        {"refusals_per_second", NULL, &l->refusals_per_second, NULL},
        {"targets", NULL, &l->targets, NULL},
        {"addrs_per_target", NULL, &l->addrs_per_target, NULL},
        {"queue_ms", NULL, NULL, &l->queue_ms},
        {"attempts", NULL, &l->attempts, NULL},
        {"attempts_in_all", NULL, &l->attempts_in_all, NULL},
        {"attempt_ms", NULL, NULL, &l->attempt_ms},
        {"connect_ms", NULL, NULL, &l->connect_ms},
        {"plan_ms", NULL, NULL, &l->plan_ms},
        {"head_ms", NULL, NULL, &l->head_ms},
        {"negotiate_ms", NULL, NULL, &l->negotiate_ms},
        {"dialback_ms", NULL, NULL, &l->dialback_ms},
        {"stanza_ms", NULL, NULL, &l->stanza_ms},
        {"close_ms", NULL, NULL, &l->close_ms},
        {"send_ms", NULL, NULL, &l->send_ms},
        {"idle_ms", NULL, NULL, &l->idle_ms},
        {"rest_ms", NULL, NULL, &l->rest_ms},
        {"keepalive_ms", NULL, NULL, &l->keepalive_ms},
        {"answer_ms", NULL, NULL, &l->answer_ms},
        {"sweep_ms", NULL, NULL, &l->sweep_ms},
        {"backoff_first_ms", NULL, NULL, &l->backoff_first_ms},
        {"backoff_max_ms", NULL, NULL, &l->backoff_max_ms},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!strcmp(rows[i].name, name)) {
            if (rows[i].size)
                *rows[i].size = value;
            else if (rows[i].count)
                *rows[i].count = (unsigned)value;
            else
                *rows[i].ms = (uint32_t)value;
            return;
        }
    fail("no such limit", name);
}

static fed_query kind_of(const char *word)
{
    for (size_t i = 0; word != NULL && i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (!strcmp(KINDS[i], word)) return (fed_query)i;
    fail("srv, addr or tlsa is wanted", word);
}

static void put_srv(sim_row *row, char **words)
{
    row->srv = (fed_srv){.priority = (uint16_t)number_of(words[2]),
                         .weight = (uint16_t)number_of(words[3]),
                         .port = (uint16_t)number_of(words[4]),
                         .direct = words[0][3] == 's'};
    if (words[5] && strcmp(words[5], ".")) row->srv.target = domain_of(words[5]);
}

static void put_key(sim_row *row, const char *key)
{
    if (!key) fail("a key", key);
    snprintf(row->key, sizeof row->key, "%s", key);
}

static void add_zone(sim_daemon *d, char **words)
{
    const s2s_domain name = domain_of(words[1]);
    sim_row *row = sim_zone_add(&d->zone, &name, FED_QUERY_SRV);
    if (!strcmp(words[0], "dnsfail")) {
        row->fails = true;
        row->alone = words[2] != NULL;
        if (row->alone) row->kind = kind_of(words[2]);
    } else if (!strcmp(words[0], "signed")) {
        row->signs = d->config.dnssec = true;
        row->kind = kind_of(words[2]);
    } else if (!strcmp(words[0], "tlsa")) {
        row->kind = FED_QUERY_TLSA;
        row->port = (uint16_t)number_of(words[2]);
        row->usage = (uint8_t)number_of(words[3]);
        put_key(row, words[4]);
    } else if (!strcmp(words[0], "posh")) {
        row->posh = true;
        put_key(row, words[2]);
    } else if (!strncmp(words[0], "srv", 3)) {
        put_srv(row, words);
    } else {
        row->kind = FED_QUERY_ADDR;
        row->addr = cidr_of(words[2]).net;
    }
}

static bool configure(sim_daemon *d, char **words)
{
    const char *verb = words[0];
    if (!strcmp(verb, "local"))
        add_local(d, words);
    else if (!strcmp(verb, "server"))
        add_server(d, words);
    else if (!strcmp(verb, "peer"))
        add_policy(d, words);
    else if (!strcmp(verb, "limit"))
        set_limit(d, words[1], number_of(words[2]));
    else if (!strcmp(verb, "srv") || !strcmp(verb, "srvs") || !strcmp(verb, "addr") ||
             !strcmp(verb, "dnsfail") || !strcmp(verb, "signed") || !strcmp(verb, "tlsa") ||
             !strcmp(verb, "posh"))
        add_zone(d, words);
    else if (!strcmp(verb, "private"))
        d->private_ok[d->config.n_allow_private++] = cidr_of(words[1]);
    else if (!strcmp(verb, "own"))
        d->own[d->config.n_own++] = addr_of(words[1]);
    else if (!strcmp(verb, "doubt"))
        d->config.doubt = !strcmp(words[1], "resend") ? FED_DOUBT_RESEND
                          : !strcmp(words[1], "drop") ? FED_DOUBT_DROP
                                                      : FED_DOUBT_BOUNCE;
    else
        return false;
    d->config.allow_private = d->private_ok;
    d->config.own = d->own;
    return true;
}

static void do_accept(sim_daemon *d, char **words)
{
    sim_conn *c = conn_new(d);
    fed_addr peer = addr_of(words[2]);
    printf("conn %u\n", c->id);
    c->fed = fed_on_accept(d->fed, strcmp(words[1], "inside") ? FED_OUTSIDE : FED_INSIDE,
                           strcmp(words[1], "direct") == 0, &peer, c);
    if (!c->fed) printf("close %u abrupt\n", c->id);
}

static void do_bytes(sim_daemon *d, char **words)
{
    sim_conn *c = conn_of(d, words[1]);
    size_t n = words[2] ? strlen(words[2]) / 2 : 0;
    char *bytes = malloc(n + 1);
    S2S_ASSERT(bytes);
    for (size_t i = 0; i < n; i++) {
        char pair[3] = {words[2][2 * i], words[2][2 * i + 1], 0};
        bytes[i] = (char)strtoul(pair, NULL, 16);
    }
    for (size_t at = 0; at < n && c->fed;) {
        size_t piece = n - at < 65536 ? n - at : 65536;
        fed_on_bytes(d->fed, c->fed, (s2s_span){bytes + at, piece});
        at += piece;
    }
    free(bytes);
}

static void do_tls(sim_daemon *d, char **words)
{
    sim_conn *c = conn_of(d, words[1]);
    fed_tls_info info = {.version = "TLSv1.3", .cipher = "TLS_AES_128_GCM_SHA256"};
    const char *trust = words[2];
    info.has_cert = strcmp(trust, "none") != 0;
    c->trust = !strcmp(trust, "ok")        ? S2S_E_OK
               : !strcmp(trust, "none")    ? S2S_E_CERT_MISSING
               : !strcmp(trust, "expired") ? S2S_E_CERT_EXPIRED
                                           : S2S_E_CERT_UNTRUSTED;
    char *save = NULL;
    for (char *name = words[3] ? strtok_r(words[3], ",", &save) : NULL; name;
         name = strtok_r(NULL, ",", &save)) {
        if (!strncmp(name, "tlsa=", 5))
            snprintf(c->key, sizeof c->key, "%s", name + 5);
        else if (!strncmp(name, "ta=", 3))
            snprintf(c->signer, sizeof c->signer, "%s", name + 3);
        else
            c->names[c->n_names++] = domain_of(name);
    }
    if (c->fed) fed_on_tls(d->fed, c->fed, &info);
}

static void do_lost(sim_daemon *d, char **words)
{
    sim_conn *c = conn_of(d, words[1]);
    fed_conn *gone = c->fed;
    if (gone) {
        fed_on_lost(d->fed, gone, err_of(words[2]), (s2s_span){NULL, 0});
        c->fed = NULL;
        c->dirty = false;
    }
}

static void do_ledger(sim_daemon *d, const char *way)
{
    fed_ledger_view v;
    fed_ledger_read(d->fed, !strcmp(way, "in") ? FED_INBOUND : FED_OUTBOUND, &v);
    printf("ledger accepted=%llu acked=%llu written=%llu bounced=%llu dropped=%llu in_doubt=%llu "
           "queued=%llu "
           "resent=%llu own=%llu balanced=%d\n",
           (unsigned long long)v.accepted, (unsigned long long)v.acked,
           (unsigned long long)v.written, (unsigned long long)v.bounced,
           (unsigned long long)v.dropped, (unsigned long long)v.in_doubt,
           (unsigned long long)v.queued, (unsigned long long)v.resent, (unsigned long long)v.own,
           fed_ledger_balanced(&v) ? 1 : 0);
}

static void command(sim_daemon *d, char **words)
{
    const char *verb = words[0];
    if (!strcmp(verb, "accept"))
        do_accept(d, words);
    else if (!strcmp(verb, "bytes"))
        do_bytes(d, words);
    else if (!strcmp(verb, "tls"))
        do_tls(d, words);
    else if (!strcmp(verb, "hello")) {
        sim_conn *c = conn_of(d, words[1]);
        if (c->fed) fed_on_hello(d->fed, c->fed);
    } else if (!strcmp(verb, "connected")) {
        sim_conn *c = conn_of(d, words[1]);
        fed_addr ours = {.family = 4, .bytes = {192, 0, 2, 254}, .port = 40000};
        if (c->fed) fed_on_connected(d->fed, c->fed, &ours);
    } else if (!strcmp(verb, "lost"))
        do_lost(d, words);
    else if (!strcmp(verb, "acked"))
        withhold(conn_of(d, words[1]), !strcmp(words[2], "off"));
    else if (!strcmp(verb, "advance"))
        advance(d, number_of(words[1]));
    else if (!strcmp(verb, "ledger"))
        do_ledger(d, words[1]);
    else if (!strcmp(verb, "drain"))
        fed_drain(d->fed, (uint32_t)number_of(words[1]));
    else if (!strcmp(verb, "drained"))
        printf("drained %d\n", fed_drained(d->fed) ? 1 : 0);
    else
        fail("no such command", verb);
}

static void obey(sim_daemon *d, char *line)
{
    char *words[MAX_WORDS] = {NULL};
    char *save = NULL;
    size_t n = 0;
    for (char *w = strtok_r(line, " \n", &save); w && n < MAX_WORDS - 1;
         w = strtok_r(NULL, " \n", &save))
        words[n++] = w;
    if (!n) return;
    if (!strcmp(words[0], "start")) {
        d->names = calloc(1, fed_config_index_size(&d->config));
        S2S_ASSERT(d->names);
        fed_config_index(&d->config, d->names);
        d->fed = fed_new(&d->config, &sim_world, d);
        S2S_ASSERT(d->fed);
    } else if (!d->fed) {
        if (!configure(d, words)) fail("no such setting", words[0]);
    } else {
        command(d, words);
        settle(d);
    }
    printf(".\n");
    fflush(stdout);
}

int main(void)
{
    sim_daemon *d = calloc(1, sizeof *d);
    char *line = NULL;
    size_t size = 0;
    S2S_ASSERT(d);
    d->now = 1000000;
    d->wake = UINT64_MAX;
    d->seed = 0x9e3779b97f4a7c15U;
    fed_limits_init(&d->config.limits);
    d->config.inside_name = "causeway.inside";
    while (getline(&line, &size, stdin) > 0)
        obey(d, line);
    free(line);
    if (d->fed) fed_free(d->fed);
    free(d->names);
    sim_zone_fini(&d->zone);
    free(d);
    return 0;
}
