/* bare_lanes.h - the sides of a load that speak no S2S: components, and tunnels through a relay of bytes.
 * For:    servers which are loaded between their S2S and their component port; TLS relays.
 * Never:  sends what is measured (load.c).                                   */
#ifndef LOAD_BARE_LANES_H
#define LOAD_BARE_LANES_H

#include "load.h"

/* After actors and lanes are there. False: said on stderr. */
bool bare_lanes_prepare(load *l);
void bare_lanes_free(load *l);
/* Components must be known to the server before anything is sent to them: dials them. `l->ready` counts those who are. */
bool bare_lanes_components(load *l);
bool bare_lanes_is_bare(const load *l, const load_lane *lane);
bool bare_lanes_open(load *l, load_lane *lane);

#endif
