/* Stream management (XEP-0198) and stream limits (XEP-0478) of the stream, both roles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "stream_end.h"
#include "stream_priv.h"

#define SM          "xmlns='urn:xmpp:sm:3'"
#define OFFER_SM    "<sm " SM "/>"
#define ENABLE      "<enable " SM "/>"
#define ASK         "<r " SM "/>"
#define ACK(h)      "<a " SM " h='" h "'/>"
#define COUNT_ERROR "<undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
#define FAILED(cond)                                                                               \
    "<failed " SM "><" cond " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
#define SM_ENABLE      "<enable " SM " resume='true'/>"
#define HERE           MESSAGE("u@a.example", "v@b.example")
#define LIMITS(inside) "<limits xmlns='urn:xmpp:stream-limits:0'>" inside "</limits>"

/* ---- the initiating side ---- */

static s2s_err send_one(end *e)
{
    s2s_domain a = domain("a.example"), b = domain("b.example");
    return s2s_stream_send(e->stream, &a, &b, S2S_LIT("<message/>"));
}

static void send_many(end *e, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(send_one(e), S2S_E_OK);
}

/* Up to the last features; `offers` stands in them. The pair is wanted. */
static end initiator(const s2s_stream_config *given, const char *offers)
{
    end e;
    char text[1000];
    s2s_domain a = domain("a.example"), b = domain("b.example");
    s2s_stream_config c = given != NULL ? *given : config_of(S2S_INITIATING);
    c.try_sm = true;
    c.tls = S2S_TLS_NONE;
    end_init(&e, S2S_INITIATING, &c);
    assert_int_equal(s2s_stream_want_pair(e.stream, &a, &b), S2S_E_OK);
    end_feed(&e, HEAD_BACK);
    snprintf(text, sizeof text, FEATURES(OFFER_DIALBACK "%s"), offers);
    end_feed(&e, text);
    end_out(&e);
    return e;
}

static void prove(end *e)
{
    end_feed(e, "<db:result from='b.example' to='a.example' type='valid'/>");
}

static end enabled(void)
{
    end e = initiator(NULL, OFFER_SM);
    prove(&e);
    assert_string_equal(end_out(&e), SM_ENABLE);
    end_feed(&e, "<enabled " SM "/>");
    end_log_clear(&e);
    return e;
}

/* Asked for with the first pair, before any stanza, and what is sent before the answer counts. */
static void enable_comes_before_stanzas(void **state)
{
    (void)state;
    end e = initiator(NULL, OFFER_SM);
    assert_int_equal(s2s_stream_sm(e.stream), S2S_SM_OFF); /* nothing is proved yet */
    prove(&e);
    assert_has(end_log(&e), "PAIR_OPEN");
    assert_string_equal(end_out(&e), SM_ENABLE);
    assert_int_equal(s2s_stream_sm(e.stream), S2S_SM_ASKED);
    send_many(&e, 2);
    s2s_stream_ask_ack(e.stream); /* a peer that does not know it may end the stream over it */
    assert_string_equal(end_out(&e), "<message/><message/>");
    end_feed(&e, "<enabled " SM " id='x' resume='false'/>");
    assert_int_equal(s2s_stream_sm(e.stream), S2S_SM_ON);
    assert_int_equal(s2s_stream_unacked(e.stream), 2);
    s2s_stream_ask_ack(e.stream);
    assert_string_equal(end_out(&e), ASK);
    end_feed(&e, ACK("1") ACK("1") ACK("2"));
    assert_has(end_log(&e), "ACKED count=1\nACKED count=1\n"); /* what is no news is not told */
    assert_int_equal(s2s_stream_unacked(e.stream), 0);
    s2s_stream_ask_ack(e.stream);
    assert_string_equal(end_out(&e), "");
    assert_int_equal(s2s_stream_resumable(e.stream).id.len, 0); /* the peer did not say it may be */
    end_fini(&e);
}

/* rows: prac-sm-peer */
static void only_the_version_we_know(void **state)
{
    (void)state;
    end e = initiator(NULL, "<sm xmlns='urn:xmpp:sm:2'/>");
    prove(&e);
    assert_string_equal(end_out(&e), "");
    end_feed(&e, "<enabled " SM "/>" ASK ACK("7")); /* nobody asked */
    assert_int_equal(s2s_stream_sm(e.stream), S2S_SM_OFF);
    assert_false(e.dead);
    end_fini(&e);
}

