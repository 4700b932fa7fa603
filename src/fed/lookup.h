/* lookup.h - questions to DNS, so many at a time (attack 141).
 * For:    tickets; the rest waits its turn.
 * Never:  interprets an answer.
 * Owner:  whoever asks has the object within its own; one question at a time.  */
#ifndef FED_LOOKUP_H
#define FED_LOOKUP_H

#include "fed/chain.h"
#include "fed/world.h"

typedef struct fed fed;
typedef struct fed_lookup fed_lookup;
struct fed_lookup {
    fed_hook hook;   /* on f->lookups, or on f->lookups_waiting */
    uint64_t ticket; /* 0: none, or it waits */
    fed_ask ask;
    void (*answered)(fed_lookup *k,
                     const fed_dns *answer); /* may begin the next; may free what k is in */
};

void fed_lookup_begin(fed *f, fed_lookup *k, const fed_ask *ask);
void fed_lookup_drop(
    fed_lookup *k); /* the answer will find nobody; harmless when none is under way */

#endif
