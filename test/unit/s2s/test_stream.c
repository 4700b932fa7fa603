/* The receiving stream: header, TLS, SASL. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "stream_end.h"

/* Feeds `text` to a fresh receiver: what it writes must hold `part`, after a header. */
static void expect_first(const char *text, const char *part)
{
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    end_feed(&e, text);
    const char *out = end_out(&e);
    assert_int_equal(strncmp(out, "<?xml version='1.0'?><stream:stream ", 36), 0);
    assert_has(out, part);
    end_fini(&e);
}

/* ---- header ---- */

static void header_and_features_come_together(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    end_feed(&e, HEAD_OF("from='a.example' to='b.example' version='1.0' xml:lang='de' id='mine'"));
    assert_string_equal(
        end_out(&e),
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
        "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
        "id='id1' from='b.example' to='a.example' version='1.0' xml:lang='en'>"
        "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
        "</stream:features>");
    assert_string_equal(s2s_stream_state(e.stream), "EXPECT_STARTTLS");
    end_fini(&e);
}

static void header_waits_for_its_answer(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    e.mute = true;
    end_feed(&e, HEAD_AB STARTTLS);
    assert_string_equal(end_log(&e), "HEAD from=a.example to=b.example\n");
    assert_string_equal(end_out(&e), "");
    assert_string_equal(s2s_stream_state(e.stream), "EXPECT_ANSWER");
    e.answer.id = S2S_LIT("x");
    s2s_stream_answer(e.stream, &e.answer);
    end_walk(&e); /* what was held is read now */
    assert_has(end_log(&e), "NEED_TLS");
    end_fini(&e);
}

static void version_numbers(void **state)
{
    (void)state;
    static const char *const versions[][2] = {{"1.0", "y"},  {"1.10", "y"}, {"2.0", "y"},
                                              {"01.0", "y"}, {"0.9", ""},   {"", ""},
                                              {"x", ""},     {"1", "y"},    {"1x", ""}};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        end e;
        char head[400];
        end_init(&e, S2S_RECEIVING, NULL);
        e.answer.tls = S2S_TLS_OPTIONAL;
        snprintf(head, sizeof head, HEAD_OF("from='a.example' to='b.example' version='%s'"),
                 versions[i][0]);
        end_feed(&e, head);
        const char *out = end_out(&e);
        bool is_1 = versions[i][1][0] != '\0';
        (is_1 ? assert_has_at : assert_hasnt_at)(out, " version='1.0' xml:lang", __FILE__,
                                                 __LINE__);
        (is_1 ? assert_has_at : assert_hasnt_at)(out, "<stream:features>", __FILE__, __LINE__);
        end_fini(&e);
    }
}

/* RFC 6120 4.7.5: neither version nor features for a peer of 0.9, whose dialback works in clear. */
static void old_peer_without_version(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    e.answer.tls = S2S_TLS_OPTIONAL;
    end_feed(&e, HEAD_OF("from='a.example' to='b.example'"));
    const char *out = end_out(&e);
    assert_hasnt(out, "features");
    assert_hasnt(out, " version='1.0' xml:lang");
    assert_has(out, "id='id1'");
    end_feed(&e, RESULT("a.example", "b.example", "k3y"));
    assert_has(end_out(&e), "type='valid'");
    end_fini(&e);

    expect_first(HEAD_OF("from='a.example' to='b.example'"), ERROR("policy-violation") CLOSE);
}

static void header_errors_stand_behind_a_header(void **state)
{
    (void)state;
    expect_first("<stream:stream xmlns='jabber:server' xmlns:stream='http://wrong/'>",
                 ERROR("invalid-namespace") CLOSE);
    expect_first("<stream:stream xmlns='jabber:client' "
                 "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
                 ERROR("invalid-namespace") CLOSE);
    expect_first("<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>",
                 ERROR("invalid-namespace") CLOSE);
    expect_first("<foo xmlns='jabber:server'>", ERROR("bad-format") CLOSE);
    expect_first("<!DOCTYPE s [<!ENTITY a 'x'>]>", ERROR("restricted-xml") CLOSE);
    expect_first("<?xml version='1.0' encoding='ISO-8859-1'?>",
                 ERROR("unsupported-encoding") CLOSE);
}

