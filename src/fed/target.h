/* target.h - whom we dial: a remote domain or a local server, with its state.
 * For:    one plan at a time; backoff; which link a pair or a question takes.
 * Never:  dials itself (link.c).
 * Owner:  the fed object. Remote domains are forgotten when nobody needs them; local servers stay.
 * State changes only in target_enter (target.c).                            */
#ifndef FED_TARGET_H
#define FED_TARGET_H

#include "fed/types.h"

const char *fed_target_state_name(fed_target_state state);

fed_target *fed_target_new_server(fed *f, const fed_server *server); /* NULL: no memory */
fed_target *fed_target_get(fed *f, const s2s_domain *remote);  /* made when new; NULL: no memory */
fed_target *fed_target_find(fed *f, const s2s_domain *remote); /* NULL: not known */
void fed_target_free(fed_target *t);
void fed_target_loosen(fed_target *t); /* look at the end of the turn whether it is still needed */
bool fed_target_needed(const fed_target *t);

void fed_target_want(fed_target *t); /* look at the end of the turn what there is to do */
void fed_target_pump(fed_target *t); /* the look itself: gives links to what waits, dials */

/* Is there no chance that a stanza of now gets through in time? Then `why`. OK: it may wait. */
s2s_err fed_target_hopeless(const fed_target *t);

void fed_target_show(fed_target *t);                /* its links changed: state anew */
void fed_target_proved(fed_target *t);              /* proved contact: backoff starts over */
void fed_target_failed(fed_target *t, s2s_err why); /* no endpoint could be used */
void fed_target_dropped(fed_target *t, fed_link *l,
                        s2s_err why); /* a link that had been up ended */
void fed_target_cut(fed_target *t);   /* the operator says: try now */

#endif
