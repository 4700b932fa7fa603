/* link_priv.h - between link.c, race.c and link_stream.c.
 * For:    the one function that changes a link's state, and what they need of each other.
 * Never:  included by others.
 * Owner:  link.c.                                                           */
#ifndef FED_LINK_PRIV_H
#define FED_LINK_PRIV_H

#include "fed/types.h"

void fed_link_enter(fed_link *l, fed_link_state state);
void fed_link_fail(fed_link *l, s2s_err why); /* no endpoint is left: it ends */
s2s_tls_level fed_link_tls_level(const fed_target *t);
/* Outside: the certificate of an endpoint against the domain. Borrows both. */
fed_judge_ask fed_link_judge_ask(const s2s_domain *domain, const fed_dane *dane);

#endif
