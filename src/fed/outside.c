/* outside.c - connections from the internet: nothing is believed that is not proved; see receive.h.
 * Policy comes before any DNS or certificate work (DESIGN 6). */
#include "fed/conn.h"
#include "fed/inquiry.h"
#include "fed/receive.h"
#include "fed/verify.h"

/* Servers of before 1.0 need not name anybody in their header (RFC 3920 4.4): their keys do. */
static bool names_nobody(const fed_conn *c, const s2s_head *h)
{
    return !h->version_1 && h->to_err == S2S_E_OK && h->to.len == 0 && c->f->config->n_locals > 0;
}

/* What may be known from a header alone. */
static s2s_err judge_head(const fed_conn *c, const s2s_head *h)
{
    const fed_config *config = c->f->config;
    if (h->from_err != S2S_E_OK) return S2S_E_HEAD_ADDRESS;
    if (h->to_err != S2S_E_OK) return S2S_E_HOST_UNKNOWN;
    if (!names_nobody(c, h) && fed_config_local(config, &h->to) == NULL) return S2S_E_HOST_UNKNOWN;
    if (h->from.len == 0) return S2S_E_OK; /* it may still name itself in its db:result */
    if (fed_config_local(config, &h->from) != NULL) return S2S_E_SELF_CLAIM;
    if (fed_config_under_local(config, &h->from)) return S2S_E_SELF_CLAIM;
    return fed_config_policy(config, &h->from)->allow ? S2S_E_OK : S2S_E_PEER_BLOCKED;
}

s2s_proof fed_outside_shown(const fed_conn *c, const s2s_domain *from)
{
    const fed *f = c->f;
    const fed_judge_ask ask = {.domain = from, .side = FED_OUTSIDE};
    s2s_proof proof = S2S_PROOF_NONE;
    const fed_policy *policy = fed_config_policy(f->config, from);
    bool none = (policy->proofs & ~(unsigned)FED_PROOF_DIALBACK) == 0;
    if (none || !c->in_tls || !c->tls.has_cert) return S2S_PROOF_NONE;
    if (c->proof != S2S_PROOF_NONE && s2s_domain_eq(&c->theirs, from))
        return fed_policy_takes(policy, c->proof) ? c->proof : S2S_PROOF_NONE;
    if (f->world->judge(f->w, c->io, &ask, &proof) != S2S_E_OK) return S2S_PROOF_NONE;
    return fed_policy_takes(policy, proof) ? proof : S2S_PROOF_NONE;
}

/* Who does not say who it is may be one for whom policy makes an exception. What it says then is judged by the name in it. */
static s2s_tls_level level_for(const fed_conn *c, const fed_policy *policy)
{
    const fed_config *config = c->f->config;
    s2s_tls_level level = fed_policy_tls(policy);
    for (size_t i = 0; c->theirs.len == 0 && i < config->n_policies; i++) {
        const fed_policy *p = &config->policies[i];
        if (level == S2S_TLS_REQUIRED && p->allow && fed_policy_tls(p) != S2S_TLS_REQUIRED)
            return S2S_TLS_OPTIONAL;
    }
    return level;
}

static void answer_head(fed_conn *c, bool after_sasl)
{
    if (!after_sasl && c->in_tls && c->tls.has_cert && c->theirs.len > 0)
        c->f->world->found(c->f->w, c->io, &c->theirs, c->proof);
    const fed_policy *policy = fed_config_policy(c->f->config, &c->theirs);
    bool external = !after_sasl && c->proof != S2S_PROOF_NONE;
    bool dialback = c->theirs.len == 0 || (policy->proofs & FED_PROOF_DIALBACK) != 0;
    s2s_tls_level tls = level_for(c, policy);
    bool last_word = c->in_tls || tls != S2S_TLS_REQUIRED;
    if (last_word && !external && !dialback && !after_sasl) {
        fed_conn_close(c, S2S_E_PROOF_POLICY, (s2s_span){NULL, 0});
        return;
    }
    const s2s_domain *as = c->ours.len > 0 ? &c->ours : &c->f->config->locals[0].domain;
    fed_receive_answer(c, as, tls, external, dialback);
}

static void inquired(fed_conn *c, const s2s_domain *domain, s2s_proof proof)
{
    S2S_ASSERT(s2s_domain_eq(domain, &c->theirs));
    c->proof = proof;
    answer_head(c, false);
}

/* What its certificate is good by decides what is offered, so the features wait until that is known. */
void fed_outside_head(fed_conn *c, const s2s_head *h)
{
    s2s_err why = judge_head(c, h);
    if (why != S2S_E_OK) {
        fed_conn_close(c, why, (s2s_span){NULL, 0});
        return;
    }
    if (c->state == FED_CONN_HEAD) fed_conn_enter(c, FED_CONN_OPENING);
    bool fresh = !h->after_sasl && h->from.len > 0;
    if (fresh) c->proof = S2S_PROOF_NONE;
    if (fresh) c->proof = fed_outside_shown(c, &h->from);
    if (fresh && c->proof == S2S_PROOF_NONE && fed_inquiry_may_help(c, &h->from) &&
        fed_inquiry_begin(c, &h->from, inquired))
        return;
    answer_head(c, h->after_sasl);
}

/* One certificate may name several domains: the one that is said counts, and only that. */
void fed_outside_auth(fed_conn *c, const s2s_domain *from)
{
    s2s_domain who = *from;
    const fed_config *config = c->f->config;
    bool ours = fed_config_local(config, &who) != NULL || fed_config_under_local(config, &who);
    bool ok = !ours && fed_config_policy(config, &who)->allow;
    c->auth_proof = ok ? fed_outside_shown(c, &who) : S2S_PROOF_NONE;
    ok = c->auth_proof != S2S_PROOF_NONE;
    s2s_stream_answer_auth(c->s, ok, ok ? NULL : "invalid-authzid");
}

/* The answer to a db:result that needs no question to anybody; NULL: it does. *proof: it is the good one. */
static const char *judge_result(const fed_conn *c, const s2s_event *ev, s2s_proof *proof)
{
    const fed_config *config = c->f->config;
    *proof = S2S_PROOF_NONE;
    if (fed_config_local(config, &ev->to) == NULL) return "item-not-found";
    if (fed_config_local(config, &ev->from) != NULL || fed_config_under_local(config, &ev->from))
        return "not-authorized";
    const fed_policy *policy = fed_config_policy(config, &ev->from);
    if (!policy->allow) return "policy-violation";
    if (fed_policy_tls(policy) == S2S_TLS_REQUIRED && !c->in_tls) return "policy-violation";
    bool ours = c->role == S2S_INITIATING; /* and goes both ways: with that domain too? */
    if (ours && policy->bidi == FED_BIDI_NO) return "policy-violation";
    *proof = fed_outside_shown(c, &ev->from); /* dialback without dialback (XEP-0344) */
    if (*proof != S2S_PROOF_NONE) return "";
    bool by_key = (policy->proofs & FED_PROOF_DIALBACK) != 0;
    if (ours && policy->bidi != FED_BIDI_YES) by_key = false;
    return by_key ? NULL : "policy-violation";
}

void fed_outside_prove(fed_conn *c, const s2s_event *ev)
{
    s2s_proof proof;
    const char *cond = judge_result(c, ev, &proof);
    if (cond == NULL) {
        fed_verify_begin(c, ev);
        return;
    }
    s2s_domain from = ev->from, to = ev->to;
    bool valid = proof != S2S_PROOF_NONE;
    s2s_stream_answer_result(c->s, &from, &to, valid ? S2S_VALID : S2S_ERROR, valid ? NULL : cond,
                             proof);
}
