/* ping.c - see ping.h. */
#include "fed/ping.h"

#include <string.h>

#include "fed/alive.h"
#include "fed/conn.h"
#include "fed/queue.h"
#include "fed/tally.h"
#include "fed/target.h"
#include "fed/turn.h"
#include "s2s/buf.h"

#define PREFIX "ping-"

static bool is_wanted(const fed_conn *c)
{
    const fed_link *l = c->link;
    return l != NULL && !l->back && l->target->server == NULL &&
           s2s_stream_sm(c->s) == S2S_SM_OFF && s2s_stream_pair_open(c->s, &l->from, &l->to) &&
           fed_config_policy(c->f->config, &l->to)->ping;
}

static void put_domain(s2s_buf *b, s2s_err *err, s2s_span name, const s2s_domain *d)
{
    char wire[S2S_DOMAIN_WIRE_MAX + 1];
    if (*err == S2S_E_OK) *err = s2s_buf_put_attr(b, name, s2s_domain_wire(d, wire));
}

static s2s_err write(s2s_buf *b, const fed_link *l, const char *id)
{
    s2s_err err = s2s_buf_puts(b, "<iq");
    put_domain(b, &err, S2S_LIT("from"), &l->from);
    put_domain(b, &err, S2S_LIT("to"), &l->to);
    if (err == S2S_E_OK) err = s2s_buf_put_attr(b, S2S_LIT("type"), S2S_LIT("get"));
    if (err == S2S_E_OK) err = s2s_buf_put_attr(b, S2S_LIT("id"), s2s_span_of(id));
    if (err == S2S_E_OK) err = s2s_buf_puts(b, "><ping xmlns='urn:xmpp:ping'/></iq>");
    return err;
}

bool fed_ping_send(fed_conn *c)
{
    s2s_buf bytes;
    if (!is_wanted(c)) return false;
    const fed_link *l = c->link;
    memcpy(c->ping, PREFIX, sizeof PREFIX - 1);
    fed_random_id(c->f, c->ping + sizeof PREFIX - 1);
    s2s_buf_init(&bytes, 0);
    s2s_err err = write(&bytes, l, c->ping);
    if (err == S2S_E_OK) err = s2s_stream_send(c->s, &l->from, &l->to, s2s_buf_span(&bytes));
    s2s_buf_fini(&bytes);
    if (err != S2S_E_OK) c->ping[0] = '\0';
    return err == S2S_E_OK;
}

/* ---- the answer ---- */

/* Nobody else knows such an id: it has 128 bits of chance. */
static bool may_be_one(const s2s_stanza *st)
{
    return st->kind == S2S_IQ && st->id.len == FED_PING_ID - 1 &&
           memcmp(st->id.ptr, PREFIX, sizeof PREFIX - 1) == 0 &&
           (s2s_span_is(st->type, "result") || s2s_span_is(st->type, "error"));
}

static fed_conn *asked_about(fed *f, const s2s_stanza *st)
{
    const fed_target *t = fed_target_find(f, &st->from_domain);
    if (t == NULL) return NULL;
    for (const fed_hook *h = t->links.first; h != NULL; h = h->next) {
        fed_conn *c = FED_OF(fed_link, hook, h)->conn;
        if (c != NULL && s2s_span_is(st->id, c->ping)) return c;
    }
    return NULL;
}

/* Taken, where stanzas are counted (XEP-0198), like one that was answered. */
static void take(fed_conn *c, const s2s_stanza *st)
{
    fed_item *item = fed_item_new(st, FED_INBOUND, c->f->now);
    bool counted = item != NULL && fed_tally_add(c, item);
    fed_item_free(item);
    if (!counted) fed_conn_close(c, S2S_E_RESOURCE, (s2s_span){NULL, 0});
}

bool fed_ping_answered(fed_conn *c, const s2s_stanza *st)
{
    if (c->side != FED_OUTSIDE || !may_be_one(st)) return false;
    fed_conn *asked = asked_about(c->f, st);
    if (asked == NULL) return false;
    asked->ping[0] = '\0';
    fed_alive_heard(asked);
    take(c, st);
    return true;
}
