/* settings_rules.c - what the options of a file must say of each other. */
#include <string.h>
#include <sys/un.h>

#include "app/settings_priv.h"
#include "app/value.h"

enum { SECRET_LEAST = 16 /* characters */, INSIDE_ADDRESSES_MOST = 8 /* of one DNS answer */ };

static app_mark option_mark(const app_node *key, const app_node *map, const char *name)
{
    const app_node *node = app_node_get(map, name);
    return node ? node->at : key->at;
}

/* ---- listen ---- */

static bool overlap(const app_endpoint *a, const app_endpoint *b)
{
    if (a->any && b->any) return a->addr.port == b->addr.port;
    return !a->any && !b->any && io_addr_eq(&a->addr, &b->addr);
}

static void check_overlap(app_reader *r, const app_endpoints *a, const app_endpoints *b,
                          const char *what)
{
    for (size_t i = 0; i < a->n; i++)
        for (size_t j = a == b ? i + 1 : 0; j < b->n; j++)
            if (overlap(&a->item[i], &b->item[j]))
                app_refuse(r->problems, b->item[j].at, NULL,
                           "this address is already listened on as %s (line %zu)", what,
                           a->item[i].at.line);
}

static void check_admin(app_reader *r)
{
    const app_settings *s = r->settings;
    if (!s->admin) return;
    const app_node *node = app_node_get(app_node_get(s->root, "listen"), "admin");
    struct sockaddr_un un;
    io_addr unused;
    if (io_addr_parse(s2s_span_of(node->text), &unused) == S2S_E_OK)
        app_refuse(r->problems, node->at, "write a path, like /run/causeway/admin.sock",
                   "listen.admin: administration over TCP is not available yet");
    else if (strlen(s->admin) >= sizeof un.sun_path)
        app_refuse(r->problems, node->at, NULL,
                   "listen.admin: the path is too long for a socket (%zu bytes; at most %zu)",
                   strlen(s->admin), sizeof un.sun_path - 1);
}

static void check_not_empty(app_reader *r, const char *name)
{
    const app_node *node = app_node_get(app_node_get(r->settings->root, "listen"), name);
    if (node && node->kind == APP_LIST && node->n == 0)
        app_refuse(r->problems, node->at, NULL, "listen.%s: the list is empty", name);
}

static void check_direct_tls(app_reader *r)
{
    const app_settings *s = r->settings;
    if (s->direct_tls.n == 0 || s->n_domains == 0) return;
    for (size_t i = 0; i < s->n_domains; i++)
        if (s->domains[i].certificate) return;
    app_refuse(r->problems, s->direct_tls.item[0].at, "give one of domains a certificate",
               "listen.direct_tls: there is no certificate to show there");
}

static void check_listen(app_reader *r)
{
    app_settings *s = r->settings;
    const app_node *listen = app_node_get(s->root, "listen");
    const app_mark at = app_node_mark(listen);
    bool strange = listen && listen->kind != APP_MAP; /* said already */
    if (!strange && !app_settings_has(s, "listen", "outside"))
        app_refuse(r->problems, at, "listen: {outside: [\"*:5269\"]}",
                   "listen.outside is missing: where do other servers connect?");
    if (!strange && !app_settings_has(s, "listen", "inside"))
        app_refuse(r->problems, at, "an address only the local servers can reach",
                   "listen.inside is missing: where do the local servers connect?");
    check_not_empty(r, "outside");
    check_not_empty(r, "direct_tls");
    check_not_empty(r, "inside");
    check_overlap(r, &s->outside, &s->outside, "listen.outside");
    check_overlap(r, &s->outside, &s->direct_tls, "listen.outside");
    check_overlap(r, &s->outside, &s->inside, "listen.outside");
    check_overlap(r, &s->direct_tls, &s->direct_tls, "listen.direct_tls");
    check_overlap(r, &s->direct_tls, &s->inside, "listen.direct_tls");
    check_overlap(r, &s->inside, &s->inside, "listen.inside");
    check_direct_tls(r);
    check_admin(r);
}

/* ---- domains ---- */

