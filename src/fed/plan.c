/* plan.c - see plan.h. */
#include "fed/plan.h"

#include <stdlib.h>
#include <string.h>

#include "fed/tlsa.h"

typedef struct target {
    s2s_domain host;
    uint16_t port;
    bool direct;
    size_t group; /* ascending: those of one priority are of one group */
    fed_tlsa_set tlsa;
    bool has_tlsa; /* secure ones, be they of use or not */
} target;

typedef enum endpoint_state {
    END_HELD, /* until the target's TLSA records are known */
    END_FRESH,
    END_TRIED,
    END_FAILED
} endpoint_state;

typedef struct endpoint {
    fed_addr addr;
    bool direct;
    bool secure; /* every answer on the way to it */
    endpoint_state state;
    unsigned put_back; /* how often */
    size_t group;
    size_t target; /* NO_TARGET: fixed */
} endpoint;

enum { PUT_BACK_MOST = 1 };
#define NO_TARGET SIZE_MAX

typedef enum plan_state { PLAN_SRV, PLAN_TARGETS } plan_state;

struct fed_plan {
    const fed_config *config; /* NULL: fixed endpoints */
    bool guarded;
    bool without_direct;
    bool dane;      /* TLSA records are looked up, and */
    bool only_dane; /* nothing is dialled without */
    s2s_domain domain;
    fed_plan_random random;
    void *ctx;

    plan_state state;
    bool asked; /* an answer is awaited */
    bool srv_secure;
    bool no_service; /* SRV said "." */
    bool failed;     /* a lookup failed: what is missing may exist */
    bool no_tlsa;    /* an endpoint was left out for that */
    unsigned blocked;

    target *targets; /* in the order they are tried */
    size_t n_targets;
    size_t most_targets;
    size_t at;       /* the target whose addresses are asked next */
    bool wants_tlsa; /* of the target before `at` */

    endpoint *ends; /* found so far, by group */
    size_t n_ends;
    size_t most_ends;
    unsigned tried; /* of them now */
    size_t group;   /* of those tried last */
    uint8_t family; /* of the one given last */
    unsigned given;
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
        p->ends[i] =
            (endpoint){.addr = addrs[i], .state = END_FRESH, .group = i, .target = NO_TARGET};
    p->n_ends = n;
    return p;
}

void fed_plan_free(fed_plan *p)
{
    if (p == NULL) return;
    for (size_t i = 0; i < p->n_targets; i++)
        fed_tlsa_clear(&p->targets[i].tlsa);
    free(p->targets);
    free(p->ends);
    free(p);
}

void fed_plan_with_dane(fed_plan *p, bool only)
{
    p->dane = true;
    p->only_dane = only;
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
    if (p->no_tlsa) return S2S_E_DNS_NO_TLSA;
    return p->no_service ? S2S_E_DNS_NO_SERVICE : S2S_E_DNS_NOT_FOUND;
}

static fed_plan_step ask(fed_plan *p, fed_query query, const s2s_domain *name)
{
    p->asked = true;
    return (fed_plan_step){.kind = FED_PLAN_ASK, .ask = {.query = query, .name = *name}};
}

static fed_plan_step ask_tlsa(fed_plan *p)
{
    const target *t = &p->targets[p->at - 1];
    fed_plan_step step = ask(p, FED_QUERY_TLSA, &t->host);
    step.ask.port = t->port;
    return step;
}

/* The next to be tried: the first that is left, or one of the other family beside it (RFC 8305 4). NULL: none. */
static endpoint *pick(fed_plan *p)
{
    endpoint *first = NULL;
    for (size_t i = 0; i < p->n_ends; i++) {
        endpoint *e = &p->ends[i];
        if (e->state != END_FRESH) continue;
        if (first == NULL) first = e;
        if (e->group != first->group) break;
        if (e->addr.family != p->family) return e;
    }
    return first;
}