/* Refused: the stream goes on without. */
static void refused(void **state)
{
    (void)state;
    end e = initiator(NULL, OFFER_SM);
    prove(&e);
    send_many(&e, 3);
    end_feed(&e, FAILED("unexpected-request"));
    assert_int_equal(s2s_stream_sm(e.stream), S2S_SM_OFF);
    assert_int_equal(s2s_stream_unacked(e.stream), 0);
    end_out(&e);
    end_feed(&e, ACK("1"));
    assert_hasnt(end_log(&e), "ACKED");
    send_many(&e, 1);
    assert_string_equal(end_out(&e), "<message/>"); /* and does not ask again */
    end_fini(&e);
}

static void counts_wrap(void **state)
{
    (void)state;
    end e = enabled();
    s2s_sm *sm = &e.stream->sm;
    sm->sent = sm->acked = sm->asked = UINT32_MAX - 1;
    send_many(&e, 4);
    end_feed(&e, ACK("4294967295"));
    assert_string_equal(end_log(&e), "ACKED count=1\n");
    end_log_clear(&e);
    end_feed(&e, ACK("2"));
    assert_string_equal(end_log(&e), "ACKED count=3\n");
    end_fini(&e);

    e = receiver_proved();
    e.stream->offer_sm = true;
    end_feed(&e, ENABLE);
    end_out(&e);
    sm = &e.stream->sm;
    sm->got = sm->taken = sm->told = UINT32_MAX;
    end_feed(&e, HERE HERE ASK);
    s2s_stream_taken(e.stream, 1);
    assert_false(s2s_stream_ack_due(e.stream));
    s2s_stream_taken(e.stream, 1);
    end_walk(&e);
    assert_string_equal(end_out(&e), ACK("1"));
    end_fini(&e);
}

static void check_too_high(const char *ack, const char *h)
{
    char text[200];
    end e = enabled();
    send_many(&e, 3);
    end_feed(&e, ACK("2"));
    end_out(&e);
    end_feed(&e, ack);
    assert_has(end_log(&e), "DEAD err=sm_count cond=undefined-condition");
    snprintf(text, sizeof text,
             "<stream:error>" COUNT_ERROR "<handled-count-too-high " SM
             " h='%s' send-count='3'/></stream:error></stream:stream>",
             h);
    assert_string_equal(end_out(&e), text);
    end_fini(&e);
}

/* More than was sent; and back behind what was acknowledged is the same, modulo 2^32 (attack 116). */
static void counts_that_cannot_be(void **state)
{
    (void)state;
    check_too_high(ACK("4"), "4");
    check_too_high(ACK("1"), "1");
    check_too_high(ACK("4294967295"), "4294967295");
    end e = enabled();
    const char *const none[] = {"<a " SM "/>", ACK(""), ACK("-1"), ACK("4294967296"),
                                ACK("00000000001")};
    end_fini(&e);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        e = enabled();
        end_feed(&e, none[i]);
        assert_has(end_log(&e), "DEAD err=sm_malformed");
        assert_has(end_out(&e), "<bad-format");
        end_fini(&e);
    }
}

/* Behind our close tag acknowledgements still count, and whatever else comes is let be. */
static void acknowledged_while_closing(void **state)
{
    (void)state;
    end e = enabled();
    send_many(&e, 3);
    s2s_stream_close(e.stream, S2S_E_OK, (s2s_span){NULL, 0});
    end_feed(&e, ACK("2") ACK("77") ASK "<enabled " SM "/>");
    assert_string_equal(end_log(&e), "ACKED count=2\n");
    end_feed(&e, "</stream:stream>");
    assert_has(end_log(&e), "CLOSED");
    end_fini(&e);
}

/* ---- resuming ---- */

