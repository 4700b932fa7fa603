/* admit.h - how many connections an address has, and how it is told that it has too many (attack 148).
 * For:    accepted outside connections; one /64 counts as one address.
 * Never:  closes anything.
 * Owner:  the fed object; an entry lives while a connection of it does.     */
#ifndef FED_ADMIT_H
#define FED_ADMIT_H

#include "fed/types.h"

typedef enum fed_admission { FED_ADMIT_SERVE, FED_ADMIT_REFUSE, FED_ADMIT_RESET } fed_admission;

/* REFUSE: answer a header and a stream error. RESET: even those were too many in this second. */
fed_admission fed_admit_outside(fed *f, const fed_addr *peer, fed_admit **out);
void fed_admit_leave(fed *f, fed_admit *a); /* accepts NULL */

#endif
