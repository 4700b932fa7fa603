/* session.h - TLS sessions of connections we made, kept so that the next one to the same place resumes (RFC 8446 2.2).
 * For:    one place a way: our context, our domain, theirs, the endpoint; bounds in places, octets and time; one use of each
 *         ticket of TLS 1.3 (RFC 8446 C.4).
 * Never:  gives a session to another place; serialises one, which would lose its chain; judges it (judge.h does, each time).
 * Owner:  one thread. Times are ms, as io_loop_now. */
#ifndef IO_SESSION_H
#define IO_SESSION_H

#include <openssl/ssl.h>

#include "io/addr.h"
#include "s2s/domain.h"

typedef struct io_sessions io_sessions;
typedef struct io_session_place io_session_place;

typedef struct io_sessions_limits {
    size_t
        places; /* 4,096: that something is kept for; the one longest without a new session gives way first */
    size_t octets; /* 33,554,432: an estimate of what the sessions hold, their chains included */
    uint32_t
        age_ms; /* 86,400,000: since the full handshake from which a session descends (RFC 8446 4.6.1); the peer's
                        own limit is kept as well */
    uint32_t
        bar_ms; /* 3,600,000: how long a place is dialled in full after resuming went wrong there */
} io_sessions_limits;

void io_sessions_limits_init(io_sessions_limits *l); /* the figures above */

/* `seed` is random: places are found by hash. NULL: no memory. */
io_sessions *io_sessions_new(const io_sessions_limits *limits, uint32_t seed);
/* Drops all sessions; who holds a place holds an empty one from then on. NULL is fine. */
void io_sessions_free(io_sessions *all);

typedef struct io_session_way {
    SSL_CTX *ctx;      /* shows the certificate, if any; a reference is taken */
    s2s_domain ours;   /* len 0: none in particular */
    s2s_domain theirs; /* sent as SNI and judged */
    io_addr endpoint;
} io_session_way;

/* Holds the place of a way; whoever holds it lets it go. NULL: nothing is kept (places is 0), or no memory. */
io_session_place *io_session_hold(io_sessions *all, const io_session_way *way);
void io_session_let_go(io_session_place *p); /* NULL is fine */

typedef struct io_session_new {
    SSL *ssl; /* it came on */
    SSL_SESSION *session;
    uint64_t full_at; /* when the handshake was, in full, from which it descends */
} io_session_new;

/* Takes a reference of its own; false: not kept. Once the handshake is done. Not worth keeping: one that cannot be resumed, one of TLS 1.2 without
 * extended master secret (RFC 7627 5.3), one too large, one for a barred place. Sessions that descend from another full
 * handshake are dropped. */
bool io_session_keep(io_session_place *p, const io_session_new *n, uint64_t now);

/* The newest session that is still good, and its full_at; the caller frees it with SSL_SESSION_free. One of TLS 1.3 is kept
 * no longer. NULL: none. */
SSL_SESSION *io_session_take(io_session_place *p, uint64_t now, uint64_t *full_at);

/* Resuming went wrong here: what is kept is dropped, and for bar_ms nothing is kept or given. */
void io_session_bar(io_session_place *p, uint64_t now);

typedef struct io_sessions_count {
    size_t places; /* that something is kept for, a bar included */
    size_t sessions, octets;
} io_sessions_count;
io_sessions_count io_sessions_counted(const io_sessions *all);

#endif
