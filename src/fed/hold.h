/* hold.h - pairs of one remote domain on a trunk: asked one after another, silent while one is asked.
 * For:    local servers that keep one proof per sender: Prosody forgets what it knew of a sender when that sender's next
 *         key comes, closes the stream on a stanza of it meanwhile, and answers only one of two keys (decision 006).
 * Never:  holds outside links: there one sender has one target, or the peer says that it handles several.
 * Owner:  plain functions on pairs of one link.                             */
#ifndef FED_HOLD_H
#define FED_HOLD_H

#include "fed/types.h"

/* Is another pair of p's `from` under question on l? Then p waits as ASSIGNED. */
bool fed_hold_busy(const fed_link *l, const fed_pair *p);
/* p is under question now: open pairs of its `from` fall silent. */
void fed_hold_begin(fed_link *l, fed_pair *p);
/* p was answered, or is given up: they go on, and the next one is asked. */
void fed_hold_end(fed_link *l, fed_pair *p);

#endif