static void header_before_an_error_has_the_names_given(void **state)
{
    (void)state;
    s2s_stream_config c = config_of(S2S_RECEIVING);
    end e;
    c.from = domain("b.example");
    end_init(&e, S2S_RECEIVING, &c);
    end_feed(&e, "<x/>");
    assert_has(end_out(&e), " id='e0' from='b.example' xml:lang='en'><stream:error>");
    assert_string_equal(end_log(&e), "DEAD err=xml_bad_root cond=bad-format\n");
    end_fini(&e);

    end_init(&e, S2S_RECEIVING, NULL);
    e.mute = true;
    end_feed(&e, HEAD_OF("from='a.example' to='nope.example'")); /* no version either */
    s2s_stream_close(e.stream, S2S_E_HOST_UNKNOWN, S2S_LIT("no <such> host"));
    end_walk(&e);
    assert_has(
        end_out(&e),
        " id='e0' from='' to='a.example' xml:lang='en'>" ERROR(
            "host-unknown") "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>"
                            "no &lt;such&gt; host</text>" CLOSE);
    end_fini(&e);
}

static void bad_addresses_are_told(void **state)
{
    (void)state;
    static const char *const bad[] = {
        ".example", "a..example", "a b.example", "u@rem.example/r",
        "*",        "*.example",  "&#9;",        "\xe2\x98\x83.example"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        end e;
        char head[400];
        end_init(&e, S2S_RECEIVING, NULL);
        snprintf(head, sizeof head, HEAD_OF("from='%s' to='b.example' version='1.0'"), bad[i]);
        s2s_stream_feed(e.stream, s2s_span_of(head));
        const s2s_event *ev = s2s_stream_next(e.stream);
        assert_int_equal(ev->kind, S2S_EV_HEAD);
        assert_int_not_equal(ev->head->from_err, S2S_E_OK);
        assert_int_equal(ev->head->from.len, 0);
        assert_int_equal(ev->head->to_err, S2S_E_OK);
        end_fini(&e);
    }
}

static void other_prefixes_and_none(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    end_feed(&e, "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:server' "
                 "xmlns:d='jabber:server:dialback' from='a.example' to='b.example' version='1.0'>"
                 "<x:starttls xmlns:x='" NS_TLS "'/>");
    assert_has(end_out(&e), PROCEED);
    end_feed(&e, "<stream xmlns='http://etherx.jabber.org/streams' from='a.example' "
                 "to='b.example' version='1.0'>");
    end_feed(&e,
             "<result xmlns='jabber:server:dialback' from='a.example' to='b.example'>k</result>");
    end_feed(&e, "<message xmlns='jabber:server' from='u@a.example' to='v@b.example'/>");
    assert_has(end_log(&e), "STANZA from=a.example to=b.example proof=dialback "
                            "stanza=<message from='u@a.example' to='v@b.example'/>");
    end_feed(&e, "</stream>");
    assert_has(end_log(&e), "CLOSED");
    end_fini(&e);
}

static void wrong_turn_of_a_restart(void **state)
{
    (void)state;
    static const char *const heads[] = {
        HEAD_OF("from='c.example' to='b.example' version='1.0'"),
        HEAD_OF("from='a.example' to='c.example' version='1.0'"),
        HEAD_OF("from='a b' to='b.example' version='1.0'"),
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        end e;
        end_init(&e, S2S_RECEIVING, NULL);
        end_feed(&e, HEAD_AB STARTTLS);
        end_out(&e);
        end_feed(&e, heads[i]);
        assert_has(end_out(&e), "from='' ");
        assert_has(end_log(&e), "DEAD err=head_changed cond=improper-addressing");
        end_fini(&e);
    }
}

/* ---- STARTTLS ---- */

static void starttls_begins_anew(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    end_feed(&e, HEAD_AB);
    end_out(&e);
    end_feed(&e, STARTTLS);
    assert_string_equal(end_out(&e), PROCEED);
    assert_has(end_log(&e), "NEED_TLS");
    assert_true(s2s_stream_in_tls(e.stream));
    assert_int_equal(s2s_stream_id(e.stream).len, 0);
    end_feed(&e, HEAD_AB);
    const char *out = end_out(&e);
    assert_has(out, "id='id2'");
    assert_has(out, "<stream:features>" OFFER_EXTERNAL OFFER_DIALBACK "</stream:features>");
    assert_hasnt(out, "starttls");
    end_fini(&e);
}

