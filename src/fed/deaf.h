/* deaf.h - a trunk whose local server takes all that is sent and answers nothing (decision 012).
 * For:    noticing it by the keys that are asked on the trunk anyway, and giving the trunk up.
 * Never:  sends anything; looks at outside links: who goes deaf there hurts nobody but itself.
 * Owner:  the link holds the count.                                         */
#ifndef FED_DEAF_H
#define FED_DEAF_H

#include "fed/types.h"

/* The other side of l has answered something: it hears. */
void fed_deaf_heard(fed_link *l);
/* Over c, a connection of a local server's, comes a question about a key that was given on the stream `id`: it hears too. */
void fed_deaf_asked_about(const fed_conn *c, s2s_span id);
/* A key that was asked at `asked_at` (ms) had its whole time (limits.dialback_ms) without an answer. May close l. */
void fed_deaf_unanswered(fed_link *l, uint64_t asked_at);

#endif
