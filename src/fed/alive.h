/* alive.h - is the other end of a quiet connection still there?
 * For:    keepalives on connections that carry nothing, at most one for each limits.keepalive or what the peer says it bears
 *         (XEP-0478); and the end of those whose peer does not react: to <r/> with a word (XEP-0198), to white space with its
 *         kernel's acknowledgement (RFC 6120 4.6).
 * Never:  has a timer of its own: the connection's one timer asks here.
 * Owner:  the connection.                                                   */
#ifndef FED_ALIVE_H
#define FED_ALIVE_H

#include "fed/types.h"

void fed_alive_heard(fed_conn *c); /* bytes came */
bool fed_alive_ask(fed_conn *c);   /* writes <r/>; false: there is nothing to be asked */
void fed_alive_enabling(
    fed_conn *c); /* it may have been asked for stream management: that is to be answered in time */
uint64_t fed_alive_due(const fed_conn *c); /* when to look again; UINT64_MAX: never */
/* The time has come. False: it does not live. */
S2S_MUST_CHECK bool fed_alive_look(fed_conn *c);

#endif
