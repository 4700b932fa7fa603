/* The receiving stream: header, TLS, SASL, dialback, stanzas, errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "stream_end.h"

#define ERROR(cond)           "<stream:error><" cond " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
#define CLOSE                 "</stream:error></stream:stream>"
#define FAILURE(cond)         "<failure xmlns='" NS_SASL "'><" cond "/></failure>"
#define AUTH(text)            "<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'>" text "</auth>"
#define RESULT(from, to, key) "<db:result from='" from "' to='" to "'>" key "</db:result>"
#define VERIFY(from, to, id)  "<db:verify from='" from "' to='" to "' id='" id "'>k3y</db:verify>"
#define MESSAGE(from, to)     "<message from='" from "' to='" to "'><body>hi</body></message>"

/* A receiving end inside TLS, features written, nothing proved. */
static end in_tls(void)
{
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    end_feed(&e, HEAD_AB STARTTLS);
    end_feed(&e, HEAD_AB);
    end_out(&e);
    end_log_clear(&e);
    return e;
}

/* The same with (a.example, b.example) proved by dialback. */
static end proved(void)
{
    end e = in_tls();
    end_feed(&e, RESULT("a.example", "b.example", "k3y"));
    assert_has(end_log(&e), "PAIR_OPEN from=a.example to=b.example proof=dialback");
    end_out(&e);
    end_log_clear(&e);
    return e;
}

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
    static const char *const bad[] = {".example", "a..example", "a b.example", "u@rem.example/r",
                                      "*",        "*.example",  "&#9;",        "\xc3\xa9.example"};
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
    end e = in_tls();
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
    end e = in_tls();
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
    end e = in_tls();
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
        {AUTH("w6kuZXhhbXBsZQ=="), FAILURE("invalid-authzid")}, /* a U-label */
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
        end e = in_tls();
        end_feed(&e, cases[i].feed);
        assert_has(end_out(&e), cases[i].out);
        assert_false(e.dead);
        end_fini(&e);
    }
}

static void external_by_challenge(void **state)
{
    (void)state;
    end e = in_tls();
    end_feed(&e, AUTH(""));
    assert_string_equal(s2s_stream_state(e.stream), "EXPECT_RESPONSE");
    end_feed(&e, "<response xmlns='" NS_SASL "'/>");
    assert_has(end_out(&e), "<success");
    assert_has(end_log(&e), "AUTH from=a.example");
    end_fini(&e);

    e = in_tls();
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

    e = proved(); /* nor once a pair is proved: the restart would pull it from under the peer */
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
    end e = in_tls();
    e.auth_ok = false;
    end_feed(&e, AUTH("=") AUTH("YR==") "<abort xmlns='" NS_SASL "'/>");
    assert_string_equal(end_out(&e),
                        FAILURE("not-authorized") FAILURE("incorrect-encoding") FAILURE("aborted"));
    end_feed(&e, RESULT("c.example", "b.example", "k")); /* dialback is still possible */
    assert_has(end_out(&e), "type='valid'");
    end_fini(&e);

    e = in_tls();
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
    end e = in_tls();
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
    end e = in_tls();
    end_feed(&e, AUTH("Yy5leGFtcGxl")); /* c.example */
    assert_has(end_log(&e), "PAIR_OPEN from=c.example to=b.example");
    end_feed(&e,
             HEAD_AB MESSAGE("u@c.example", "v@b.example") MESSAGE("u@a.example", "v@b.example"));
    assert_has(end_log(&e), "STANZA from=c.example");
    assert_hasnt(end_log(&e), "STANZA from=a.example");
    assert_has(end_log(&e), "DEAD err=invalid_from cond=invalid-from");
    end_fini(&e);
}

/* ---- dialback ---- */

