/* relay.c - see relay.h. The handshakes are the core's streams; behind them each side is on its own: xml in, buffer out. */
#include "relay.h"

#include <s2s/buf.h>
#include <s2s/stream.h>
#include <s2s/xml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DOORS = 8, HIGH = 262144, LOW = 65536 };

typedef struct door {
    relay *r;
    const char *next;
    struct side *out; /* shared by all that come in; not with bytes */
} door;

typedef struct side { /* one connection */
    struct side *next;
    door *door;
    net_conn *conn;
    s2s_stream *stream; /* of the handshake */
    s2s_xml *xml;       /* incoming stanzas, behind it */
    s2s_buf out;        /* behind it */
    bool incoming, open, over, shows_out;
    struct side *mate; /* where its stanzas go, or its bytes */
    s2s_domain ours, theirs;
} side;

struct relay {
    relay_plan plan;
    net *net;
    net_cert *cert;
    side *sides;
    door doors[MAX_DOORS];
    size_t n_doors;
    bool ended; /* some side is over: to be swept */
};

static side *side_new(door *d, bool incoming)
{
    side *s = calloc(1, sizeof *s);
    S2S_ASSERT(s);
    s->door = d;
    s->incoming = incoming;
    s2s_buf_init(&s->out, 0);
    s->next = d->r->sides;
    d->r->sides = s;
    return s;
}

static void side_free(side *s)
{
    if (s->stream) s2s_stream_free(s->stream);
    s2s_xml_free(s->xml);
    s2s_buf_fini(&s->out);
    free(s);
}

/* ---- ends ---- */

static void side_end(side *s)
{
    relay *r = s->door->r;
    if (s->over) return;
    s->over = true;
    r->ended = true;
    if (s->conn) net_close(s->conn);
    s->conn = NULL;
    if (s->door->out == s) s->door->out = NULL;
    for (side *o = r->sides; o; o = o->next)
        if (o->mate == s) {
            o->mate = NULL;
            side_end(o);
        }
    if (r->plan.bytes && s->mate) side_end(s->mate);
}

static void sweep(relay *r)
{
    if (!r->ended) return;
    r->ended = false;
    for (side **at = &r->sides; *at;) {
        side *s = *at;
        if (s->over) {
            *at = s->next;
            side_free(s);
        } else
            at = &s->next;
    }
}

/* ---- the way of a stanza ---- */

static void put(s2s_buf *out, s2s_span bytes)
{
    s2s_err err = s2s_buf_put(out, bytes);
    S2S_ASSERT(err == S2S_E_OK);
}

/* In the order of the canonical form; absent ones are left out. */
static void put_attr(s2s_buf *out, const s2s_xml_item *item, s2s_span name)
{
    for (size_t i = 0; i < item->n_attrs; i++) {
        const s2s_xml_attr *a = &item->attrs[i];
        if (!s2s_span_eq(a->name, name)) continue;
        put(out, a->ns.len ? S2S_LIT(" xml:") : S2S_LIT(" "));
        put(out, name);
        put(out, S2S_LIT("='"));
        s2s_err err = s2s_buf_put_escaped(out, a->value);
        S2S_ASSERT(err == S2S_E_OK);
        put(out, S2S_LIT("'"));
    }
}

static void forward(s2s_buf *out, const s2s_xml_item *item)
{
    put(out, S2S_LIT("<"));
    put(out, item->name);
    put_attr(out, item, S2S_LIT("from"));
    put_attr(out, item, S2S_LIT("to"));
    put_attr(out, item, S2S_LIT("type"));
    put_attr(out, item, S2S_LIT("id"));
    put_attr(out, item, S2S_LIT("lang"));
    put(out, item->other_attrs);
    put(out, item->inside);
}

static s2s_span attr(const s2s_xml_item *item, const char *name)
{
    for (size_t i = 0; i < item->n_attrs; i++)
        if (s2s_span_is(item->attrs[i].name, name)) return item->attrs[i].value;
    return (s2s_span){"", 0};
}

