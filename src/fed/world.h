/* world.h - the outside as the federation logic asks for it: one small table of functions.
 * For:    everything fed cannot do itself. It only asks; answers come back as plain fed_on_* calls (fed.h), never from
 *         inside an asking call.
 * Filled: by app/bind.c from io/, by test/sim from a fake network and clock.
 * Never:  does anything by itself; per stanza there is only `flush`.        */
#ifndef FED_WORLD_H
#define FED_WORLD_H

#include "s2s/base.h"
#include "s2s/domain.h"
#include "s2s/stream.h"

typedef struct fed_conn fed_conn; /* one connection and its stream, owned by fed */

typedef enum fed_side { FED_OUTSIDE, FED_INSIDE } fed_side;

/* An address; v4-mapped IPv6 addresses have been unmapped by io. */
typedef struct fed_addr {
    uint8_t family; /* 4, 6 */
    uint8_t bytes[16];
    uint16_t port; /* host order; 0 where it means nothing */
} fed_addr;

#define FED_ADDR_TEXT 64
const char *fed_addr_print(const fed_addr *a,
                           char out[FED_ADDR_TEXT]);    /* "192.0.2.1:5269", "[2001:db8::1]:5269" */
bool fed_addr_eq(const fed_addr *a, const fed_addr *b); /* port included */
uint32_t fed_addr_hash(const fed_addr *a, uint32_t seed);

typedef enum fed_query {
    FED_QUERY_SRV,  /* _xmpp-server._tcp.NAME and _xmpps-server._tcp.NAME SRV, in one answer */
    FED_QUERY_ADDR, /* A and AAAA of NAME */
    FED_QUERY_TLSA  /* _PORT._tcp.NAME TLSA (RFC 6698) */
} fed_query;

typedef struct fed_ask { /* a question to the DNS */
    fed_query query;
    s2s_domain name;
    uint16_t port; /* TLSA */
} fed_ask;

typedef struct fed_srv {
    uint16_t priority, weight, port;
    s2s_domain
        target; /* len 0: the root, "no service". Targets of bad syntax are left out by the resolver */
    bool direct; /* of _xmpps-server: TLS comes first (XEP-0368) */
} fed_srv;

typedef struct fed_tlsa {
    uint8_t usage, selector, matching;
    s2s_span data;
} fed_tlsa;

typedef struct fed_print { /* of a certificate (RFC 7711) */
    uint8_t len;           /* 32: SHA-256, 64: SHA-512 */
    uint8_t digest[64];
} fed_print;

typedef struct fed_dns {
    /* OK: one half at least (kind of SRV, family of addresses) brought records. DNS_NOT_FOUND: NXDOMAIN or no data of both.
     * DNS_FAILED: SERVFAIL or timeout of one and nothing of the other; bogus, either. */
    s2s_err err;
    bool secure;        /* DNSSEC */
    uint32_t ttl;       /* seconds */
    const fed_srv *srv; /* lent for the call */
    size_t n_srv;
    const fed_addr *addr; /* port 0; lent for the call */
    size_t n_addr;
    const fed_tlsa
        *tlsa; /* lent for the call; those of no use (RFC 7671 4) are left out by the resolver */
    size_t n_tlsa;
} fed_dns;

typedef struct fed_tls_info {
    char version[16]; /* "TLSv1.3" */
    char cipher[64];
    bool has_cert; /* the peer showed one */
    bool
        resumed; /* an earlier session of the same domains and endpoint; judge speaks of the chain shown then */
    char subject[128]; /* for logs; printable, cut off */
    uint32_t ends_in;  /* seconds until a certificate of what it showed expires; 0: not known */
} fed_tls_info;