static void dialback_valid_invalid_error(void **state)
{
    (void)state;
    end e = in_tls();
    end_feed(&e, RESULT("a.example", "B.Example.", "\n k3y\t"));
    assert_string_equal(end_log(&e), "PROVE from=a.example to=b.example key=k3y\n"
                                     "PAIR_OPEN from=a.example to=b.example proof=dialback\n");
    assert_string_equal(end_out(&e), "<db:result from='b.example' to='a.example' type='valid'/>");
    e.prove = S2S_ERROR;
    end_feed(&e, RESULT("a.example", "x.example", "k3y"));
    assert_has(end_out(&e), "<item-not-found");
    e.prove = S2S_INVALID;
    end_feed(&e, RESULT("c.example", "b.example", "k3y"));
    assert_string_equal(end_out(&e), "<db:result from='b.example' to='c.example' type='invalid'/>");
    assert_false(e.dead); /* another pair lives on it */
    end_feed(&e, MESSAGE("u@a.example", "v@b.example"));
    assert_has(end_log(&e), "STANZA");
    end_fini(&e);

    e = in_tls();
    e.prove = S2S_INVALID;
    end_feed(&e, RESULT("a.example", "b.example", "k3y"));
    assert_has(end_out(&e), "type='invalid'/></stream:stream>");
    assert_has(end_log(&e), "DEAD err=dialback_denied");
    end_fini(&e);
}

static void dialback_answered_later(void **state)
{
    (void)state;
    end e = proved();
    s2s_domain c = domain("c.example"), b = domain("b.example");
    e.mute = true;
    end_feed(&e, RESULT("c.example", "b.example", "k3y") RESULT("c.example", "b.example", "k3y"));
    assert_has(end_log(&e), "PROVE from=c.example to=b.example key=k3y\nNOTE err=out_of_turn\n");
    end_feed(&e, MESSAGE("u@a.example", "v@b.example")); /* the proved pair goes on */
    assert_has(end_log(&e), "STANZA");
    s2s_stream_answer_result(e.stream, &b, &c, S2S_VALID, NULL, S2S_PROOF_DIALBACK); /* unknown */
    assert_string_equal(end_out(&e), "");
    s2s_stream_answer_result(e.stream, &c, &b, S2S_VALID, NULL, S2S_PROOF_CERTIFICATE);
    end_walk(&e);
    assert_has(end_out(&e), "to='c.example' type='valid'/>");
    assert_has(end_log(&e), "PAIR_OPEN from=c.example to=b.example proof=certificate");
    s2s_stream_answer_result(e.stream, &c, &b, S2S_INVALID, NULL, S2S_PROOF_NONE); /* too late */
    assert_string_equal(end_out(&e), "");
    assert_int_equal(s2s_stream_pairs(e.stream), 2);
    end_feed(&e, RESULT("c.example", "b.example", "other")); /* proved already */
    assert_string_equal(end_out(&e), "<db:result from='b.example' to='c.example' type='valid'/>");
    end_fini(&e);
}

static void dialback_bad_questions(void **state)
{
    (void)state;
    char text[1000], key[300];
    end e = in_tls();
    end_feed(&e, RESULT("a.example", "a_b.example", "k3y"));
    assert_has(end_out(&e), "from='a_b.example' to='a.example' type='error'><error type='cancel'>"
                            "<item-not-found");
    end_feed(&e, RESULT("a.example", "b.example", " "));
    assert_has(end_out(&e), "<not-acceptable");
    memset(key, 'k', 257);
    key[257] = '\0';
    snprintf(text, sizeof text, RESULT("a.example", "b.example", "%s"), key);
    end_feed(&e, text);
    assert_has(end_out(&e), "<not-acceptable");
    key[256] = '\0';
    snprintf(text, sizeof text, RESULT("a.example", "b.example", "%s"), key);
    end_feed(&e, text);
    assert_has(end_out(&e), "type='valid'");
    end_feed(&e, "<db:verify from='a.example' to='b.example'>k</db:verify>");
    assert_has(end_out(&e), "<not-acceptable");
    end_feed(&e, VERIFY("a.example", "b c", "9"));
    assert_has(end_out(&e), "from='b c' to='a.example' id='9' type='error'");
    assert_false(e.dead);
    end_fini(&e);

    static const char *const missing[] = {"<db:result to='b.example'>k</db:result>",
                                          "<db:result from='a.example'>k</db:result>",
                                          "<db:verify id='1' to='b.example'>k</db:verify>",
                                          "<db:verify id='1' from='a.example' to=''>k</db:verify>"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        e = in_tls();
        end_feed(&e, missing[i]);
        assert_string_equal(end_out(&e), ERROR("improper-addressing") CLOSE);
        end_fini(&e);
    }
}

