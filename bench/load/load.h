/* load.h - a load on a server under test: who speaks to whom, how fast, and what came of it.
 * For:    remote servers and a local one played in one process, so that one clock stamps and reads.
 * Never:  reads options or prints (main.c, report.c).                        */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include "actor.h"
#include "bare.h"
#include "meter.h"
#include "usage.h"

typedef enum load_way { WAY_IN = 1, WAY_OUT = 2, WAY_BOTH = 3 } load_way;

/* How the local side meets the server under test: as an S2S server, as components (XEP-0114), or, with a relay which only moves
 * bytes between, over TLS with no streams at all. */
typedef enum load_attach { ATTACH_S2S, ATTACH_COMPONENT, ATTACH_TUNNEL } load_attach;

typedef struct load_plan {
    const char *ca, *outside, *inside; /* outside, inside: where the server under test listens */
    const char *remotes, *locals;      /* where the played ones listen */
    const char *remote_cert, *remote_key, *local_cert, *local_key; /* local: NULL for clear text */
    bool dialback;                                                 /* remotes do not try EXTERNAL */
    bool unchecked; /* of their dialback the local side asks nobody */
    load_attach attach;
    const char *secret; /* of components */
    load_way way;
    unsigned links, pairs; /* pairs: in all, at least one for each link */
    unsigned window;       /* closed loop: stanzas in flight on a link */
    double rate;           /* open loop: stanzas a second in all; 0: closed loop */
    uint64_t count, warm;  /* stanzas measured, and before that; count 0: as long as seconds */
    double seconds;
    flush_mode mode;
    mix_plan mix;
    usage_pids pids;    /* of the server under test */
    bool may_rearrange; /* children of a stanza in another order are counted, and forgiven */
} load_plan;

typedef struct load_lane { /* what goes over one link */
    actor_link *link;      /* or: */
    bare_link *bare;
    uint32_t *pairs;
    uint32_t n_pairs, turn, in_flight;
    bool full; /* closed loop: nothing more may be sent now */
} load_lane;

typedef enum load_phase { PHASE_SETUP, PHASE_WARM, PHASE_MEASURE, PHASE_DRAINED } load_phase;

typedef struct load {
    const load_plan *plan;
    actors *actors;
    mix *mix;
    meter meter;
    load_lane *lanes;
    size_t n_lanes, n_in; /* those in come first */
    bare *bare;           /* with components or tunnels */
    bare_link **components;
    uint64_t ready; /* bare links that are up */
    const net_cert *remote_cert, *local_cert;
    load_phase phase;
    uint64_t proved, broken;
    char broke[256];
    uint64_t begun, until; /* ns; of a phase; until: 0 or its end */
    uint64_t left, drawn;  /* stanzas that may still be sent, and that were, in this phase */
    uint64_t drained;      /* ns when the last one arrived */
    uint64_t moved;        /* ns when nothing was missing, or something arrived */
    uint64_t setup_ns;
    uint64_t sent_before, octets_before; /* at the phase's begin */
    used before, after, idle; /* around the measured phase; idle: links up, nothing sent */
    void (*progress)(const struct load *l);
    const volatile int *stopped;
} load;

/* False: said on stderr. */
bool load_prepare(load *l, const load_plan *plan);
/* Brings the links up, warms, measures, drains. False: it did not come to its end; l->broke says why, if anything is known. */
bool load_run(load *l);
void load_free(load *l);

/* For the other files of the program. */
void load_arrived(load *l, s2s_span stanza);
unsigned load_locals(const load_plan *plan); /* how many local domains there are */
s2s_domain load_local_name(unsigned number);

#endif
