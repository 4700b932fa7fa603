/* Bidirectional streams (XEP-0288) in both roles: how they are agreed on, whose stanzas may go where. */
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "stream_end.h"

#define SUCCESS  "<success xmlns='" NS_SASL "'/>"
#define VALID_AB "<db:result from='b.example' to='a.example' type='valid'/>"
#define KEY_AB   "<db:result from='a.example' to='b.example'>k3y</db:result>"

static s2s_err back(end *e, const char *from, const char *to)
{
    s2s_domain f = domain(from), t = domain(to);
    return s2s_stream_open_back(e->stream, &f, &t, S2S_PROOF_CERTIFICATE);
}

static s2s_err send_text(end *e, const char *from, const char *to, const char *text)
{
    s2s_domain f = domain(from), t = domain(to);
    return s2s_stream_send(e->stream, &f, &t, s2s_span_of(text));
}

static void want(end *e, const char *from, const char *to)
{
    s2s_domain f = domain(from), t = domain(to);
    assert_int_equal(s2s_stream_want_pair(e->stream, &f, &t), S2S_E_OK);
    end_walk(e);
}

/* A receiver inside TLS that offers both ways. */
static end receiver(void)
{
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    e.answer.offer_bidi = true;
    end_feed(&e, HEAD_AB STARTTLS);
    end_feed(&e, HEAD_AB);
    return e;
}

/* An initiator inside TLS that would like it, its header pair wanted. */
static end initiator(void)
{
    s2s_stream_config c = config_of(S2S_INITIATING);
    end e;
    c.try_bidi = true;
    end_init(&e, S2S_INITIATING, &c);
    want(&e, "a.example", "b.example");
    end_feed(&e, HEAD_BACK FEATURES(OFFER_TLS OFFER_BIDI));
    end_feed(&e, PROCEED);
    end_out(&e);
    end_log_clear(&e);
    return e;
}

/* The same, agreed on and proved by dialback; b.example is believed. */
static end initiator_open(void)
{
    end e = initiator();
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK OFFER_BIDI) VALID_AB);
    assert_has(end_log(&e), "PAIR_OPEN from=a.example to=b.example proof=dialback");
    assert_int_equal(back(&e, "b.example", "a.example"), S2S_E_OK);
    end_out(&e);
    end_log_clear(&e);
    return e;
}

static end receiver_open(void)
{
    end e = receiver();
    end_feed(&e, BIDI RESULT("a.example", "b.example", "k3y"));
    assert_has(end_log(&e), "PAIR_OPEN from=a.example to=b.example proof=dialback");
    assert_int_equal(back(&e, "b.example", "a.example"), S2S_E_OK);
    end_out(&e);
    end_log_clear(&e);
    return e;
}

/* ---- agreeing ---- */

/* rows: X0288-2.1 */
static void offered_under_tls_alone(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    e.answer.offer_bidi = true;
    e.answer.tls = S2S_TLS_OPTIONAL;
    end_feed(&e, HEAD_AB);
    assert_hasnt(end_out(&e), "bidi");
    end_feed(&e, BIDI); /* in clear it has no effect */
    assert_has(end_log(&e), "NOTE err=unsupported_stanza\n");
    assert_false(s2s_stream_bidi(e.stream));
    end_feed(&e, RESULT("a.example", "b.example", "k3y"));
    assert_int_equal(back(&e, "b.example", "a.example"), S2S_E_NOT_PROVED);
    end_fini(&e);

    e = receiver();
    assert_has(end_out(&e), OFFER_BIDI "</stream:features>");
    assert_false(s2s_stream_bidi(e.stream));
    end_feed(&e, BIDI);
    assert_true(s2s_stream_bidi(e.stream));
    assert_string_equal(end_out(&e), ""); /* no answer exists */
    end_feed(&e, AUTH("="));
    end_feed(&e, HEAD_AB);
    assert_true(s2s_stream_bidi(e.stream));
    assert_hasnt(end_out(&e), "bidi"); /* after the proof it is too late to ask */
    end_fini(&e);
}

