/* relay.h - the yardstick: what any relay of stanzas must at least do, and nothing else.
 * For:    TLS on both sides, the core's parser with its guard, its canonical writing, one loop; an honest best case.
 * Never:  checks a name, a pair or a key; routes, counts, bounces or logs. It believes everybody: loopback only.
 *
 * What comes in at a door leaves over one connection to the door's next hop, opened for the first stream that is up; with
 * `bytes` each connection has one of its own, since bytes of two cannot be mixed. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "net.h"

typedef struct relay relay;

typedef struct relay_plan {
    const char *ca, *cert, *key;
    bool bytes;
} relay_plan;

relay *relay_new(const relay_plan *plan); /* NULL: said on stderr */
bool relay_door(relay *r, const char *listen, const char *next);
void relay_run(relay *r, const volatile int *stopped);
void relay_free(relay *r);

#endif
