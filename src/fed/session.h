/* session.h - a stream that broke and may be gone on with (XEP-0198 5), and the stanzas nobody knows of until then.
 * For:    streams we opened, where the peer gave an id for it. What was not acknowledged goes back to the front of its pair's queue
 *         and bears the session's number: it is neither in doubt nor not. Resumed, the peer says which of it has arrived, and the
 *         rest is sent as if it never had been; else it is counted in doubt when it is sent again, or answered.
 * Never:  sends; keeps a stanza longer than the queues do.
 * Owner:  the target has one at most: of the link that broke last.          */
#ifndef FED_SESSION_H
#define FED_SESSION_H

#include "fed/types.h"

/* The connection of l has ended. Gives the number for what was in flight; 0: it cannot be gone on with, or is not worth it. */
uint32_t fed_session_keep(const fed_link *l, const fed_conn *c);
void fed_session_forget(fed_target *t);

/* For a new stream of l. */
void fed_session_offer(const fed_link *l, s2s_stream_config *config);
void fed_session_resumed(fed_link *l, const s2s_event *ev); /* RESUMED */
void fed_session_missed(
    fed_link *l); /* l is up and has not gone on with it: it is not tried again */

/* The first of p's queue is to be sent, and bears a number still. False: it has ended. */
S2S_MUST_CHECK bool fed_session_doubt(fed_pair *p);

#endif