/* Attack 47, and 1 byte of anything. White space alone is let pass and dropped. */
static void plaintext_behind_starttls(void **state)
{
    (void)state;
    static const char *const behind[] = {HEAD_AB, VERIFY("a.example", "b.example", "x"), "x", "<",
                                         " \n<"};
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
        end e;
        char text[1000];
        end_init(&e, S2S_RECEIVING, NULL);
        end_feed(&e, HEAD_AB);
        end_out(&e);
        snprintf(text, sizeof text, STARTTLS "%s", behind[i]);
        end_feed(&e, text);
        assert_string_equal(end_out(&e), "");
        assert_has(end_log(&e), "DEAD err=tls_injection");
        assert_hasnt(end_log(&e), "NEED_TLS");
        end_fini(&e);
    }
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    end_feed(&e, HEAD_AB);
    end_out(&e);
    end_feed(&e, STARTTLS " \r\n\t");
    assert_string_equal(end_out(&e), PROCEED);
    end_feed(&e, HEAD_AB);
    assert_has(end_out(&e), "id='id2'");
    end_fini(&e);
}

static void plaintext_fed_while_tls_is_made(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    end_feed(&e, HEAD_AB);
    e.mute = true;
    end_feed(&e, STARTTLS);
    end_out(&e);
    end_feed(&e, "<x/>");
    assert_has(end_log(&e), "DEAD err=tls_injection");
    assert_string_equal(end_out(&e), "");
    end_fini(&e);
}

static void starttls_out_of_place(void **state)
{
    (void)state;
    end e = receiver_in_tls();
    end_feed(&e, STARTTLS);
    assert_string_equal(end_out(&e), "<failure xmlns='" NS_TLS "'/></stream:stream>");
    assert_has(end_log(&e), "DEAD err=out_of_turn");
    end_fini(&e);

    end_init(&e, S2S_RECEIVING, NULL);
    e.answer.tls = S2S_TLS_NONE;
    end_feed(&e, HEAD_AB STARTTLS);
    assert_has(end_out(&e), "<failure xmlns='" NS_TLS "'/></stream:stream>");
    end_fini(&e);

    end_init(&e, S2S_RECEIVING, NULL); /* a proved pair must not slip into another stream */
    e.answer.tls = S2S_TLS_OPTIONAL;
    end_feed(&e, HEAD_AB RESULT("a.example", "b.example", "k3y") STARTTLS);
    assert_has(end_out(&e), "<failure xmlns='" NS_TLS "'/></stream:stream>");
    end_fini(&e);
}

static void in_clear_where_tls_is_required(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    end_feed(&e, HEAD_AB);
    end_out(&e);
    end_feed(&e, RESULT("a.example", "b.example", "k3y"));
    assert_string_equal(end_out(&e),
                        "<db:result from='b.example' to='a.example' type='error'>"
                        "<error type='cancel'><policy-violation "
                        "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>");
    end_feed(&e, VERIFY("a.example", "b.example", "77"));
    assert_string_equal(end_out(&e),
                        "<db:verify from='b.example' to='a.example' id='77' type='error'>"
                        "<error type='cancel'><policy-violation "
                        "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:verify>");
    end_feed(&e, AUTH("YS5leGFtcGxl"));
    assert_string_equal(end_out(&e), FAILURE("encryption-required"));
    assert_string_equal(end_log(&e), "HEAD from=a.example to=b.example\n");
    end_feed(&e, MESSAGE("u@a.example", "v@b.example"));
    assert_string_equal(end_out(&e), ERROR("not-authorized") CLOSE);
    end_fini(&e);
}

/* ---- SASL EXTERNAL ---- */

static void external_proves_the_pair(void **state)
{
    (void)state;
    end e = receiver_in_tls();
    end_feed(&e, AUTH("YS5leGFtcGxl"));
    assert_string_equal(end_out(&e), "<success xmlns='" NS_SASL "'/>");
    assert_string_equal(end_log(&e), "AUTH from=a.example to=b.example\n"
                                     "PAIR_OPEN from=a.example to=b.example proof=certificate\n");
    end_feed(&e, "\n" HEAD_OF("version='1.0'")); /* the addresses are bound to the proof */
    const char *out = end_out(&e);
    assert_has(out, "id='id3' from='b.example' to='a.example'");
    assert_has(out, FEATURES(OFFER_DIALBACK));
    end_feed(&e, MESSAGE("u@a.example", "v@b.example"));
    assert_has(end_log(&e), "STANZA from=a.example to=b.example proof=certificate");
    end_fini(&e);
}

