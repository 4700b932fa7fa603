/* bind_posh.c - documents of POSH: the walk of posh.c on our resolver, over io's fetches, for fed. */
#include <stdlib.h>
#include <string.h>

#include "app/arena.h"
#include "app/bind.h"

enum { FETCH_MS = 10000 };

static void resolve(void *ctx, uint64_t ticket, const s2s_domain *host)
{
    const app_bind *b = ctx;
    const io_query query = {IO_ASK_ADDR, *host, 0};
    io_resolver_ask(b->resolver, ticket | APP_TICKET_POSH, &query);
}

static bool may_dial(void *ctx, const io_addr *to)
{
    const app_bind *b = ctx;
    const fed_addr addr = app_addr_to_fed(to);
    return fed_config_may_dial(b->config, &addr);
}

static io_fetch *fetch(void *ctx, const io_fetch_ask *ask, io_fetch_done done, void *owner)
{
    const app_bind *b = ctx;
    return io_fetch_begin(b->fetches, ask, done, owner);
}

static void drop(void *ctx, io_fetch *f)
{
    (void)ctx;
    io_fetch_drop(f);
}

static void answered(void *ctx, uint64_t ticket, const s2s_domain *domain,
                     const app_posh_answer *answer)
{
    const app_bind *b = ctx;
    fed_print *prints = app_take(answer->n_prints * sizeof *prints);
    for (size_t i = 0; i < answer->n_prints; i++) {
        prints[i].len = answer->prints[i].len;
        memcpy(prints[i].digest, answer->prints[i].digest, sizeof prints[i].digest);
    }
    if (answer->n_prints == 0)
        app_log_say(b->log, FED_INFO, "posh_none", "domain", domain->text, "detail", answer->detail,
                    NULL);
    fed_on_posh(b->fed, ticket, prints, answer->n_prints);
    free(prints);
}

static uint64_t now(void *ctx)
{
    const app_bind *b = ctx;
    return io_loop_now(b->loop);
}

void app_bind_posh(void *w, uint64_t ticket, const s2s_domain *domain)
{
    const app_bind *b = w;
    app_posh_ask(b->posh, ticket, domain);
}

static bool is_wanted(const app_settings *s)
{
    for (size_t i = 0; i < s->n_peers; i++)
        if ((app_peer_proofs(&s->peers[i]) & FED_PROOF_POSH) != 0) return true;
    return false;
}

const char *app_bind_fetches(app_bind *b)
{
    const io_fetch_settings how = {.store = b->store[FED_OUTSIDE],
                                   .may_connect = may_dial,
                                   .ctx = b,
                                   .most = APP_POSH_DOCUMENT,
                                   .timeout_ms = FETCH_MS};
    const app_posh_calls calls = {.resolve = resolve,
                                  .may_dial = may_dial,
                                  .fetch = fetch,
                                  .drop = drop,
                                  .answered = answered,
                                  .now = now,
                                  .ctx = b};
    if (!is_wanted(b->settings)) return NULL;
    b->fetches = io_fetches_new(io_loop_uv(b->loop), &how);
    b->posh = b->fetches ? app_posh_new(io_loop_uv(b->loop), &calls) : NULL;
    return b->posh ? NULL : "out of memory";
}

void app_bind_close_fetches(app_bind *b)
{
    app_posh_free(b->posh);
    io_fetches_free(b->fetches);
    b->posh = NULL;
    b->fetches = NULL;
}
