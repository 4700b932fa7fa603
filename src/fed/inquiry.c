/* inquiry.c - see inquiry.h.
 * SRV records of the domain, securely; then the TLSA records of each host they name, one after another; then the certificate
 * is held against all of them. Anything that is not secure, or cannot be had, counts as not there. Last the document of POSH,
 * which costs most. */
#include "fed/inquiry.h"

#include <stdlib.h>

#include "fed/conn.h"
#include "fed/tlsa.h"
#include "fed/turn.h"

enum { TLSA_MOST = 64 }; /* records of one domain that are kept */

struct fed_inquiry {
    fed *f;
    fed_conn *conn;
    s2s_domain domain;
    fed_inquiry_done done;
    fed_lookup lookup;
    bool knows_hosts;
    s2s_domain *hosts;
    uint16_t *ports; /* of each host */
    size_t n_hosts, at;
    fed_tlsa_set tlsa;
    uint64_t ticket; /* of the document, and */
    fed_hook posh;   /* on f->posh meanwhile */
};

/* ---- life ---- */

static void answered(fed_lookup *k, const fed_dns *dns);

static void inquiry_free(fed_inquiry *q)
{
    if (q == NULL) return;
    fed_lookup_drop(&q->lookup);
    fed_chain_take(&q->posh);
    fed_tlsa_clear(&q->tlsa);
    free(q->hosts);
    free(q->ports);
    free(q);
}

static fed_inquiry *inquiry_new(fed_conn *c, const s2s_domain *domain, fed_inquiry_done done)
{
    size_t most = c->f->config->limits.targets;
    fed_inquiry *q = calloc(1, sizeof *q);
    if (q == NULL) return NULL;
    q->f = c->f;
    q->conn = c;
    q->domain = *domain;
    q->done = done;
    q->lookup.answered = answered;
    q->hosts = calloc(most, sizeof *q->hosts);
    q->ports = calloc(most, sizeof *q->ports);
    if (q->hosts != NULL && q->ports != NULL) return q;
    inquiry_free(q);
    return NULL;
}

void fed_inquiry_drop(fed_conn *c)
{
    inquiry_free(c->inquiry);
    c->inquiry = NULL;
}

/* ---- steps ---- */

static void ask(fed_inquiry *q, fed_query query, const s2s_domain *name, uint16_t port)
{
    fed_lookup_begin(q->f, &q->lookup, &(fed_ask){query, *name, port});
}

/* The last step: what is known now is all there will be. */
static void finish(fed_inquiry *q, s2s_proof proof)
{
    fed_conn *c = q->conn;
    s2s_domain domain = q->domain;
    fed_inquiry_done done = q->done;
    fed_inquiry_drop(c);
    fed_conn_pause(c, FED_PAUSE_INQUIRY, false);
    done(c, &domain, proof);
    fed_conn_poke(c);
}

/* NONE: it proves nothing that policy takes. */
static s2s_proof judge(const fed_inquiry *q, const fed_judge_ask *what)
{
    s2s_proof proof = S2S_PROOF_NONE;
    s2s_err verdict = q->f->world->judge(q->f->w, q->conn->io, what, &proof);
    const fed_policy *policy = fed_config_policy(q->f->config, &q->domain);
    return verdict == S2S_E_OK && fed_policy_takes(policy, proof) ? proof : S2S_PROOF_NONE;
}

static s2s_proof judge_tlsa(const fed_inquiry *q)
{
    if (q->tlsa.n == 0) return S2S_PROOF_NONE;
    return judge(q, &(fed_judge_ask){.domain = &q->domain,
                                     .side = FED_OUTSIDE,
                                     .hosts = q->hosts,
                                     .n_hosts = q->n_hosts,
                                     .tlsa = q->tlsa.item,
                                     .n_tlsa = q->tlsa.n});
}

static bool takes(const fed_inquiry *q, unsigned proof)
{
    return (fed_config_policy(q->f->config, &q->domain)->proofs & proof) != 0;
}

