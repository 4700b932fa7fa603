/* loop_priv.h - what connections and listeners share with their loop.
 * For:    src/io alone: tasks, the slab, the reserve of descriptors.
 * Never:  included from outside src/io and its tests.
 * Owner:  the loop's thread.                                                */
#ifndef IO_LOOP_PRIV_H
#define IO_LOOP_PRIV_H

#include "io/loop.h"

/* Something to be run, embedded in its owner; it stands on at most one list. */
typedef struct io_task {
    struct io_task *next, *prev; /* NULL: on no list */
    void (*run)(void *ctx);
    void *ctx;
} io_task;

typedef io_task io_list; /* the head of a ring */

#define IO_RESERVE_MAX 32

struct io_loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; /* active: do not sleep, there is work left */
    uv_timer_t clock;
    uint64_t clock_at; /* ms the clock is set to; UINT64_MAX: it is not */
    io_timer *timers;  /* root of a pairing heap */
    bool in_timers;
    io_loop_settings set;
    io_list flush;               /* run once this turn is over */
    io_list again;               /* run in the next turn, without sleeping before it */
    io_list favoured, newcomers; /* run for as long as the turn allows, the longest waiting first */
    io_list closing;             /* connections without an owner: run ends them */
    io_list listeners;           /* run makes them look at `starved` */
    int reserve[IO_RESERVE_MAX];
    unsigned reserved;
    bool starved; /* no descriptor was left: the reserve is given out and no listener accepts */
    io_timer retry;
    io_task recover;
    char slab[IO_SLAB];
};

void io_task_init(io_task *t, void (*run)(void *ctx), void *ctx);
void io_task_put(io_list *list,
                 io_task *t);  /* at the end; stays where it is when it is on a list */
void io_task_drop(io_task *t); /* off its list; on none is fine */
/* The list of those newcomers; NULL: it is settled. */
io_list *io_rank_list(io_loop *l, io_rank rank);

/* reserve.c: descriptors kept back. False: they are not to be had. */
bool io_reserve_take(io_loop *l);
void io_reserve_drop(io_loop *l);
/* A call failed for want of a descriptor: gives the reserve out and pauses the listeners until it is whole again. */
void io_reserve_starve(io_loop *l);
/* A descriptor was closed: perhaps the listeners may go on, at the end of the turn. */
void io_reserve_freed(io_loop *l);
bool io_reserve_is_shortage(int err); /* an errno which says so */

#endif
