/* posh.h - which certificates a domain says over HTTPS are its (RFC 7711), asked once for all who want to know.
 * For:    the walk from a domain to its list: addresses of the host, the document, a reference to another one, redirects; and
 *         the cache. Bounded in time, size, hops, how many at a time and how many are remembered.
 * Never:  decides who may cause a fetch (fed does, after all that costs less); connects to an address that a remote may not have.
 * Owner:  one loop. What it needs of DNS and HTTPS is handed in.            */
#ifndef APP_POSH_H
#define APP_POSH_H

#include <uv.h>

#include "app/posh_document.h"
#include "io/fetch.h"
#include "s2s/domain.h"

typedef struct app_posh app_posh;

typedef struct app_posh_answer {
    const io_posh_print *prints; /* lent for the call; 0: the domain has no document of use */
    size_t n_prints;
    const char *detail; /* then why, for logs */
} app_posh_answer;

typedef struct app_posh_calls {
    /* Asks for the addresses of a host: app_posh_resolved, later. */
    void (*resolve)(void *ctx, uint64_t ticket, const s2s_domain *host);
    bool (*may_dial)(void *ctx, const io_addr *to);
    /* As io_fetch_begin and io_fetch_drop. */
    io_fetch *(*fetch)(void *ctx, const io_fetch_ask *ask, io_fetch_done done, void *owner);
    void (*drop)(void *ctx, io_fetch *f);
    /* To a ticket of app_posh_ask: once, never from inside it. */
    void (*answered)(void *ctx, uint64_t ticket, const s2s_domain *domain,
                     const app_posh_answer *answer);
    uint64_t (*now)(void *ctx); /* ms */
    void *ctx;
} app_posh_calls;

enum {
    APP_POSH_HOPS = 10,         /* redirects and the reference */
    APP_POSH_AT_A_TIME = 16,    /* domains being asked */
    APP_POSH_DOMAINS = 1024,    /* remembered or asked */
    APP_POSH_MS = 15000,        /* for one domain in all */
    APP_POSH_NONE_MS = 300000,  /* that there is no document is believed so long, */
    APP_POSH_FAILED_MS = 60000, /* that it could not be had, so long */
    APP_POSH_ADDRS = 4          /* of a host that are tried */
};

/* NULL: no memory. */
app_posh *app_posh_new(uv_loop_t *loop, const app_posh_calls *calls);
void app_posh_free(app_posh *p); /* no answer comes any more. NULL is fine */

void app_posh_ask(app_posh *p, uint64_t ticket, const s2s_domain *domain);
void app_posh_resolved(app_posh *p, uint64_t ticket, const io_addr *addrs, size_t n);

#endif