static void what_was_not_offered_has_no_effect(void **state)
{
    (void)state;
    end e = receiver_in_tls();
    end_feed(&e, BIDI);
    assert_false(s2s_stream_bidi(e.stream));
    assert_string_equal(end_log(&e), "NOTE err=unsupported_stanza\n");
    assert_string_equal(end_out(&e), "");
    end_fini(&e);

    e = receiver();
    end_feed(&e, RESULT("a.example", "b.example", "k3y") BIDI); /* behind a proof */
    assert_has(end_log(&e), "NOTE err=unsupported_stanza\n");
    assert_false(s2s_stream_bidi(e.stream));
    end_fini(&e);

    e = receiver();
    e.mute = true;
    end_feed(&e, RESULT("a.example", "b.example", "k3y") BIDI); /* or behind a question for one */
    assert_false(s2s_stream_bidi(e.stream));
    end_fini(&e);

    e = initiator(); /* nor does it mean anything to who opened the stream */
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK) BIDI);
    assert_has(end_log(&e), "NOTE err=unsupported_stanza\n");
    assert_false(s2s_stream_bidi(e.stream));
    end_fini(&e);
}

/* rows: X0288-2.2-b */
static void asked_for_in_one_go_with_the_proof(void **state)
{
    (void)state;
    end e = initiator();
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL OFFER_BIDI));
    assert_string_equal(end_out(&e), BIDI AUTH("YS5leGFtcGxl"));
    end_fini(&e);

    e = initiator();
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK OFFER_BIDI));
    assert_string_equal(end_out(&e), BIDI KEY_AB);
    end_fini(&e);
}

static void not_asked_for_in_vain(void **state)
{
    (void)state;
    end e = initiator();
    s2s_stream_try_bidi(e.stream, false); /* the peer was not to our liking */
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK OFFER_BIDI));
    assert_string_equal(end_out(&e), KEY_AB);
    end_fini(&e);

    s2s_stream_config c = config_of(S2S_INITIATING);
    c.try_bidi = true;
    c.tls = S2S_TLS_OPTIONAL;
    end_init(&e, S2S_INITIATING, &c); /* in clear */
    want(&e, "a.example", "b.example");
    end_out(&e);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK OFFER_BIDI));
    assert_string_equal(end_out(&e), KEY_AB);
    assert_false(s2s_stream_bidi(e.stream));
    end_fini(&e);
}

/* ---- receiving: what we may send ---- */

/* rows: X0288-2.2-c X0288-2.2-d */
static void only_the_reverse_of_what_is_proved(void **state)
{
    (void)state;
    end e = receiver();
    end_feed(&e, BIDI);
    assert_int_equal(back(&e, "b.example", "a.example"), S2S_E_NOT_PROVED);
    assert_int_equal(send_text(&e, "b.example", "a.example", "<message/>"), S2S_E_NOT_PROVED);
    end_feed(&e, RESULT("a.example", "b.example", "k3y"));
    assert_int_equal(back(&e, "c.example", "a.example"), S2S_E_NOT_PROVED);
    assert_int_equal(back(&e, "b.example", "c.example"), S2S_E_NOT_PROVED);
    assert_int_equal(back(&e, "a.example", "b.example"), S2S_E_NOT_PROVED);
    assert_int_equal(back(&e, "b.example", "a.example"), S2S_E_OK);
    assert_int_equal(back(&e, "b.example", "a.example"), S2S_E_OK);
    end_out(&e);
    assert_int_equal(send_text(&e, "b.example", "c.example", "<message/>"), S2S_E_NOT_PROVED);
    assert_int_equal(send_text(&e, "a.example", "b.example", "<message/>"), S2S_E_NOT_PROVED);
    uint64_t before = s2s_stream_out_total(e.stream);
    assert_int_equal(send_text(&e, "b.example", "a.example", "<message/>"), S2S_E_OK);
    assert_int_equal(s2s_stream_out_total(e.stream), before + 10);
    assert_string_equal(end_out(&e), "<message/>");
    end_feed(&e, MESSAGE("u@a.example", "v@b.example"));
    assert_has(end_log(&e), "STANZA from=a.example to=b.example");
    end_fini(&e);
}

/* After EXTERNAL the peer begins anew: nothing is sent before our features stand on the new stream. */
static void after_external_not_before_the_features(void **state)
{
    (void)state;
    end e = receiver();
    end_feed(&e, BIDI AUTH("="));
    assert_has(end_log(&e), "PAIR_OPEN from=a.example to=b.example proof=certificate");
    assert_int_equal(back(&e, "b.example", "a.example"), S2S_E_OK);
    assert_int_equal(send_text(&e, "b.example", "a.example", "<message/>"), S2S_E_NOT_PROVED);
    end_feed(&e, HEAD_AB);
    assert_has(end_out(&e), "<stream:features>");
    assert_int_equal(send_text(&e, "b.example", "a.example", "<message/>"), S2S_E_OK);
    s2s_stream_close(e.stream, S2S_E_OK, (s2s_span){NULL, 0});
    assert_int_equal(send_text(&e, "b.example", "a.example", "<message/>"), S2S_E_NOT_PROVED);
    end_fini(&e);
}

