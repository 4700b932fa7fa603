/* actor.h - the servers played around Causeway: remotes and a local one, on Causeway's own protocol core.
 * For:    being real enough a peer: TLS, EXTERNAL, dialback in all three roles, messages both ways.
 * Never:  decides what is sent when (play.c) or how it looks (show.c).      */
#ifndef PEERS_ACTOR_H
#define PEERS_ACTOR_H

#include <s2s/stream.h>

#include "net.h"

enum { ACTOR_MAX_DOMAINS = 128, ACTOR_ADDR = 64 };

typedef struct actor_domain {
    s2s_domain name;
    bool remote;
    const net_cert *cert; /* what it shows; NULL: it has none, so it is proved by dialback */
    char address[ACTOR_ADDR];
} actor_domain;

typedef struct actors actors;
typedef struct actor_link actor_link;

/* What the played servers tell: borrowed for the call. */
typedef struct actor_story {
    void (*proved)(void *ctx, const s2s_domain *from, const s2s_domain *to, s2s_proof proof,
                   const char *tls);
    void (*arrived)(void *ctx, const s2s_stanza *stanza, uint64_t now_us);
    void (*broke)(void *ctx, const s2s_domain *ours, const s2s_domain *theirs, s2s_err why);
} actor_story;

/* outside, inside: addresses of Causeway's listeners. Borrows story and ctx. */
actors *actors_new(const char *ca_file, const char *outside, const char *inside,
                   const actor_story *story, void *ctx);
void actors_free(actors *a);
net *actors_net(actors *a);
net_cert *actors_load(actors *a, const char *cert_file, const char *key_file);
/* Adds a played domain; false: too many or a bad name. `address` is where its server listens; the first domain of an address
 * opens the listener. */
bool actors_add(actors *a, const char *name, bool remote, const net_cert *cert,
                const char *address);
/* Sends canonical stanza bytes for a pair, opening a connection when there is none; kept until the pair is proved. */
bool actors_send(actors *a, const s2s_domain *from, const s2s_domain *to, s2s_span stanza);
void actors_close_all(actors *a); /* closes every stream properly */

#endif