static bool has_names(const app_settings *s, const char *section)
{
    const app_node *map = app_node_get(s->root, section);
    return map && map->kind == APP_MAP && map->n > 0;
}

static bool find_server(const app_settings *s, const char *name, size_t *index)
{
    for (size_t i = 0; i < s->n_servers; i++) {
        if (strcmp(s->servers[i].name, name) != 0) continue;
        *index = i;
        return true;
    }
    return false;
}

static void refuse_server(app_reader *r, const app_domain *d)
{
    const app_settings *s = r->settings;
    const char *hint = s->n_servers ? "the names are those under servers" : NULL;
    unsigned best = 64;
    for (size_t i = 0; i < s->n_servers; i++) {
        unsigned distance = app_word_distance(s->servers[i].name, d->server);
        if (!app_word_is_near(s->servers[i].name, d->server) || distance >= best) continue;
        best = distance;
        hint = app_arena_print(r->arena, "did you mean %s?", s->servers[i].name);
    }
    app_refuse(r->problems, option_mark(d->key, d->node, "server"), hint,
               "there is no server named %s", d->server);
}

size_t app_domain_shown(const app_settings *s, size_t i)
{
    const app_domain *d = &s->domains[i];
    size_t best = APP_NO_DOMAIN;
    if (d->certificate) return i;
    for (size_t j = 0; j < s->n_domains; j++) {
        const app_domain *p = &s->domains[j];
        if (!p->certificate || !s2s_domain_under(&d->name, &p->name)) continue;
        if (best == APP_NO_DOMAIN || p->name.len > s->domains[best].name.len) best = j;
    }
    return best;
}

static void check_certificate_given(app_reader *r, const app_domain *d)
{
    app_settings *s = r->settings;
    if (d->key_file && !d->certificate)
        app_refuse(r->problems, option_mark(d->key, d->node, "key"), NULL,
                   "%s has a key but no certificate", d->name.text);
    if (d->shown != APP_NO_DOMAIN) return;
    const char *hint = "give it a certificate, or give one to a parent domain that covers it";
    if (app_peer_tls(&s->peers[0]) == S2S_TLS_REQUIRED && s->peers[0].allow)
        app_refuse(r->problems, d->key->at, hint,
                   "%s has no certificate, and TLS is required of peers \"*\"", d->name.text);
    else
        app_warn(r->problems, d->key->at, hint,
                 "%s has no certificate: no TLS can be offered for it", d->name.text);
}

static void check_domains(app_reader *r)
{
    app_settings *s = r->settings;
    if (s->n_domains == 0 && !has_names(s, "domains"))
        app_refuse(r->problems, app_node_mark(app_node_get(s->root, "domains")),
                   "domains: {example.org: {server: hq, ...}}",
                   "domains are missing: for which is Causeway to answer?");
    for (size_t i = 0; i < s->n_domains; i++) {
        app_domain *d = &s->domains[i];
        d->shown = app_domain_shown(s, i);
        if (d->node->kind != APP_MAP) continue; /* said already */
        if (!d->server)
            app_refuse(r->problems, d->key->at, "server: the name of a local server",
                       "%s has no server", d->name.text);
        else if (!find_server(s, d->server, &d->server_index))
            refuse_server(r, d);
        check_certificate_given(r, d);
    }
}

/* ---- servers ---- */

static void check_trust(app_reader *r, const app_server *v)
{
    const app_mark at = option_mark(v->key, v->node, "trust");
    if (!app_node_get(v->node, "trust")) {
        app_refuse(r->problems, at, "trust: [the address it connects from]",
                   "the server %s has no trust: nobody could connect as this server", v->name);
        return;
    }
    if (v->trust.words && v->tls == S2S_TLS_NONE)
        app_refuse(r->problems, at, "tls: required",
                   "the server %s is to show a certificate, but its tls is none", v->name);
    for (size_t i = 0; i < v->trust.blocks.n && !v->trust.words; i++)
        if (v->trust.blocks.item[i].bits == 0)
            app_warn(r->problems, at, "name the address it connects from",
                     "every address is trusted to be the server %s", v->name);
}