/* The output of an accepted stream is small, until it carries stanzas of ours. */
static void room_for_the_longest_stanza(void **state)
{
    (void)state;
    s2s_stream_config c = config_of(S2S_RECEIVING);
    static char text[200001];
    end e;
    c.max_out = 1000;
    c.open.stanza = 200000;
    end_init(&e, S2S_RECEIVING, &c);
    e.answer.offer_bidi = true;
    end_feed(&e, HEAD_AB STARTTLS);
    end_feed(&e, HEAD_AB BIDI RESULT("a.example", "b.example", "k3y"));
    assert_int_equal(back(&e, "b.example", "a.example"), S2S_E_OK);
    memset(text, 'x', 200000);
    assert_int_equal(send_text(&e, "b.example", "a.example", text), S2S_E_OK);
    assert_int_equal(send_text(&e, "b.example", "a.example", text), S2S_E_FULL);
    e.check = S2S_INVALID;
    s2s_stream_feed(e.stream, S2S_LIT(VERIFY("a.example", "b.example", "7")));
    end_walk(&e); /* an answer beside it is no reason to end */
    assert_false(e.dead);
    end_fini(&e);
}

/* ---- initiating: what we take ---- */

/* rows: X0288-2.2-d */
static void taken_once_the_peer_is_believed(void **state)
{
    (void)state;
    end e = initiator();
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK OFFER_BIDI) VALID_AB);
    /* our pair is open, but nobody said that the peer is b.example */
    end_feed(&e, MESSAGE("u@b.example", "v@a.example"));
    assert_has(end_log(&e), "DEAD err=before_auth");
    end_fini(&e);

    e = initiator_open();
    end_feed(&e, MESSAGE("u@b.example", "v@a.example"));
    assert_has(end_log(&e), "STANZA from=b.example to=a.example proof=certificate "
                            "stanza=<message from='u@b.example' to='v@a.example'");
    assert_int_equal(send_text(&e, "a.example", "b.example", "<message/>"), S2S_E_OK);
    end_fini(&e);
}

static void refused_like_on_any_stream(void **state)
{
    static const struct {
        const char *stanza, *log;
    } cases[] = {
        {MESSAGE("u@other.example", "v@a.example"), "DEAD err=invalid_from"},
        {MESSAGE("u@a.example", "v@b.example"), "DEAD err=invalid_from"},
        {MESSAGE("u@b.example", "v@other.example"), "DEAD err=to_unknown"},
        {"<message to='v@a.example'/>", "DEAD err=improper_address"},
        {"<message from='u@b.example'/>", "DEAD err=improper_address"},
        {MESSAGE("u@b.example", "v@a..example"), "STANZA_REFUSED"},
        {"<iq from='u@b.example' to='v@a.example' type='get'/>", "STANZA_REFUSED"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        end e = initiator_open();
        end_feed(&e, cases[i].stanza);
        assert_has(end_log(&e), cases[i].log);
        assert_hasnt(end_log(&e), "STANZA from=");
        end_fini(&e);
    }
}

/* rows: X0288-2.2-c */
static void nothing_is_taken_before_we_are_proved(void **state)
{
    (void)state;
    end e = initiator();
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL OFFER_BIDI));
    end_feed(&e, MESSAGE("u@b.example", "v@a.example")); /* in mid-SASL */
    assert_has(end_log(&e), "DEAD err=before_auth");
    end_fini(&e);

    e = initiator();
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK OFFER_BIDI));
    assert_int_equal(back(&e, "b.example", "a.example"), S2S_E_NOT_PROVED);
    end_feed(&e, MESSAGE("u@b.example", "v@a.example"));
    assert_has(end_log(&e), "DEAD err=before_auth");
    end_fini(&e);
}

/* What comes behind our close tag is still good (RFC 6120 4.4), and only that. */
static void taken_while_closing(void **state)
{
    (void)state;
    end e = initiator_open();
    s2s_stream_close(e.stream, S2S_E_OK, (s2s_span){NULL, 0});
    end_feed(&e, MESSAGE("u@b.example", "v@a.example"));
    assert_has(end_log(&e), "STANZA from=b.example");
    end_feed(&e, "</stream:stream>");
    assert_true(e.closed);
    end_fini(&e);
}