static void dialback_pairs_are_bounded(void **state)
{
    (void)state;
    s2s_stream_config c = config_of(S2S_RECEIVING);
    end e;
    c.max_pairs = 2;
    end_init(&e, S2S_RECEIVING, &c);
    end_feed(&e, HEAD_AB STARTTLS);
    end_feed(&e,
             HEAD_AB RESULT("a.example", "b.example", "k") RESULT("c.example", "b.example", "k"));
    end_out(&e);
    end_feed(&e, RESULT("d.example", "b.example", "k"));
    assert_has(end_out(&e), "<resource-constraint");
    assert_has(end_log(&e), "NOTE err=pair_limit from=d.example to=b.example");
    assert_int_equal(s2s_stream_pairs(e.stream), 2);
    end_fini(&e);
}

/* Attacks 89, 90: what nobody asked proves nothing, and the third is one too many. */
static void dialback_unsolicited_answers(void **state)
{
    (void)state;
    end e = in_tls();
    end_feed(&e, "<db:result from='a.example' to='b.example' type='valid'/>");
    end_feed(&e, "<db:verify from='a.example' to='b.example' id='id2' type='valid'>k</db:verify>");
    assert_string_equal(end_log(&e), "NOTE err=dialback_unsolicited from=a.example to=b.example\n"
                                     "NOTE err=dialback_unsolicited from=a.example to=b.example\n");
    assert_string_equal(end_out(&e), "");
    assert_int_equal(s2s_stream_pairs(e.stream), 0);
    end_feed(&e, "<db:result from='a.example' to='b.example' type='valid'/>");
    assert_string_equal(
        end_out(&e),
        ERROR("undefined-condition") "<unsolicited-dialback xmlns='urn:causeway:errors'/>" CLOSE);
    end_fini(&e);
}

static void verify_is_answered_before_any_proof(void **state)
{
    (void)state;
    end e = in_tls();
    end_feed(&e, VERIFY("x.example", "b.example", "i&amp;d"));
    assert_string_equal(end_log(&e), "CHECK_KEY from=x.example to=b.example id=i&d key=k3y\n");
    assert_string_equal(end_out(&e),
                        "<db:verify from='b.example' to='x.example' id='i&amp;d' type='valid'/>");
    e.check = S2S_INVALID;
    end_feed(&e, VERIFY("x.example", "b.example", "1"));
    assert_has(end_out(&e), "type='invalid'/>");
    e.check = S2S_ERROR;
    end_feed(&e, VERIFY("x.example", "q.example", "1"));
    assert_has(end_out(&e), "<item-not-found");
    assert_false(e.dead);
    end_fini(&e);
}

/* ---- stanzas ---- */

static void stanza_is_written_anew(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    e.answer.tls = S2S_TLS_NONE;
    end_feed(&e, HEAD_OF("from='a.example' to='b.example' version='1.0' xml:lang='de' "
                         "xmlns:q='urn:q'") RESULT("a.example", "b.example", "k"));
    end_log_clear(&e);
    end_feed(&e, "<message\n to=\"V@B.EXAMPLE./r's\" q:z='1' from='u@A.example' id='a\"b' "
                 "type='chat'><q:x/></message>");
    const char *log = end_log(&e);
    assert_has(log, "stanza=<message from='u@a.example' to='V@b.example/r&apos;s' type='chat' "
                    "id='a&quot;b' xml:lang='de'");
    assert_has(log, "urn:q");
    end_log_clear(&e);
    end_feed(&e, "<iq from='a.example' to='b.example' id='' type='get' xml:lang='cs'/>");
    assert_has(end_log(&e), "<iq from='a.example' to='b.example' type='get' id='' xml:lang='cs'/>");
    end_feed(&e, "<x:presence xmlns:x='jabber:server' from='a.example' to='b.example' "
                 "xml:lang='cs'/>");
    assert_has(end_log(&e), "stanza=<presence from='a.example' to='b.example' xml:lang='cs'/>");
    end_fini(&e);
}