static bool is_served(const app_settings *s, size_t server)
{
    for (size_t i = 0; i < s->n_domains; i++)
        if (s->domains[i].server && !strcmp(s->domains[i].server, s->servers[server].name))
            return true;
    return false;
}

static bool has_certificate(const app_settings *s)
{
    for (size_t i = 0; i < s->n_domains; i++)
        if (s->domains[i].certificate) return true;
    return s->inside_certificate != NULL;
}

static void check_server_tls(app_reader *r, app_server *v)
{
    if (v->tls == S2S_TLS_NONE || has_certificate(r->settings)) return;
    if (!app_node_get(v->node, "tls"))
        v->tls = S2S_TLS_NONE;
    else
        app_refuse(r->problems, option_mark(v->key, v->node, "tls"), "tls.inside_certificate",
                   "TLS with the server %s needs a certificate of ours", v->name);
}

static void check_least_stanza(app_reader *r, const app_node *key, const app_node *map, size_t size)
{
    if (size && size < 10000)
        app_refuse(r->problems, option_mark(key, map, "max_stanza"), NULL,
                   "max_stanza: at least 10000 bytes must be taken (RFC 6120 13.12)");
}

static void check_servers(app_reader *r)
{
    app_settings *s = r->settings;
    if (s->n_servers == 0 && !has_names(s, "servers"))
        app_refuse(r->problems, app_node_mark(app_node_get(s->root, "servers")),
                   "servers: {hq: {address: [\"10.0.0.10:5269\"], trust: [10.0.0.10/32]}}",
                   "servers are missing: where are the local servers?");
    for (size_t i = 0; i < s->n_servers; i++) {
        app_server *v = &s->servers[i];
        if (!app_node_get(v->node, "address"))
            app_refuse(r->problems, v->key->at, "address: [\"10.0.0.10:5269\"]",
                       "the server %s has no address", v->name);
        check_trust(r, v);
        check_server_tls(r, v);
        check_least_stanza(r, v->key, v->node, v->max_stanza);
        if (!is_served(s, i))
            app_warn(r->problems, v->key->at, NULL, "no domain has the server %s", v->name);
    }
}

/* ---- peers, names, limits, privileges ---- */

static bool is_ours(const app_settings *s, const s2s_domain *d)
{
    for (size_t i = 0; i < s->n_domains; i++)
        if (s2s_domain_eq(&s->domains[i].name, d)) return true;
    return false;
}

s2s_tls_level app_peer_tls(const app_peer *p)
{
    switch ((app_tls)p->tls) {
    case APP_TLS_NONE: return S2S_TLS_NONE;
    case APP_TLS_MAY: return S2S_TLS_OPTIONAL;
    case APP_TLS_ENCRYPT:
    case APP_TLS_VERIFY:
    case APP_TLS_DANE:
    case APP_TLS_PIN: break;
    }
    return S2S_TLS_REQUIRED;
}

unsigned app_peer_proofs(const app_peer *p)
{
    switch ((app_tls)p->tls) {
    case APP_TLS_NONE:
    case APP_TLS_MAY:
    case APP_TLS_ENCRYPT: break;
    case APP_TLS_VERIFY: return p->proofs & ~(unsigned)FED_PROOF_DIALBACK;
    case APP_TLS_DANE: return FED_PROOF_DANE;
    case APP_TLS_PIN: return FED_PROOF_PIN;
    }
    return p->proofs;
}

static bool says(const app_peer *p, const char *name)
{
    return p->node->kind == APP_MAP && app_node_get(p->node, name) != NULL;
}

