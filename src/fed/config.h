/* config.h - the settings as fed reads them.
 * For:    plain values, made by app (or by a test).
 * Never:  changes while in use.
 * Owner:  whoever made it; fed borrows it for its whole life.               */
#ifndef FED_CONFIG_H
#define FED_CONFIG_H

#include "fed/names.h"
#include "fed/world.h"

typedef struct fed_cidr {
    fed_addr net; /* port unused */
    unsigned bits;
} fed_cidr;

bool fed_cidr_has(const fed_cidr *block, const fed_addr *a);
S2S_MUST_CHECK s2s_err fed_cidr_parse(s2s_span text,
                                      fed_cidr *out); /* "10.0.0.0/8", "::1"; S2S_E_DOMAIN_SYNTAX */
/* RFC 6724 2.1: of two destinations the one with the greater is better. The sources, of which that RFC speaks too, are the
 * kernel's: where there is no way for a family, connecting fails at once. */
unsigned fed_addr_precedence(const fed_addr *a);
S2S_MUST_CHECK s2s_err fed_addr_parse(s2s_span text,
                                      fed_addr *out); /* "10.0.0.1:5269", "[::1]:5269" */

typedef struct fed_local { /* a domain we answer for */
    s2s_domain domain;
    size_t server;    /* index into servers */
    bool certificate; /* we have one that covers it: EXTERNAL may be tried, TLS offered */
} fed_local;

typedef struct fed_server { /* a local server, attachment s2s */
    const char *name;
    const fed_addr *addr; /* tried in order */
    size_t n_addr;
    s2s_domain host;       /* or: a name with SRV records, when n_addr is 0 */
    const fed_cidr *trust; /* addresses it may connect from */
    size_t n_trust;
    bool
        trust_certificate; /* its certificate must name the local domain it speaks for (besides trust, when given) */
    s2s_tls_level tls; /* on both inside connections */
    size_t max_stanza; /* bytes it takes as written; 0: limits.stanza */
    bool sm;   /* stream management (XEP-0198) on both inside connections, where it is known */
    bool bidi; /* stanzas may go both ways on one connection (XEP-0288) */
} fed_server;

enum {
    FED_PROOF_CERTIFICATE = 1,
    FED_PROOF_DIALBACK = 2,
    FED_PROOF_DANE = 4, /* TLSA records (RFC 7673) */
    FED_PROOF_POSH = 8, /* RFC 7711 */
    FED_PROOF_PIN = 16, /* a key known beforehand */
};

/* With whom stanzas may go both ways on one connection (XEP-0288). */
typedef enum fed_bidi {
    FED_BIDI_NO,
    FED_BIDI_CERTIFICATE, /* whose certificate proves who it is */
    FED_BIDI_YES          /* the same, or where dialback is proof enough */
} fed_bidi;

typedef enum fed_match {
    FED_MATCH_EXACT,
    FED_MATCH_SUBTREE,
    FED_MATCH_ALL
} fed_match; /* "a.b", "*.b", "*" */

typedef struct
    fed_policy { /* one record per peer; nearest match wins: exact, deepest subtree, all */
    fed_match match;
    s2s_domain domain;
    bool allow;
    s2s_tls_level tls;
    unsigned proofs;   /* FED_PROOF_* accepted */
    size_t max_stanza; /* bytes; 0: limits.stanza */
    uint64_t rate;     /* bytes per second read from one connection; 0: no limit */
    bool sm;           /* stream management (XEP-0198), where the peer knows it */
    bool ping;         /* quiet connections to it are kept alive by pings (XEP-0199) */
    fed_bidi bidi;
} fed_policy;