typedef struct fed_tls_ask {
    s2s_role role;   /* S2S_INITIATING: TLS client */
    s2s_domain ours; /* whose certificate we show; len 0: the inside certificate, or the default */
    s2s_domain sni;  /* client: name to send; len 0: none */
    bool ask_client_cert; /* server */
    bool
        full; /* client: resuming went wrong there: a full handshake, and for a while none is resumed */
    bool direct; /* TLS comes first: ALPN is offered and looked at */
    fed_side side;
} fed_tls_ask;

/* What a certificate is held against. */
typedef struct fed_judge_ask {
    const s2s_domain *domain; /* whose it is to be */
    fed_side side;
    const s2s_domain
        *hosts; /* names that are as good: the DNS leads from the domain to them, securely */
    size_t n_hosts;
    const fed_tlsa *tlsa; /* where there are some, one must fit; nothing else but a pin counts */
    size_t n_tlsa;
    const fed_print *prints; /* POSH: else, where there are some, one must fit */
    size_t n_prints;
} fed_judge_ask;

typedef enum fed_level { FED_DEBUG, FED_INFO, FED_NOTICE, FED_WARN, FED_ERROR } fed_level;
typedef struct fed_field {
    const char *key;
    s2s_span value;
} fed_field;

typedef struct fed_world {
    uint64_t (*now)(void *w); /* ms, monotonic */
    void (*random)(void *w, void *out, size_t n);
    void (*wake_at)(void *w,
                    uint64_t ms); /* call fed_tick then; UINT64_MAX: never. The last call counts */
    /* Answer by fed_on_dns(f, ticket, ...), always, within the resolver's own deadline. */
    void (*resolve)(void *w, uint64_t ticket, const fed_ask *ask);
    /* The fingerprints that the domain publishes of its certificates (RFC 7711). Answer by fed_on_posh, always, in bounded time. */
    void (*posh)(void *w, uint64_t ticket, const s2s_domain *domain);
    /* Opens a TCP connection for c. Answer by fed_on_connected or fed_on_lost. Gives the handle that all calls below take;
     * NULL: could not even begin (no descriptor): fed treats it as S2S_E_RESOURCE. */
    void *(*dial)(void *w, fed_conn *c, fed_side side, const fed_addr *to);
    /* Writes what fed_conn_out still holds, then does the handshake. Answer by fed_on_tls or fed_on_lost. May be called from
     * inside fed_on_accept. */
    void (*start_tls)(void *w, void *io, const fed_tls_ask *ask);
    /* Judges the certificate of the peer (RFC 6120 13.7.2). OK, and *proof says what it was found good by (CERTIFICATE, DANE, POSH, PIN),
     * or one of S2S_E_CERT_*. Whether policy takes that proof is the asker's to see. Synchronous. */
    s2s_err (*judge)(void *w, void *io, const fed_judge_ask *ask, s2s_proof *proof);
    /* Tells by what the certificate of the peer was found to be the domain's, in the end; NONE: by nothing, as yet. */
    void (*found)(void *w, void *io, const s2s_domain *domain, s2s_proof proof);
    /* c has output: at the end of the loop turn the world takes fed_conn_out and says fed_conn_sent. */
    void (*flush)(void *w, void *io);
    void (*pause)(void *w, void *io, bool paused); /* stop or go on reading */
    /* Plaintext offset up to which the peer's kernel has acknowledged (TCP_INFO); counts from the connection's start. */
    uint64_t (*acked)(void *w, void *io);
    /* Ends it: flushes what was handed over if `gracefully` (bounded by the world), close_notify, FIN. No fed_on_* comes for
     * it afterwards. The handle is dead when this returns. fed has drained fed_conn_out before, or gives it up. */
    void (*close)(void *w, void *io, bool gracefully);
    /* XEP-0185: hex HMAC over "receiving originating id". 64 characters and NUL. Inside and outside use separate secrets. */
    void (*dialback_key)(void *w, fed_side side, const s2s_domain *receiving,
                         const s2s_domain *originating, s2s_span id, char out[65]);
    void (*log)(void *w, fed_level level, const char *event, const fed_field *fields, size_t n);
} fed_world;

#endif
