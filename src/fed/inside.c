/* inside.c - connections from our local servers: to them we are every remote server (DESIGN 8); see receive.h.
 * A stream is never refused because a remote is down, or not allowed: the server would go deaf for all of it. Each stanza
 * is answered on its own. */
#include "fed/conn.h"
#include "fed/receive.h"

/* ---- whose connection ---- */

static bool trusts(const fed_server *server, const fed_addr *peer)
{
    for (size_t i = 0; i < server->n_trust; i++)
        if (fed_cidr_has(&server->trust[i], peer)) return true;
    return server->n_trust == 0 && server->trust_certificate;
}

bool fed_inside_known(const fed *f, const fed_addr *peer)
{
    for (size_t i = 0; i < f->config->n_servers; i++)
        if (trusts(&f->config->servers[i], peer)) return true;
    return false;
}

/* The server that serves the domain, if it may connect from there. Several may share an address. */
static const fed_server *server_of(const fed_conn *c, const s2s_domain *from)
{
    const fed_config *config = c->f->config;
    const fed_local *local = from->len > 0 ? fed_config_local(config, from) : NULL;
    if (local == NULL) return NULL;
    const fed_server *server = &config->servers[local->server];
    return trusts(server, &c->peer) ? server : NULL;
}

static const fed_server *first_at(const fed_conn *c)
{
    const fed_config *config = c->f->config;
    for (size_t i = 0; i < config->n_servers; i++)
        if (trusts(&config->servers[i], &c->peer)) return &config->servers[i];
    return NULL;
}

/* Under direct TLS nobody has said yet who it is: then any of those it may be counts. */
bool fed_inside_asks_cert(const fed_conn *c)
{
    const fed_config *config = c->f->config;
    if (c->server != NULL) return c->server->trust_certificate;
    for (size_t i = 0; i < config->n_servers; i++)
        if (config->servers[i].trust_certificate && trusts(&config->servers[i], &c->peer))
            return true;
    return false;
}

/* May this connection speak for the domain? */
static bool speaks_for(const fed_conn *c, const s2s_domain *from, s2s_proof *proof)
{
    const fed *f = c->f;
    const fed_server *server = server_of(c, from);
    if (server == NULL) return false;
    if (server->tls == S2S_TLS_REQUIRED && !c->in_tls) return false;
    const fed_judge_ask ask = {.domain = from, .side = FED_INSIDE};
    s2s_proof found;
    bool by_cert =
        c->in_tls && c->tls.has_cert && f->world->judge(f->w, c->io, &ask, &found) == S2S_E_OK;
    *proof = by_cert ? S2S_PROOF_CERTIFICATE : S2S_PROOF_DIALBACK;
    return by_cert || !server->trust_certificate;
}

/* ---- what it says ---- */

/* In our header stands whom it wanted; failing that, our own name in there. */
static s2s_domain name_in_head(const fed_conn *c)
{
    s2s_domain name = c->ours;
    const char *own = c->f->config->inside_name;
    if (name.len == 0 && own != NULL && s2s_domain_make(s2s_span_of(own), &name) != S2S_E_OK)
        name = (s2s_domain){.len = 0};
    return name;
}

/* Headers without to, from or version, or with an empty id, are what local servers send. */
void fed_inside_head(fed_conn *c, const s2s_head *h)
{
    const fed_server *server = server_of(c, &h->from);
    s2s_proof proof;
    if (server == NULL) server = first_at(c);
    if (server == NULL || h->from_err != S2S_E_OK || h->to_err != S2S_E_OK) {
        fed_conn_close(c, server == NULL ? S2S_E_NOT_A_LOCAL_SERVER : S2S_E_HEAD_ADDRESS,
                       (s2s_span){NULL, 0});
        return;
    }
    c->server = server;
    bool waits_for_tls = server->tls == S2S_TLS_REQUIRED && !c->in_tls;
    if (c->state == FED_CONN_HEAD) fed_conn_enter(c, FED_CONN_OPENING);
    if (!waits_for_tls)
        fed_conn_enter(c, FED_CONN_OPEN); /* trusted: it may do nothing but ask for keys */
    bool external = c->in_tls && c->tls.has_cert && speaks_for(c, &h->from, &proof) &&
                    proof == S2S_PROOF_CERTIFICATE;
    s2s_domain as = name_in_head(c);
    fed_receive_answer(c, &as, server->tls, external, true);
}

void fed_inside_auth(fed_conn *c, const s2s_domain *from)
{
    s2s_domain who = *from;
    s2s_proof proof;
    bool ok = speaks_for(c, &who, &proof) && proof == S2S_PROOF_CERTIFICATE && c->ours.len > 0;
    s2s_stream_answer_auth(c->s, ok, ok ? NULL : "not-authorized");
}

/* The key is not looked at: whom we trust by address or certificate need not prove itself again. */
void fed_inside_prove(fed_conn *c, const s2s_event *ev)
{
    s2s_domain from = ev->from, to = ev->to;
    s2s_proof proof = S2S_PROOF_NONE;
    bool ok = speaks_for(c, &from, &proof);
    s2s_stream_answer_result(c->s, &from, &to, ok ? S2S_VALID : S2S_ERROR, ok ? NULL : "forbidden",
                             proof);
}