/* RFC 7673 4: a secure way to the host makes its name as good as the domain's. */
static fed_dane dane_of(const fed_plan *p, const endpoint *e)
{
    if (!p->dane || !p->srv_secure || e->target == NO_TARGET) return (fed_dane){.n_tlsa = 0};
    const target *t = &p->targets[e->target];
    return (fed_dane){
        .host = &t->host, .tls = t->has_tlsa, .tlsa = t->tlsa.item, .n_tlsa = t->tlsa.n};
}

static fed_plan_step dial(fed_plan *p, endpoint *e)
{
    fed_plan_step step = {
        .kind = FED_PLAN_DIAL,
        .addr = e->addr,
        .endpoint = (size_t)(e - p->ends),
        .direct = e->direct,
        .secure = e->secure,
        .dane = dane_of(p, e),
    };
    if (e->target != NO_TARGET) step.name = p->targets[e->target].host;
    e->state = END_TRIED;
    p->tried++;
    p->given++;
    p->group = e->group;
    p->family = e->addr.family;
    return step;
}

/* While something is tried, only others of its group may be. */
static bool may_go_on(const fed_plan *p, size_t group)
{
    return p->tried == 0 || group == p->group;
}

fed_plan_step fed_plan_next(fed_plan *p)
{
    const fed_plan_step wait = {.kind = FED_PLAN_WAIT};
    if (p->state == PLAN_SRV) return p->asked ? wait : ask(p, FED_QUERY_SRV, &p->domain);
    endpoint *e = pick(p);
    if (e != NULL) return may_go_on(p, e->group) ? dial(p, e) : wait;
    if (p->asked) return wait;
    if (p->wants_tlsa) return ask_tlsa(p);
    if (p->at < p->n_targets) {
        const target *t = &p->targets[p->at];
        return may_go_on(p, t->group) ? ask(p, FED_QUERY_ADDR, &t->host) : wait;
    }
    if (p->tried > 0) return wait;
    return (fed_plan_step){.kind = FED_PLAN_END, .why = end_why(p)};
}

static endpoint *untry(fed_plan *p, size_t number)
{
    S2S_ASSERT(number < p->n_ends && p->ends[number].state == END_TRIED && p->tried > 0);
    p->tried--;
    return &p->ends[number];
}

void fed_plan_failed(fed_plan *p, size_t number)
{
    untry(p, number)->state = END_FAILED;
}

void fed_plan_put_back(fed_plan *p, size_t number)
{
    endpoint *e = untry(p, number);
    e->state = e->put_back < PUT_BACK_MOST ? END_FRESH : END_FAILED;
    e->put_back++;
}

unsigned fed_plan_blocked(const fed_plan *p)
{
    return p->blocked;
}

unsigned fed_plan_given(const fed_plan *p)
{
    return p->given;
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

static void add_target(fed_plan *p, const target *new)
{
    for (size_t i = 0; i < p->n_targets; i++) {
        const target *t = &p->targets[i];
        if (t->port == new->port && t->direct == new->direct &&s2s_domain_eq(&t->host, &new->host))
            return;
    }
    p->targets[p->n_targets++] = *new;
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
        const fed_srv *srv = &dns->srv[i];
        add_target(p, &(target){.host = srv->target,
                                .port = srv->port,
                                .direct = srv->direct,
                                .group = srv->priority});
    }
}

