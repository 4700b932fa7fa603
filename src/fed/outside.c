/* outside.c - connections from the internet: nothing is believed that is not proved; see receive.h.
 * Policy comes before any DNS or certificate work (DESIGN 6). */
#include "fed/conn.h"
#include "fed/receive.h"
#include "fed/verify.h"

/* What may be known from a header alone. */
static s2s_err judge_head(const fed_conn *c, const s2s_head *h)
{
    const fed_config *config = c->f->config;
    if (h->from_err != S2S_E_OK) return S2S_E_HEAD_ADDRESS;
    if (h->to_err != S2S_E_OK || h->to.len == 0) return S2S_E_HOST_UNKNOWN;
    if (fed_config_local(config, &h->to) == NULL) return S2S_E_HOST_UNKNOWN;
    if (h->from.len == 0) return S2S_E_OK; /* it may still name itself in its db:result */
    if (fed_config_local(config, &h->from) != NULL) return S2S_E_SELF_CLAIM;
    if (fed_config_under_local(config, &h->from)) return S2S_E_SELF_CLAIM;
    return fed_config_policy(config, &h->from)->allow ? S2S_E_OK : S2S_E_PEER_BLOCKED;
}

static bool cert_proves(const fed_conn *c, const s2s_domain *from)
{
    const fed *f = c->f;
    if (!c->in_tls || !c->tls.has_cert) return false;
    if ((fed_config_policy(f->config, from)->proofs & FED_PROOF_SHOWN) == 0) return false;
    return f->world->judge(f->w, c->io, from, FED_OUTSIDE) == S2S_E_OK;
}

void fed_outside_head(fed_conn *c, const s2s_head *h)
{
    s2s_err why = judge_head(c, h);
    if (why != S2S_E_OK) {
        fed_conn_close(c, why, (s2s_span){NULL, 0});
        return;
    }
    if (c->state == FED_CONN_HEAD) fed_conn_enter(c, FED_CONN_OPENING);
    const fed_policy *policy = fed_config_policy(c->f->config, &h->from);
    bool external = h->from.len > 0 && !h->after_sasl && cert_proves(c, &h->from);
    bool dialback = h->from.len == 0 || (policy->proofs & FED_PROOF_DIALBACK) != 0;
    s2s_tls_level tls = fed_policy_tls(policy);
    bool last_word = c->in_tls || tls != S2S_TLS_REQUIRED;
    if (last_word && !external && !dialback && !h->after_sasl) {
        fed_conn_close(c, S2S_E_PROOF_POLICY, (s2s_span){NULL, 0});
        return;
    }
    fed_receive_answer(c, &h->to, tls, external, dialback);
}

/* One certificate may name several domains: the one that is said counts, and only that. */
void fed_outside_auth(fed_conn *c, const s2s_domain *from)
{
    s2s_domain who = *from;
    const fed_config *config = c->f->config;
    bool ours = fed_config_local(config, &who) != NULL || fed_config_under_local(config, &who);
    bool ok = !ours && fed_config_policy(config, &who)->allow && cert_proves(c, &who);
    s2s_stream_answer_auth(c->s, ok, ok ? NULL : "invalid-authzid");
}

/* The answer to a db:result that needs no question to anybody; NULL: it does. *valid: it is the good one. */
static const char *judge_result(const fed_conn *c, const s2s_event *ev, bool *valid)
{
    const fed_config *config = c->f->config;
    *valid = false;
    if (fed_config_local(config, &ev->to) == NULL) return "item-not-found";
    if (fed_config_local(config, &ev->from) != NULL || fed_config_under_local(config, &ev->from))
        return "not-authorized";
    const fed_policy *policy = fed_config_policy(config, &ev->from);
    if (!policy->allow) return "policy-violation";
    if (fed_policy_tls(policy) == S2S_TLS_REQUIRED && !c->in_tls) return "policy-violation";
    *valid = cert_proves(c, &ev->from); /* dialback without dialback (XEP-0344) */
    if (*valid) return "";
    return (policy->proofs & FED_PROOF_DIALBACK) == 0 ? "policy-violation" : NULL;
}

void fed_outside_prove(fed_conn *c, const s2s_event *ev)
{
    bool valid;
    const char *cond = judge_result(c, ev, &valid);
    if (cond == NULL) {
        fed_verify_begin(c, ev);
        return;
    }
    s2s_domain from = ev->from, to = ev->to;
    s2s_stream_answer_result(c->s, &from, &to, valid ? S2S_VALID : S2S_ERROR, valid ? NULL : cond,
                             valid ? S2S_PROOF_CERTIFICATE : S2S_PROOF_NONE);
}
