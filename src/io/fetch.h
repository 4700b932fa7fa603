/* fetch.h - one document over HTTPS at a time, on the loop (libcurl).
 * For:    GET of a URL at addresses that are known already; who serves it must prove the URL's host by an authority.
 * Never:  resolves a name, follows a redirect, keeps a connection or a cookie, uses a proxy; connects where `may_connect` says no.
 * Owner:  one loop.                                                         */
#ifndef IO_FETCH_H
#define IO_FETCH_H

#include <openssl/x509.h>
#include <uv.h>

#include "io/addr.h"

typedef struct io_fetches io_fetches;
typedef struct io_fetch io_fetch;

typedef struct io_fetch_settings {
    X509_STORE *store; /* a reference is taken */
    bool (*may_connect)(void *ctx, const io_addr *to);
    void *ctx;
    size_t most;         /* octets of a body */
    uint32_t timeout_ms; /* of one fetch in all */
} io_fetch_settings;

/* NULL: no memory. */
io_fetches *io_fetches_new(uv_loop_t *loop, const io_fetch_settings *settings);
/* Drops all; its handles are closed by the loop's next turns. NULL is fine. */
void io_fetches_free(io_fetches *all);

typedef struct io_fetch_ask {
    const char *url;  /* https://HOST... */
    const char *host; /* of the URL, as it stands there */
    uint16_t port;
    const io_addr *addrs;
    size_t n_addrs;
} io_fetch_ask;

typedef struct io_fetch_result {
    unsigned status; /* 0: no whole answer came; `detail` says why */
    s2s_span body;
    const char *location; /* absolute; NULL: none */
    const char *detail;
} io_fetch_result;

/* Lent for the call. Whoever is told may begin others. */
typedef void (*io_fetch_done)(void *ctx, const io_fetch_result *result);

/* `done` is called once, later, unless it is dropped. NULL: no memory. Copies what it is asked. */
io_fetch *io_fetch_begin(io_fetches *all, const io_fetch_ask *ask, io_fetch_done done, void *ctx);
void io_fetch_drop(io_fetch *f);

#endif
