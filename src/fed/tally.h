/* tally.h - which stanzas of an accepted stream have been taken (XEP-0198), so that no others are acknowledged.
 * For:    streams with stream management; a stanza is taken when its item is gone: acked or written at its next hop, answered,
 *         dropped, or given up in doubt. Items end out of order; what is acknowledged is what has nothing untaken before it.
 * Never:  decides what becomes of a stanza.
 * Owner:  one connection, and after its end the items that came over it. Streams without stream management have none. */
#ifndef FED_TALLY_H
#define FED_TALLY_H

#include "fed/types.h"

/* The item that was made of the stanza c has just told. False: no memory. Nothing when c has no stream management. */
S2S_MUST_CHECK bool fed_tally_add(fed_conn *c, fed_item *item);

/* The item ends now. Called by fed_item_free. */
void fed_tally_settle(fed_ticket *ticket);

void fed_tally_leave(fed_conn *c); /* the connection goes; the items may stay */

/* The peer waits for an acknowledgement and something is not taken: it is told at the next sweep at the latest. */
void fed_tally_owe(fed_conn *c);

/* Tells the peers of what has been taken since they were last told. */
void fed_tally_sweep(fed *f);

/* So much is untaken that what is stuck in a queue must give way: the item, or NULL. It is in its pair's queue. */
fed_item *fed_tally_stuck(const fed_conn *c);

size_t fed_tally_untaken(const fed_conn *c); /* stanzas that cannot be acknowledged yet */

#endif
