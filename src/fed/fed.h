/* fed.h - federation: plans, links, trunks, pairs, proof, policy, queues, bounces and the ledger.
 * For:    deciding where each stanza goes and accounting for it.
 * Never:  opens a socket, reads a clock, does TLS or DNS: asks fed_world. No globals: one object per worker.
 * Owner:  one thread. Answers of the world come back as fed_on_* calls.
 *
 * The walk: fed_on_bytes -> (s2s) stanza of a proved pair -> route -> pair queue -> link or trunk whose pair is open
 * -> s2s_stream_send -> world.flush; fed_conn_out/fed_conn_sent by the world.  */
#ifndef FED_FED_H
#define FED_FED_H

#include "fed/config.h"
#include "fed/world.h"

typedef struct fed fed;

/* Borrows all three for its life. NULL: no memory. */
fed *fed_new(const fed_config *config, const fed_world *world, void *w);
/* Ends every connection abruptly, ledger is lost: use fed_drain first. */
void fed_free(fed *f);

/* ---- what the world tells ---- */
/* A connection was accepted. Gives its object, NULL: refuse (reset it): too many. `io` is the world's handle for it. `direct`:
 * on an address where TLS comes first; it is begun at once. */
fed_conn *fed_on_accept(fed *f, fed_side side, bool direct, const fed_addr *peer, void *io);
/* Before any bytes of an accepted connection: the first of them is that of a TLS handshake, not of XML (XEP-0368). The
 * world keeps it for start_tls, which follows unless the connection is being closed. */
void fed_on_hello(fed *f, fed_conn *c);
void fed_on_connected(fed *f, fed_conn *c, const fed_addr *ours);
void fed_on_bytes(fed *f, fed_conn *c, s2s_span plaintext); /* at most 64 KiB */
void fed_on_tls(fed *f, fed_conn *c, const fed_tls_info *info);
/* The connection ended or could not be made: TCP_*, TLS_HANDSHAKE, TLS_NOT_RESUMED (the same in full may do),
 * TLS_BROKEN, TCP_EOF (orderly end). `detail` is for logs and
 * may be absent. The handle `io` is dead when this returns; world.close is not called for it, world.acked is, during it. */
void fed_on_lost(fed *f, fed_conn *c, s2s_err why, s2s_span detail);
void fed_on_dns(fed *f, uint64_t ticket, const fed_dns *answer);
void fed_on_posh(fed *f, uint64_t ticket, const fed_print *prints,
                 size_t n); /* lent; 0: none, or they could not be had */
void fed_tick(fed *f);      /* the time of wake_at has come (or any time: harmless) */

/* ---- output, taken by the world ---- */
s2s_span fed_conn_out(const fed_conn *c);
void fed_conn_sent(fed *f, fed_conn *c, size_t n);
/* A pair is open on it: what it brings from now on is not negotiation any more. */
bool fed_conn_carries(const fed_conn *c);

/* ---- life ---- */
/* No new work: stanzas in hand go on, new connections are refused, then every stream ends with system-shutdown.
 * fed_drained is true when nothing is left or `limit_ms` is over; what is still queued then is bounced or dropped. */
void fed_drain(fed *f, uint32_t limit_ms);
bool fed_drained(const fed *f);

/* ---- operator ---- */
void fed_flush(fed *f, const s2s_domain *remote); /* cuts backoff short */

/* ---- the ledger (DESIGN promise 2), true at every moment ----
 * accepted = acked + written + bounced + dropped + in_doubt + queued. `queued` is counted by walking the queues and the
 * unconfirmed stanzas of links; everything else is a counter. */
typedef enum fed_way {
    FED_INBOUND,
    FED_OUTBOUND
} fed_way; /* outside -> inside, inside -> outside */
typedef struct fed_ledger_view {
    uint64_t accepted, acked, written, bounced, dropped, in_doubt, queued;
    uint64_t resent; /* copies sent again after in_doubt */
    uint64_t own;    /* errors of our own making put on their way (not part of the sum) */
} fed_ledger_view;
/* Sweeps unconfirmed stanzas first (asks world.acked). */
void fed_ledger_read(fed *f, fed_way way, fed_ledger_view *out);
bool fed_ledger_balanced(const fed_ledger_view *v);

/* ---- status: read-only walks; everything is lent for the call ---- */
typedef struct fed_conn_view {
    uint64_t id;
    fed_side side;
    s2s_role role;
    const char *state; /* what is waited for */
    fed_addr peer;
    s2s_domain ours, theirs; /* of the stream headers; len 0: not known yet */
    const char *server;      /* trunk or inside connection: name of the local server, else "" */
    const fed_tls_info *tls; /* NULL: clear */
    bool direct;             /* that TLS came first */
    s2s_proof
        peer_proof; /* what the other side's certificate was found its own by; NONE: by nothing */
    bool bidi;      /* stanzas may go both ways (XEP-0288) */
    unsigned pairs;
    uint64_t stanzas_in, stanzas_out, since_ms;
    bool sm;          /* stream management (XEP-0198); then also */
    uint64_t unacked; /* stanzas the peer has not acknowledged */
    uint64_t untaken; /* stanzas of the peer's that are not to be acknowledged yet */
} fed_conn_view;
typedef struct fed_pair_view {
    s2s_domain from, to;
    fed_way way;
    bool open;
    s2s_proof proof;  /* outside leg's; inside legs are told by their connection */
    uint64_t conn;    /* id of the connection that carries it, 0: none */
    uint64_t stanzas; /* accepted */
    size_t queued;    /* stanzas not yet final */
    size_t queued_bytes;
    const char *why; /* last failure, "" none */
} fed_pair_view;
typedef struct fed_remote_view {
    s2s_domain domain;
    const char *state;   /* idle resolving dialling up backoff */
    uint64_t backoff_ms; /* left */
    const char *why;     /* last failure: error name, "" none */
    char endpoint[FED_ADDR_TEXT];
} fed_remote_view;
typedef struct fed_server_view {
    const char *name;
    const char
        *state; /* up; dialling; down: what was tried last failed; idle: no trunk was needed */
    uint64_t backoff_ms;          /* left */
    const char *why;              /* last failure since it was last proved: error name, "" none */
    char endpoint[FED_ADDR_TEXT]; /* last dialled, "" none yet */
    size_t pairs;                 /* open on its trunks, and back on its connections */
    size_t queued;                /* stanzas for it, not yet final */
    size_t queued_bytes;
} fed_server_view;
void fed_each_conn(const fed *f, void (*each)(void *ctx, const fed_conn_view *v), void *ctx);
void fed_each_pair(const fed *f, void (*each)(void *ctx, const fed_pair_view *v), void *ctx);
void fed_each_remote(const fed *f, void (*each)(void *ctx, const fed_remote_view *v), void *ctx);
/* All local servers, in the order of the settings. */
void fed_each_server(const fed *f, void (*each)(void *ctx, const fed_server_view *v), void *ctx);
/* Counters by error name: how often each why ended a link, an attempt or a stanza. */
void fed_each_why(const fed *f,
                  void (*each)(void *ctx, const char *what, const s2s_err_info *why,
                               uint64_t count),
                  void *ctx);

#endif
