/* say.c - see say.h. */
#include "fed/say.h"

#include <stdio.h>

#include "fed/conn.h"

/* ---- a line ---- */

enum { FIELDS_MAX = 16, TEXT_MAX = 512 };

typedef struct line {
    fed *f;
    fed_level level;
    const char *event;
    fed_field fields[FIELDS_MAX];
    size_t n;
    char text[TEXT_MAX]; /* numbers and addresses, terminated */
    size_t used;
} line;

static void begin(line *l, fed *f, fed_level level, const char *event)
{
    l->f = f;
    l->level = level;
    l->event = event;
    l->n = 0;
    l->used = 0;
}

static void put_span(line *l, const char *key, s2s_span value)
{
    if (value.len == 0) return;
    S2S_ASSERT(l->n < FIELDS_MAX);
    l->fields[l->n++] = (fed_field){key, value};
}

static void put(line *l, const char *key, const char *value)
{
    put_span(l, key, s2s_span_of(value));
}

static void put_domain(line *l, const char *key, const s2s_domain *d)
{
    put_span(l, key, s2s_domain_span(d));
}

static void put_number(line *l, const char *key, uint64_t value)
{
    char *at = l->text + l->used;
    int n = snprintf(at, TEXT_MAX - l->used, "%llu", (unsigned long long)value);
    S2S_ASSERT(n > 0 && (size_t)n < TEXT_MAX - l->used);
    l->used += (size_t)n + 1;
    put(l, key, at);
}

static void put_addr(line *l, const char *key, const fed_addr *a)
{
    if (a->family == 0) return;
    S2S_ASSERT(TEXT_MAX - l->used >= FED_ADDR_TEXT);
    char *at = l->text + l->used;
    put(l, key, fed_addr_print(a, at));
    l->used += l->fields[l->n - 1].value.len + 1;
}

static void put_why(line *l, s2s_err why)
{
    put(l, "why", s2s_err_of(why)->name);
    put(l, "stage", s2s_err_of(why)->stage);
}

static void end(line *l)
{
    l->f->world->log(l->f->w, l->level, l->event, l->fields, l->n);
}

/* Peers come and go: that is news for whoever looks closer. What hurts somebody is a notice. */
static fed_level level_of(s2s_err why)
{
    switch (s2s_err_of(why)->cls) {
    case S2S_CLASS_OK: return FED_INFO;
    case S2S_CLASS_PEER: return FED_NOTICE;
    case S2S_CLASS_POLICY: return FED_NOTICE;
    case S2S_CLASS_NET: return FED_NOTICE;
    case S2S_CLASS_SELF: return why == S2S_E_NOMEM || why == S2S_E_RESOURCE ? FED_ERROR : FED_INFO;
    }
    return FED_INFO;
}

/* ---- connections ---- */

static const char *side_name(fed_side side)
{
    return side == FED_OUTSIDE ? "outside" : "inside";
}

static void put_conn(line *l, const fed_conn *c)
{
    put_number(l, "conn", c->id);
    put(l, "side", side_name(c->side));
    put(l, "role", c->role == S2S_INITIATING ? "initiating" : "receiving");
    put_addr(l, "peer", &c->peer);
    put_domain(l, "ours", &c->ours);
    put_domain(l, "theirs", &c->theirs);
    if (c->server != NULL) put(l, "server", c->server->name);
}

/* How TLS came about, and which. */
static void put_tls(line *l, const fed_conn *c)
{
    put(l, "tls", !c->in_tls ? "none" : c->direct ? "direct" : "starttls");
    if (c->in_tls) put(l, "version", c->tls.version);
    if (c->in_tls && c->tls.resumed) put(l, "resumed", "yes");
    if (c->link != NULL && c->proof != S2S_PROOF_NONE)
        put(l, "peer_proof", s2s_proof_name(c->proof));
}

void fed_say_accepted(const fed_conn *c)
{
    line l;
    begin(&l, c->f, FED_DEBUG, "conn_accepted");
    put_conn(&l, c);
    end(&l);
}

void fed_say_refused(fed *f, const fed_addr *peer, s2s_err why)
{
    line l;
    fed_ledger_why(&f->ledger, FED_WHAT_LINK, why);
    begin(&l, f, FED_NOTICE, "conn_refused");
    put_addr(&l, "peer", peer);
    put_why(&l, why);
    end(&l);
}

void fed_say_conn_state(const fed_conn *c, const char *was, const char *is)
{
    line l;
    begin(&l, c->f, FED_DEBUG, "conn_state");
    put_conn(&l, c);
    put(&l, "was", was);
    put(&l, "is", is);
    end(&l);
}

void fed_say_conn_ended(fed_conn *c, s2s_err why, s2s_span detail)
{
    line l;
    fed_ledger_why(&c->f->ledger, FED_WHAT_LINK, why);
    begin(&l, c->f, level_of(why), "conn_ended");
    put_conn(&l, c);
    put_why(&l, why);
    if (c->cond != NULL) put(&l, "condition", c->cond);
    put_span(&l, "detail", detail);
    put_number(&l, "stanzas_in", c->stanzas_in);
    put_number(&l, "stanzas_out", c->stanzas_out);
    put_number(&l, "lived_ms", c->f->now - c->since);
    end(&l);
}

