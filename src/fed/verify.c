/* verify.c - see verify.h. */
#include "fed/verify.h"

#include <stdlib.h>
#include <string.h>

#include "fed/conn.h"
#include "fed/deaf.h"
#include "fed/link.h"
#include "fed/say.h"
#include "fed/target.h"

/* ---- a check ---- */

static void fire(fed *f, fed_timer *t)
{
    (void)f;
    fed_verify_fail(FED_OF(fed_check, timer, t), S2S_E_DIALBACK_TIMEOUT, NULL);
}

static s2s_span keep(char *to, s2s_span text)
{
    memcpy(to, text.ptr, text.len);
    return (s2s_span){to, text.len};
}

static fed_check *check_new(fed_conn *c, fed_target *t, const s2s_event *ev)
{
    s2s_span id = s2s_stream_id(c->s);
    S2S_ASSERT(id.len > 0 && ev->key.len > 0);
    fed_check *k = calloc(1, sizeof *k + id.len + ev->key.len);
    if (k == NULL) return NULL;
    char *text = (char *)(k + 1);
    k->f = c->f;
    k->conn = c;
    k->target = t;
    k->from = ev->from;
    k->to = ev->to;
    k->id = keep(text, id);
    k->key = keep(text + id.len, ev->key);
    k->timer.fire = fire;
    fed_chain_add(&c->checks, &k->on_conn);
    fed_chain_add(&t->checks, &k->on_target);
    return k;
}

static void check_free(fed_check *k)
{
    fed_link *l = k->link;
    fed_timer_clear(&k->f->timers, &k->timer);
    fed_chain_take(&k->on_conn);
    fed_chain_take(&k->on_target);
    fed_target_loosen(k->target);
    free(k);
    if (l != NULL) fed_link_spare(l);
}

/* A peer that is not proved yet must be told before its own time is over (attack 96: the stream stays). */
enum { ANSWER_BEFORE_MS = 1000 };

static uint64_t deadline(const fed_conn *c)
{
    const fed_limits *l = &c->f->config->limits;
    uint64_t at = c->f->now + l->dialback_ms;
    uint64_t end = c->opened_at + l->negotiate_ms;
    if (c->state == FED_CONN_OPEN || end < c->f->now + ANSWER_BEFORE_MS) return at;
    return end - ANSWER_BEFORE_MS < at ? end - ANSWER_BEFORE_MS : at;
}

/* ---- answers to who asked us ---- */

static void tell(fed_check *k, s2s_verdict v, const char *cond)
{
    static const char *const WORDS[] = {
        [S2S_VALID] = "valid", [S2S_INVALID] = "invalid", [S2S_ERROR] = "error"};
    fed_say_check_ended(k, WORDS[v], cond);
    s2s_stream_answer_result(k->conn->s, &k->from, &k->to, v, cond,
                             v == S2S_VALID ? S2S_PROOF_DIALBACK : S2S_PROOF_NONE);
    fed_conn_poke(k->conn);
    check_free(k);
}

/* XEP-0220 2.5: what the peer may know about why its server could not be asked. */
static const char *cond_of(s2s_err why, const char *stream_cond)
{
    const s2s_err_info *info = s2s_err_of(why);
    if (stream_cond != NULL &&
        (strcmp(stream_cond, "host-unknown") == 0 || strcmp(stream_cond, "item-not-found") == 0))
        return "remote-server-not-found";
    if (strcmp(info->stanza, "remote-server-not-found") == 0) return "remote-server-not-found";
    if (why == S2S_E_DNS_BLOCKED || why == S2S_E_NO_ENDPOINT_LEFT)
        return "remote-connection-failed";
    if (strcmp(info->stage, "tcp") == 0 && why != S2S_E_TCP_EOF && why != S2S_E_TCP_RESET)
        return "remote-connection-failed";
    if (why == S2S_E_TLS_NOT_OFFERED || why == S2S_E_TLS_REFUSED) return "policy-violation";
    if (strcmp(info->stage, "tls") == 0) return "remote-connection-failed";
    if (strcmp(info->stage, "certificate") == 0) return "not-authorized";
    if (why == S2S_E_PAIR_LIMIT || why == S2S_E_RESOURCE || why == S2S_E_NOMEM)
        return "resource-constraint";
    return "remote-server-timeout";
}

void fed_verify_fail(fed_check *k, s2s_err why, const char *stream_cond)
{
    tell(k, S2S_ERROR, cond_of(why, stream_cond));
}

void fed_verify_drop_all(fed_conn *c)
{
    while (c->checks.first != NULL)
        check_free(FED_OF(fed_check, on_conn, c->checks.first));
}

/* ---- asking ---- */

static void refuse(fed_conn *c, const s2s_event *ev, const char *cond)
{
    s2s_domain from = ev->from, to = ev->to;
    s2s_stream_answer_result(c->s, &from, &to, S2S_ERROR, cond, S2S_PROOF_NONE);
}

/* One dial is open to a domain at a time, whatever number of keys wait for it (attack 97). */
void fed_verify_begin(fed_conn *c, const s2s_event *ev)
{
    fed_target *t = NULL;
    if (c->checks.n < c->f->config->limits.checks_per_stream) t = fed_target_get(c->f, &ev->from);
    fed_check *k = t != NULL ? check_new(c, t, ev) : NULL;
    if (k == NULL) {
        refuse(c, ev, "resource-constraint");
        return;
    }
    fed_timer_set(&c->f->timers, &k->timer, deadline(c));
    fed_target_want(t);
}

static fed_check *find(fed_link *l, const s2s_event *ev)
{
    for (fed_hook *h = l->checks.first; h != NULL; h = h->next) {
        fed_check *k = FED_OF(fed_check, on_target, h);
        if (s2s_span_eq(k->id, ev->id) && s2s_domain_eq(&k->from, &ev->to) &&
            s2s_domain_eq(&k->to, &ev->from))
            return k;
    }
    return NULL;
}

/* Whoever asked may be gone. Any error of the authoritative server means the same (XEP-0220 2.5). */
void fed_verify_answered(fed_link *l, const s2s_event *ev)
{
    fed_check *k = find(l, ev);
    if (k == NULL)
        fed_link_spare(l);
    else if (ev->verdict == S2S_ERROR)
        tell(k, S2S_ERROR, "remote-server-not-found");
    else
        tell(k, ev->verdict, NULL);
}

/* ---- being asked ---- */

/* Takes as long whatever the key (attack 93). */
static bool same_key(s2s_span given, const char *ours, size_t len)
{
    unsigned char differs = given.len == len ? 0 : 1;
    for (size_t i = 0; i < len; i++) {
        char c = i < given.len ? given.ptr[i] : '\0';
        differs = (unsigned char)(differs | (unsigned char)(c ^ ours[i]));
    }
    return differs == 0;
}

/* Nothing is kept of the keys we made: whoever knows the secret could have made this one. */
void fed_verify_key(fed_conn *c, const s2s_event *ev)
{
    char key[65];
    s2s_domain from = ev->from, to = ev->to;
    c->f->world->dialback_key(c->f->w, c->side, &from, &to, ev->id, key);
    bool valid = same_key(ev->key, key, strlen(key));
    fed_say_key_checked(c, &from, &to, valid);
    if (valid && c->side == FED_INSIDE) fed_deaf_asked_about(c, ev->id);
    s2s_stream_answer_verify(c->s, &from, &to, ev->id, valid ? S2S_VALID : S2S_INVALID, NULL);
}
