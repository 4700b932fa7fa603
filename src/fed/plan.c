/* plan.c - see plan.h. */
#include "fed/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct target {
    s2s_domain host;
    uint16_t port;
    bool direct;
} target;

typedef struct endpoint {
    fed_addr addr;
    bool direct;
} endpoint;

typedef enum plan_state { PLAN_SRV, PLAN_TARGETS } plan_state;

struct fed_plan {
    const fed_config *config; /* NULL: fixed endpoints */
    bool guarded;
    bool without_direct;
    s2s_domain domain;
    fed_plan_random random;
    void *ctx;

    plan_state state;
    bool asked; /* an answer is awaited */
    bool srv_secure;
    bool addr_secure; /* of the addresses in hand */
    bool no_service;  /* SRV said "." */
    bool failed;      /* a lookup failed: what is missing may exist */
    unsigned blocked;

    target *targets; /* in the order they are tried */
    size_t n_targets;
    size_t most_targets;
    size_t at; /* the target whose addresses are asked next */

    endpoint *ends; /* found so far; those before `given` were given */
    size_t n_ends;
    size_t most_ends;
    size_t given;
};

/* ---- life ---- */

static fed_plan *plan_alloc(size_t targets, size_t ends)
{
    fed_plan *p = calloc(1, sizeof *p);
    if (p == NULL) return NULL;
    p->most_targets = targets;
    p->most_ends = ends;
    p->targets = calloc(targets + 1, sizeof *p->targets);
    p->ends = calloc(ends + 1, sizeof *p->ends);
    if (p->targets != NULL && p->ends != NULL) return p;
    fed_plan_free(p);
    return NULL;
}

fed_plan *fed_plan_new_inside(const fed_config *config, const s2s_domain *host,
                              fed_plan_random random, void *ctx)
{
    size_t targets = config->limits.targets;
    S2S_ASSERT(targets > 0 && config->limits.addrs_per_target > 0);
    fed_plan *p = plan_alloc(targets, targets * config->limits.addrs_per_target);
    if (p == NULL) return NULL;
    p->config = config;
    p->domain = *host;
    p->random = random;
    p->ctx = ctx;
    return p;
}

fed_plan *fed_plan_new(const fed_config *config, const s2s_domain *domain, fed_plan_random random,
                       void *ctx)
{
    fed_plan *p = fed_plan_new_inside(config, domain, random, ctx);
    if (p != NULL) p->guarded = true;
    return p;
}

fed_plan *fed_plan_new_fixed(const fed_addr *addrs, size_t n)
{
    fed_plan *p = plan_alloc(0, n);
    if (p == NULL) return NULL;
    p->state = PLAN_TARGETS;
    for (size_t i = 0; i < n; i++)
        p->ends[i].addr = addrs[i];
    p->n_ends = n;
    return p;
}

void fed_plan_free(fed_plan *p)
{
    if (p == NULL) return;
    free(p->targets);
    free(p->ends);
    free(p);
}

void fed_plan_without_direct(fed_plan *p)
{
    p->without_direct = true;
}

/* ---- what to do next ---- */

static s2s_err end_why(const fed_plan *p)
{
    if (p->given > 0) return S2S_E_NO_ENDPOINT_LEFT;
    if (p->failed) return S2S_E_DNS_FAILED;
    if (p->blocked > 0) return S2S_E_DNS_BLOCKED;
    return p->no_service ? S2S_E_DNS_NO_SERVICE : S2S_E_DNS_NOT_FOUND;
}

static fed_plan_step ask(fed_plan *p, fed_query query, const s2s_domain *name)
{
    p->asked = true;
    return (fed_plan_step){.kind = FED_PLAN_ASK, .query = query, .name = *name};
}

static fed_plan_step dial(fed_plan *p)
{
    const endpoint *e = &p->ends[p->given++];
    fed_plan_step step = {
        .kind = FED_PLAN_DIAL,
        .addr = e->addr,
        .direct = e->direct,
        .secure = p->srv_secure && p->addr_secure,
    };
    if (p->at > 0) step.name = p->targets[p->at - 1].host;
    return step;
}

