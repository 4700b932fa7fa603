/* inquiry.h - whether a certificate is the domain's own, where somebody has to be asked for it.
 * For:    connections whose certificate no authority vouches for. Of accepted ones: the TLSA records of the servers the
 *         domain's SRV records lead to; of all: the fingerprints it publishes over HTTPS (POSH).
 * Never:  asks for a domain that policy does not allow, or whose proof by that it does not take; decides what follows.
 * Owner:  the connection it is made for; gone with it. The stream is not read on meanwhile.  */
#ifndef FED_INQUIRY_H
#define FED_INQUIRY_H

#include "fed/types.h"

/* The answer; NONE: the certificate proves nothing that policy takes. `domain` is lent for the call. */
typedef void (*fed_inquiry_done)(fed_conn *c, const s2s_domain *domain, s2s_proof proof);

/* Is there a proof that policy takes, for which somebody would have to be asked? */
bool fed_inquiry_may_help(const fed_conn *c, const s2s_domain *domain);
/* False: no memory; `done` is not called then. Else it is, later, once, unless the connection ends first. */
bool fed_inquiry_begin(fed_conn *c, const s2s_domain *domain, fed_inquiry_done done);
void fed_inquiry_drop(fed_conn *c); /* the connection ends; harmless when there is none */

#endif
