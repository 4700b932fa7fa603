/* conn_priv.h - the parts of a connection, for the files which make it up.
 * For:    conn.c (life, reading, writing), conn_tls.c (OpenSSL), conn_end.c (errors, closing).
 * Never:  included from elsewhere.
 * Owner:  the connection's loop.                                            */
#ifndef IO_CONN_PRIV_H
#define IO_CONN_PRIV_H

#include "io/conn.h"
#include "io/loop_priv.h"
#include "io/marks.h"
#include "s2s/buf.h"

typedef enum conn_state {
    CONN_CONNECTING,
    CONN_CLEAR,
    CONN_TLS_WAITS, /* for the clear text before it to go */
    CONN_TLS_SHAKES,
    CONN_TLS,
    CONN_CLOSING, /* no owner any more: writes `rest`, then close_notify and FIN */
    CONN_LINGERS, /* FIN sent: reads away what comes, so that no reset overtakes our last words */
    CONN_DEAD
} conn_state;

/* What a step of reading, writing or shaking ended with. */
typedef enum conn_step { STEP_DONE, STEP_WANTS_READ, STEP_WANTS_WRITE, STEP_FAILED } conn_step;

struct io_conn {
    io_loop *loop;
    const io_conn_calls *calls; /* NULL: the owner is gone */
    void *owner;
    uv_poll_t poll;
    int fd;
    conn_state state;
    int watched; /* uv events */
    io_rank rank;
    int due; /* uv events that wait for its turn */
    io_addr peer;
    s2s_role role; /* of TLS */
    bool direct;   /* TLS came first */
    bool fresh;    /* accepted, and its first octet was not looked at yet */
    bool paused;
    bool read_wants_write; /* TLS: reading goes on when writing is possible */
    bool write_wants_read;
    bool write_blocked;
    bool hello_waits; /* for more octets of a ClientHello than the kernel has */
    bool ended;       /* the peer's end was read; lost is told when all is written */
    bool notified;    /* by close_notify, of the peer's end */
    bool alert_sent;  /* else it came from the peer */
    int alert;        /* the last fatal one, or -1 */
    s2s_err fault;    /* writing failed; told when what the peer said before is read */
    const char *fault_text;
    SSL *ssl;
    BIO *bio; /* the socket under ssl, owned by it */
    io_session_place *place;
    uint64_t full_at;    /* ms: when the handshake was, in full, from which our session descends */
    bool offered;        /* a session */
    uint64_t sent;       /* plaintext */
    uint64_t sent_clear; /* of it before TLS */
    uint64_t
        acked_before; /* tcpi_bytes_acked when nothing had been written: the SYN counts for who dialled */
    io_marks marks; /* under TLS */
    s2s_buf rest;
    size_t lingered; /* octets thrown away */
    io_task flush, again, turn, closing;
    io_timer deadline;
};

/* ---- conn.c ---- */
void conn_enter(io_conn *c, conn_state state);
void conn_watch(io_conn *c); /* asks the loop for what the state waits for */
/* Serves it when its turn has come; false: that is now. */
bool conn_waits_its_turn(io_conn *c, int events);
void conn_read(io_conn *c);
/* Writes the beginning of bytes; *n octets were taken. */
conn_step conn_put(io_conn *c, s2s_span bytes, size_t *n);

/* ---- conn_tls.c ---- */
extern const char CONN_TRUNCATED[];
void conn_tls_shake(io_conn *c);
/* STEP_FAILED: *err and *text say why. */
conn_step conn_tls_get(io_conn *c, char *into, size_t size, size_t *n, s2s_err *err,
                       const char **text);
conn_step conn_tls_put(io_conn *c, s2s_span bytes, size_t *n);
conn_step conn_tls_notify(io_conn *c);       /* close_notify */
void conn_tls_drop(io_conn *c);              /* what TLS there is */
uint64_t conn_tls_written(const io_conn *c); /* bytes on the wire since TLS began */

/* ---- conn_hello.c ---- */
/* Receiving, before the handshake: the first record is there, or will never be. False: the loop wakes when it is. */
bool conn_hello_is_whole(io_conn *c);

/* ---- conn_end.c ---- */
/* All texts live for ever; NULL is fine. */
s2s_err conn_err_of(int sys, const char **text); /* an errno */
void conn_lost(io_conn *c, s2s_err why, const char *text);
/* Reading ended, or failed. */
void conn_read_ended(io_conn *c, s2s_err why, const char *text);
void conn_fail_later(io_conn *c, s2s_err why, const char *text); /* told in the next turn */
void conn_closing_step(io_conn *c);
void conn_linger_step(io_conn *c);
void conn_die(io_conn *c);

#endif
