/* bind_dns.c - questions to the resolver, and the DNS answers the local servers get. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/arena.h"
#include "app/bind.h"

/* ---- the resolver ---- */

static io_question question_of(fed_query query)
{
    switch (query) {
    case FED_QUERY_SRV: return IO_ASK_SRV;
    case FED_QUERY_ADDR: return IO_ASK_ADDR;
    case FED_QUERY_TLSA: break;
    }
    return IO_ASK_TLSA;
}

void app_bind_resolve(void *w, uint64_t ticket, const fed_ask *ask)
{
    const app_bind *b = w;
    const io_query query = {question_of(ask->query), ask->name, ask->port};
    io_resolver_ask(b->resolver, ticket, &query);
}

static void answered(void *ctx, uint64_t ticket, const io_dns_answer *a)
{
    const app_bind *b = ctx;
    if (ticket & APP_TICKET_POSH) {
        app_posh_resolved(b->posh, ticket & ~APP_TICKET_POSH, a->addr, a->n_addr);
        return;
    }
    fed_srv *srv = app_take(a->n_srv * sizeof *srv);
    fed_addr *addr = app_take(a->n_addr * sizeof *addr);
    fed_tlsa *tlsa = app_take(a->n_tlsa * sizeof *tlsa);
    for (size_t i = 0; i < a->n_srv; i++)
        srv[i] = (fed_srv){.priority = a->srv[i].priority,
                           .weight = a->srv[i].weight,
                           .port = a->srv[i].port,
                           .target = a->srv[i].target,
                           .direct = a->srv[i].direct};
    for (size_t i = 0; i < a->n_addr; i++)
        addr[i] = app_addr_to_fed(&a->addr[i]);
    for (size_t i = 0; i < a->n_tlsa; i++)
        tlsa[i] =
            (fed_tlsa){a->tlsa[i].usage, a->tlsa[i].selector, a->tlsa[i].matching, a->tlsa[i].data};
    const fed_dns out = {.err = a->err,
                         .secure = a->secure,
                         .ttl = a->ttl,
                         .srv = srv,
                         .n_srv = a->n_srv,
                         .addr = addr,
                         .n_addr = a->n_addr,
                         .tlsa = tlsa,
                         .n_tlsa = a->n_tlsa};
    if (a->err != S2S_E_OK && a->detail[0])
        app_log_say(b->log, FED_DEBUG, "dns_failed", "why", s2s_err_of(a->err)->name, "detail",
                    a->detail, NULL);
    fed_on_dns(b->fed, ticket, &out);
    free(srv);
    free(addr);
    free(tlsa);
}

/* "10.0.0.1@53", as libunbound writes it. */
static const char *const *forwarders(app_settings *s)
{
    const char **out = app_arena_take(s->arena, s->forward.n * sizeof *out);
    for (size_t i = 0; i < s->forward.n; i++) {
        io_addr a = s->forward.item[i].addr;
        const unsigned port = a.port;
        char host[IO_ADDR_TEXT];
        a.port = 0;
        out[i] = app_arena_print(s->arena, "%s@%u", io_addr_print(&a, host), port);
    }
    return out;
}

static bool asks_the_network(const app_settings *s)
{
    switch ((app_recursion)s->recursion) {
    case APP_RECURSION_AUTO: return s->forward.n > 0 || !app_settings_has(s, "dns", "zone");
    case APP_RECURSION_YES: return true;
    case APP_RECURSION_NO: return s->forward.n > 0;
    }
    return true;
}

const char *app_bind_resolver(app_bind *b)
{
    static const char *const everything[] = {"."};
    static const char *const options[] = {"do-not-query-localhost:", "no"};
    app_settings *s = b->settings;
    io_resolver_settings *r = &b->resolver_settings;
    io_resolver_fault fault = {0};
    io_resolver_settings_init(r);
    r->forwarders = forwarders(s);
    r->n_forwarders = s->forward.n;
    r->anchor_file = s->anchor;
    r->data = s->zone.item;
    r->n_data = s->zone.n;
    r->zones = asks_the_network(s) ? s->zone_names.item : everything;
    r->n_zones = asks_the_network(s) ? s->zone_names.n : 1;
    r->options = options;
    r->n_options = s->forward.n ? 1 : 0; /* a resolver on this machine is fine */
    r->in_flight = s->limits.dns_in_flight;
    b->resolver = io_resolver_new(io_loop_uv(b->loop), r, answered, b, &fault);
    if (b->resolver) return NULL;
    return app_arena_print(s->arena, "dns: %s number %zu: %s", fault.what, fault.index + 1,
                           fault.reason);
}

/* ---- the answerers ---- */

static void add_block(app_settings *s, io_cidr **list, size_t *n, io_cidr block)
{
    *list = app_arena_more(s->arena, *list, *n, sizeof block);
    (*list)[(*n)++] = block;
}

/* Who may ask: trusted addresses; of a server that is only known by certificate, where it is dialled. */
static io_cidr *clients(app_settings *s, size_t *n)
{
    io_cidr *list = NULL;
    *n = 0;
    for (size_t i = 0; i < s->n_servers; i++) {
        const app_server *v = &s->servers[i];
        for (size_t k = 0; k < v->trust.blocks.n; k++)
            add_block(s, &list, n, v->trust.blocks.item[k]);
        for (size_t k = 0; k < v->address.list.n && v->trust.blocks.n == 0; k++) {
            io_cidr one = {.net = v->address.list.item[k].addr};
            one.net.port = 0;
            one.bits = one.net.family == 4 ? 32 : 128;
            add_block(s, &list, n, one);
        }
    }
    return list;
}

static const io_addr *told_addresses(app_settings *s, size_t *n)
{
    const app_endpoints *from = s->inside_address.n ? &s->inside_address : &s->inside;
    io_addr *list = app_arena_take(s->arena, from->n * sizeof *list);
    *n = 0;
    for (size_t i = 0; i < from->n && *n < IO_REPLIER_ADDRS; i++) {
        if (from->item[i].any) continue;
        list[*n] = from->item[i].addr;
        list[(*n)++].port = 0;
    }
    return list;
}

const char *app_bind_answerers(app_bind *b)
{
    app_settings *s = b->settings;
    b->answerers = app_arena_take(s->arena, s->inside_dns.n * sizeof *b->answerers);
    for (size_t i = 0; i < s->inside_dns.n; i++) {
        io_answerer_settings *a = app_arena_take(s->arena, sizeof *a);
        const app_endpoint *e = &s->inside_dns.item[i];
        const char *why = NULL;
        io_answerer_settings_init(a);
        a->listen = e->addr;
        a->clients = clients(s, &a->n_clients);
        if (s->inside_forward.n) a->upstream = s->inside_forward.item[0].addr;
        a->says.target = s->inside_target;
        a->says.port = s->inside.item[0].addr.port;
        a->says.addrs = told_addresses(s, &a->says.n_addrs);
        a->says.catch_all = s->inside_catch_all;
        errno = 0;
        b->answerers[i] = io_answerer_new(io_loop_uv(b->loop), a, &why);
        if (!b->answerers[i])
            return app_arena_print(s->arena, "%s:%zu:%zu: listen.inside_dns: %s%s%s", s->file,
                                   e->at.line, e->at.column, why, errno ? ": " : "",
                                   errno ? strerror(errno) : "");
        b->n_answerers++;
    }
    return NULL;
}