/* A further pair on the link, asked by dialback: believed. */
static void believe(side *s, const s2s_xml_item *item)
{
    char text[1024];
    s2s_span from = attr(item, "from"), to = attr(item, "to");
    int n = snprintf(text, sizeof text, "<db:result from='%.*s' to='%.*s' type='valid'/>",
                     (int)to.len, to.ptr, (int)from.len, from.ptr);
    if (n > 0 && (size_t)n < sizeof text) put(&s->out, (s2s_span){text, (size_t)n});
    net_flush(s->conn);
}

static void take_item(side *s, const s2s_xml_item *item)
{
    if (item->inside.ptr)
        forward(&s->mate->out, item);
    else if (s2s_span_is(item->ns, "jabber:server:dialback") && s2s_span_is(item->name, "result"))
        believe(s, item);
}

static void relay_stanzas(side *s, s2s_span bytes)
{
    side *mate = s->mate;
    for (;;) {
        s2s_xml_item item = s2s_xml_next(s->xml);
        if (item.kind == S2S_XML_NONE) {
            if (bytes.len == 0) break;
            size_t n = s2s_xml_feed(s->xml, bytes);
            bytes.ptr += n;
            bytes.len -= n;
        } else if (item.kind == S2S_XML_ELEMENT)
            take_item(s, &item);
        else if (item.kind != S2S_XML_HEAD) {
            side_end(s);
            break;
        }
    }
    if (mate->conn && s2s_buf_span(&mate->out).len > 0) net_flush(mate->conn);
}

/* Reading stops while what goes out does not leave; unlike a server's it is the same for all who come in at the door. */
static void hold_back(side *out, bool hold)
{
    for (side *s = out->door->r->sides; s; s = s->next)
        if (s->mate == out && s->conn && s->open) net_pause(s->conn, hold);
}

static void relay_bytes(side *s, s2s_span bytes)
{
    if (s->xml)
        relay_stanzas(s, bytes);
    else if (s->door->r->plan.bytes && s->mate && s->mate->conn) {
        put(&s->mate->out, bytes);
        net_flush(s->mate->conn);
    } /* else the next hop's close tag: the connection's end says the same */
    side *mate = s->mate;
    if (mate && s2s_buf_span(&mate->out).len > HIGH) hold_back(mate, true);
}

/* ---- handshakes ---- */

static const char HEAD[] = "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' "
                           "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

static void begin_xml(side *s)
{
    s->xml = s2s_xml_new(&s2s_xml_limits_open);
    S2S_ASSERT(s->xml);
    s2s_span head = S2S_LIT(HEAD);
    while (head.len > 0) {
        size_t n = s2s_xml_feed(s->xml, head);
        head.ptr += n;
        head.len -= n;
        (void)s2s_xml_next(s->xml);
    }
    s2s_xml_set_limits(s->xml, &s2s_xml_limits_open);
}

static side *dial(side *in)
{
    door *d = in->door;
    side *s = side_new(d, false);
    s2s_stream_config config;
    s2s_stream_config_init(&config, S2S_INITIATING);
    config.from = s->ours = in->theirs;
    config.to = s->theirs = in->ours;
    config.tls = S2S_TLS_REQUIRED;
    config.try_external = true;
    s->stream = s2s_stream_new(&config);
    S2S_ASSERT(s->stream);
    s2s_err err = s2s_stream_want_pair(s->stream, &config.from, &config.to);
    S2S_ASSERT(err == S2S_E_OK);
    s->conn = net_dial(d->r->net, d->next, s);
    return s;
}

/* The stream's last words of the handshake are answered: from here on it is stanzas. */
static void incoming_open(side *s)
{
    bool shared = !s->door->r->plan.bytes;
    side *out = shared && s->door->out ? s->door->out : dial(s);
    if (shared) {
        s->door->out = out;
        begin_xml(s);
    } else
        out->mate = s;
    s->mate = out;
    s->open = true;
    if (!out->conn)
        side_end(s);
    else if (!out->open)
        net_pause(s->conn, true);
}

static void outgoing_open(side *s)
{
    s->open = true;
    net_flush(s->conn);
    hold_back(s, false);
}

static void answer_head(side *s, const s2s_head *head)
{
    char id[33];
    net_random_id(id);
    s2s_answer answer = {.as = head->to,
                         .id = s2s_span_of(id),
                         .tls = S2S_TLS_REQUIRED,
                         .offer_external = head->after_tls};
    s->ours = head->to;
    s->theirs = head->from;
    s2s_stream_answer(s->stream, &answer);
    if (head->after_sasl) incoming_open(s);
}