static void stanza_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *feed;
        const char *log;
    } cases[] = {
        {MESSAGE("u@a.example", "v@b.example"), "STANZA from=a.example to=b.example"},
        {"<message to='v@b.example'/>", "DEAD err=improper_address cond=improper-addressing"},
        {"<message from='' to='v@b.example'/>", "DEAD err=improper_address"},
        {"<message from='u@' to='v@b.example'/>", "DEAD err=improper_address"},
        {MESSAGE("u@c.example", "v@b.example"), "DEAD err=invalid_from cond=invalid-from"},
        {MESSAGE("u@b.example", "v@b.example"), "DEAD err=invalid_from"},
        {"<message from='u@a.example'/>", "DEAD err=improper_address"},
        {"<message from='u@a.example' to=''/>", "DEAD err=improper_address"},
        {MESSAGE("u@a.example", "v@third.example"), "DEAD err=to_unknown cond=host-unknown"},
        {MESSAGE("u@a.example", "v@b..example"),
         "STANZA_REFUSED err=domain_syntax from=a.example stanza=<message from='u@a.example' "
         "to='v@b..example'>"},
        {MESSAGE("u@a.example", "v@\xc3\xa9.example"), "STANZA_REFUSED err=domain_idn"},
        {MESSAGE("u@a.example", "@b.example"), "STANZA_REFUSED err=improper_address"},
        {"<iq from='a.example' to='b.example' type='get'/>", "STANZA_REFUSED err=iq_malformed"},
        {"<iq from='a.example' to='b.example' type='subscribe' id='1'/>",
         "STANZA_REFUSED err=iq_malformed from=a.example to=b.example"},
        {"<message xmlns='jabber:client' from='a.example' to='b.example'/>",
         "NOTE err=unsupported_stanza"},
        {"<foo xmlns='u'/>", "NOTE err=unsupported_stanza"},
        {"<pubsub/>", "DEAD err=unsupported_stanza cond=unsupported-stanza-type"},
        {"<message><message from='a.example' to='b.example'/></message>",
         "DEAD err=improper_address"},
        {"<stream:features/>", "DEAD err=out_of_turn cond=not-authorized"},
        {"<success xmlns='" NS_SASL "'/>", "DEAD err=out_of_turn"},
        {"hello<message/>", "DEAD err=xml_text cond=bad-format"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        end e = proved();
        end_feed(&e, cases[i].feed);
        assert_int_equal(strncmp(end_log(&e), cases[i].log, strlen(cases[i].log)), 0);
        end_fini(&e);
    }
}

static void stanza_with_a_long_part_is_marked(void **state)
{
    (void)state;
    char text[2000], part[1025];
    memset(part, 'x', 1024);
    part[1024] = '\0';
    end e = proved();
    snprintf(text, sizeof text, "<message from='u@a.example' to='v@b.example/%s'/>", part);
    s2s_stream_feed(e.stream, s2s_span_of(text));
    const s2s_event *ev = s2s_stream_next(e.stream);
    assert_int_equal(ev->kind, S2S_EV_STANZA);
    assert_int_equal(ev->stanza->address, S2S_E_JID_TOO_LONG);
    assert_int_equal(ev->stanza->to.len, 1024 + 12);
    end_fini(&e);
}

/* The limit holds for what is written too: an apostrophe grows six-fold. */
static void stanza_that_grows_over_the_limit(void **state)
{
    (void)state;
    s2s_stream_config c = config_of(S2S_RECEIVING);
    end e;
    c.open.stanza = 10000;
    c.open.token = 10000;
    end_init(&e, S2S_RECEIVING, &c);
    e.answer.tls = S2S_TLS_NONE;
    end_feed(&e, HEAD_AB RESULT("a.example", "b.example", "k"));
    char text[4000];
    int n = snprintf(text, sizeof text, "<message from='u@a.example' to='v@b.example' id=\"");
    memset(text + n, '\'', 2000);
    strcpy(text + n + 2000, "\"/>");
    end_feed(&e, text);
    assert_has(end_log(&e), "DEAD err=stanza_too_big cond=policy-violation");
    end_fini(&e);
}