fed_plan_step fed_plan_next(fed_plan *p)
{
    if (p->state == PLAN_SRV) return ask(p, FED_QUERY_SRV, &p->domain);
    if (p->given < p->n_ends) return dial(p);
    if (p->at < p->n_targets) return ask(p, FED_QUERY_ADDR, &p->targets[p->at].host);
    return (fed_plan_step){.kind = FED_PLAN_END, .why = end_why(p)};
}

unsigned fed_plan_blocked(const fed_plan *p)
{
    return p->blocked;
}

unsigned fed_plan_given(const fed_plan *p)
{
    return (unsigned)p->given;
}

/* ---- the SRV answer: RFC 2782, both kinds as if they were one (XEP-0368) ---- */

/* The records that may still be drawn. */
typedef struct pool {
    const fed_srv *srv;
    size_t n;
    uint8_t gone[FED_PLAN_SRV_MAX / 8]; /* bit set: drawn, or never usable */
} pool;

static bool pool_has(const pool *pl, size_t i)
{
    return (pl->gone[i / 8] & 1u << i % 8) == 0;
}

static void pool_remove(pool *pl, size_t i)
{
    pl->gone[i / 8] = (uint8_t)(pl->gone[i / 8] | 1u << i % 8);
}

/* Ports below 1,024 belong to other services: an SRV record must not make us speak to somebody's mail server. */
static bool port_allowed(const fed_plan *p, uint16_t port)
{
    return !p->guarded || port >= 1024 || port == 443;
}

/* Takes out what can never be dialled, and notes why. */
static void pool_sift(pool *pl, fed_plan *p)
{
    for (size_t i = 0; i < pl->n; i++) {
        const fed_srv *srv = &pl->srv[i];
        if (srv->direct && p->without_direct) {
            pool_remove(pl, i);
            continue;
        }
        bool none = srv->target.len == 0;
        bool blocked = !none && srv->port != 0 && !port_allowed(p, srv->port);
        p->no_service = p->no_service || none;
        p->blocked += blocked ? 1 : 0;
        if (none || blocked || srv->port == 0) pool_remove(pl, i);
    }
}

/* Uniform in [0, most]. The bias of the remainder is below 2^-36: sums of weights have 27 bits. */
static uint64_t draw(fed_plan *p, uint64_t most)
{
    uint64_t r;
    p->random(p->ctx, &r, sizeof r);
    return r % (most + 1);
}

typedef struct group { /* the records of the lowest priority left */
    uint16_t priority;
    size_t records;
    size_t zeros; /* of weight 0 */
    uint64_t sum;
} group;

static group pool_group(const pool *pl)
{
    group g = {.records = 0};
    for (size_t i = 0; i < pl->n; i++) {
        if (!pool_has(pl, i)) continue;
        const fed_srv *srv = &pl->srv[i];
        if (g.records == 0 || srv->priority < g.priority) g = (group){.priority = srv->priority};
        if (srv->priority > g.priority) continue;
        g.records++;
        g.zeros += srv->weight == 0 ? 1 : 0;
        g.sum += srv->weight;
    }
    return g;
}

/* The record that a draw in [0, sum] meets: those of weight 0 stand first (in any order, says RFC 2782: so one of them
 * is drawn), then running sums. */
static size_t pool_meet(const pool *pl, const group *g, uint64_t drawn, uint64_t zero)
{
    uint64_t running = 0;
    bool want_zero = drawn == 0 && g->zeros > 0;
    for (size_t i = 0; i < pl->n; i++) {
        if (!pool_has(pl, i) || pl->srv[i].priority != g->priority) continue;
        if (want_zero && pl->srv[i].weight == 0 && zero-- == 0) return i;
        if (want_zero || pl->srv[i].weight == 0) continue;
        running += pl->srv[i].weight;
        if (running >= drawn) return i;
    }
    S2S_ASSERT(false); /* the running sum ends at g->sum, which no draw exceeds */
    return 0;
}