/* ---- further pairs, and questions, from the side that was connected to ---- */

/* rows: X0288-2.2-e */
static void their_further_domain_gives_a_key(void **state)
{
    (void)state;
    end e = initiator_open();
    end_feed(&e, RESULT("rooms.b.example", "a.example", "k3y"));
    assert_string_equal(end_log(&e),
                        "PROVE from=rooms.b.example to=a.example key=k3y\n"
                        "PAIR_OPEN from=rooms.b.example to=a.example proof=dialback\n");
    assert_string_equal(end_out(&e),
                        "<db:result from='a.example' to='rooms.b.example' type='valid'/>");
    end_feed(&e, MESSAGE("r@rooms.b.example", "v@a.example"));
    assert_has(end_log(&e), "STANZA from=rooms.b.example to=a.example proof=dialback");
    e.prove = S2S_ERROR;
    end_feed(&e, RESULT("c.example", "a.example", "k3y"));
    assert_has(end_out(&e), "to='c.example' type='error'>");
    e.prove = S2S_INVALID;
    end_feed(&e, RESULT("d.example", "a.example", "k3y"));
    assert_has(end_out(&e), "to='d.example' type='invalid'/>");
    assert_false(e.dead); /* ours go on */
    end_feed(&e, VERIFY("b.example", "a.example", "7"));
    assert_has(end_out(&e), "<db:verify from='a.example' to='b.example' id='7' type='valid'/>");
    assert_int_equal(send_text(&e, "a.example", "b.example", "<message/>"), S2S_E_OK);
    end_fini(&e);
}

static void bad_keys_of_theirs(void **state)
{
    (void)state;
    end e = initiator_open();
    end_feed(&e, RESULT("c.example", "a..example", "k3y"));
    assert_has(end_out(&e), "<item-not-found");
    end_feed(&e, RESULT("c.example", "a.example", " "));
    assert_has(end_out(&e), "<not-acceptable");
    end_feed(&e, VERIFY("c.example", "a..example", "7"));
    assert_has(end_out(&e), "<item-not-found");
    end_feed(&e, "<db:verify from='c.example' to='a.example'>k3y</db:verify>");
    assert_has(end_out(&e), "<not-acceptable");
    assert_hasnt(end_log(&e), "PROVE");
    assert_hasnt(end_log(&e), "CHECK_KEY");
    end_feed(&e, "<db:result to='a.example'>k3y</db:result>");
    assert_has(end_log(&e), "DEAD err=improper_address");
    end_fini(&e);

    s2s_stream_config c = config_of(S2S_INITIATING);
    c.try_bidi = true;
    c.max_pairs = 3;
    end_init(&e, S2S_INITIATING, &c);
    want(&e, "a.example", "b.example");
    end_feed(&e, HEAD_BACK FEATURES(OFFER_TLS));
    end_feed(&e, PROCEED);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK OFFER_BIDI) VALID_AB);
    end_feed(&e, RESULT("c.example", "a.example", "k") RESULT("d.example", "a.example", "k"));
    end_out(&e);
    end_feed(&e, RESULT("e.example", "a.example", "k"));
    assert_has(end_out(&e), "<resource-constraint");
    end_fini(&e);
}

/* Its key for a pair that is open meanwhile by our own word is answered, once. */
static void believed_while_its_key_is_looked_at(void **state)
{
    (void)state;
    end e = initiator();
    s2s_domain a = domain("a.example"), b = domain("b.example");
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK OFFER_BIDI));
    e.mute = true;
    end_feed(&e, RESULT("b.example", "a.example", "k3y"));
    end_out(&e);
    end_feed(&e, VALID_AB);
    assert_int_equal(back(&e, "b.example", "a.example"), S2S_E_OK);
    assert_string_equal(end_out(&e), "<db:result from='a.example' to='b.example' type='valid'/>");
    s2s_stream_answer_result(e.stream, &b, &a, S2S_INVALID, NULL, S2S_PROOF_NONE);
    end_feed(&e, MESSAGE("u@b.example", "v@a.example"));
    assert_string_equal(end_out(&e), "");
    assert_has(end_log(&e), "STANZA from=b.example");
    end_fini(&e);
}

/* ---- answers belong to their own direction ---- */