static void stanza_before_any_proof(void **state)
{
    (void)state;
    static const char *const stanzas[] = {"<message/>", "<iq type='get' id='1'/>",
                                          MESSAGE("u@a.example", "v@b.example"), "<presence/>"};
    for (size_t i = 0; i < sizeof stanzas / sizeof stanzas[0]; i++) {
        end e = in_tls();
        end_feed(&e, stanzas[i]);
        assert_string_equal(end_out(&e), ERROR("not-authorized") CLOSE);
        assert_string_equal(end_log(&e), "DEAD err=before_auth cond=not-authorized\n");
        end_fini(&e);
    }
    end e = in_tls(); /* nor between a key and its verdict */
    e.mute = true;
    end_feed(&e, RESULT("a.example", "b.example", "k") MESSAGE("u@a.example", "v@b.example"));
    assert_hasnt(end_log(&e), "STANZA");
    assert_has(end_log(&e), "DEAD err=before_auth");
    end_fini(&e);
}

/* ---- the end ---- */

static void peer_closes(void **state)
{
    (void)state;
    end e = proved();
    end_feed(&e, MESSAGE("u@a.example", "v@b.example") "</stream:stream>");
    assert_string_equal(end_out(&e), "</stream:stream>");
    assert_has(end_log(&e), "STANZA");
    assert_has(end_log(&e), "CLOSED\n");
    s2s_stream_eof(e.stream);
    end_walk(&e);
    assert_false(e.dead);
    end_fini(&e);
}

static void we_close_and_read_on(void **state)
{
    (void)state;
    end e = proved();
    s2s_stream_close(e.stream, S2S_E_OK, (s2s_span){NULL, 0});
    s2s_stream_close(e.stream, S2S_E_OK, (s2s_span){NULL, 0});
    assert_string_equal(end_out(&e), "</stream:stream>");
    end_feed(&e, MESSAGE("u@a.example", "v@b.example") RESULT("c.example", "b.example", "k")
                     VERIFY("c.example", "b.example", "1") "</stream:stream>");
    assert_string_equal(end_out(&e), "");
    assert_has(end_log(&e), "STANZA");
    assert_hasnt(end_log(&e), "PROVE");
    assert_has(end_log(&e), "CLOSED\n");
    end_fini(&e);
}

static void connection_ends(void **state)
{
    (void)state;
    end e = proved();
    end_feed(&e, "<message from='u@a.example' to='v@b.example'><bo");
    assert_true(s2s_stream_half_stanza(e.stream));
    s2s_stream_eof(e.stream);
    end_walk(&e);
    assert_string_equal(end_log(&e), "DEAD err=tcp_eof\n"); /* nothing of the half stanza */
    assert_string_equal(end_out(&e), "");
    end_fini(&e);
}

