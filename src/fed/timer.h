/* timer.h - all deadlines of one fed object, in a pairing heap that needs no memory of its own.
 * For:    one fed_tick instead of a timer for each idle connection.
 * Never:  reads a clock; frees; allocates (setting a deadline cannot fail).
 * Owner:  a fed_timer lives in the object it is about, which clears it before it goes.       */
#ifndef FED_TIMER_H
#define FED_TIMER_H

#include "fed/fed.h"

typedef struct fed_timer fed_timer;
struct fed_timer {
    uint64_t at; /* ms */
    bool set;
    fed_timer *child; /* heap: first child, next sibling, and who points to us */
    fed_timer *next;
    fed_timer *prev;
    void (*fire)(
        fed *f, fed_timer *t); /* set once by the owner; called when `at` has come, unset by then */
};

typedef struct fed_timers {
    fed_timer *root;
} fed_timers;

void fed_timer_set(fed_timers *all, fed_timer *t,
                   uint64_t at); /* moves it when it was set; UINT64_MAX clears */
void fed_timer_sooner(fed_timers *all, fed_timer *t,
                      uint64_t at);                  /* only if it is not set, or set for later */
void fed_timer_clear(fed_timers *all, fed_timer *t); /* accepts one that is not set */

uint64_t fed_timers_next(const fed_timers *all); /* UINT64_MAX: none */
fed_timer *fed_timers_due(fed_timers *all,
                          uint64_t now); /* unsets and gives the next that is due; NULL: none */

/* The object around a timer. */
#define FED_OF(type, member, ptr) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