/* R6120-4.3.3: the new header may stand right behind the element that ends the old stream. */
static void restart_is_cut_at_the_last_byte(void **state)
{
    (void)state;
    end e = receiver_in_tls();
    end_feed(&e, AUTH("=") HEAD_AB MESSAGE("u@a.example", "v@b.example"));
    assert_has(end_log(&e), "STANZA from=a.example to=b.example proof=certificate");
    end_fini(&e);
}

static void external_in_all_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *feed;
        const char *out;
    } cases[] = {
        {AUTH("="), "<success"},
        {AUTH(""), "<challenge xmlns='" NS_SASL "'/>"},
        {AUTH("Yi5leGFtcGxl"), "<success"}, /* b.example: judged by the caller */
        {AUTH("dUBhLmV4YW1wbGU="), FAILURE("invalid-authzid")}, /* u@a.example */
        {AUTH("w6kuZXhhbXBsZQ=="), "<success"},                 /* a U-label: so too */
        {AUTH("4piDLmV4YW1wbGU="), FAILURE("invalid-authzid")}, /* none of IDNA2008 */
        {AUTH("=AAA"), FAILURE("incorrect-encoding")},
        {AUTH("BBBB=CCC"), FAILURE("incorrect-encoding")},
        {AUTH("YQ=a"), FAILURE("incorrect-encoding")},
        {AUTH("YR=="), FAILURE("incorrect-encoding")},
        {AUTH("YQ==YQ=="), FAILURE("incorrect-encoding")},
        {AUTH("YS5leGFtcGx"), FAILURE("incorrect-encoding")},
        {AUTH(" YS5leGFtcGxl"), FAILURE("incorrect-encoding")},
        {"<auth xmlns='" NS_SASL "' mechanism='PLAIN'>AA==</auth>", FAILURE("invalid-mechanism")},
        {"<auth xmlns='" NS_SASL "' mechanism='external'>=</auth>", FAILURE("invalid-mechanism")},
        {"<auth xmlns='" NS_SASL "'>=</auth>", FAILURE("invalid-mechanism")},
        {"<response xmlns='" NS_SASL "'>=</response>", FAILURE("malformed-request")},
        {"<abort xmlns='" NS_SASL "'/>", FAILURE("aborted")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        end e = receiver_in_tls();
        end_feed(&e, cases[i].feed);
        assert_has(end_out(&e), cases[i].out);
        assert_false(e.dead);
        end_fini(&e);
    }
}

static void external_by_challenge(void **state)
{
    (void)state;
    end e = receiver_in_tls();
    end_feed(&e, AUTH(""));
    assert_string_equal(s2s_stream_state(e.stream), "EXPECT_RESPONSE");
    end_feed(&e, "<response xmlns='" NS_SASL "'/>");
    assert_has(end_out(&e), "<success");
    assert_has(end_log(&e), "AUTH from=a.example");
    end_fini(&e);

    e = receiver_in_tls();
    end_feed(&e, AUTH("") "<abort xmlns='" NS_SASL "'/>");
    assert_has(end_out(&e), FAILURE("aborted"));
    assert_string_equal(s2s_stream_state(e.stream), "EXPECT_PROOF");
    end_feed(&e, AUTH("") AUTH("=")); /* a new one replaces the running one */
    assert_has(end_out(&e), "<success");
    end_fini(&e);
}

static void external_without_a_from(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    end_feed(&e, HEAD_OF("to='b.example' version='1.0'") STARTTLS);
    end_feed(&e, HEAD_OF("to='b.example' version='1.0'"));
    assert_hasnt(end_out(&e), " to=''");
    end_feed(&e, AUTH("="));
    assert_string_equal(end_out(&e), FAILURE("invalid-authzid"));
    end_feed(&e, AUTH("YS5leGFtcGxl"));
    assert_has(end_out(&e), "<success");
    end_fini(&e);
}

