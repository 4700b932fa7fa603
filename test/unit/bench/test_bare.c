/* Components and stanzas without a stream: the handshake of XEP-0114, and what a stanza may be changed in. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "alike.h"
#include "bare.h"

/* ---- the component protocol, against a server played here ---- */

static const char HANDSHAKE[] = /* sha1sum of "3BF96D32secret" */
    "<handshake>b09ea9b3b7f586be8a08d0a3dd7466f110aeb136</handshake>";
static const char HEAD[] = "<?xml version='1.0'?><stream:stream from='l0.near.example' "
                           "xmlns='jabber:component:accept' id='3BF96D32' "
                           "xmlns:stream='http://etherx.jabber.org/streams'>";
static const char STANZA[] = "<message from='a@r' to='b@l'><body>&gt;</body></message>";

typedef struct played {
    net *net;
    net_conn *conn; /* of the played server */
    s2s_buf got, out;
    const char *answer; /* to the handshake */
    unsigned ready, broke;
    char arrived[256], why[256];
    bool answered;
    bare_link *link;
} played;

static void say(played *p, const char *text)
{
    assert_int_equal(s2s_buf_puts(&p->out, text), S2S_E_OK);
    net_flush(p->conn);
}

static void on_accepted(void *owner, net_conn *c)
{
    played *p = owner;
    p->conn = c;
    net_adopt(c, p);
}

static bool holds(const s2s_buf *b, const char *text)
{
    s2s_span all = s2s_buf_span(b);
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= all.len; i++)
        if (!memcmp(all.ptr + i, text, n)) return true;
    return false;
}

static void on_bytes(void *user, s2s_span bytes)
{
    played *p = user;
    static const char head[] = "<stream:stream xmlns='jabber:component:accept' "
                               "xmlns:stream='http://etherx.jabber.org/streams' "
                               "to='l0.near.example'>";
    bool had_head = holds(&p->got, head);
    assert_int_equal(s2s_buf_put(&p->got, bytes), S2S_E_OK);
    if (!had_head && holds(&p->got, head)) say(p, HEAD);
    if (!p->answered && holds(&p->got, HANDSHAKE)) {
        p->answered = true;
        say(p, p->answer);
    }
}

static void on_tls(void *user, const char *version)
{
    (void)user;
    (void)version;
}

static void on_lost(void *user, s2s_err why)
{
    played *p = user;
    (void)why;
    p->conn = NULL;
}

static s2s_span on_out(void *user)
{
    const played *p = user;
    return s2s_buf_span(&p->out);
}

static void on_sent(void *user, size_t n)
{
    played *p = user;
    s2s_buf_consume(&p->out, n);
}

static void on_connected(void *user)
{
    (void)user;
}

static const net_handler handler = {on_accepted, on_connected, on_bytes, on_tls,
                                    on_lost,     on_out,       on_sent,  NULL};

static void on_ready(void *ctx, bare_link *l)
{
    played *p = ctx;
    assert_ptr_equal(l, p->link);
    p->ready++;
    bare_put(l, s2s_span_of(STANZA));
}

static void on_arrived(void *ctx, s2s_span stanza)
{
    played *p = ctx;
    assert_true(stanza.len < sizeof p->arrived);
    memcpy(p->arrived, stanza.ptr, stanza.len);
}

static void on_broke(void *ctx, const char *why)
{
    played *p = ctx;
    p->broke++;
    snprintf(p->why, sizeof p->why, "%s", why);
}

static const bare_story story = {on_ready, on_arrived, on_broke};

static bool over(void *ctx)
{
    const played *p = ctx;
    return p->broke > 0 || (p->arrived[0] && holds(&p->got, STANZA));
}

static void play(played *p, const char *address, const char *answer)
{
    p->answer = answer;
    p->net = net_new(&handler, NULL);
    assert_non_null(p->net);
    s2s_buf_init(&p->got, 0);
    s2s_buf_init(&p->out, 0);
    bare *b = bare_new(p->net, &story, p);
    assert_true(net_listen(p->net, address, p));
    p->link = bare_component(b, address, "l0.near.example", "secret", FLUSH_RECORD);
    assert_non_null(p->link);
    assert_true(net_run(p->net, over, p, 20000));
    bare_free(b);
    net_free(p->net);
    s2s_buf_fini(&p->got);
    s2s_buf_fini(&p->out);
}

static void a_component_shakes_hands_and_speaks(void **state)
{
    (void)state;
    played p = {.ready = 0};
    play(&p, "127.0.7.1:25347",
         "<handshake/><message from='a@r' to='b@l'><body>&gt;</body></message>");
    assert_string_equal(p.why, "");
    assert_int_equal(p.ready, 1);
    assert_string_equal(p.arrived, STANZA);
}

static void a_refused_component_says_why(void **state)
{
    (void)state;
    played p = {.ready = 0};
    play(&p, "127.0.7.2:25347",
         "<stream:error><not-authorized "
         "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
    assert_int_equal(p.ready, 0);
    assert_int_equal(p.broke, 1);
    assert_non_null(strstr(p.why, "l0.near.example: it sent <stream:error><not-authorized"));
}

/* ---- what a server may write in its own way ---- */

#define OPEN    "<message from='a' to='b' id='1'>"
#define BODY    "<body>hi</body>"
#define RECEIPT "<request xmlns='urn:xmpp:receipts' a='1' b='2'/>"

static void only_the_order_of_attributes_is_free(void **state)
{
    static const struct {
        const char *a, *b;
        alike how;
    } cases[] = {
        {OPEN BODY RECEIPT "</message>", OPEN BODY RECEIPT "</message>", ALIKE_SAME},
        {OPEN BODY RECEIPT "</message>",
         "<message id='1' to='b' from='a'>" BODY RECEIPT "</message>", ALIKE_SAME},
        {OPEN BODY RECEIPT "</message>",
         OPEN BODY "<request a='1' xmlns='urn:xmpp:receipts' b='2'/></message>", ALIKE_SAME},
        {OPEN BODY RECEIPT "</message>", OPEN RECEIPT BODY "</message>", ALIKE_REARRANGED},
        {OPEN BODY RECEIPT "</message>", OPEN BODY BODY RECEIPT "</message>", ALIKE_NOT},
        {OPEN BODY BODY RECEIPT "</message>", OPEN BODY RECEIPT RECEIPT "</message>", ALIKE_NOT},
        {OPEN BODY RECEIPT "</message>", OPEN "<body>ho</body>" RECEIPT "</message>", ALIKE_NOT},
        {OPEN BODY RECEIPT "</message>",
         OPEN BODY "<request xmlns='urn:xmpp:receipts' a='2' b='1'/></message>", ALIKE_NOT},
        {OPEN "<x><i/><j/></x>" BODY "</message>", OPEN "<x><j/><i/></x>" BODY "</message>",
         ALIKE_NOT},
        {OPEN BODY "</message>", "<message from='b' to='a' id='1'>" BODY "</message>", ALIKE_NOT},
        {OPEN "text" BODY "</message>", OPEN BODY "text</message>", ALIKE_NOT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(alike_of(s2s_span_of(cases[i].a), s2s_span_of(cases[i].b)), cases[i].how);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_component_shakes_hands_and_speaks),
        cmocka_unit_test(a_refused_component_says_why),
        cmocka_unit_test(only_the_order_of_attributes_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
