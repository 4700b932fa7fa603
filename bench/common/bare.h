/* bare.h - connections with stanzas and no S2S stream: components (XEP-0114) and TLS tunnels.
 * For:    loading servers through their component port, and relays which only move bytes.
 * Never:  judges what arrives; speaks the component protocol to anybody but a server under test, for it reads by the tags. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include "net.h"
#include "raw.h"

typedef struct bare bare; /* all such links of one net */
typedef struct bare_link bare_link;

/* What they tell; borrowed for the call. */
typedef struct bare_story {
    void (*ready)(void *ctx, bare_link *l);      /* stanzas may be sent; only of links dialled */
    void (*arrived)(void *ctx, s2s_span stanza); /* as it was spelled */
    void (*broke)(void *ctx, const char *why);   /* a link ended, by none of our doing */
} bare_story;

bare *bare_new(net *n, const bare_story *story, void *ctx); /* borrows all; NULL: no memory */
void bare_free(bare *b);                                    /* before the net */

/* Both live until bare_free. NULL: it could not begin. */
/* In clear, to the component port of a server: `name` is the component's domain (XEP-0114 3). */
bare_link *bare_component(bare *b, const char *addr, const char *name, const char *secret,
                          flush_mode mode);
/* TLS from the first octet, and then stanzas. */
bare_link *bare_tunnel(bare *b, const char *addr, const net_cert *cert, const char *sni,
                       flush_mode mode);
/* Where tunnels end. False: the address is in use. */
bool bare_listen(bare *b, const char *addr, const net_cert *cert);

void bare_put(bare_link *l, s2s_span stanza); /* the link must be ready */
void bare_close_all(bare *b);

/* Hex of SHA-1 over the stream's id and the secret (XEP-0114 3). */
void bare_handshake(s2s_span id, const char *secret, char out[41]);

#endif
