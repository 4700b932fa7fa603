/* conn.h - one connection: a socket with or without TLS, giving plaintext and taking plaintext.
 * For:    connecting, reading into the loop's slab, writing once per turn, TLS in both roles (agreed in clear, or first of
 *         all), an orderly end, and the exact count of what the peer's kernel has acknowledged.
 * Never:  knows a stanza; judges a certificate (judge.h does); holds plaintext of its owner, except while closing.
 * Owner:  one loop. The calls of io_conn_calls come from the loop only, never from inside a function of this header. */
#ifndef IO_CONN_H
#define IO_CONN_H

#include <openssl/ssl.h>

#include "io/addr.h"
#include "io/loop.h"
#include "io/session.h"
#include "s2s/stream.h"

typedef struct io_conn io_conn;

typedef struct io_tls_info {
    char version[16]; /* "TLSv1.3" */
    char cipher[64];
    bool has_cert;     /* the peer showed one */
    bool resumed;      /* by a session of an earlier connection, with what the peer showed then */
    char subject[128]; /* for logs; printable ASCII, cut off */
    /* Seconds until the first certificate of what it showed expires, those apart that have already; 0: not known. */
    uint32_t ends_in;
} io_tls_info;

/* What a connection tells its owner, and asks of it. Within each call the owner may call anything here, close included. */
typedef struct io_conn_calls {
    void (*connected)(void *owner, const io_addr *ours); /* only after io_conn_dial */
    void (*bytes)(void *owner, s2s_span plaintext);      /* lent; 1 to IO_SLAB octets */
    void (*tls)(void *owner, const io_tls_info *info);   /* the handshake is done; info is lent */
    /* It could not be made, or it ended: TCP_REFUSED, TCP_UNREACHABLE, TCP_TIMEOUT, TCP_RESET, TCP_EOF, TLS_HANDSHAKE,
     * TLS_NOT_RESUMED (it broke where a session was offered: the next one to that place will be in full), TLS_BROKEN,
     * TLS_NO_CERTIFICATE, RESOURCE. `detail` is for logs, may be absent, is lent. TCP_EOF comes after everything that was ready
     * to be written has gone (or close_ms is over); its detail is "truncated" when TLS was cut off without close_notify.
     * io_conn_acked may still be asked; when this returns the connection is gone. */
    void (*lost)(void *owner, s2s_err why, s2s_span detail);
    /* All that is ready to be written, lent until sent or the owner changes it. It only grows at its end until sent. */
    s2s_span (*out)(void *owner);
    void (*sent)(void *owner, size_t n); /* the first n octets of out were handed to the kernel */
    /* Only after io_conn_adopt, at most once, before any bytes: the peer's first octet is that of a TLS handshake, not of
     * XML (XEP-0368 on the port of STARTTLS). It was looked at and not taken: io_conn_start_tls finds it there, else it
     * comes as bytes. NULL: nobody looks. */
    void (*hello)(void *owner);
} io_conn_calls;

/* Borrows calls and owner until lost, or io_conn_close. NULL: *err is RESOURCE (no descriptor) or NOMEM. Everything else
 * that fails is told by lost. */
io_conn *io_conn_dial(io_loop *l, const io_addr *to, const io_conn_calls *calls, void *owner,
                      s2s_err *err);
/* Takes fd, a connected socket (closes it on error as well). NULL: no memory. */
io_conn *io_conn_adopt(io_loop *l, int fd, const io_addr *peer, const io_conn_calls *calls,
                       void *owner);

const io_addr *io_conn_peer(const io_conn *c);
SSL *io_conn_ssl(const io_conn *c);    /* borrowed; NULL before a handshake is done */
bool io_conn_direct(const io_conn *c); /* TLS was begun, and came first */

/* The owner's out has something: it is taken at the end of this turn. */
void io_conn_flush(io_conn *c);
/* SETTLED at first. */
void io_conn_rank(io_conn *c, io_rank rank);
/* Stops reading, or goes on. Idempotent. */
void io_conn_pause(io_conn *c, bool paused);

typedef struct io_conn_tls {
    s2s_role role;        /* S2S_INITIATING: TLS client */
    SSL_CTX *ctx;         /* its own reference is taken */
    const char *sni;      /* client: name to send; NULL: none */
    bool ask_client_cert; /* server; a client may answer with none */
    /* TLS comes first (XEP-0368). A client offers ALPN, a server demands of a client which offers any that ours is among
     * them (RFC 7301 3.2); a peer that answers another one has failed the handshake. */
    bool direct;
    /* Client: its sessions come from there and go there; taken. NULL: always a full handshake. */
    io_session_place *place;
} io_conn_tls;

/* What out holds now is written in clear, then the handshake runs. Clear text that has come and was not read stays in the
 * socket, where it makes the handshake fail (RFC 6120 5.4.3.3). Answered by tls or lost. Once per connection.
 * ctx NULL: lost tells TLS_NO_CERTIFICATE. */
void io_conn_start_tls(io_conn *c, const io_conn_tls *tls);
/* For tls.c: connections with a client context hear of sessions the peer gives. */
void io_conn_hears_sessions(SSL_CTX *client);

/* Plaintext octets, counted from the connection's start, whose bytes the peer's kernel has acknowledged (TCP_INFO). Under
 * TLS in steps of records. After a reset it keeps the last value. */
uint64_t io_conn_acked(io_conn *c);
uint64_t io_conn_sent(const io_conn *c); /* plaintext octets told to sent() so far */

typedef enum io_close {
    IO_CLOSE_GRACEFUL, /* `rest` is written, then close_notify and FIN; what still comes is thrown away; within close_ms */
    IO_CLOSE_ABRUPT, /* closed at once; what the kernel holds still goes */
    IO_CLOSE_RESET   /* the peer gets a reset */
} io_close;

/* No call comes any more, the handle is dead. `rest`: what out held and was not sent; copied; only used by GRACEFUL. */
void io_conn_close(io_conn *c, io_close how, s2s_span rest);

#endif
