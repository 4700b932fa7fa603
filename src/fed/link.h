/* link.h - one way to a target: a plan, attempts at its endpoints, then a connection that carries pairs.
 * For:    outside links and inside trunks alike; one deadline for all attempts; questions for dialback keys; the round of
 *         pairs.
 * Never:  chooses which link a pair takes (target.c); decides fates (settle.c).
 * Owner:  its target; ended links are freed at the end of the turn.
 * State changes only in link_enter (link.c).                                */
#ifndef FED_LINK_H
#define FED_LINK_H

#include "fed/types.h"

const char *fed_link_state_name(fed_link_state state);

/* The way back on an accepted connection: up at once, gone with it. Header from/to as we would give them. NULL: no memory. */
fed_link *fed_link_new_back(fed_target *t, fed_conn *c, const s2s_domain *from,
                            const s2s_domain *to);
/* A way to the target, not yet begun. Header from/to as given. NULL: no memory. */
fed_link *fed_link_dial(fed_target *t, const s2s_domain *from, const s2s_domain *to);
void fed_link_begin(fed_link *l); /* once those who wanted it are on it */
void fed_link_free(fed_link *l);

bool fed_link_usable(const fed_link *l); /* neither closing nor ended */
bool fed_link_has_room(const fed_link *l);

void fed_link_add_pair(fed_link *l, fed_pair *p);
void fed_link_add_check(fed_link *l, fed_check *k);
void fed_link_ask(fed_link *l, fed_pair *p); /* (again) when ready */
void fed_link_spare(fed_link *l);            /* closes it when nobody needs it */

void fed_link_pump(fed_link *l); /* pairs of the round send while there is room */

/* What the world and the connection tell. */
void fed_link_tls_ask(const fed_link *l, const fed_conn *c, fed_tls_ask *ask);
void fed_link_tls(fed_link *l); /* done: judge */
void fed_link_event(fed_link *l, const s2s_event *ev);
void fed_link_closing(fed_link *l); /* its connection has begun to end */
void fed_link_lost(fed_link *l, fed_conn *c, s2s_err why,
                   s2s_span detail); /* its connection, or an attempt, has ended */

/* Ends without trying further: drain, or another link took over. OK: without failure. */
void fed_link_end(fed_link *l, s2s_err why);

#endif