void fed_say_noted(const fed_conn *c, const s2s_event *ev)
{
    line l;
    begin(&l, c->f, FED_INFO, "noted");
    put_conn(&l, c);
    put(&l, "what", s2s_err_of(ev->err)->name);
    put_domain(&l, "from", &ev->from);
    put_domain(&l, "to", &ev->to);
    put_span(&l, "condition", ev->cond);
    end(&l);
}

/* ---- targets and links ---- */

static void put_target(line *l, const fed_target *t)
{
    put_domain(l, "domain", &t->domain);
    if (t->server != NULL) put(l, "server", t->server->name);
}

void fed_say_target_state(const fed_target *t, const char *was, const char *is)
{
    line l;
    begin(&l, t->f, FED_DEBUG, "target_state");
    put_target(&l, t);
    put(&l, "was", was);
    put(&l, "is", is);
    if (t->state == FED_TARGET_BACKOFF) {
        put_number(&l, "backoff_ms", fed_backoff_left(&t->backoff, t->f->now));
        put(&l, "last", s2s_err_of(t->why)->name);
    }
    end(&l);
}

void fed_say_link_state(const fed_link *k, const char *was, const char *is)
{
    line l;
    begin(&l, k->f, k->state == FED_LINK_UP ? FED_INFO : FED_DEBUG, "link_state");
    put_target(&l, k->target);
    if (k->conn != NULL) put_number(&l, "conn", k->conn->id);
    put_addr(&l, "endpoint", &k->endpoint);
    put(&l, "was", was);
    put(&l, "is", is);
    if (k->back) put(&l, "back", "yes");
    if (k->conn != NULL) put_tls(&l, k->conn);
    end(&l);
}

void fed_say_attempt_ended(const fed_link *k, const fed_attempt *a, const fed_conn *c, s2s_err why,
                           s2s_span detail)
{
    line l;
    fed_ledger_why(&k->f->ledger, FED_WHAT_ATTEMPT, why);
    begin(&l, k->f, level_of(why), "attempt_ended");
    put_target(&l, k->target);
    if (c != NULL) put_number(&l, "conn", c->id);
    put_addr(&l, "endpoint", &a->addr);
    if (a->direct) put(&l, "tls", "direct");
    put_why(&l, why);
    if (c != NULL && c->cond != NULL) put(&l, "condition", c->cond);
    put_span(&l, "detail", detail);
    end(&l);
}

/* ---- pairs ---- */

void fed_say_pair_open(fed *f, const fed_conn *c, const s2s_domain *from, const s2s_domain *to,
                       s2s_proof proof)
{
    line l;
    begin(&l, f, c->side == FED_OUTSIDE ? FED_INFO : FED_DEBUG, "pair_open");
    put_number(&l, "conn", c->id);
    put(&l, "side", side_name(c->side));
    put(&l, "role", c->role == S2S_INITIATING ? "initiating" : "receiving");
    put_domain(&l, "from", from);
    put_domain(&l, "to", to);
    put(&l, "proof", s2s_proof_name(proof));
    put_tls(&l, c);
    end(&l);
}

void fed_say_pair_refused(const fed_pair *p, const fed_conn *c, s2s_err why, s2s_span cond)
{
    line l;
    begin(&l, p->f, FED_NOTICE, "pair_refused");
    if (c != NULL) put_number(&l, "conn", c->id);
    put_domain(&l, "from", &p->from);
    put_domain(&l, "to", &p->to);
    put_why(&l, why);
    put_span(&l, "condition", cond);
    end(&l);
}

void fed_say_check_ended(const fed_check *k, const char *verdict, const char *cond)
{
    line l;
    begin(&l, k->f, FED_INFO, "check_ended");
    put_number(&l, "conn", k->conn->id);
    put_addr(&l, "peer", &k->conn->peer);
    put_domain(&l, "from", &k->from);
    put_domain(&l, "to", &k->to);
    put(&l, "verdict", verdict);
    if (cond != NULL) put(&l, "condition", cond);
    end(&l);
}

void fed_say_key_checked(const fed_conn *c, const s2s_domain *from, const s2s_domain *to,
                         bool valid)
{
    line l;
    begin(&l, c->f, valid ? FED_DEBUG : FED_NOTICE, "key_checked");
    put_number(&l, "conn", c->id);
    put_addr(&l, "peer", &c->peer);
    put_domain(&l, "from", from);
    put_domain(&l, "to", to);
    put(&l, "verdict", valid ? "valid" : "invalid");
    end(&l);
}

/* ---- stanzas ---- */

void fed_say_stanza_ended(fed *f, const fed_item *item, const char *fate, s2s_err why)
{
    line l;
    begin(&l, f, FED_INFO, "stanza_ended");
    put(&l, "fate", fate);
    put_why(&l, why);
    put(&l, "kind", s2s_kind_name(item->kind));
    put_span(&l, "type", item->type);
    put_span(&l, "from", item->from_domain);
    put_span(&l, "to", item->to_domain);
    put_span(&l, "id", item->id);
    if (item->own) put(&l, "own", "yes");
    end(&l);
}
