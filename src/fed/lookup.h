/* lookup.h - questions to DNS on behalf of links, so many at a time (attack 141).
 * For:    tickets; the rest waits its turn.
 * Never:  interprets an answer (plan.h).
 * Owner:  the fed object; a link has at most one.                           */
#ifndef FED_LOOKUP_H
#define FED_LOOKUP_H

#include "fed/types.h"

void fed_lookup_begin(fed_link *l, const fed_plan_step *ask);
void fed_lookup_drop(fed_link *l); /* the answer will find nobody */

#endif