/* tls and proof, both of them written, that do not go together. */
static void check_tls(app_reader *r, const app_peer *p)
{
    if (!p->allow) return;
    const app_mark at = option_mark(p->key, p->node, says(p, "proof") ? "proof" : "tls");
    if (p->tls == APP_TLS_NONE && (p->proofs & FED_PROOF_DIALBACK) == 0)
        app_refuse(r->problems, at, "tls: encrypt",
                   "peer %s can only be proved by certificate, but its tls is none", p->key->text);
    else if (p->tls == APP_TLS_VERIFY && app_peer_proofs(p) == 0)
        app_refuse(r->problems, at, "proof: certificate, or tls: encrypt",
                   "peer %s is only proved by dialback, which is no proof where tls is verify",
                   p->key->text);
    else if ((p->tls == APP_TLS_PIN || p->tls == APP_TLS_DANE) && says(p, "tls") &&
             says(p, "proof") && p->proofs != app_peer_proofs(p))
        app_refuse(r->problems, at, "leave proof out, or write tls: encrypt",
                   "peer %s has other proofs, which do not count where tls is %s", p->key->text,
                   p->tls == APP_TLS_PIN ? "pin" : "dane");
}

static bool says_dane(const app_peer *p)
{
    const app_node *proof = p->node->kind == APP_MAP ? app_node_get(p->node, "proof") : NULL;
    if (!proof) return false;
    if (proof->kind == APP_SCALAR) return strcmp(proof->text, "dane") == 0;
    for (size_t i = 0; i < proof->n; i++)
        if (proof->item[i]->kind == APP_SCALAR && strcmp(proof->item[i]->text, "dane") == 0)
            return true;
    return false;
}

/* DANE without an anchor is no proof: that may be all that is wanted where it stands beside others, or a mistake. */
static void check_dane(app_reader *r, const app_peer *p)
{
    if (r->settings->anchor || (app_peer_proofs(p) & FED_PROOF_DANE) == 0 || !p->allow) return;
    const app_mark at = option_mark(p->key, p->node, says(p, "proof") ? "proof" : "tls");
    const char *hint = "dns: {anchor: /usr/share/dns/root.key}";
    if (app_peer_proofs(p) == FED_PROOF_DANE)
        app_refuse(r->problems, at, hint,
                   "peer %s can only be proved by DANE, which needs dns.anchor", p->key->text);
    else if (says_dane(p))
        app_warn(r->problems, at, hint, "peer %s: dane is no proof without dns.anchor",
                 p->key->text);
}

/* What a peer may be proved by, and what that needs. */
static void check_proof(app_reader *r, const app_peer *p)
{
    bool pin = (app_peer_proofs(p) & FED_PROOF_PIN) != 0;
    if (pin && p->pins.n == 0)
        app_refuse(r->problems, option_mark(p->key, p->node, says(p, "proof") ? "proof" : "tls"),
                   "pins: [...], see causeway pin", "peer %s is proved by pin, but has no pins",
                   p->key->text);
    if (!pin && p->pins.n > 0 && says(p, "pins"))
        app_refuse(r->problems, option_mark(p->key, p->node, "pins"), "proof: pin, or tls: pin",
                   "peer %s has pins, but its proof is without pin", p->key->text);
}

static void check_peers(app_reader *r)
{
    const app_settings *s = r->settings;
    for (size_t i = 0; i < s->n_peers; i++) {
        const app_peer *p = &s->peers[i];
        if (!p->node) continue;
        check_tls(r, p);
        check_proof(r, p);
        check_dane(r, p);
        if (p->match == FED_MATCH_EXACT && is_ours(s, &p->domain))
            app_refuse(r->problems, p->key->at, NULL, "peer %s is one of our own domains",
                       p->key->text);
        check_least_stanza(r, p->key, p->node, p->max_stanza);
    }
}

static void check_inside_target(app_reader *r)
{
    const app_settings *s = r->settings;
    const app_mark at = app_settings_mark(s, "dns", "inside_target");
    s2s_domain name;
    io_addr addr;
    if (io_addr_parse(s2s_span_of(s->inside_target), &addr) == S2S_E_OK && addr.family == 4 &&
        !addr.port)
        return;
    if (s2s_domain_make(s2s_span_of(s->inside_target), &name) != S2S_E_OK) {
        app_refuse(r->problems, at, NULL,
                   "dns.inside_target: \"%.80s\" will not do: a name or an IPv4 address is wanted",
                   s->inside_target);
        return;
    }
    for (size_t i = 0; i < s->n_domains; i++) {
        const s2s_domain *d = &s->domains[i].name;
        if (!s2s_domain_eq(&name, d) && !s2s_domain_under(&name, d)) continue;
        app_refuse(r->problems, at, "a name that exists nowhere else, like causeway.inside",
                   "dns.inside_target: %s is at or below %s, which is one of our domains",
                   name.text, d->text);
    }
}

