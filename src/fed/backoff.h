/* backoff.h - how long a domain that failed is left alone: exponential, with jitter, capped.
 * For:    one remote domain or one local server.
 * Never:  reads a clock or draws random numbers: both are handed in.
 * Owner:  a plain value in its owner's struct.                              */
#ifndef FED_BACKOFF_H
#define FED_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

typedef struct fed_backoff {
    uint32_t first_ms;
    uint32_t max_ms;
    unsigned failures; /* in a row */
    uint64_t until;    /* ms; 0: not backing off */
} fed_backoff;

void fed_backoff_init(fed_backoff *b, uint32_t first_ms,
                      uint32_t max_ms); /* asserts 0 < first <= max */

/* One more failure: the n-th in a row waits first * 2^(n-1), at most max; of that, half is certain and half drawn
 * (`random`: any 32 bits), so that many domains of one dead host do not come back together. Gives `until`. */
uint64_t fed_backoff_fail(fed_backoff *b, uint64_t now, uint32_t random);

/* Proved contact: the next failure starts from first again. */
void fed_backoff_reset(fed_backoff *b);

/* The operator says now: the wait ends, the count of failures stays. */
void fed_backoff_cut(fed_backoff *b);

bool fed_backoff_holds(const fed_backoff *b, uint64_t now);
uint64_t fed_backoff_left(const fed_backoff *b, uint64_t now); /* ms, 0: may try */

#endif
