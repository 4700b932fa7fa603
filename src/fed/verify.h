/* verify.h - dialback keys: asking the authoritative server, and being it (XEP-0220 2.2).
 * For:    a check for each db:result that only the sender's own server can decide; stateless answers to db:verify.
 * Never:  keeps a verdict beyond the stream that asked.
 * Owner:  a check belongs to the accepted connection that brought the key.  */
#ifndef FED_VERIFY_H
#define FED_VERIFY_H

#include "fed/types.h"

/* ev is the PROVE event. Answers at once when there is no room or memory. */
void fed_verify_begin(fed_conn *c, const s2s_event *ev);
void fed_verify_drop_all(fed_conn *c);                      /* the connection ends */
void fed_verify_answered(fed_link *l, const s2s_event *ev); /* VERIFY_ANSWER */
void fed_verify_fail(fed_check *k, s2s_err why,
                     const char *stream_cond); /* could not be asked, or no answer */

/* CHECK_KEY: is it a key of ours? Constant time. */
void fed_verify_key(fed_conn *c, const s2s_event *ev);

#endif
