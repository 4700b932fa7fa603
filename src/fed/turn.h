/* turn.h - one call of the world into fed, from begin to end.
 * For:    the time of the turn; looking after everything the call has stirred; freeing what ended.
 * Never:  runs nested: only the outermost end does the work.
 * Owner:  fed.c.                                                            */
#ifndef FED_TURN_H
#define FED_TURN_H

#include "fed/types.h"

void fed_turn_begin(fed *f);
void fed_turn_end(fed *f);

uint32_t fed_random(fed *f);              /* any 32 bits */
void fed_random_id(fed *f, char out[33]); /* 128 bits in hex: a stream id nobody can guess */

#endif
