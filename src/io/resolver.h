/* resolver.h - DNS with DNSSEC verdict, in the loop (libunbound).
 * For:    SRV records, addresses and TLSA records of a name, from the network or from embedded zone data.
 * Never:  decides what an answer means, or whether an address may be dialled.
 * Owner:  one loop. libunbound works in a thread of its own (a forked one would lose the embedded data); what it has to
 *         say comes through a descriptor the loop watches, so every call back is made on the loop.
 *
 * A question may be two to the DNS: both kinds of SRV record (XEP-0368), or both families of addresses. It is answered
 * exactly once, never from inside io_resolver_ask, within attempts * timeout_ms (plus a loop turn); only io_resolver_free
 * leaves questions unanswered. When one half has brought records the other has a short time left: what comes later is
 * not told, but in the cache for the next question. */
#ifndef IO_RESOLVER_H
#define IO_RESOLVER_H

#include <uv.h>

#include "io/addr.h"
#include "s2s/domain.h"

typedef struct io_resolver io_resolver;

typedef enum io_question {
    IO_ASK_SRV,  /* _xmpp-server._tcp.NAME and _xmpps-server._tcp.NAME SRV */
    IO_ASK_ADDR, /* A and AAAA of NAME */
    IO_ASK_TLSA  /* _PORT._tcp.NAME TLSA (RFC 6698) */
} io_question;

typedef struct io_srv {
    uint16_t priority, weight, port;
    s2s_domain target; /* len 0: the root, "no service" (RFC 2782) */
    bool direct;       /* of _xmpps-server: direct TLS */
} io_srv;

/* The numbers of RFC 7218. */
enum { IO_TLSA_DANE_TA = 2, IO_TLSA_DANE_EE = 3 };                 /* usage */
enum { IO_TLSA_CERT = 0, IO_TLSA_SPKI = 1 };                       /* selector */
enum { IO_TLSA_FULL = 0, IO_TLSA_SHA256 = 1, IO_TLSA_SHA512 = 2 }; /* matching type */
typedef struct io_tlsa {
    uint8_t usage, selector, matching;
    s2s_span data;
} io_tlsa;

typedef struct io_dns_answer {
    /* OK: one half at least brought records, and none was forged. DNS_NOT_FOUND: NXDOMAIN or no data, both. DNS_FAILED:
     * SERVFAIL, timeout, anything else of one and nothing of the other; bogus, either. */
    s2s_err err;
    bool secure;       /* everything given here was validated (DNSSEC) */
    uint32_t ttl;      /* seconds, at most IO_DNS_TTL_MAX */
    const io_srv *srv; /* lent for the call. Targets of bad syntax are left out */
    size_t n_srv;
    const io_addr *addr; /* lent for the call; port 0; v4-mapped ones unmapped */
    size_t n_addr;
    const io_tlsa *
        tlsa; /* lent for the call, with its data. Those that nobody can use (io_rdata_tlsa) are left out */
    size_t n_tlsa;
    char detail[96]; /* for logs: what failed; "" when nothing did */
} io_dns_answer;

#define IO_DNS_TTL_MAX  86400
#define IO_DNS_SRV_MAX  1024 /* records of one kind that are kept */
#define IO_DNS_ADDR_MAX 256
#define IO_DNS_TLSA_MAX 32

typedef struct io_resolver_settings {
    const char *const
        *forwarders; /* "10.0.0.1", "10.0.0.1@5353", "2001:db8::1@53"; none: full recursion */
    size_t n_forwarders;
    const char *resolv_conf;    /* file whose nameservers are forwarders; NULL: not read */
    const char *const *anchors; /* DS or DNSKEY records as zone file lines */
    size_t n_anchors;
    const char *anchor_file; /* NULL: none */
    const char *const *
        zones; /* names answered from `data` alone: what is not there does not exist. "." shuts off the
                                      network */
    size_t n_zones;
    const char *const *
        data; /* "far.example IN A 192.0.2.1"; outside `zones` it only adds to what the network says */
    size_t n_data;
    const char *const *options; /* name and value in turn, as in unbound.conf: "do-ip6:", "no" */
    size_t n_options;           /* pairs */
    uint32_t timeout_ms;        /* 5,000: of one attempt */
    unsigned attempts;          /* 2 */
    uint32_t family_ms;         /* 50: left to the second family of addresses (RFC 8305 3) */
    uint32_t service_ms;        /* 1,000: left to the second kind of SRV record */
    unsigned in_flight;         /* 200 questions asked at once */
    unsigned waiting;           /* 10,000 more; beyond: DNS_FAILED */
} io_resolver_settings;

void io_resolver_settings_init(
    io_resolver_settings *s); /* the figures above, no forwarder, no data */

/* Where the settings are wrong. */
typedef struct io_resolver_fault {
    const char *
        what; /* "option" "forwarder" "resolv.conf" "anchor" "anchor file: line" "zone" "data" "context" */
    size_t index; /* in the list of that name */
    char reason[128];
} io_resolver_fault;

/* `answer` is lent for the call. It may ask again, and free the resolver. */
typedef void (*io_resolver_done)(void *ctx, uint64_t ticket, const io_dns_answer *answer);

/* Borrows settings (and all they point to) for its life. NULL: *fault says why. */
io_resolver *io_resolver_new(uv_loop_t *loop, const io_resolver_settings *settings,
                             io_resolver_done done, void *ctx, io_resolver_fault *fault);

typedef struct io_query {
    io_question what;
    s2s_domain name;
    uint16_t port; /* TLSA */
} io_query;

void io_resolver_ask(io_resolver *r, uint64_t ticket, const io_query *query);

/* A new libunbound context with empty caches (resolv_conf and anchor_file are read again: a daemon that may not read files any
 * more gives forwarders and anchors as text); questions in flight are asked again, their deadlines stay. Done by itself
 * when libunbound's thread is gone. False: it could not be built, the questions fail at their deadlines. */
bool io_resolver_rebuild(io_resolver *r);

typedef struct io_resolver_counts {
    uint64_t asked, answered, failed; /* failed: those answered DNS_FAILED */
    uint64_t timeouts;                /* attempts */
    uint64_t overflows;               /* too many waiting */
    uint64_t rebuilds;
    unsigned in_flight, waiting; /* now */
} io_resolver_counts;
void io_resolver_count(const io_resolver *r, io_resolver_counts *out);

/* No call back comes any more. Its handles are closed by the loop's next turns. */
void io_resolver_free(io_resolver *r);

#endif
