/* ledger.h - what became of every stanza, and how often each why ended something.
 * For:    the counters behind accepted = acked + written + bounced + dropped + in_doubt + queued (DESIGN promise 2).
 * Never:  counts what is queued: that is walked, or an error in the counters would hide itself.
 * Owner:  one fed object. A plain value; starts zeroed by fed_ledger_init.
 *
 * An item is accepted once and ends once; a second fate is our own fault and asserted. Items that do not count
 * (fed_item_counts) may be given a fate like any other: it is noted on the item and by `why`, not in the sum.
 * fed_ledger_balanced (fed.h) stands here too; fed_ledger_read (fed.h) stands where the queues are. */
#ifndef FED_LEDGER_H
#define FED_LEDGER_H

#include "fed/queue.h"

typedef enum fed_what { FED_WHAT_LINK, FED_WHAT_ATTEMPT, FED_WHAT_STANZA, FED_WHAT_COUNT } fed_what;
const char *fed_what_name(fed_what what); /* "link" "attempt" "stanza" */

typedef struct fed_ledger {
    fed_ledger_view way[2]; /* by fed_way; `queued` stays 0 */
    uint64_t why[FED_WHAT_COUNT][S2S_E_COUNT];
} fed_ledger;

void fed_ledger_init(fed_ledger *l);

void fed_ledger_accepted(fed_ledger *l, fed_item *item); /* passed all checks of its stream */
void fed_ledger_acked(fed_ledger *l, fed_item *item);
void fed_ledger_written(fed_ledger *l, fed_item *item);
void fed_ledger_bounced(fed_ledger *l, fed_item *item, s2s_err why); /* an error answer exists */
void fed_ledger_dropped(fed_ledger *l, fed_item *item, s2s_err why);
void fed_ledger_in_doubt(fed_ledger *l, fed_item *item, s2s_err why);

/* The item, counted in doubt (or itself a re-sent copy in doubt again), goes on as a copy: from now on it does not
 * count. Asserts that its fate is in doubt; leaves it with none. */
void fed_ledger_resent(fed_ledger *l, fed_item *item);

/* The item is an error of ours that is now put on its way. Asserts that it was not accepted. */
void fed_ledger_own(fed_ledger *l, fed_item *item);

/* A link, an attempt or a stanza ended. The functions above that take a why have called it already. */
void fed_ledger_why(fed_ledger *l, fed_what what, s2s_err why);

/* Everything of one way but `queued`, which is set to 0. */
void fed_ledger_copy(const fed_ledger *l, fed_way way, fed_ledger_view *out);

/* Rows that are not zero. */
void fed_ledger_each_why(const fed_ledger *l,
                         void (*each)(void *ctx, const char *what, const s2s_err_info *why,
                                      uint64_t count),
                         void *ctx);

#endif