static end resuming(uint32_t sent, uint32_t acked)
{
    s2s_stream_config c = config_of(S2S_INITIATING);
    s2s_resumable before = {
        .id = S2S_LIT("o'ld"), .seconds = 60, .sent = sent, .acked = acked, .taken = 5};
    c.resume = &before;
    end e = initiator(&c, OFFER_SM);
    end_log_clear(&e);
    prove(&e);
    assert_string_equal(end_out(&e), "<resume " SM " previd='o&apos;ld' h='5'/>");
    assert_string_equal(end_log(&e), ""); /* no pair is open before the answer */
    assert_int_equal(send_one(&e), S2S_E_NOT_PROVED);
    return e;
}

static void what_may_be_resumed(void **state)
{
    (void)state;
    end e = initiator(NULL, OFFER_SM);
    prove(&e);
    end_feed(&e, "<enabled " SM " id='s1' resume='1' max='300' location='x.example'/>");
    send_many(&e, 3);
    end_feed(&e, ACK("1"));
    s2s_resumable r = s2s_stream_resumable(e.stream);
    assert_true(s2s_span_is(r.id, "s1"));
    assert_int_equal(r.seconds, 300);
    assert_int_equal(r.sent, 3);
    assert_int_equal(r.acked, 1);
    assert_int_equal(r.taken, 0);
    end_fini(&e);
}

static void resumed(void **state)
{
    (void)state;
    end e = resuming(9, 4);
    end_feed(&e, "<resumed " SM " previd='o&apos;ld' h='6'/>");
    assert_string_equal(end_log(&e), "RESUMED count=2 verdict=valid\n"
                                     "PAIR_OPEN from=a.example to=b.example proof=dialback\n");
    assert_int_equal(s2s_stream_unacked(e.stream), 0);
    send_many(&e, 3); /* the rest */
    end_feed(&e, ACK("9"));
    assert_has(end_log(&e), "ACKED count=3");
    assert_true(s2s_span_is(s2s_stream_resumable(e.stream).id, "o'ld"));
    end_fini(&e);
}

static void resumed_with_a_count_that_cannot_be(void **state)
{
    (void)state;
    end e = resuming(9, 4);
    end_feed(&e, "<resumed " SM " previd='o&apos;ld' h='10'/>");
    assert_has(end_log(&e), "DEAD err=sm_count");
    assert_has(end_out(&e), "h='10' send-count='9'");
    end_fini(&e);
    e = resuming(9, 4);
    end_feed(&e, "<resumed " SM " previd='o&apos;ld'/>");
    assert_has(end_log(&e), "DEAD err=sm_malformed");
    end_fini(&e);
}