/* What the inside DNS answers need: one address to stand on, addresses to give, somebody who may ask. */
static void check_inside_dns(app_reader *r)
{
    const app_settings *s = r->settings;
    bool any = false, asked = false;
    if (s->inside_dns.n == 0) return;
    for (size_t i = 0; i < s->inside_dns.n; i++)
        if (s->inside_dns.item[i].any)
            app_refuse(r->problems, s->inside_dns.item[i].at, "10.0.0.5:53",
                       "listen.inside_dns: one inside address is wanted, never all of them");
    for (size_t i = 0; i < s->inside.n; i++)
        any = any || s->inside.item[i].any;
    for (size_t i = 0; i < s->n_servers; i++)
        asked = asked || s->servers[i].trust.blocks.n || s->servers[i].address.list.n;
    const app_mark at = app_settings_mark(s, "listen", "inside_dns");
    if (any && s->inside_address.n == 0)
        app_refuse(r->problems, at, "dns: {inside_address: [10.0.0.5]}",
                   "dns.inside_address is missing: listen.inside does not say which address the "
                   "local servers are to be told");
    if (s->n_servers && !asked)
        app_refuse(
            r->problems, at, "trust: [10.0.0.10, certificate]",
            "nobody may ask listen.inside_dns: no server has an address in trust or address");
    if (s->inside_forward.n > 1)
        app_refuse(r->problems, s->inside_forward.item[1].at, NULL,
                   "dns.inside_forward: one resolver is enough");
    if (s->inside_address.n > INSIDE_ADDRESSES_MOST)
        app_refuse(r->problems, s->inside_address.item[INSIDE_ADDRESSES_MOST].at, NULL,
                   "dns.inside_address: at most %d addresses", INSIDE_ADDRESSES_MOST);
}

static void check_order(app_reader *r, const char *less, uint64_t a, const char *more, uint64_t b)
{
    if (a <= b) return;
    app_refuse(r->problems, app_settings_mark(r->settings, "limits", less), NULL,
               "limits.%s must not be above limits.%s", less, more);
}

static void check_limits(app_reader *r)
{
    const fed_limits *l = &r->settings->limits;
    check_order(r, "stanza", l->stanza, "queue_pair", l->queue_pair);
    check_order(r, "queue_pair", l->queue_pair, "queue_total", l->queue_total);
    check_order(r, "backoff_first", l->backoff_first_ms, "backoff_max", l->backoff_max_ms);
    check_order(r, "connect", l->connect_ms, "plan", l->plan_ms);
    check_order(r, "head", l->head_ms, "negotiate", l->negotiate_ms);
}

static void check_others(app_reader *r)
{
    const app_settings *s = r->settings;
    if (s->secret && s->secret_file)
        app_refuse(r->problems, app_settings_mark(s, "dialback", "secret_file"), "keep one of them",
                   "dialback.secret and dialback.secret_file are both given");
    if (s->secret && strlen(s->secret) < SECRET_LEAST)
        app_refuse(r->problems, app_settings_mark(s, "dialback", "secret"),
                   "`openssl rand -hex 32` makes a good one",
                   "dialback.secret: too short, %d characters are the least", SECRET_LEAST);
    if (s->group && !s->user)
        app_refuse(r->problems, app_settings_mark(s, "", "group"), "user: causeway",
                   "group is given without user");
    if (s->inside_key && !s->inside_certificate)
        app_refuse(r->problems, app_settings_mark(s, "tls", "inside_key"), NULL,
                   "tls.inside_key is given without tls.inside_certificate");
}

void app_rules_check(app_reader *r)
{
    check_listen(r);
    check_domains(r);
    check_servers(r);
    check_peers(r);
    check_inside_target(r);
    check_inside_dns(r);
    check_limits(r);
    check_others(r);
    app_zone_check(r);
}