static void add_target(fed_plan *p, const s2s_domain *host, uint16_t port, bool direct)
{
    for (size_t i = 0; i < p->n_targets; i++) {
        const target *t = &p->targets[i];
        if (t->port == port && t->direct == direct && s2s_domain_eq(&t->host, host)) return;
    }
    p->targets[p->n_targets++] = (target){.host = *host, .port = port, .direct = direct};
}

static void order_targets(fed_plan *p, const fed_dns *dns)
{
    pool pl = {.srv = dns->srv, .n = dns->n_srv};
    if (pl.n > FED_PLAN_SRV_MAX) pl.n = FED_PLAN_SRV_MAX;
    pool_sift(&pl, p);
    while (p->n_targets < p->most_targets) {
        group g = pool_group(&pl);
        if (g.records == 0) return;
        uint64_t drawn = draw(p, g.sum);
        uint64_t zero = drawn == 0 && g.zeros > 1 ? draw(p, g.zeros - 1) : 0;
        size_t i = pool_meet(&pl, &g, drawn, zero);
        pool_remove(&pl, i);
        add_target(p, &dns->srv[i].target, dns->srv[i].port, dns->srv[i].direct);
    }
}

static void take_srv(fed_plan *p, const fed_dns *dns)
{
    p->state = PLAN_TARGETS;
    p->srv_secure = dns->secure;
    if (dns->err == S2S_E_DNS_NOT_FOUND) /* RFC 6120 3.2.2 */
        add_target(p, &p->domain, FED_PLAN_PORT, false);
    else if (dns->err != S2S_E_OK)
        p->failed = true; /* a failure is not "no record": no fallback */
    else
        order_targets(p, dns);
}

/* ---- the addresses of one target ---- */

/* A port may speak both, so direct TLS there is another endpoint. */
static bool known(const fed_plan *p, const endpoint *e)
{
    for (size_t i = 0; i < p->n_ends; i++)
        if (p->ends[i].direct == e->direct && fed_addr_eq(&p->ends[i].addr, &e->addr)) return true;
    return false;
}

/* Adds the next usable address of that family; *at moves behind it. False: there is none. */
static bool add_addr(fed_plan *p, const fed_dns *dns, uint8_t family, const target *t, size_t *at)
{
    while (*at < dns->n_addr) {
        endpoint e = {.addr = dns->addr[(*at)++], .direct = t->direct};
        e.addr.port = t->port;
        if (e.addr.family != family || known(p, &e)) continue;
        if (p->guarded && !fed_config_may_dial(p->config, &e.addr)) {
            p->blocked++;
            continue;
        }
        p->ends[p->n_ends++] = e;
        return true;
    }
    return false;
}

/* Families take turns, IPv6 first (RFC 8305 4), so that one broken family does not use up the cap. */
static void take_addrs(fed_plan *p, const fed_dns *dns)
{
    const target *t = &p->targets[p->at++];
    p->addr_secure = dns->secure;
    if (dns->err != S2S_E_OK) {
        p->failed = p->failed || dns->err != S2S_E_DNS_NOT_FOUND;
        return;
    }
    size_t left = p->config->limits.addrs_per_target;
    size_t at6 = 0, at4 = 0;
    for (bool more = true; more && left > 0;) {
        bool six = add_addr(p, dns, 6, t, &at6);
        left -= six ? 1 : 0;
        bool four = left > 0 && add_addr(p, dns, 4, t, &at4);
        left -= four ? 1 : 0;
        more = six || four;
    }
    S2S_ASSERT(p->n_ends <= p->most_ends);
}

void fed_plan_answer(fed_plan *p, const fed_dns *dns)
{
    S2S_ASSERT(p->asked);
    p->asked = false;
    if (p->state == PLAN_SRV)
        take_srv(p, dns);
    else
        take_addrs(p, dns);
}
