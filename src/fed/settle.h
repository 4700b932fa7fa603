/* settle.h - what became of the stanzas a link was given.
 * For:    acked (XEP-0198), by their number; else written, requeued or in doubt (DESIGN promise 2), by the offsets at which they
 *         end in the stream.
 * Never:  waits; sends.
 * Owner:  the link owns the flight.                                         */
#ifndef FED_SETTLE_H
#define FED_SETTLE_H

#include "fed/types.h"

void fed_settle_sent(
    fed_link *l,
    fed_item *item); /* takes it; its last byte is the last of the stream's output now */
void fed_settle_confirm(fed_link *l); /* asks the kernel */
void fed_settle_acked(fed_link *l,
                      uint32_t n);           /* the peer has acknowledged the n oldest (XEP-0198) */
void fed_settle_sweep(fed *f);               /* all links with something in flight */
bool fed_settle_has_room(const fed_link *l); /* one that acknowledges may owe only so much */

/* The connection ends (its handle still answers): every stanza in flight gets its fate or goes back to its pair. */
void fed_settle_end(fed_link *l, fed_conn *c);

#endif