static void peer_sends_an_error(void **state)
{
    (void)state;
#define NS_ERR " xmlns='urn:ietf:params:xml:ns:xmpp-streams'"
    static const struct {
        const char *inside;
        const char *log;
    } cases[] = {
        {"<reset" NS_ERR "/><text" NS_ERR ">bye</text>",
         "DEAD err=peer_error cond=reset text=bye\n"},
        {"<text" NS_ERR ">x</text><conflict" NS_ERR "/>",
         "DEAD err=peer_error cond=conflict text=x\n"},
        {"<frobbed" NS_ERR "/>", "DEAD err=peer_error cond=undefined-condition\n"},
        {"", "DEAD err=peer_error cond=undefined-condition\n"},
        {"<xml-not-well-formed" NS_ERR "/>", "DEAD err=peer_error cond=not-well-formed\n"},
        {"<invalid-id" NS_ERR "/>", "DEAD err=peer_error cond=invalid-from\n"},
        {"<see-other-host" NS_ERR ">[::1]:5</see-other-host>",
         "DEAD err=see_other_host cond=see-other-host text=[::1]:5\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[400];
        end e = proved();
        snprintf(text, sizeof text, "<stream:error>%s</stream:error></stream:stream>",
                 cases[i].inside);
        end_feed(&e, text);
        assert_string_equal(end_log(&e), cases[i].log);
        assert_string_equal(end_out(&e), "</stream:stream>");
        end_fini(&e);
    }
}

static void caller_closes_with_a_reason(void **state)
{
    (void)state;
    end e = proved();
    s2s_stream_close(e.stream, S2S_E_SHUTDOWN, (s2s_span){NULL, 0});
    end_walk(&e);
    assert_string_equal(end_out(&e), ERROR("system-shutdown") CLOSE);
    assert_string_equal(end_log(&e), "DEAD err=shutdown cond=system-shutdown\n");
    end_feed(&e, MESSAGE("u@a.example", "v@b.example"));
    assert_hasnt(end_log(&e), "STANZA");
    end_fini(&e);

    e = proved(); /* a reason without a condition: only the tag */
    s2s_stream_close(e.stream, S2S_E_IDLE, (s2s_span){NULL, 0});
    end_walk(&e);
    assert_string_equal(end_out(&e), "</stream:stream>");
    end_fini(&e);

    end_init(&e, S2S_RECEIVING, NULL); /* in mid-TLS nothing can be said */
    end_feed(&e, HEAD_AB);
    e.mute = true;
    end_feed(&e, STARTTLS);
    end_out(&e);
    s2s_stream_close(e.stream, S2S_E_SHUTDOWN, (s2s_span){NULL, 0});
    end_walk(&e);
    assert_has(end_log(&e), "DEAD err=shutdown");
    assert_string_equal(end_out(&e), "");
    end_fini(&e);
}

/* A peer that asks on and never reads is ended, not stored. */
static void output_is_bounded(void **state)
{
    (void)state;
    s2s_stream_config c = config_of(S2S_RECEIVING);
    c.max_out = 10000;
    s2s_stream *s = s2s_stream_new(&c);
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    s2s_stream_free(e.stream);
    e.stream = s;
    e.answer.tls = S2S_TLS_NONE;
    e.answer.id = S2S_LIT("x");
    const s2s_event *ev;
    size_t most = 0;
    s2s_stream_feed(s, s2s_span_of(HEAD_AB));
    bool dead = false;
    for (unsigned i = 0; i < 5000 && !dead; i++) {
        while ((ev = s2s_stream_next(s))->kind != S2S_EV_NONE) {
            if (ev->kind == S2S_EV_HEAD) s2s_stream_answer(s, &e.answer);
            if (ev->kind == S2S_EV_CHECK_KEY)
                s2s_stream_answer_verify(s, &ev->from, &ev->to, ev->id, S2S_VALID, NULL);
            dead = dead || (ev->kind == S2S_EV_DEAD && ev->err == S2S_E_RESOURCE);
        }
        if (s2s_stream_out(s).len > most) most = s2s_stream_out(s).len;
        s2s_stream_feed(s, s2s_span_of(VERIFY("a.example", "b.example", "1")));
    }
    assert_true(dead);
    assert_true(most < 10000 + 65536 + 1000);
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
        cmocka_unit_test(dialback_valid_invalid_error),
        cmocka_unit_test(dialback_answered_later),
        cmocka_unit_test(dialback_bad_questions),
        cmocka_unit_test(dialback_pairs_are_bounded),
        cmocka_unit_test(dialback_unsolicited_answers),
        cmocka_unit_test(verify_is_answered_before_any_proof),
        cmocka_unit_test(stanza_is_written_anew),
        cmocka_unit_test(stanza_addresses),
        cmocka_unit_test(stanza_with_a_long_part_is_marked),
        cmocka_unit_test(stanza_that_grows_over_the_limit),
        cmocka_unit_test(stanza_before_any_proof),
        cmocka_unit_test(peer_closes),
        cmocka_unit_test(we_close_and_read_on),
        cmocka_unit_test(connection_ends),
        cmocka_unit_test(peer_sends_an_error),
        cmocka_unit_test(caller_closes_with_a_reason),
        cmocka_unit_test(output_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
