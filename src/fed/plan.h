/* plan.h - which endpoints to try for a domain, in which order (RFC 6120 3.2, RFC 2782, XEP-0368).
 * For:    turning DNS answers, or a fixed list, into endpoints one after another.
 * Never:  asks DNS, dials or knows a clock: it says what it wants next.
 * Owner:  one attempt to reach a domain. Heap object; the settings are borrowed for its life.
 *
 * The walk: fed_plan_next -> ASK: resolve, then fed_plan_answer
 *                         -> DIAL: try it, then fed_plan_failed, or _put_back when it was not tried to its end
 *                         -> WAIT: an answer, or the end of something tried, comes first
 *                         -> END: nothing (more) to try, with the why.
 * Several may be tried at a time (RFC 8305): the plan gives all of one priority, the families in turn, whenever it is asked;
 * those of the next only when every one of this has failed (RFC 2782, XEP-0495). Addresses of a target are asked only when
 * its turn comes.                                                            */
#ifndef FED_PLAN_H
#define FED_PLAN_H

#include "fed/config.h"

typedef struct fed_plan fed_plan;

/* What the DNS says of an endpoint's certificate (RFC 7673). All-zero: nothing. What it points to is the plan's. */
typedef struct fed_dane {
    const s2s_domain
        *host; /* its name is as good as the domain's: the way to it is secure; NULL: it is not */
    bool tls;  /* TLSA records are there: TLS is a must */
    const fed_tlsa *tlsa; /* one must fit */
    size_t n_tlsa;        /* 0: certificates are judged as ever */
} fed_dane;

#define FED_PLAN_PORT     5269 /* RFC 6120 3.2.2 */
#define FED_PLAN_SRV_MAX  2048 /* records of one answer that are looked at */
#define FED_PLAN_ADDR_MAX 512  /* addresses of one answer that are looked at */

typedef enum fed_plan_kind {
    FED_PLAN_ASK,
    FED_PLAN_DIAL,
    FED_PLAN_WAIT,
    FED_PLAN_END
} fed_plan_kind;

typedef struct fed_plan_step {
    fed_plan_kind kind;
    fed_ask ask; /* ASK */
    s2s_domain
        name; /* DIAL: the host whose address it is (SRV target, or the domain itself); len 0 for fixed endpoints */
    fed_addr addr;   /* DIAL */
    size_t endpoint; /* DIAL: its number */
    bool direct;     /* DIAL: TLS comes first */
    bool secure;     /* DIAL: every DNS answer on the way to it was secure (DNSSEC) */
    fed_dane dane;   /* DIAL */
    s2s_err
        why; /* END: S2S_E_DNS_NOT_FOUND, _DNS_NO_SERVICE, _DNS_FAILED, _DNS_BLOCKED, _DNS_NO_TLSA (no endpoint was ever
                        given), S2S_E_NO_ENDPOINT_LEFT (all that were given failed), S2S_E_NOMEM */
} fed_plan_step;

/* `random` fills n bytes; called during fed_plan_answer only (world's own function and handle fit). */
typedef void (*fed_plan_random)(void *ctx, void *out, size_t n);

/* A remote domain: SRV, then addresses; each endpoint must pass fed_config_may_dial and the port rule (>= 1,024, or 443).
 * NULL: no memory. Copies domain. */
fed_plan *fed_plan_new(const fed_config *config, const s2s_domain *domain, fed_plan_random random,
                       void *ctx);

/* A local server given by name: the same walk without the guard, for inside addresses are private. */
fed_plan *fed_plan_new_inside(const fed_config *config, const s2s_domain *host,
                              fed_plan_random random, void *ctx);

/* Fixed endpoints (a local server's list), in order, without guard. Copies them. */
fed_plan *fed_plan_new_fixed(const fed_addr *addrs, size_t n);

void fed_plan_free(fed_plan *p); /* accepts NULL */

/* Before the first answer. TLSA records are looked up wherever the way to the endpoint is secure; `only`: an endpoint without
 * any is not given. */
void fed_plan_with_dane(fed_plan *p, bool only);
/* Records of direct TLS count for nothing: policy wants no TLS. Before the first answer. */
void fed_plan_without_direct(fed_plan *p);

/* ASK is said once; DIAL moves on with every call; END stays. */
fed_plan_step fed_plan_next(fed_plan *p);

void fed_plan_failed(fed_plan *p, size_t endpoint);
/* Another one was faster, or the attempt was given up for reasons of ours: it may be given once more, but not for ever: whoever
 * fails fast must not make us dial somebody slow again and again. */
void fed_plan_put_back(fed_plan *p, size_t endpoint);

/* The answer to the last ASK. Asserts that one is open. */
void fed_plan_answer(fed_plan *p, const fed_dns *dns);

/* Endpoints left out by the guard or the port rule so far. */
unsigned fed_plan_blocked(const fed_plan *p);

/* Endpoints given so far; twice counts twice. */
unsigned fed_plan_given(const fed_plan *p);

#endif
