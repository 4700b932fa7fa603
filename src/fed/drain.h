/* drain.h - stopping: stanzas in hand go on, then every stream ends with system-shutdown.
 * For:    SIGTERM. fed_drain and fed_drained (fed.h) stand in drain.c.
 * Never:  waits: the turn looks whether it is done.
 * Owner:  the fed object.                                                   */
#ifndef FED_DRAIN_H
#define FED_DRAIN_H

#include "fed/types.h"

void fed_drain_look(fed *f); /* at the end of each turn while draining */
void fed_drain_fire(fed *f, fed_timer *t);

#endif