typedef struct fed_limits { /* bytes, counts, ms */
    size_t stanza;          /* 524,288; at least 10,000 */
    size_t queue_pair;      /* 1 MiB */
    size_t queue_total;     /* 256 MiB */
    size_t link_out;        /* 256 KiB handed to one link's stream before pairs wait their turn */
    unsigned pairs_per_stream;    /* 1,024 outside */
    unsigned pairs_inside;        /* 100,000 */
    unsigned checks_per_stream;   /* 16 open dialback checks (attack 97) */
    unsigned conns_per_address;   /* 100; one /64 counts as one address */
    unsigned conns_outside;       /* accepted outside connections in all */
    unsigned refusals_per_second; /* 10 per address: header and stream error; beyond that reset */
    unsigned dns_in_flight;       /* 200 */
    unsigned targets;             /* 10 SRV targets */
    unsigned addrs_per_target;    /* 4 */
    uint32_t queue_ms;            /* 30,000: age at which a queued stanza bounces */
    unsigned attempts;            /* 3 at a time for one link */
    unsigned attempts_in_all;     /* 200 at a time; beyond, each link has one */
    uint32_t attempt_ms;          /* 250 between two beginnings (RFC 8305 5) */
    uint32_t connect_ms;          /* 10,000 per address */
    uint32_t plan_ms;             /* 60,000 for all attempts */
    uint32_t head_ms;             /* 10,000 */
    uint32_t negotiate_ms;        /* 30,000, not extendable */
    uint32_t dialback_ms;         /* 30,000 */
    uint32_t stanza_ms;           /* 60,000: a half stanza */
    uint32_t close_ms;            /* 5,000 */
    uint32_t send_ms;             /* 60,000: output not taken by the peer */
    uint32_t idle_ms;             /* 3,600,000 */
    uint32_t keepalive_ms;        /* 300,000: a quiet connection is looked after */
    uint32_t answer_ms;           /* 30,000 for the peer to react to that, or to <r/> */
    uint32_t rest_ms;             /* 5,000: a quiet link gives back parser and buffers */
    uint32_t backoff_first_ms;    /* 1,000 */
    uint32_t backoff_max_ms;      /* 60,000 */
    uint32_t sweep_ms;            /* 200: confirmation of written stanzas */
} fed_limits;

void fed_limits_init(fed_limits *l); /* the defaults above */

typedef enum fed_doubt { FED_DOUBT_BOUNCE, FED_DOUBT_RESEND, FED_DOUBT_DROP } fed_doubt;

/* Where the domains of the settings are found; made by fed_config_index. */
typedef struct fed_config_names {
    fed_names locals;
    fed_names exact, subtrees; /* policies */
    const fed_policy *all;
} fed_config_names;

typedef struct fed_config {
    const fed_local *locals;
    size_t n_locals;
    const fed_server *servers;
    size_t n_servers;
    const fed_policy *policies; /* at least the one that matches all */
    size_t n_policies;
    const fed_cidr *allow_private; /* exceptions of the private-address guard */
    size_t n_allow_private;
    const fed_addr *own; /* our own listeners: never dialled as a remote */
    size_t n_own;
    const char
        *inside_name; /* what an inside peer reads where a name is needed; never sent outside */
    fed_limits limits;
    fed_doubt doubt;
    bool dnssec; /* the resolver validates: DANE is possible */
    const fed_config_names *names;
} fed_config;

/* Last of all that is set: locals and policies stay as they are from then on. `memory`: so many bytes, zeroed, aligned for
 * anything; the caller's, for as long as c is used. All lookups below but may_dial need it. */
size_t fed_config_index_size(const fed_config *c);
void fed_config_index(fed_config *c, void *memory);

const fed_local *fed_config_local(const fed_config *c, const s2s_domain *d); /* NULL: not served */
bool fed_config_under_local(const fed_config *c,
                            const s2s_domain *d); /* strictly below one of ours: a loop */
const fed_policy *fed_config_policy(const fed_config *c, const s2s_domain *remote); /* never NULL */
/* What it comes to: where nothing can be proved without TLS, TLS that may be must be. */
s2s_tls_level fed_policy_tls(const fed_policy *p);
bool fed_policy_takes(const fed_policy *p, s2s_proof proof); /* NONE: never */
/* The private-address guard (attack 132): loopback, RFC 1918, link-local, ULA, multicast, broadcast, unspecified, mapped,
 * NAT64 and 6to4 of these, 100.64/10, 192.0.0/24, documentation, benchmarking; our own listeners; unless allow_private says so
 * (own listeners never). */
bool fed_config_may_dial(const fed_config *c, const fed_addr *a);

#endif