static void event(side *s, const s2s_event *e)
{
    switch (e->kind) {
    case S2S_EV_HEAD:
        if (s->incoming) answer_head(s, e->head);
        break;
    case S2S_EV_NEED_TLS:
        net_tls(s->conn, !s->incoming, s->door->r->cert, s->incoming ? NULL : s->theirs.text);
        break;
    case S2S_EV_AUTH: s2s_stream_answer_auth(s->stream, true, NULL); break;
    case S2S_EV_PAIR_OPEN:
        if (!s->incoming) outgoing_open(s);
        break;
    case S2S_EV_PAIR_REFUSED:
        fprintf(stderr, "causeway-relay: the next hop does not take %s: %s\n", e->from.text,
                s2s_err_of(e->err)->sentence);
        side_end(s);
        break;
    case S2S_EV_CLOSED:
    case S2S_EV_DEAD: side_end(s); break;
    default: break;
    }
}

static void pump(side *s)
{
    while (!s->over) {
        const s2s_event *e = s2s_stream_next(s->stream);
        if (e->kind == S2S_EV_NONE) break;
        event(s, e);
    }
    if (s->conn) net_flush(s->conn);
}

/* ---- what the net tells ---- */

static void on_accepted(void *owner, net_conn *c)
{
    side *s = side_new(owner, true);
    s2s_stream_config config;
    s2s_stream_config_init(&config, S2S_RECEIVING);
    s->stream = s2s_stream_new(&config);
    S2S_ASSERT(s->stream);
    s->conn = c;
    net_adopt(c, s);
}

static void on_connected(void *user)
{
    pump(user);
}

static void on_bytes(void *user, s2s_span bytes)
{
    side *s = user;
    if (s->over) return;
    if (s->open) {
        relay_bytes(s, bytes);
        return;
    }
    s2s_stream_feed(s->stream, bytes);
    pump(s);
}

static void on_tls(void *user, const char *version)
{
    side *s = user;
    (void)version;
    if (s->over) return;
    s2s_stream_tls_done(s->stream);
    pump(s);
}

static void on_lost(void *user, s2s_err why)
{
    side *s = user;
    (void)why;
    s->conn = NULL;
    side_end(s);
}

static s2s_span on_out(void *user)
{
    side *s = user;
    s2s_span stream = s2s_stream_out(s->stream), out = s2s_buf_span(&s->out);
    s->shows_out = s->open && stream.len == 0;
    return s->shows_out ? out : stream;
}

static void on_sent(void *user, size_t n)
{
    side *s = user;
    if (!s->shows_out) {
        s2s_stream_sent(s->stream, n);
        return;
    }
    bool was_high = s2s_buf_span(&s->out).len > LOW;
    s2s_buf_consume(&s->out, n);
    if (was_high && s2s_buf_span(&s->out).len <= LOW) hold_back(s, false);
}

static const net_handler handler = {on_accepted, on_connected, on_bytes, on_tls,
                                    on_lost,     on_out,       on_sent,  NULL};

/* ---- the public part ---- */

relay *relay_new(const relay_plan *plan)
{
    relay *r = calloc(1, sizeof *r);
    S2S_ASSERT(r);
    r->plan = *plan;
    r->net = net_new(&handler, plan->ca);
    r->cert = r->net ? net_load(r->net, plan->cert, plan->key) : NULL;
    if (r->cert) return r;
    relay_free(r);
    return NULL;
}

bool relay_door(relay *r, const char *listen, const char *next)
{
    if (r->n_doors == MAX_DOORS) return false;
    door *d = &r->doors[r->n_doors++];
    d->r = r;
    d->next = next;
    return net_listen(r->net, listen, d);
}

void relay_run(relay *r, const volatile int *stopped)
{
    while (!*stopped) {
        net_turn(r->net, true);
        sweep(r);
    }
}

void relay_free(relay *r)
{
    for (side *s = r->sides; s; s = s->next)
        side_end(s);
    sweep(r);
    if (r->net) net_free(r->net);
    free(r);
}