/* A new one is begun, and counts from nothing. Some say how far the old one had come. */
static void not_resumed(void **state)
{
    (void)state;
    end e = resuming(9, 4);
    end_feed(&e, FAILED("item-not-found"));
    assert_string_equal(end_log(&e), "RESUMED count=0 verdict=invalid\n"
                                     "PAIR_OPEN from=a.example to=b.example proof=dialback\n");
    assert_string_equal(end_out(&e), SM_ENABLE);
    send_many(&e, 1);
    end_feed(&e, "<enabled " SM "/>" ACK("1"));
    assert_has(end_log(&e), "ACKED count=1");
    end_fini(&e);

    e = resuming(9, 4);
    end_feed(&e, "<failed " SM " h='7'><item-not-found "
                 "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
    assert_has(end_log(&e), "RESUMED count=3 verdict=invalid\n");
    end_fini(&e);
    e = resuming(9, 4);
    end_feed(&e, "<failed " SM " h='70'/>"); /* nonsense says nothing */
    assert_has(end_log(&e), "RESUMED count=0 verdict=invalid\n");
    end_feed(&e, FAILED("unexpected-request")); /* nor does it know the rest */
    assert_int_equal(s2s_stream_sm(e.stream), S2S_SM_OFF);
    end_fini(&e);
}

/* ---- the receiving side ---- */

static void offered_where_tls_is_settled(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    e.answer.offer_sm = true;
    end_feed(&e, HEAD_AB STARTTLS);
    assert_hasnt(end_out(&e), "urn:xmpp:sm:3"); /* TLS is to come */
    end_feed(&e, HEAD_AB);
    assert_has(end_out(&e),
               FEATURES(OFFER_EXTERNAL OFFER_DIALBACK OFFER_SM)); /* dialback may prove it */
    end_feed(&e, AUTH("="));
    end_feed(&e, HEAD_AB);
    assert_has(end_out(&e), FEATURES(OFFER_DIALBACK OFFER_SM));
    end_fini(&e);
}

static end managed(void)
{
    end e = receiver_proved();
    e.stream->offer_sm = true;
    end_feed(&e, ENABLE);
    assert_string_equal(end_out(&e), "<enabled " SM "/>");
    return e;
}

/* Only what our caller has taken, once for all that came together, and nothing but stanzas. */
static void acknowledges_what_is_taken(void **state)
{
    (void)state;
    end e = managed();
    end_feed(&e, ASK);
    assert_string_equal(end_out(&e), ACK("0"));
    end_feed(&e, HERE " \n" HERE VERIFY("a.example", "b.example", "7") ASK ASK ASK);
    assert_hasnt(end_out(&e), "<a "); /* something is to be taken first */
    s2s_stream_taken(e.stream, 1);
    assert_true(s2s_stream_ack_asked(e.stream) && !s2s_stream_ack_due(e.stream));
    s2s_stream_tell_taken(e.stream); /* but the peer is not let wait for ever */
    assert_string_equal(end_out(&e), ACK("1"));
    s2s_stream_tell_taken(e.stream); /* nothing new, and nobody asks */
    assert_string_equal(end_out(&e), "");
    end_feed(&e, ASK);
    s2s_stream_taken(e.stream, 1);
    assert_true(s2s_stream_ack_due(e.stream));
    end_walk(&e);
    assert_string_equal(end_out(&e), ACK("2"));
    end_feed(&e, ASK ASK ASK);
    assert_string_equal(end_out(&e), ACK("2"));
    end_feed(&e,
             "<message from='u@a.example' to='@@'/>"); /* told as refused: a stanza all the same */
    s2s_stream_taken(e.stream, 1);
    end_feed(&e, ASK);
    assert_string_equal(end_out(&e), ACK("3"));
    end_fini(&e);
}

static void before_the_proof_and_twice(void **state)
{
    (void)state;
    end e = receiver_in_tls();
    e.stream->offer_sm = true;
    end_feed(&e, ENABLE);
    assert_string_equal(end_out(&e), FAILED("unexpected-request"));
    end_feed(&e, "<resume " SM " previd='x' h='0'/>");
    assert_string_equal(end_out(&e), FAILED("unexpected-request"));
    assert_int_equal(s2s_stream_sm(e.stream), S2S_SM_OFF);
    end_fini(&e);

    e = managed();
    end_feed(&e, ENABLE);
    assert_string_equal(end_out(&e), FAILED("unexpected-request"));
    end_feed(&e, "<resume " SM " previd='x' h='0'/>");
    assert_string_equal(end_out(&e), FAILED("unexpected-request"));
    assert_int_equal(s2s_stream_sm(e.stream), S2S_SM_ON);
    end_fini(&e);

    e = receiver_proved();
    e.stream->offer_sm = true;
    end_feed(&e, "<resume " SM " previd='x' h='0'/>");
    assert_string_equal(end_out(&e), FAILED("item-not-found"));
    end_feed(&e, ENABLE);
    assert_string_equal(end_out(&e), "<enabled " SM "/>");
    end_fini(&e);
}

static void not_offered(void **state)
{
    (void)state;
    end e = receiver_proved();
    end_feed(&e, ENABLE ASK ACK("3") "<resume " SM " previd='x' h='0'/>");
    assert_string_equal(end_out(&e), "");
    assert_false(e.dead);
    end_fini(&e);
}

/* What is taken is told before our close tag; what comes behind it is left to the peer (rows: X0198-4-d). */
static void told_before_the_end(void **state)
{
    (void)state;
    end e = managed();
    end_feed(&e, HERE HERE HERE);
    s2s_stream_taken(e.stream, 2);
    s2s_stream_close(e.stream, S2S_E_OK, (s2s_span){NULL, 0});
    assert_string_equal(end_out(&e), ACK("2") "</stream:stream>");
    end_log_clear(&e);
    end_feed(&e, HERE);
    assert_string_equal(end_log(&e), "");
    end_feed(&e, "</stream:stream>");
    assert_has(end_log(&e), "CLOSED");
    end_fini(&e);

    e = managed();
    end_feed(&e, HERE);
    s2s_stream_taken(e.stream, 1);
    s2s_stream_close(e.stream, S2S_E_SHUTDOWN, (s2s_span){NULL, 0});
    assert_has(end_out(&e), ACK("1") "<stream:error><system-shutdown");
    end_fini(&e);

    e = managed();
    end_feed(&e, HERE);
    s2s_stream_taken(e.stream, 1);
    end_feed(&e, "</stream:stream>"); /* the peer was first */
    assert_string_equal(end_out(&e), ACK("1") "</stream:stream>");
    end_fini(&e);
}

/* ---- limits (XEP-0478) ---- */

static void limits_are_told(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    e.answer.max_bytes = 20000;
    e.answer.idle_seconds = 3600;
    end_feed(&e, HEAD_AB STARTTLS);
    assert_hasnt(end_out(&e), "stream-limits");
    end_feed(&e, HEAD_AB);
    assert_has(
        end_out(&e),
        LIMITS(
            "<max-bytes>20000</max-bytes><idle-seconds>3600</idle-seconds>") "</stream:features>");
    end_fini(&e);
}

static void check_limits(const char *limits, uint32_t bytes, uint32_t seconds)
{
    end e = initiator(NULL, limits);
    assert_int_equal(s2s_stream_peer_max_bytes(e.stream), bytes);
    assert_int_equal(s2s_stream_peer_idle_seconds(e.stream), seconds);
    end_fini(&e);
}

static void limits_are_read(void **state)
{
    (void)state;
    check_limits(LIMITS("<max-bytes>20000</max-bytes>"), 20000, 0);
    check_limits(LIMITS("<idle-seconds>10</idle-seconds><max-bytes>262144</max-bytes>"), 262144,
                 10);
    check_limits(LIMITS(""), 0, 0);
    check_limits(LIMITS("<max-bytes>5</max-bytes>"), 10000, 0); /* nobody may bear less */
    check_limits(LIMITS("<max-bytes>-5</max-bytes><idle-seconds>soon</idle-seconds>"), 0, 0);
    check_limits(LIMITS("<max-bytes>99999999999999999999</max-bytes>"), 0, 0);
    check_limits("<limits xmlns='urn:other'><max-bytes>20000</max-bytes></limits>", 0, 0);
}

/* Never where it could be taken for part of something (RFC 6120 4.6.1). */
static void white_space_between_elements(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    s2s_stream_keep_alive(e.stream);
    assert_string_equal(end_out(&e), "");
    end_feed(&e, HEAD_AB);
    end_out(&e);
    s2s_stream_keep_alive(e.stream);
    assert_string_equal(end_out(&e), ""); /* STARTTLS may come */
    end_fini(&e);
    e = receiver_proved();
    s2s_stream_keep_alive(e.stream);
    assert_string_equal(end_out(&e), " ");
    s2s_stream_close(e.stream, S2S_E_OK, (s2s_span){NULL, 0});
    end_out(&e);
    s2s_stream_keep_alive(e.stream);
    assert_string_equal(end_out(&e), "");
    end_fini(&e);
    e = enabled();
    s2s_stream_keep_alive(e.stream);
    assert_string_equal(end_out(&e), " ");
    end_fini(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enable_comes_before_stanzas),
        cmocka_unit_test(only_the_version_we_know),
        cmocka_unit_test(refused),
        cmocka_unit_test(counts_wrap),
        cmocka_unit_test(counts_that_cannot_be),
        cmocka_unit_test(acknowledged_while_closing),
        cmocka_unit_test(what_may_be_resumed),
        cmocka_unit_test(resumed),
        cmocka_unit_test(resumed_with_a_count_that_cannot_be),
        cmocka_unit_test(not_resumed),
        cmocka_unit_test(offered_where_tls_is_settled),
        cmocka_unit_test(acknowledges_what_is_taken),
        cmocka_unit_test(before_the_proof_and_twice),
        cmocka_unit_test(not_offered),
        cmocka_unit_test(told_before_the_end),
        cmocka_unit_test(limits_are_told),
        cmocka_unit_test(limits_are_read),
        cmocka_unit_test(white_space_between_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
