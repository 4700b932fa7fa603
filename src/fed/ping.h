/* ping.h - does the server at the other end of a quiet connection of ours still answer (XEP-0199)?
 * For:    peers that policy says so of and that do not know XEP-0198: white space is acknowledged by a kernel, a ping by the
 *         server. Its answer, an error too, may come over any connection; it goes no further.
 * Never:  part of the ledger: nobody's stanza.
 * Owner:  the connection that was asked about.                              */
#ifndef FED_PING_H
#define FED_PING_H

#include "fed/types.h"

/* Writes one. False: it is not for this connection. */
bool fed_ping_send(fed_conn *c);

/* A stanza of a proved pair came over c: is it the answer to one of ours? Then it has been taken. */
S2S_MUST_CHECK bool fed_ping_answered(fed_conn *c, const s2s_stanza *st);

#endif
