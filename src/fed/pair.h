/* pair.h - the unit of proof, of queueing and of order: (from, to).
 * For:    stanzas in order, through whichever link carries the pair; deadlines of queue and answer.
 * Never:  chooses the link (target.c); writes to a stream (link.c).
 * Owner:  the fed object; freed when nobody sends, carries or proves it. State changes only in pair_enter (pair.c). */
#ifndef FED_PAIR_H
#define FED_PAIR_H

#include "fed/types.h"

const char *fed_pair_state_name(fed_pair_state state);

fed_pair *fed_pair_get(fed *f, const s2s_domain *from,
                       const s2s_domain *to); /* made when new; NULL: no memory */
fed_pair *fed_pair_find(fed *f, const s2s_domain *from, const s2s_domain *to);
fed_pair *fed_pair_of(fed *f, const fed_item *item); /* as find */
void fed_pair_free(fed_pair *p);
void fed_pair_loosen(fed_pair *p);
bool fed_pair_needed(const fed_pair *p);

/* Takes the item and sends it on when it can. On error the caller keeps it: FULL, NOMEM, or why there is no hope. */
S2S_MUST_CHECK s2s_err fed_pair_put(fed_pair *p, fed_item *item);
void fed_pair_put_back(fed_pair *p,
                       fed_item *item); /* to the front: it was handed to a link that ended */
void fed_pair_go(fed_pair *p);          /* something is queued: wants a link, or joins its round */

void fed_pair_assigned(fed_pair *p, fed_link *l);
void fed_pair_asked(fed_pair *p);
void fed_pair_opened(fed_pair *p, s2s_proof proof);
void fed_pair_unasked(fed_pair *p); /* the attempt failed, the link tries another */
void fed_pair_refused(fed_pair *p, s2s_err why, s2s_span cond);
void fed_pair_left(fed_pair *p); /* its link ended: waits again if something is queued */
void fed_pair_fail(fed_pair *p, s2s_err why); /* everything queued is answered */
void fed_pair_hurry(fed_pair *p, uint64_t until,
                    s2s_err why); /* only what will be too old by then */
/* Everything queued up to `last`, which is in the queue, is answered: others wait for it. */
void fed_pair_yield(fed_pair *p, const fed_item *last);
void fed_pair_shrunk(fed_pair *p); /* stanzas left the queue: who was paused for it may go on */

/* The reading of c waits until p has room. */
void fed_pair_stall(fed_pair *p, fed_conn *c);
void fed_conn_unstall(fed_conn *c);

#endif
