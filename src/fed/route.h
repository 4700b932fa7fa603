/* route.h - the one place where stanzas cross from one side to the other, and where each one ends that does not.
 * For:    what each stanza must be to cross; bouncing and dropping; the ledger of both.
 * Never:  looks into a stanza; dials.
 * Owner:  plain functions.                                                  */
#ifndef FED_ROUTE_H
#define FED_ROUTE_H

#include "fed/types.h"

/* A stanza of a proved pair came in over c. */
void fed_route_stanza(fed_conn *c, const s2s_stanza *st);

/* A stanza of a proved `from` that cannot be routed. */
void fed_route_refused(fed_conn *c, const s2s_stanza *st, s2s_err why);

/* Takes an item that cannot go on: answers it with an error, or drops it (RFC 6120 8.3.1). It was in no queue any more.
 * `about` may be NULL. */
void fed_route_refuse(fed *f, fed_item *item, s2s_err why, const fed_target *about);

/* Takes an item whose link ended before anybody could know: counts it, then does what the settings say.
 * True: it goes on as a copy and is the caller's to queue. */
S2S_MUST_CHECK bool fed_route_in_doubt(fed *f, fed_item *item, const fed_target *about);
/* The same where the link had stream management (XEP-0198): it goes on whatever the settings say. */
S2S_MUST_CHECK bool fed_route_unacked(fed *f, fed_item *item, const fed_target *about);

/* Takes an item the peer's kernel has acknowledged, or the peer itself. */
void fed_route_written(fed *f, fed_item *item);
void fed_route_acked(fed *f, fed_item *item);

#endif
