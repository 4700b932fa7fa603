#include "app/fedconf.h"

#include <string.h>

fed_addr app_addr_to_fed(const io_addr *a)
{
    fed_addr out = {.family = a->family, .port = a->port};
    memcpy(out.bytes, a->bytes, sizeof out.bytes);
    return out;
}

io_addr app_addr_to_io(const fed_addr *a)
{
    io_addr out = {.family = a->family, .port = a->port};
    memcpy(out.bytes, a->bytes, sizeof out.bytes);
    return out;
}

static const fed_cidr *blocks(app_settings *s, const app_blocks *b)
{
    fed_cidr *out = app_arena_take(s->arena, b->n * sizeof *out);
    for (size_t i = 0; i < b->n; i++)
        out[i] = (fed_cidr){.net = app_addr_to_fed(&b->item[i].net), .bits = b->item[i].bits};
    return out;
}

static const fed_addr *addresses(app_settings *s, const app_endpoints *e)
{
    fed_addr *out = app_arena_take(s->arena, e->n * sizeof *out);
    for (size_t i = 0; i < e->n; i++)
        out[i] = app_addr_to_fed(&e->item[i].addr);
    return out;
}

static const fed_local *locals(app_settings *s)
{
    fed_local *out = app_arena_take(s->arena, s->n_domains * sizeof *out);
    for (size_t i = 0; i < s->n_domains; i++)
        out[i] = (fed_local){.domain = s->domains[i].name,
                             .server = s->domains[i].server_index,
                             .certificate = s->domains[i].shown != APP_NO_DOMAIN};
    return out;
}

static const fed_server *servers(app_settings *s)
{
    fed_server *out = app_arena_take(s->arena, s->n_servers * sizeof *out);
    for (size_t i = 0; i < s->n_servers; i++) {
        const app_server *v = &s->servers[i];
        out[i] = (fed_server){.name = v->name,
                              .addr = addresses(s, &v->address.list),
                              .n_addr = v->address.list.n,
                              .host = v->address.host,
                              .trust = blocks(s, &v->trust.blocks),
                              .n_trust = v->trust.blocks.n,
                              .trust_certificate = (v->trust.words & 1) != 0,
                              .tls = (s2s_tls_level)v->tls,
                              .max_stanza = v->max_stanza,
                              .sm = v->sm,
                              .bidi = v->bidi};
    }
    return out;
}

static const fed_policy *policies(app_settings *s)
{
    fed_policy *out = app_arena_take(s->arena, s->n_peers * sizeof *out);
    for (size_t i = 0; i < s->n_peers; i++) {
        const app_peer *p = &s->peers[i];
        out[i] = (fed_policy){.match = p->match,
                              .domain = p->domain,
                              .allow = p->allow,
                              .tls = app_peer_tls(p),
                              .proofs = app_peer_proofs(p),
                              .max_stanza = p->max_stanza,
                              .rate = p->rate,
                              .sm = p->sm,
                              .ping = p->ping,
                              .bidi = (fed_bidi)p->bidi};
    }
    return out;
}

void app_fed_config_fill(app_settings *s, const fed_addr *own, size_t n_own, fed_config *out)
{
    *out = (fed_config){.locals = locals(s),
                        .n_locals = s->n_domains,
                        .servers = servers(s),
                        .n_servers = s->n_servers,
                        .policies = policies(s),
                        .n_policies = s->n_peers,
                        .allow_private = blocks(s, &s->allow_private),
                        .n_allow_private = s->allow_private.n,
                        .own = own,
                        .n_own = n_own,
                        .inside_name = s->inside_target,
                        .limits = s->limits,
                        .doubt = (fed_doubt)s->doubt,
                        .dnssec = s->anchor != NULL};
    fed_config_index(out, app_arena_take(s->arena, fed_config_index_size(out)));
}
