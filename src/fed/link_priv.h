/* link_priv.h - between link.c and link_stream.c.
 * For:    the one function that changes a link's state.
 * Never:  included by others.
 * Owner:  link.c.                                                           */
#ifndef FED_LINK_PRIV_H
#define FED_LINK_PRIV_H

#include "fed/types.h"

void fed_link_enter(fed_link *l, fed_link_state state);

#endif
