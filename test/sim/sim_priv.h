/* sim_priv.h - between the files of the simulator.
 * For:    pipes and ends.
 * Never:  included by tests.
 * Owner:  the sim.                                                          */
#ifndef SIM_PRIV_H
#define SIM_PRIV_H

#include "sim.h"

/* The world's handle: one TCP connection between fed and a host. */
struct sim_pipe {
    sim *s;
    unsigned id;
    fed_side side;
    fed_conn *fc;        /* NULL: fed is through with it */
    sim_end *end;        /* NULL: not connected yet, or the host is through with it */
    sim_host *to;        /* dialled by fed */
    bool direct;         /* ... at its port for direct TLS */
    bool dialled;        /* still to be answered */
    uint64_t dialled_at; /* ms */
    bool freed;          /* by world.close or lost: any further use of the handle is a fault */
    bool dirty;
    bool paused;
    s2s_buf send; /* fed's kernel */
    s2s_buf recv; /* the host's kernel */
    s2s_buf back; /* host to fed */
    uint64_t acked;
    bool fed_fin, fed_rst, host_fin;
    bool fed_tls, in_tls, resumed;
    fed_tls_ask ask;
};

typedef struct sim_pending {
    s2s_domain from, to;
    char *bytes;
} sim_pending;

/* The host's side of it. */
struct sim_end {
    sim_host *host;
    sim_pipe *pipe;
    s2s_stream *st;
    s2s_role role;
    s2s_domain from, to;
    sim_pending *pending;
    size_t n_pending;
    bool direct;
    bool wants_tls;
    bool over; /* flush, then FIN */
    bool deaf;
    /* made to ask about a key: whose db:result waits for it */
    unsigned asks_for; /* pipe id, 0: none */
    s2s_domain asked_from, asked_to;
    unsigned verdicts[3];
};

sim_pipe *sim_pipe_new(sim *s, fed_side side);
/* `direct`: TLS comes first. */
sim_end *sim_end_new(sim_host *h, sim_pipe *p, bool direct, const s2s_domain *from,
                     const s2s_domain *to); /* from NULL: receiving */
void sim_end_free(sim_end *e);
void sim_end_feed(sim_end *e, s2s_span bytes); /* and acts on what it says */
void sim_end_walk(sim_end *e);
void sim_end_tls(sim_end *e);
sim_end *sim_connect(sim_host *h, const s2s_domain *from,
                     const s2s_domain *to); /* NULL: not let in */
bool sim_step(sim *s);                      /* true: something moved */

#endif
