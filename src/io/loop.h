/* loop.h - one worker's event loop: what its connections and listeners share.
 * For:    the slab for reads, work at the end of a turn, deadlines, the reserve of descriptors.
 * Never:  knows what a connection carries.
 * Owner:  one thread.
 *
 * A turn: descriptors are served, each connection's plaintext goes up; then, once, whatever asked for it writes; then come
 * those that do not carry anything yet, one by one, and no more of them than newcomers_us allows; then the loop sleeps, or,
 * while some of those wait, begins the next turn at once. What is closed is freed when the turn is over, never under the
 * feet of its caller. */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <uv.h>

#include "s2s/base.h"

typedef struct io_loop io_loop;

/* What has its turn when. */
typedef enum io_rank {
    IO_RANK_SETTLED,  /* as soon as its descriptor is ready: it carries something */
    IO_RANK_FAVOURED, /* as one of the newcomers, before the others */
    IO_RANK_NEW
} io_rank;

#define IO_SLAB 65536 /* octets of plaintext handed up at once, at most */

typedef struct io_loop_settings {
    unsigned reserve; /* 8: descriptors kept for everything but accepting (dials, DNS, files) */
    unsigned
        accepts; /* 8: connections one listener takes when its turn has come, as one of the newcomers */
    uint32_t
        newcomers_us; /* 100: what a turn spends on handshakes, negotiation and accepting; one step at least, so that
                              what settled connections carry waits for one step and not for a storm of them */
    size_t read_budget;       /* 262,144: octets one connection reads in a turn */
    size_t write_budget;      /* 262,144: octets one connection writes in a turn */
    uint32_t user_timeout_ms; /* 60,000: unacknowledged data ends a connection (TCP_USER_TIMEOUT) */
    uint32_t keepalive_s;     /* 60: silence before the kernel asks */
    uint32_t
        close_ms; /* 5,000: a graceful close, and what is written after the peer's FIN, may last so long */
    int send_buffer; /* 131,072: SO_SNDBUF (the kernel doubles it), bounds what is in doubt; 0: the kernel's choice */
} io_loop_settings;

void io_loop_settings_init(io_loop_settings *s); /* the figures above */

/* Copies settings. Ignores SIGPIPE in the whole process: a broken connection is an error value. NULL: no memory or no
 * descriptor. */
io_loop *io_loop_new(const io_loop_settings *settings);
uv_loop_t *io_loop_uv(io_loop *l);
uint64_t io_loop_now(const io_loop *l); /* ms, monotonic, of this turn */

void io_loop_run(io_loop *l);  /* until io_loop_stop */
void io_loop_stop(io_loop *l); /* run returns after this turn */
/* One turn. `wait`: sleeps until something happens, else only does what is ready. */
void io_loop_turn(io_loop *l, bool wait);
/* Lets what was closed go. Connections, listeners and handles of others must have been closed before (asserts). */
void io_loop_free(io_loop *l);

/* ---- deadlines: embedded in their owner, zero before first use ---- */
typedef struct io_timer {
    uint64_t at; /* ms, as io_loop_now */
    void (*due)(void *ctx);
    void *ctx;
    struct io_timer *child, *next, *prev; /* private */
    bool armed;
} io_timer;

/* Calls due(ctx) once when `at` has come; moves an armed one. UINT64_MAX: never. */
void io_timer_set(io_loop *l, io_timer *t, uint64_t at, void (*due)(void *ctx), void *ctx);
void io_timer_clear(io_loop *l, io_timer *t); /* unarmed is fine */

#endif