static void take_srv(fed_plan *p, const fed_dns *dns)
{
    p->state = PLAN_TARGETS;
    p->srv_secure = dns->secure;
    if (dns->err == S2S_E_DNS_NOT_FOUND) /* RFC 6120 3.2.2 */
        add_target(p, &(target){.host = p->domain, .port = FED_PLAN_PORT});
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

/* An answer, of which addresses are taken one by one. */
typedef struct bag {
    const fed_addr *addr;
    size_t n;
    uint8_t gone[FED_PLAN_ADDR_MAX / 8]; /* bit set: taken, or of no use */
} bag;

/* The best of that family (0: of any) by RFC 6724, of equals the first; n: none. It is gone then. */
static size_t bag_take(bag *b, uint8_t family)
{
    size_t best = b->n;
    for (size_t i = 0; i < b->n; i++) {
        if ((b->gone[i / 8] & 1u << i % 8) != 0) continue;
        if (family != 0 && b->addr[i].family != family) continue;
        bool better =
            best == b->n || fed_addr_precedence(&b->addr[i]) > fed_addr_precedence(&b->addr[best]);
        if (better) best = i;
    }
    if (best < b->n) b->gone[best / 8] = (uint8_t)(b->gone[best / 8] | 1u << best % 8);
    return best;
}

/* Adds the best usable address of that family. False: there is none. */
static bool add_one(fed_plan *p, bag *b, uint8_t family, endpoint new)
{
    uint16_t port = p->targets[new.target].port;
    for (size_t i; (i = bag_take(b, family)) < b->n;) {
        new.addr = b->addr[i];
        new.addr.port = port;
        if (known(p, &new)) continue;
        if (p->guarded && !fed_config_may_dial(p->config, &new.addr)) {
            p->blocked++;
            continue;
        }
        S2S_ASSERT(p->n_ends < p->most_ends);
        p->ends[p->n_ends++] = new;
        return true;
    }
    return false;
}

/* The endpoints of the target before `at` are not to be dialled, for want of TLSA records. */
static void leave_out(fed_plan *p)
{
    for (size_t i = 0; i < p->n_ends; i++) {
        if (p->ends[i].target != p->at - 1) continue;
        p->ends[i].state = END_FAILED;
        p->no_tlsa = true;
    }
}

/* Families take turns, the better one first (RFC 8305 4), so that one broken family does not use up the cap. */
static void take_addrs(fed_plan *p, const fed_dns *dns)
{
    const target *t = &p->targets[p->at];
    bool secure = p->srv_secure && dns->secure;
    const endpoint new = {.direct = t->direct,
                          .secure = secure,
                          .state = secure && p->dane ? END_HELD : END_FRESH,
                          .group = t->group,
                          .target = p->at++};
    if (dns->err != S2S_E_OK) {
        p->failed = p->failed || dns->err != S2S_E_DNS_NOT_FOUND;
        return;
    }
    bag b = {.addr = dns->addr, .n = dns->n_addr};
    if (b.n > FED_PLAN_ADDR_MAX) b.n = FED_PLAN_ADDR_MAX;
    size_t left = p->config->limits.addrs_per_target, first = p->n_ends;
    bool more = left > 0 && add_one(p, &b, 0, new);
    for (left--; more && left > 0; left--) {
        uint8_t other = p->ends[p->n_ends - 1].addr.family == 6 ? 4 : 6;
        more = add_one(p, &b, other, new) || add_one(p, &b, 0, new);
    }
    S2S_ASSERT(p->n_ends - first <= p->config->limits.addrs_per_target);
    p->wants_tlsa = new.state == END_HELD && p->n_ends > first;
    if (new.state == END_FRESH && p->only_dane) leave_out(p);
}

/* ---- their TLSA records (RFC 7673 3.4) ---- */

/* A lookup that fails may hide records: the endpoint is as good as none. Without records, or insecure ones, it is what it would
 * be without DANE. */
static void take_tlsa(fed_plan *p, const fed_dns *dns)
{
    target *t = &p->targets[p->at - 1];
    p->wants_tlsa = false;
    bool failed = dns->err != S2S_E_OK && dns->err != S2S_E_DNS_NOT_FOUND;
    t->has_tlsa = dns->err == S2S_E_OK && dns->secure;
    if (t->has_tlsa) failed = !fed_tlsa_add(&t->tlsa, dns);
    p->failed = p->failed || failed;
    if (!failed && p->only_dane && t->tlsa.n == 0) leave_out(p);
    for (size_t i = 0; i < p->n_ends; i++)
        if (p->ends[i].state == END_HELD) p->ends[i].state = failed ? END_FAILED : END_FRESH;
}

void fed_plan_answer(fed_plan *p, const fed_dns *dns)
{
    S2S_ASSERT(p->asked);
    p->asked = false;
    if (p->state == PLAN_SRV)
        take_srv(p, dns);
    else if (p->wants_tlsa)
        take_tlsa(p, dns);
    else
        take_addrs(p, dns);
}
