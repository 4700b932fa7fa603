/* actor.h - the servers played around what is tried: remotes and a local one, on Causeway's own protocol core.
 * For:    being real enough a peer: TLS, EXTERNAL, dialback in all three roles, stanzas both ways.
 * Never:  decides what is sent when, or what is right to arrive. */
#ifndef BENCH_ACTOR_H
#define BENCH_ACTOR_H

#include <s2s/stream.h>

#include "net.h"
#include "raw.h"

enum { ACTOR_ADDR = 64 };

typedef struct actor_domain {
    s2s_domain name;
    bool
        remote; /* it is met at `outside`, and only under TLS; others under TLS when they have a certificate */
    bool no_external; /* it neither tries nor offers SASL EXTERNAL, though it has a certificate */
    bool bare;        /* it shows its certificate only when it is dialled, and asks for none */
    bool own_source;  /* it dials from its address */
    bool direct;      /* it dials with TLS first; who dials it may always */
    bool deaf;        /* it does not listen: nobody dials it */
    bool believes;    /* whoever asks it for a pair by dialback gets it, unverified */
    const net_cert *cert; /* what it shows; NULL: it has none, so it is proved by dialback */
    char address[ACTOR_ADDR];
} actor_domain;

typedef struct actors actors;
typedef struct actor_link actor_link;

typedef struct actor_shake { /* a TLS handshake */
    bool began;              /* by the played server */
    bool resumed;
    bool direct; /* TLS came first */
} actor_shake;

/* What the played servers tell: borrowed for the call. */
typedef struct actor_story {
    /* `sender`: this end may send now; else it has believed the other. */
    void (*proved)(void *ctx, const s2s_domain *from, const s2s_domain *to, s2s_proof proof,
                   const char *tls, bool sender);
    void (*arrived)(void *ctx, const s2s_stanza *stanza, uint64_t now_us);
    /* When given: stanzas are cut out by their tags alone once a pair is proved, as they were spelled; elements which are no
     * stanza still go to the stream. */
    void (*raw)(void *ctx, s2s_span stanza);
    /* When given: a TLS handshake is done, and it is known with whom of ours. */
    void (*shaken)(void *ctx, const s2s_domain *ours, const actor_shake *shake);
    void (*broke)(void *ctx, const s2s_domain *ours, const s2s_domain *theirs, s2s_err why);
} actor_story;

/* outside, inside: addresses of Causeway's listeners. Borrows story and ctx. */
actors *actors_new(const char *ca_file, const char *outside, const char *inside,
                   const actor_story *story, void *ctx);
void actors_free(actors *a);
net *actors_net(actors *a);
net_cert *actors_load(actors *a, const char *cert_file, const char *key_file);
/* Adds a played domain; false: no memory, a bad name, or the address is in use. `address` is where its server listens; the first domain of an address
 * opens the listener. */
bool actors_add(actors *a, const char *name, bool remote, const net_cert *cert,
                const char *address);
/* As above with all that can be said of a domain; d->name must be made. */
bool actors_add_domain(actors *a, const actor_domain *d);
/* Sends canonical stanza bytes for a pair, opening a connection when there is none; kept until the pair is proved. */
bool actors_send(actors *a, const s2s_domain *from, const s2s_domain *to, s2s_span stanza);

/* ---- links of one's own, for load ---- */
/* Dials and asks for the pair. Lent until actors_free, though it may be over before. NULL: it could not begin. */
actor_link *actors_open(actors *a, const s2s_domain *from, const s2s_domain *to, flush_mode mode);
/* Asks for one more pair on the link. */
bool actor_want(actor_link *l, const s2s_domain *from, const s2s_domain *to);
/* Sends a stanza of a pair that is proved. */
void actor_put(actor_link *l, s2s_span stanza);
bool actor_alive(const actor_link *l); /* neither closed nor broken */

/* ---- all links ---- */
void actors_close_all(actors *a); /* closes every stream properly */
unsigned actors_dialled(
    const actors *a);           /* links which others dialled to the remotes and that are up */
void actors_hang_up(actors *a); /* closes those properly, and no others */

#endif
