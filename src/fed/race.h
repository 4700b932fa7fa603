/* race.h - the attempts of a link: endpoints of its plan, several at a time, until one answers (RFC 8305, XEP-0495).
 * For:    beginning them a delay apart, ending the others when one has answered, trying the same endpoint once more, and telling
 *         how each ended.
 * Never:  chooses the order (plan.h); knows what the winner's stream says (link_stream.c).
 * Owner:  the link. An attempt is a connection on link->racing; the one that answers becomes link->conn.
 *
 * To answer is: TCP is there; where TLS comes first, that. The winner may still fail, and then the plan goes on.   */
#ifndef FED_RACE_H
#define FED_RACE_H

#include "fed/types.h"

void fed_race_run(
    fed_link *l); /* begins what may be begun now; ends the link when nothing is left */
void fed_race_fire(fed *f, fed_timer *stagger); /* the delay is over */

void fed_race_answered(fed_link *l, fed_conn *c);
/* An attempt ended; or the winner did, before it was proved. */
void fed_race_lost(fed_link *l, fed_conn *c, s2s_err why, s2s_span detail);
/* Ends all that are under way, and begins nothing. */
void fed_race_stop(fed_link *l, s2s_err why);
void fed_race_over(fed_link *l); /* the time for all attempts together has passed: the link ends */

#endif
