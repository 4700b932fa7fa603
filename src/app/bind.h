/* bind.h - fills fed_world from io: what fed asks for is done by connections, resolver, TLS and timers of one loop.
 * For:    handing questions down and answers up; nothing else.
 * Never:  decides, keeps a stanza, or opens a file after it was made.
 * Owner:  one worker. Borrows settings, config, loop and log for its life.
 *
 *   bind.c       the table, time, keys, log, and the object's life
 *   bind_conn.c  connections: accepted, dialled, their bytes, TLS and ends
 *   bind_dns.c   questions to the resolver, and the DNS answers the local servers get
 *   bind_posh.c  documents of POSH
 *   bind_tls.c   certificates of ours, and whom we trust */
#ifndef APP_BIND_H
#define APP_BIND_H

#include "app/fedconf.h"
#include "app/log.h"
#include "app/posh.h"
#include "fed/fed.h"
#include "io/answerer.h"
#include "io/conn.h"
#include "io/key.h"
#include "io/keys.h"
#include "io/loop.h"
#include "io/resolver.h"
#include "io/tls.h"
#include "io/verdicts.h"

enum { APP_SIDES = 2 }; /* indices are fed_side */

typedef struct app_bind {
    app_settings *settings;
    const fed_config *config;
    io_loop *loop;
    app_log *log;
    fed *fed;
    io_timer wake;
    io_key key[APP_SIDES];
    int64_t *until;         /* by certificate, as app_bind_certificate counts them: its end */
    io_tls *tls[APP_SIDES]; /* the same object twice when there is no inside certificate */
    X509_STORE *store[APP_SIDES];
    io_verdicts *verdicts[APP_SIDES]; /* each store's */
    io_sessions *sessions;
    io_keys *keys; /* of remote domains */
    io_resolver *resolver;
    io_fetches *fetches; /* NULL: no peer may be proved by POSH */
    app_posh *posh;
    io_resolver_settings resolver_settings;
    io_answerer **answerers;
    size_t n_answerers;
    size_t conns; /* alive */
} app_bind;

extern const fed_world app_world; /* its `w` is an app_bind */

/* Each: NULL, or what failed (a sentence; lives as long as the settings). The answerers stand on their own, since their
 * port needs root; the rest is made after privileges were dropped. Undone by app_bind_fini, whatever came of them. */
const char *app_bind_answerers(app_bind *b);
const char *app_bind_tls(app_bind *b);
/* Reads the certificate of the i-th domain of the settings (n_domains: the inside one) and shows it from now on to whoever
 * connects, for all domains that show it. Connections that are up keep theirs. NULL, or what is wrong (half a sentence; lives for ever): then the one before is shown still. */
const char *app_bind_certificate(app_bind *b, size_t i);
const char *app_bind_resolver(app_bind *b);
const char *app_bind_fetches(app_bind *b); /* after both */
const char *app_bind_secret(app_bind *b);
const char *app_bind_fed(app_bind *b); /* last */
/* No more questions and answers: only after fed has drained. */
void app_bind_close_dns(app_bind *b);
void app_bind_fini(app_bind *b); /* ends every connection abruptly */

/* An accepted socket (takes fd). */
void app_bind_accept(app_bind *b, fed_side side, bool direct, int fd, const io_addr *peer);

/* ---- of the parts ---- */
#define APP_TICKET_POSH (UINT64_C(1) << 63) /* of questions to the resolver: not fed's */
void app_bind_posh(void *w, uint64_t ticket, const s2s_domain *domain);
void app_bind_close_fetches(app_bind *b);
void app_bind_resolve(void *w, uint64_t ticket, const fed_ask *ask);
void *app_bind_dial(void *w, fed_conn *c, fed_side side, const fed_addr *to);
void app_bind_start_tls(void *w, void *io, const fed_tls_ask *ask);
s2s_err app_bind_judge(void *w, void *io, const fed_judge_ask *ask, s2s_proof *proof);
void app_bind_found(void *w, void *io, const s2s_domain *domain, s2s_proof proof);
void app_bind_flush(void *w, void *io);
void app_bind_pause(void *w, void *io, bool paused);
uint64_t app_bind_acked(void *w, void *io);
void app_bind_close(void *w, void *io, bool gracefully);

#endif