/* rows: X0288-4 */
static void answers_to_nothing(void **state)
{
    (void)state;
    end e = receiver_open();
    end_feed(&e, "<db:result from='c.example' to='b.example' type='valid'/>"
                 "<db:verify from='a.example' to='b.example' id='7' type='valid'/>");
    assert_string_equal(end_log(&e), "NOTE err=dialback_unsolicited from=c.example to=b.example\n"
                                     "NOTE err=dialback_unsolicited from=a.example to=b.example\n");
    s2s_domain b = domain("b.example"), c = domain("c.example");
    assert_false(s2s_stream_sends(e.stream, &b, &c));
    assert_false(s2s_stream_takes(e.stream, &c, &b));
    end_feed(&e, MESSAGE("u@c.example", "v@b.example"));
    assert_has(end_log(&e), "DEAD err=invalid_from");
    end_fini(&e);

    e = initiator_open(); /* one of ours is in flight: only its own answer opens it */
    want(&e, "c.example", "b.example");
    end_log_clear(&e);
    end_feed(&e, "<db:result from='c.example' to='b.example' type='valid'/>");
    assert_has(end_log(&e), "NOTE err=dialback_unsolicited");
    end_feed(&e, "<db:result from='b.example' to='c.example' type='valid'/>");
    assert_has(end_log(&e), "PAIR_OPEN from=c.example to=b.example proof=dialback");
    end_feed(&e, "<db:result from='d.example' to='a.example' type='valid'/>");
    end_feed(&e, "<db:result from='d.example' to='a.example' type='valid'/>");
    assert_has(end_log(&e), "DEAD err=dialback_unsolicited"); /* bounded as ever */
    end_fini(&e);
}

/* ---- both at once ---- */

static void two_of_ours(void **state)
{
    (void)state;
    for (int external = 0; external < 2; external++) {
        s2s_stream_config c = config_of(S2S_INITIATING);
        end a, b;
        c.try_bidi = true;
        end_init(&a, S2S_INITIATING, &c);
        end_init(&b, S2S_RECEIVING, NULL);
        b.answer.offer_bidi = true;
        b.answer.offer_external = external == 1;
        want(&a, "a.example", "b.example");
        want(&a, "c.example", "b.example");
        ends_meet(&a, &b);
        assert_true(s2s_stream_bidi(a.stream) && s2s_stream_bidi(b.stream));
        assert_int_equal(back(&a, "b.example", "a.example"), S2S_E_OK);
        assert_int_equal(back(&b, "b.example", "a.example"), S2S_E_OK);
        assert_int_equal(back(&b, "b.example", "c.example"), S2S_E_OK);
        assert_int_equal(back(&a, "b.example", "c.example"), S2S_E_OK);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(
                send_text(&a, "c.example", "b.example", MESSAGE("u@c.example", "v@b.example")),
                S2S_E_OK);
            assert_int_equal(
                send_text(&b, "b.example", "a.example", MESSAGE("v@b.example", "u@a.example")),
                S2S_E_OK);
        }
        ends_meet(&a, &b);
        assert_has(end_log(&b), "STANZA from=c.example to=b.example");
        assert_has(end_log(&a), "STANZA from=b.example to=a.example");
        assert_false(a.dead || b.dead);
        s2s_stream_rest(a.stream); /* and it works after a rest */
        s2s_stream_rest(b.stream);
        assert_int_equal(
            send_text(&b, "b.example", "c.example", MESSAGE("v@b.example", "u@c.example")),
            S2S_E_OK);
        ends_meet(&a, &b);
        assert_has(end_log(&a), "STANZA from=b.example to=c.example");
        end_fini(&a);
        end_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offered_under_tls_alone),
        cmocka_unit_test(what_was_not_offered_has_no_effect),
        cmocka_unit_test(asked_for_in_one_go_with_the_proof),
        cmocka_unit_test(not_asked_for_in_vain),
        cmocka_unit_test(only_the_reverse_of_what_is_proved),
        cmocka_unit_test(after_external_not_before_the_features),
        cmocka_unit_test(room_for_the_longest_stanza),
        cmocka_unit_test(taken_once_the_peer_is_believed),
        cmocka_unit_test(refused_like_on_any_stream),
        cmocka_unit_test(nothing_is_taken_before_we_are_proved),
        cmocka_unit_test(taken_while_closing),
        cmocka_unit_test(their_further_domain_gives_a_key),
        cmocka_unit_test(bad_keys_of_theirs),
        cmocka_unit_test(believed_while_its_key_is_looked_at),
        cmocka_unit_test(answers_to_nothing),
        cmocka_unit_test(two_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
