/* links_storm.h - what becomes of stanzas while a storm of link set-ups goes over a server.
 * For:    an open loop over one quiet link, before the storm and in it. The storm is made by a second process, which yields
 *         to the first: its handshakes must not make the stanzas of this one late.
 * Never:  leaves out a stanza which could not be sent in time: its latency counts from when it was due. */
#ifndef LOAD_LINKS_STORM_H
#define LOAD_LINKS_STORM_H

#include "links.h"
#include "meter.h"

typedef struct storm_plan {
    links_plan links; /* count: of the storm */
    double rate;      /* stanzas a second */
    double quiet_s;   /* how long they are watched before it */
    mix_plan mix;
} storm_plan;

typedef struct storm_told { /* what the second process says at its end */
    unsigned up, failed, lost;
    double seconds, setup_p50, setup_p99; /* ms */
    char trouble[256];
} storm_told;

typedef struct storm {
    const storm_plan *plan;
    int child, go, told_by; /* the second process; what it waits for, and where it tells */
    bool yields;            /* it runs only when this one sleeps */
    bool has_told;
    storm_told told;
    actors *actors;
    mix *mix;
    meter meter;
    actor_link *link;
    bool up, over;     /* the link is; the second process has gone */
    hdr quiet, stormy; /* latencies, ns */
    hdr late; /* how late stanzas were sent in the storm: our own fault, and in the latencies */
    uint64_t until; /* ns; of the phase */
    used before, after;
    char trouble[256];
    const volatile int *stopped;
} storm;

/* Forks: before anything else is open. False: said on stderr. */
bool storm_prepare(storm *s, const storm_plan *plan);
/* False: a stanza or a link was lost, or it was stopped; s->trouble says more. */
bool storm_run(storm *s);
void storm_free(storm *s);

/* The command `causeway-load storm`: argv[0] is that word. Gives the exit status. */
int storm_main(int argc, char **argv, const volatile int *stopped);

#endif