static void external_not_offered(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    e.answer.offer_external = false;
    end_feed(&e, HEAD_AB STARTTLS);
    end_feed(&e, HEAD_AB);
    assert_hasnt(end_out(&e), "mechanisms");
    end_feed(&e, AUTH("="));
    assert_string_equal(end_out(&e), FAILURE("invalid-mechanism"));
    end_fini(&e);

    e = receiver_proved(); /* nor once a pair is proved: the restart would pull it from under the peer */
    end_feed(&e, AUTH("="));
    assert_string_equal(end_out(&e), FAILURE("invalid-mechanism"));
    end_feed(&e, MESSAGE("u@a.example", "v@b.example"));
    assert_has(end_log(&e), "STANZA");
    end_fini(&e);

    end_init(&e, S2S_RECEIVING, NULL);
    e.answer.tls = S2S_TLS_OPTIONAL;
    end_feed(&e, HEAD_AB AUTH("="));
    assert_has(end_out(&e), FAILURE("encryption-required"));
    end_fini(&e);
}

static void external_at_most_three_failures(void **state)
{
    (void)state;
    end e = receiver_in_tls();
    e.auth_ok = false;
    end_feed(&e, AUTH("=") AUTH("YR==") "<abort xmlns='" NS_SASL "'/>");
    assert_string_equal(end_out(&e),
                        FAILURE("not-authorized") FAILURE("incorrect-encoding") FAILURE("aborted"));
    end_feed(&e, RESULT("c.example", "b.example", "k")); /* dialback is still possible */
    assert_has(end_out(&e), "type='valid'");
    end_fini(&e);

    e = receiver_in_tls();
    e.auth_ok = false;
    end_feed(&e, AUTH("=") AUTH("=") AUTH("="));
    end_out(&e);
    end_feed(&e, AUTH("="));
    assert_string_equal(end_out(&e), ERROR("policy-violation") CLOSE);
    assert_has(end_log(&e), "DEAD err=sasl_retries");
    end_fini(&e);
}

static void external_of_100_kilobytes(void **state)
{
    (void)state;
    char *text = malloc(100001);
    assert_non_null(text);
    memset(text, 'A', 100000);
    text[100000] = '\0';
    end e = receiver_in_tls();
    end_feed(&e, "<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'>");
    end_feed(&e, text);
    assert_string_equal(
        end_out(&e), ERROR("policy-violation") "<stanza-too-big xmlns='urn:xmpp:errors'/>" CLOSE);
    end_fini(&e);
    free(text);
}

/* Case 79: the proof is of the authzid and of nothing else. */
static void external_proves_one_domain(void **state)
{
    (void)state;
    end e = receiver_in_tls();
    end_feed(&e, AUTH("Yy5leGFtcGxl")); /* c.example */
    assert_has(end_log(&e), "PAIR_OPEN from=c.example to=b.example");
    end_feed(&e,
             HEAD_AB MESSAGE("u@c.example", "v@b.example") MESSAGE("u@a.example", "v@b.example"));
    assert_has(end_log(&e), "STANZA from=c.example");
    assert_hasnt(end_log(&e), "STANZA from=a.example");
    assert_has(end_log(&e), "DEAD err=invalid_from cond=invalid-from");
    end_fini(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_and_features_come_together),
        cmocka_unit_test(header_waits_for_its_answer),
        cmocka_unit_test(version_numbers),
        cmocka_unit_test(old_peer_without_version),
        cmocka_unit_test(header_errors_stand_behind_a_header),
        cmocka_unit_test(header_before_an_error_has_the_names_given),
        cmocka_unit_test(bad_addresses_are_told),
        cmocka_unit_test(other_prefixes_and_none),
        cmocka_unit_test(wrong_turn_of_a_restart),
        cmocka_unit_test(starttls_begins_anew),
        cmocka_unit_test(plaintext_behind_starttls),
        cmocka_unit_test(plaintext_fed_while_tls_is_made),
        cmocka_unit_test(starttls_out_of_place),
        cmocka_unit_test(in_clear_where_tls_is_required),
        cmocka_unit_test(external_proves_the_pair),
        cmocka_unit_test(restart_is_cut_at_the_last_byte),
        cmocka_unit_test(external_in_all_spellings),
        cmocka_unit_test(external_by_challenge),
        cmocka_unit_test(external_without_a_from),
        cmocka_unit_test(external_not_offered),
        cmocka_unit_test(external_at_most_three_failures),
        cmocka_unit_test(external_of_100_kilobytes),
        cmocka_unit_test(external_proves_one_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
