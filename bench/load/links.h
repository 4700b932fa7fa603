/* links.h - links set up around a server under test, by the thousand: what one costs, and what holding it costs.
 * For:    M remote domains, each at an address of its own, which dial the server or are dialled by it; every link is
 *         watched from its first octet to the end.
 * Never:  sends more than one stanza over a link (load.h does that); reads options or prints (links_main.c, links_report.c). */
#ifndef LOAD_LINKS_H
#define LOAD_LINKS_H

#include "actor.h"
#include "hdr.h"
#include "links_mint.h"
#include "usage.h"

typedef enum links_way { LINKS_IN, LINKS_OUT } links_way; /* who dials: the remotes; the server */

typedef struct links_plan {
    const char *ca, *outside, *inside; /* outside, inside: where the server under test listens */
    const char *remotes, *locals; /* remotes: address of the first one, the next has the next */
    const char *remote_cert, *remote_key, *local_cert, *local_key; /* local: NULL for clear text */
    const char *issuer, *issuer_key; /* of a certificate for each remote; NULL: all show one */
    links_way way;
    bool dialback; /* the remotes neither try nor offer EXTERNAL */
    bool bare;     /* they show no certificate when they dial, and ask for none */
    bool direct;   /* they dial with TLS first */
    bool resume;   /* outward: measured are second links, which may resume the first's sessions */
    bool visits;   /* inward: another process plays the local server and r0.far.example */
    unsigned count, warm;  /* links measured, and before those */
    unsigned at_once;      /* how many are under way */
    double rest_s, hold_s; /* how long they are then left alone, and after that watched */
    unsigned stall_s;      /* given up when so long none came up */
    usage_pids pids;       /* of the server under test */
    const char *json;      /* file for the figures, or NULL */
} links_plan;

typedef enum links_state { LINK_UNUSED, LINK_COMES, LINK_UP, LINK_FAILED, LINK_LOST } links_state;

typedef struct links_one {
    links_state state;
    uint64_t begun;   /* ns */
    actor_link *link; /* inward */
} links_one;

typedef struct
    links_shakes { /* TLS handshakes of the remotes; the server under test was the other side */
    unsigned dialled, dialled_resumed, accepted, accepted_resumed;
    unsigned direct; /* of both: TLS came first */
} links_shakes;

typedef struct links {
    const links_plan *plan;
    actors *actors;
    links_one *one;    /* by the remote's number */
    unsigned n;        /* of them */
    actor_link *trunk; /* outward: of the local server */
    unsigned trunk_pairs;
    unsigned coming, up, failed, lost; /* since the phase began; lost: had been up */
    unsigned held;                     /* alive at the end */
    uint64_t begun, last;              /* ns; last: when the last came up, or failed */
    hdr latency; /* ns: inward until the remote may send, outward until the stanza that asked for the link was there */
    links_shakes shakes;
    char trouble[256];                            /* the first */
    bool closing;                                 /* ends are our own doing */
    used idle, before, after, held_from, held_to; /* idle: no link yet; held_from: after the rest */
    double held_s;
    void (*progress)(const struct links *l);
    const volatile int *stopped;
} links;

/* False: said on stderr. */
bool links_prepare(links *l, const links_plan *plan);
/* Sets all up, holds them, closes them. False: one failed or was lost, or it was stopped; l->trouble says more. */
bool links_run(links *l);
/* Sets up all but r0.far.example, and holds them. False: one failed; l->trouble says more. */
bool links_burst(links *l);
void links_free(links *l);

/* ---- the rest of the program ---- */
typedef struct links_certs { /* what the remotes show: zero before */
    net_cert *same;
    mint mint;
} links_certs;

/* False: said on stderr; fini is due either way. The certificates live on in the net. */
bool links_certs_init(links_certs *c, net *n, const links_plan *plan);
net_cert *links_certs_of(const links_certs *c, net *n, const s2s_domain *remote); /* NULL: said */
void links_certs_fini(links_certs *c);
void links_progress(const links *l); /* one line on stderr, when that is a terminal */
void links_print(const links *l, bool ok);
bool links_write(const links *l, bool ok, const char *file); /* JSON; "-" is stdout */
/* The command `causeway-load links`: argv[0] is that word. Gives the exit status. */
int links_main(int argc, char **argv, const volatile int *stopped);

#endif
