/* names.c - see names.h. */
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MOST = 512 };

/* ---- the zone ---- */

sim_row *sim_zone_add(sim_zone *z, const s2s_domain *name, fed_query kind)
{
    z->rows = realloc(z->rows, (z->n + 1) * sizeof *z->rows);
    S2S_ASSERT(z->rows != NULL);
    z->rows[z->n] = (sim_row){.name = *name, .kind = kind};
    return &z->rows[z->n++];
}

void sim_zone_ask(sim_zone *z, const sim_question *q)
{
    z->questions = realloc(z->questions, (z->n_questions + 1) * sizeof *z->questions);
    S2S_ASSERT(z->questions != NULL);
    z->questions[z->n_questions++] = *q;
}

void sim_zone_fini(sim_zone *z)
{
    free(z->rows);
    free(z->questions);
}

typedef struct answer {
    fed_dns dns;
    fed_srv srv[ANSWER_MOST];
    fed_addr addr[ANSWER_MOST];
    fed_tlsa tlsa[ANSWER_MOST];
} answer;

static void add_row(answer *a, const sim_row *row)
{
    S2S_ASSERT(a->dns.n_srv + a->dns.n_addr + a->dns.n_tlsa < ANSWER_MOST);
    a->dns.err = S2S_E_OK;
    switch (row->kind) {
    case FED_QUERY_SRV: a->srv[a->dns.n_srv++] = row->srv; return;
    case FED_QUERY_ADDR: a->addr[a->dns.n_addr++] = row->addr; return;
    case FED_QUERY_TLSA: break;
    }
    a->tlsa[a->dns.n_tlsa] = (fed_tlsa){row->usage, 1, 1, s2s_span_of(row->key)};
    if (row->usage >= 2) a->dns.n_tlsa++; /* others are left out, as the resolver does */
}

static bool is_of(const sim_row *row, const fed_ask *ask)
{
    return row->kind == ask->query && (row->port == 0 || row->port == ask->port);
}

/* False: nobody answers. */
static bool look_up(const sim_zone *z, const fed_ask *ask, answer *a)
{
    for (size_t i = 0; i < z->n; i++) {
        const sim_row *row = &z->rows[i];
        bool of_it = is_of(row, ask);
        if (row->posh || !s2s_domain_eq(&row->name, &ask->name)) continue;
        if (row->fails && (of_it || !row->alone)) return false;
        if (!of_it || row->fails) continue;
        if (row->signs)
            a->dns.secure = true;
        else
            add_row(a, row);
    }
    return true;
}

static void answer_posh(const sim_zone *z, fed *f, const sim_question *q)
{
    fed_print prints[16];
    size_t n = 0;
    for (size_t i = 0; i < z->n; i++) {
        const sim_row *row = &z->rows[i];
        if (!row->posh || !s2s_domain_eq(&row->name, &q->ask.name)) continue;
        S2S_ASSERT(n < sizeof prints / sizeof prints[0]);
        prints[n] = (fed_print){.len = 32};
        memcpy(prints[n++].digest, row->key, sizeof row->key);
    }
    fed_on_posh(f, q->ticket, prints, n);
}

void sim_zone_answer(sim_zone *z, fed *f)
{
    sim_question q = z->questions[0];
    memmove(z->questions, z->questions + 1, --z->n_questions * sizeof q);
    if (q.posh) {
        answer_posh(z, f, &q);
        return;
    }
    answer *a = calloc(1, sizeof *a);
    S2S_ASSERT(a != NULL);
    a->dns = (fed_dns){.err = S2S_E_DNS_NOT_FOUND, .ttl = 60};
    a->dns.srv = a->srv, a->dns.addr = a->addr, a->dns.tlsa = a->tlsa;
    if (!look_up(z, &q.ask, a)) a->dns = (fed_dns){.err = S2S_E_DNS_FAILED};
    fed_on_dns(f, q.ticket, &a->dns);
    free(a);
}

/* ---- certificates ---- */

static bool has_name(const sim_cert *c, const s2s_domain *name)
{
    for (size_t i = 0; i < c->n_names; i++)
        if (s2s_domain_eq(&c->names[i], name)) return true;
    return false;
}

static s2s_err judge_names(const sim_cert *c, const fed_judge_ask *ask)
{
    bool named = has_name(c, ask->domain);
    for (size_t i = 0; i < ask->n_hosts; i++)
        named = named || has_name(c, &ask->hosts[i]);
    return named ? S2S_E_OK : S2S_E_CERT_NAME;
}

static bool is_key(const char *name, s2s_span data)
{
    return name != NULL && name[0] != '\0' && s2s_span_is(data, name);
}

static s2s_err judge_tlsa(const sim_cert *c, const fed_judge_ask *ask)
{
    for (size_t i = 0; i < ask->n_tlsa; i++) {
        const fed_tlsa *t = &ask->tlsa[i];
        if (t->usage == 3 && is_key(c->key, t->data)) return S2S_E_OK;
        if (t->usage == 2 && is_key(c->signer, t->data)) return judge_names(c, ask);
    }
    return S2S_E_CERT_TLSA;
}

static s2s_err judge_prints(const sim_cert *c, const fed_judge_ask *ask)
{
    for (size_t i = 0; i < ask->n_prints; i++)
        if (is_key(c->key, s2s_span_of((const char *)ask->prints[i].digest)))
            return c->trust == S2S_E_CERT_EXPIRED ? c->trust : S2S_E_OK;
    return S2S_E_CERT_POSH;
}

s2s_err sim_cert_judge(const sim_cert *c, const fed_judge_ask *ask, s2s_proof *proof)
{
    *proof = ask->n_tlsa > 0     ? S2S_PROOF_DANE
             : ask->n_prints > 0 ? S2S_PROOF_POSH
                                 : S2S_PROOF_CERTIFICATE;
    if (c->trust == S2S_E_CERT_MISSING) return c->trust;
    if (ask->n_tlsa > 0) return judge_tlsa(c, ask);
    if (ask->n_prints > 0) return judge_prints(c, ask);
    return c->trust != S2S_E_OK ? c->trust : judge_names(c, ask);
}