static void ask_posh(fed_inquiry *q)
{
    if (!takes(q, FED_PROOF_POSH)) {
        finish(q, S2S_PROOF_NONE);
        return;
    }
    q->ticket = ++q->f->last_ticket;
    fed_chain_add(&q->f->posh, &q->posh);
    q->f->world->posh(q->f->w, q->ticket, &q->domain);
}

static void go_on(fed_inquiry *q)
{
    if (q->at < q->n_hosts && q->tlsa.n < TLSA_MOST) {
        ask(q, FED_QUERY_TLSA, &q->hosts[q->at], q->ports[q->at]);
        return;
    }
    s2s_proof proof = judge_tlsa(q);
    if (proof != S2S_PROOF_NONE)
        finish(q, proof);
    else
        ask_posh(q);
}

static void add_host(fed_inquiry *q, const s2s_domain *host, uint16_t port)
{
    if (host->len == 0 || port == 0 || q->n_hosts == q->f->config->limits.targets) return;
    for (size_t i = 0; i < q->n_hosts; i++)
        if (q->ports[i] == port && s2s_domain_eq(&q->hosts[i], host)) return;
    q->hosts[q->n_hosts] = *host;
    q->ports[q->n_hosts++] = port;
}

static void take_hosts(fed_inquiry *q, const fed_dns *dns)
{
    q->knows_hosts = true;
    if (!dns->secure) return;
    if (dns->err == S2S_E_DNS_NOT_FOUND) add_host(q, &q->domain, FED_PLAN_PORT);
    for (size_t i = 0; dns->err == S2S_E_OK && i < dns->n_srv; i++)
        add_host(q, &dns->srv[i].target, dns->srv[i].port);
}

static void answered(fed_lookup *k, const fed_dns *dns)
{
    fed_inquiry *q = FED_OF(fed_inquiry, lookup, k);
    if (!q->knows_hosts) {
        take_hosts(q, dns);
    } else {
        q->at++;
        bool counts = dns->err == S2S_E_OK && dns->secure;
        if (counts && !fed_tlsa_add(&q->tlsa, dns)) q->at = q->n_hosts; /* no memory */
    }
    go_on(q);
}

static fed_inquiry *take_asker(fed *f, uint64_t ticket)
{
    for (fed_hook *h = f->posh.first; h != NULL; h = h->next) {
        fed_inquiry *q = FED_OF(fed_inquiry, posh, h);
        if (q->ticket != ticket) continue;
        fed_chain_take(&q->posh);
        return q;
    }
    return NULL;
}

void fed_on_posh(fed *f, uint64_t ticket, const fed_print *prints, size_t n)
{
    fed_turn_begin(f);
    fed_inquiry *q = take_asker(f, ticket);
    s2s_proof proof = S2S_PROOF_NONE;
    if (q != NULL && n > 0)
        proof = judge(
            q, &(fed_judge_ask){
                   .domain = &q->domain, .side = FED_OUTSIDE, .prints = prints, .n_prints = n});
    if (q != NULL) finish(q, proof);
    fed_turn_end(f);
}

/* ---- from outside ---- */

/* Of a connection that we made, the plan has asked for TLSA records already. */
static unsigned askable(const fed_conn *c, const s2s_domain *domain)
{
    const fed_config *config = c->f->config;
    unsigned proofs = FED_PROOF_POSH;
    if (config->dnssec && c->role == S2S_RECEIVING) proofs |= FED_PROOF_DANE;
    return fed_config_policy(config, domain)->proofs & proofs;
}

bool fed_inquiry_may_help(const fed_conn *c, const s2s_domain *domain)
{
    return c->in_tls && c->tls.has_cert && domain->len > 0 && askable(c, domain) != 0;
}

bool fed_inquiry_begin(fed_conn *c, const s2s_domain *domain, fed_inquiry_done done)
{
    S2S_ASSERT(c->inquiry == NULL);
    fed_inquiry *q = c->inquiry = inquiry_new(c, domain, done);
    if (q == NULL) return false;
    fed_conn_pause(c, FED_PAUSE_INQUIRY, true);
    if ((askable(c, domain) & FED_PROOF_DANE) != 0)
        ask(q, FED_QUERY_SRV, domain, 0);
    else
        ask_posh(q);
    return true;
}
