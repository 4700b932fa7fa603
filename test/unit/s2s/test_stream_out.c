/* The initiating stream: TLS, EXTERNAL, dialback, questions, what must not go out. */
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "stream_end.h"

#define NONE     ((s2s_span){NULL, 0})
#define VALID_AB "<db:result from='b.example' to='a.example' type='valid'/>"
#define KEY_AB   "<db:result from='a.example' to='b.example'>k3y</db:result>"

static void want(end *e, const char *from, const char *to)
{
    s2s_domain f = domain(from), t = domain(to);
    assert_int_equal(s2s_stream_want_pair(e->stream, &f, &t), S2S_E_OK);
    end_walk(e);
}

static void ask(end *e, const char *from, const char *to, const char *id)
{
    s2s_domain f = domain(from), t = domain(to);
    assert_int_equal(s2s_stream_ask_verify(e->stream, &f, &t, s2s_span_of(id), S2S_LIT("th3ir")),
                     S2S_E_OK);
    end_walk(e);
}

static s2s_err send_text(end *e, const char *from, const char *to, const char *text)
{
    s2s_domain f = domain(from), t = domain(to);
    return s2s_stream_send(e->stream, &f, &t, s2s_span_of(text));
}

/* An initiator inside TLS whose new header is written; `wanted`: the header pair is. */
static end in_tls(bool wanted)
{
    end e;
    end_init(&e, S2S_INITIATING, NULL);
    if (wanted) want(&e, "a.example", "b.example");
    end_feed(&e, HEAD_BACK FEATURES(OFFER_TLS));
    end_feed(&e, PROCEED);
    end_out(&e);
    end_log_clear(&e);
    return e;
}

/* READY, and (a.example, b.example) proved by dialback. */
static end proved(void)
{
    end e = in_tls(true);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK) VALID_AB);
    assert_has(end_log(&e), "PAIR_OPEN from=a.example to=b.example proof=dialback");
    end_out(&e);
    end_log_clear(&e);
    return e;
}

/* ---- header, TLS ---- */

static void first_header(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_INITIATING, NULL);
    assert_string_equal(
        end_out(&e),
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
        "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
        "from='a.example' to='b.example' version='1.0' xml:lang='en'>");
    end_fini(&e);
}

static void tls_is_used_when_offered(void **state)
{
    (void)state;
    static const s2s_tls_level levels[] = {S2S_TLS_REQUIRED, S2S_TLS_OPTIONAL};
    for (size_t i = 0; i < 2; i++) {
        s2s_stream_config c = config_of(S2S_INITIATING);
        end e;
        c.tls = levels[i];
        end_init(&e, S2S_INITIATING, &c);
        end_out(&e);
        end_feed(&e, HEAD_BACK "<stream:features><starttls xmlns='" NS_TLS "'/></stream:features>");
        assert_string_equal(end_out(&e), STARTTLS);
        assert_hasnt(end_log(&e), "READY");
        end_feed(&e, PROCEED " ");
        assert_has(end_log(&e), "NEED_TLS");
        assert_has(end_out(&e), "<stream:stream ");
        end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK));
        assert_has(end_log(&e), "READY");
        assert_true(s2s_stream_in_tls(e.stream));
        end_fini(&e);
    }
}

/* RFC 7590 3.1: not offered, but required: it is asked for all the same (attack 49). */
/* rows: R7590-3.1-a */
static void tls_is_tried_when_not_offered(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        const char *log;
    } cases[] = {
        {PROCEED, "NEED_TLS"},
        {"<failure xmlns='" NS_TLS "'/></stream:stream>", "DEAD err=tls_not_offered"},
        {"</stream:stream>", "DEAD err=tls_not_offered"},
        {"<stream:error><unsupported-stanza-type "
         "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
         "DEAD err=tls_not_offered"},
        {FEATURES(""), "DEAD err=out_of_turn"},
        {"<message/>", "DEAD err=out_of_turn"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        end e;
        end_init(&e, S2S_INITIATING, NULL);
        want(&e, "a.example", "b.example");
        ask(&e, "a.example", "b.example", "77");
        end_out(&e);
        end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK OFFER_EXTERNAL));
        assert_string_equal(end_out(&e), STARTTLS);
        end_feed(&e, cases[i].answer);
        assert_has(end_log(&e), cases[i].log);
        assert_hasnt(end_log(&e), "READY");
        assert_hasnt(end_all_out(&e), "db:");
        assert_hasnt(end_all_out(&e), "<auth");
        end_fini(&e);
    }
}

/* rows: R7590-3.1-b */
static void tls_refused(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_INITIATING, NULL);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_TLS));
    end_out(&e);
    end_feed(&e, "<failure xmlns='" NS_TLS "'/></stream:stream>");
    assert_has(end_log(&e), "DEAD err=tls_refused cond=policy-violation");
    assert_string_equal(end_out(&e), ERROR("policy-violation") CLOSE);
    end_fini(&e);
}

/* Attack 48 */
/* rows: R6120-5.4.2.3 */
static void plaintext_behind_proceed(void **state)
{
    (void)state;
    static const char *const behind[] = {HEAD_BACK FEATURES(""), "x", " <", VALID_AB};
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
        char text[1000];
        end e;
        end_init(&e, S2S_INITIATING, NULL);
        end_feed(&e, HEAD_BACK FEATURES(OFFER_TLS));
        end_out(&e);
        snprintf(text, sizeof text, PROCEED "%s", behind[i]);
        end_feed(&e, text);
        assert_has(end_log(&e), "DEAD err=tls_injection");
        assert_hasnt(end_log(&e), "NEED_TLS");
        assert_string_equal(end_out(&e), "");
        end_fini(&e);
    }
}

/* rows: R6120-4.9.3.25 prac-db-legacy */
static void old_peer_without_version(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_INITIATING, NULL);
    want(&e, "a.example", "b.example");
    end_feed(&e, HEAD_OF("from='b.example' id='r1'"));
    assert_has(end_log(&e), "DEAD err=version cond=unsupported-version");
    assert_hasnt(end_all_out(&e), "db:result");
    end_fini(&e);

    s2s_stream_config c = config_of(S2S_INITIATING);
    c.tls = S2S_TLS_OPTIONAL;
    end_init(&e, S2S_INITIATING, &c);
    want(&e, "a.example", "b.example");
    end_out(&e);
    end_feed(&e, "<stream:stream xmlns='jabber:server' id='old' "
                 "xmlns:stream='http://etherx.jabber.org/streams'>");
    assert_string_equal(end_log(&e), "HEAD id=old\nREADY\nMAKE_KEY from=a.example to=b.example "
                                     "id=old\n");
    assert_string_equal(end_out(&e), KEY_AB);
    end_feed(&e, "<r:result xmlns:r='jabber:server:dialback' from='b.example' to='a.example' "
                 "type='valid'>k3y</r:result>");
    assert_has(end_log(&e), "PAIR_OPEN");
    end_fini(&e);
}

/* rows: prac-db-noid */
static void header_without_id(void **state)
{
    (void)state;
    end e = in_tls(false);
    end_feed(&e, HEAD_OF("from='b.example' id='' version='1.0'"));
    assert_has(end_log(&e), "DEAD err=head_no_id");
    end_fini(&e);
}

/* rows: R6120-4.9.3.23 */
static void unknown_feature_is_required(void **state)
{
    (void)state;
    end e = in_tls(true);
    end_feed(&e, HEAD_BACK FEATURES("<x xmlns='u:x'><required/></x>"));
    assert_has(end_log(&e), "DEAD err=unsupported_feature cond=unsupported-feature");
    assert_string_equal(end_out(&e), ERROR("unsupported-feature") CLOSE);
    end_fini(&e);

    e = in_tls(true); /* something we can do stands beside it */
    end_feed(&e, HEAD_BACK FEATURES("<x xmlns='u:x'><required/></x>" OFFER_DIALBACK));
    assert_has(end_log(&e), "MAKE_KEY");
    end_fini(&e);

    e = in_tls(true); /* a leftover of XEP-0198 means nothing */
    end_feed(&e, HEAD_BACK FEATURES("<sm xmlns='urn:xmpp:sm:3'><required/></sm>"));
    assert_has(end_log(&e), "MAKE_KEY");
    end_fini(&e);
}

/* ---- EXTERNAL ---- */

static void external_for_the_header_pair(void **state)
{
    (void)state;
    end e = in_tls(true);
    want(&e, "c.example", "b.example");
    ask(&e, "a.example", "b.example", "77");
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL OFFER_DIALBACK));
    assert_string_equal(end_log(&e), "HEAD from=b.example to=a.example id=r1\nREADY\n");
    assert_string_equal(end_out(&e),
                        "<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'>YS5leGFtcGxl</auth>");
    want(&e, "d.example", "b.example"); /* waits, as the others do */
    assert_string_equal(end_out(&e), "");
    end_log_clear(&e);
    end_feed(&e, "<success xmlns='" NS_SASL "'/> <?xml version='1.0'?>"); /* and what follows */
    assert_has(end_out(&e), "<stream:stream ");
    assert_int_equal(send_text(&e, "a.example", "b.example", "<m/>"), S2S_E_NOT_PROVED);
    const char *head = HEAD_OF("from='b.example' to='a.example' id='r2' version='1.0'");
    end_feed(&e, strchr(head, '>') + 1);
    end_feed(&e, FEATURES(""));
    assert_string_equal(end_log(&e), "HEAD from=b.example to=a.example id=r2\n"
                                     "PAIR_OPEN from=a.example to=b.example proof=certificate\n"
                                     "MAKE_KEY from=c.example to=b.example id=r2\n"
                                     "MAKE_KEY from=d.example to=b.example id=r2\n");
    assert_has(end_out(&e), "<db:verify from='a.example' to='b.example' id='77'>th3ir</db:verify>");
    assert_true(s2s_stream_offers_dialback_errors(e.stream));
    assert_int_equal(send_text(&e, "a.example", "b.example", "<m/>"), S2S_E_OK);
    assert_has(end_out(&e), "<m/>");
    end_fini(&e);
}

static void external_fails_and_dialback_takes_over(void **state)
{
    (void)state;
    end e = in_tls(true);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL OFFER_DIALBACK));
    end_out(&e);
    end_log_clear(&e);
    end_feed(&e, "<failure xmlns='" NS_SASL "'><weird/></failure>");
    assert_string_equal(end_log(&e),
                        "NOTE err=sasl_failed from=a.example to=b.example cond=not-authorized\n"
                        "MAKE_KEY from=a.example to=b.example id=r1\n");
    assert_string_equal(end_out(&e), KEY_AB);
    end_feed(&e, VALID_AB);
    assert_has(end_log(&e), "PAIR_OPEN from=a.example to=b.example proof=dialback");
    end_fini(&e);

    s2s_stream_config c = config_of(S2S_INITIATING);
    c.allow_dialback = false;
    end_init(&e, S2S_INITIATING, &c);
    want(&e, "a.example", "b.example");
    end_feed(&e, HEAD_BACK FEATURES(OFFER_TLS));
    end_feed(&e, PROCEED);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL OFFER_DIALBACK));
    end_feed(&e, "<failure xmlns='" NS_SASL "'><invalid-authzid/></failure>");
    assert_has(end_log(&e),
               "PAIR_REFUSED err=sasl_failed from=a.example to=b.example cond=invalid-authzid");
    assert_hasnt(end_all_out(&e), "db:result");
    end_fini(&e);
}

static void external_challenged(void **state)
{
    (void)state;
    end e = in_tls(true);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL));
    end_out(&e);
    end_feed(&e, "<challenge xmlns='" NS_SASL "'/>");
    assert_string_equal(end_out(&e), "<response xmlns='" NS_SASL "'>YS5leGFtcGxl</response>");
    end_feed(&e, "<challenge xmlns='" NS_SASL "'/>");
    assert_has(end_log(&e), "DEAD err=out_of_turn");
    end_fini(&e);
}

/* A question in flight would lose its answer at the restart: EXTERNAL waits for it. */
static void external_waits_for_answers(void **state)
{
    (void)state;
    end e = in_tls(false);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL OFFER_DIALBACK));
    ask(&e, "a.example", "b.example", "77");
    want(&e, "a.example", "b.example");
    ask(&e, "a.example", "b.example", "78");
    const char *out = end_out(&e);
    assert_has(out, "id='77'");
    assert_hasnt(out, "id='78'");
    assert_hasnt(out, "<auth");
    end_feed(&e, "<db:verify from='b.example' to='a.example' id='77' type='valid'/>");
    out = end_out(&e);
    assert_has(out, "<auth");
    assert_hasnt(out, "id='78'");
    end_fini(&e);
}

/* Once dialback is under way the restart of SASL would disturb it. */
static void external_not_beside_dialback(void **state)
{
    (void)state;
    end e = in_tls(false);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL OFFER_DIALBACK));
    want(&e, "c.example", "b.example");
    want(&e, "a.example", "b.example");
    const char *out = end_out(&e);
    assert_has(out, "<db:result from='c.example'");
    assert_has(out, "<db:result from='a.example'");
    assert_hasnt(out, "<auth");
    end_fini(&e);
}

static void external_not_tried(void **state)
{
    (void)state;
    s2s_stream_config c = config_of(S2S_INITIATING);
    end e;
    c.try_external = false;
    end_init(&e, S2S_INITIATING, &c);
    want(&e, "a.example", "b.example");
    end_feed(&e, HEAD_BACK FEATURES(OFFER_TLS));
    end_feed(&e, PROCEED);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL OFFER_DIALBACK));
    assert_hasnt(end_all_out(&e), "<auth");
    assert_has(end_all_out(&e), KEY_AB);
    end_fini(&e);

    c = config_of(S2S_INITIATING); /* in clear it is not even when offered */
    c.tls = S2S_TLS_OPTIONAL;
    end_init(&e, S2S_INITIATING, &c);
    want(&e, "a.example", "b.example");
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL));
    assert_hasnt(end_all_out(&e), "<auth");
    assert_has(end_all_out(&e), KEY_AB);
    end_fini(&e);

    e = in_tls(true); /* an empty list is borne */
    end_feed(&e, HEAD_BACK FEATURES("<mechanisms xmlns='" NS_SASL "'/>" OFFER_DIALBACK));
    assert_has(end_out(&e), KEY_AB);
    end_fini(&e);
}

/* rows: prac-db-feature */
static void neither_proof_is_possible(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
        "id='r1' version='1.0'>",
        HEAD_BACK};
    static const char *const features[] = {FEATURES(""), FEATURES(OFFER_DIALBACK)};
    for (unsigned i = 0; i < 4; i++) { /* the four cells: declared or not, offered or not */
        end e = in_tls(true);
        end_feed(&e, heads[i & 1]);
        end_feed(&e, features[i >> 1]);
        const char *log = end_log(&e);
        if (i == 0)
            assert_has(log, "PAIR_REFUSED err=no_proof_offered from=a.example to=b.example");
        else
            assert_has(log, "MAKE_KEY from=a.example to=b.example id=r1");
        assert_has(log, "READY");
        end_fini(&e);
    }
}

/* ---- dialback ---- */

static void dialback_answers(void **state)
{
    (void)state;
    end e = proved();
    want(&e, "c.example", "b.example");
    want(&e, "c.example", "b.example"); /* one question in flight */
    assert_string_equal(end_out(&e), "<db:result from='c.example' to='b.example'>k3y</db:result>");
    end_feed(&e, "<db:result from='b.example' to='c.example' type='error'><error type='cancel'>"
                 "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                 "</db:result>");
    assert_has(end_log(&e),
               "PAIR_REFUSED err=dialback_error from=c.example to=b.example cond=item-not-found");
    want(&e, "c.example", "b.example"); /* and again, as the caller likes */
    assert_has(end_out(&e), "<db:result from='c.example'");
    end_feed(&e, "<db:result from='b.example' to='c.example' type='invalid'> k3y\n</db:result>");
    assert_has(end_log(&e), "PAIR_REFUSED err=dialback_invalid from=c.example to=b.example");
    want(&e, "c.example", "b.example");
    end_feed(&e, "<db:result from='b.example' to='c.example' type='fine'/>");
    assert_int_equal(s2s_stream_pairs(e.stream), 1);
    assert_int_equal(send_text(&e, "a.example", "b.example", "<m/>"), S2S_E_OK);
    assert_int_equal(send_text(&e, "c.example", "b.example", "<m/>"), S2S_E_NOT_PROVED);
    assert_false(e.dead);
    end_fini(&e);
}

/* rows: X0220-2.1.1-d */
static void dialback_answer_of_another(void **state)
{
    (void)state;
    end e = in_tls(true);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK));
    end_feed(&e, "<db:result from='c.example' to='a.example' type='valid'/>");
    end_feed(&e, "<db:result from='a.example' to='b.example' type='valid'/>");
    assert_int_equal(s2s_stream_pairs(e.stream), 0);
    assert_has(end_log(&e), "NOTE err=dialback_unsolicited from=c.example to=a.example");
    end_out(&e);
    end_feed(&e, "<db:result to='a.example' type='valid'/>");
    assert_has(end_log(&e), "DEAD err=dialback_unsolicited cond=undefined-condition");
    assert_has(end_out(&e), "<undefined-condition");
    end_fini(&e);
}

/* The right pair, but nothing was asked: the key is not sent yet, or the answer came already. */
static void dialback_answer_before_and_after_its_time(void **state)
{
    (void)state;
    end e = in_tls(true);
    e.mute = true;
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK));
    assert_has(end_log(&e), "MAKE_KEY");
    end_feed(&e, VALID_AB);
    assert_has(end_log(&e), "NOTE err=dialback_unsolicited");
    assert_int_equal(s2s_stream_pairs(e.stream), 0);
    end_fini(&e);

    e = proved();
    end_feed(&e, "<db:result from='b.example' to='a.example' type='invalid'/>");
    assert_string_equal(end_log(&e), "NOTE err=dialback_unsolicited from=b.example to=a.example\n");
    assert_int_equal(s2s_stream_pairs(e.stream), 1);
    end_fini(&e);
}

/* Late answers to what was given up are no attack, however many. */
static void dialback_given_up(void **state)
{
    (void)state;
    s2s_domain c = domain("c.example"), b = domain("b.example");
    end e = proved();
    for (int i = 0; i < 5; i++) {
        want(&e, "c.example", "b.example");
        s2s_stream_drop_pair(e.stream, &c, &b);
    }
    for (int i = 0; i < 5; i++)
        end_feed(&e, "<db:result from='b.example' to='c.example' type='valid'/>");
    assert_false(e.dead);
    assert_int_equal(s2s_stream_pairs(e.stream), 1);
    want(&e, "c.example", "b.example"); /* wanted again: its answer counts */
    end_feed(&e, "<db:result from='b.example' to='c.example' type='valid'/>");
    assert_has(end_log(&e), "PAIR_OPEN from=c.example to=b.example");
    end_fini(&e);
}

static void dialback_dropped_before_it_is_asked(void **state)
{
    (void)state;
    s2s_domain a = domain("a.example"), b = domain("b.example"), c = domain("c.example");
    end e;
    end_init(&e, S2S_INITIATING, NULL);
    want(&e, "a.example", "b.example");
    want(&e, "c.example", "b.example");
    s2s_stream_drop_pair(e.stream, &a, &b);
    s2s_stream_drop_pair(e.stream, &b, &a);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_TLS));
    end_feed(&e, PROCEED);
    e.mute = true;
    end_log_clear(&e);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL OFFER_DIALBACK));
    assert_has(end_log(&e), "MAKE_KEY from=c.example");
    assert_hasnt(end_log(&e), "MAKE_KEY from=a.example");
    s2s_stream_drop_pair(e.stream, &c, &b);
    s2s_stream_give_key(e.stream, &c, &b, S2S_LIT("k3y"));
    assert_hasnt(end_all_out(&e), "db:result");
    end_fini(&e);
}

static void pairs_are_bounded(void **state)
{
    (void)state;
    s2s_stream_config c = config_of(S2S_INITIATING);
    s2s_domain a = domain("a.example"), b = domain("b.example"), d = domain("d.example");
    c.max_pairs = 1;
    end e;
    end_init(&e, S2S_INITIATING, &c);
    assert_int_equal(s2s_stream_want_pair(e.stream, &a, &b), S2S_E_OK);
    assert_int_equal(s2s_stream_want_pair(e.stream, &a, &b), S2S_E_OK);
    assert_int_equal(s2s_stream_want_pair(e.stream, &d, &b), S2S_E_PAIR_LIMIT);
    assert_int_equal(s2s_stream_ask_verify(e.stream, &a, &b, S2S_LIT("1"), NONE), S2S_E_OK);
    assert_int_equal(s2s_stream_ask_verify(e.stream, &a, &b, S2S_LIT("2"), NONE), S2S_E_PAIR_LIMIT);
    s2s_stream_close(e.stream, S2S_E_OK, NONE);
    assert_int_equal(s2s_stream_want_pair(e.stream, &a, &b), S2S_E_PEER_CLOSED);
    assert_int_equal(s2s_stream_ask_verify(e.stream, &a, &b, S2S_LIT("2"), NONE),
                     S2S_E_PEER_CLOSED);
    end_fini(&e);
}

/* ---- questions ---- */

static void verify_only(void **state)
{
    (void)state;
    end e = in_tls(false);
    ask(&e, "a.example", "b.example", "i'd");
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL OFFER_DIALBACK));
    assert_string_equal(end_log(&e), "HEAD from=b.example to=a.example id=r1\nREADY\n");
    assert_string_equal(
        end_out(&e), "<db:verify from='a.example' to='b.example' id='i&apos;d'>th3ir</db:verify>");
    end_log_clear(&e);
    /* attack 90: another id, another pair, then the right one, then once more */
    end_feed(&e, "<db:verify from='b.example' to='a.example' id='id' type='valid'/>");
    end_feed(&e, "<db:verify from='a.example' to='b.example' id=\"i'd\" type='valid'/>");
    assert_hasnt(end_log(&e), "VERIFY_ANSWER");
    end_feed(&e,
             "<db:verify from='b.example' to='a.example' id=\"i'd\" type='valid'>k</db:verify>");
    assert_has(end_log(&e), "VERIFY_ANSWER from=a.example to=b.example id=i'd verdict=valid\n");
    end_feed(&e, "<db:verify from='b.example' to='a.example' id=\"i'd\" type='valid'/>");
    assert_has(end_log(&e), "DEAD err=dialback_unsolicited");
    assert_hasnt(end_all_out(&e), "<auth");
    end_fini(&e);
}

static void verify_verdicts(void **state)
{
    (void)state;
    end e = in_tls(false);
    end_feed(&e, HEAD_BACK FEATURES(""));
    ask(&e, "a.example", "b.example", "1");
    ask(&e, "a.example", "b.example", "2");
    ask(&e, "c.example", "b.example", "1");
    end_log_clear(&e);
    end_feed(&e, "<db:verify from='b.example' to='c.example' id='1' type='invalid'/>"
                 "<db:verify from='b.example' to='a.example' id='2' type='error'><error>"
                 "<frob xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:verify>");
    assert_string_equal(
        end_log(&e),
        "VERIFY_ANSWER from=c.example to=b.example id=1 verdict=invalid\n"
        "VERIFY_ANSWER from=a.example to=b.example id=2 cond=undefined-condition verdict=error\n");
    end_fini(&e);
}

/* ---- stanzas ---- */

/* rows: prac-bidi-no */
static void nothing_is_taken_on_a_one_way_stream(void **state)
{
    (void)state;
    end e = proved();
    end_feed(&e, "<message from='u@b.example' to='v@a.example'/>"
                 "<db:result from='b.example' to='a.example'>k</db:result>"
                 "<db:verify from='b.example' to='a.example' id='1'>k</db:verify>"
                 "<stream:features/><x xmlns='u:x'/>");
    assert_string_equal(end_log(&e), "NOTE err=out_of_turn\nNOTE err=out_of_turn\n"
                                     "NOTE err=out_of_turn\nNOTE err=out_of_turn\n"
                                     "NOTE err=unsupported_stanza\n");
    assert_string_equal(end_out(&e), "");
    end_fini(&e);
}

static void send_is_bounded(void **state)
{
    (void)state;
    s2s_stream_config c = config_of(S2S_INITIATING);
    end e;
    c.max_out = 100;
    c.tls = S2S_TLS_NONE;
    end_init(&e, S2S_INITIATING, &c);
    want(&e, "a.example", "b.example");
    end_feed(&e, HEAD_BACK FEATURES("") VALID_AB);
    end_out(&e);
    uint64_t before = s2s_stream_out_total(e.stream);
    char text[61];
    memset(text, 'x', 60);
    text[60] = '\0';
    assert_int_equal(send_text(&e, "a.example", "b.example", text), S2S_E_OK);
    assert_int_equal(send_text(&e, "a.example", "b.example", text), S2S_E_FULL);
    assert_int_equal(s2s_stream_out_total(e.stream), before + 60);
    assert_int_equal(s2s_stream_out(e.stream).len, 60);
    s2s_stream_sent(e.stream, 20);
    assert_int_equal(send_text(&e, "a.example", "b.example", text), S2S_E_OK);
    assert_int_equal(s2s_stream_out_total(e.stream), before + 120);
    assert_int_equal(send_text(&e, "b.example", "a.example", "x"), S2S_E_NOT_PROVED);
    s2s_stream_close(e.stream, S2S_E_OK, NONE);
    assert_int_equal(send_text(&e, "a.example", "b.example", "x"), S2S_E_NOT_PROVED);
    end_fini(&e);
}

static void peer_closes_while_asked(void **state)
{
    (void)state;
    end e = in_tls(true);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_DIALBACK));
    end_out(&e);
    end_feed(&e, "</stream:stream>");
    assert_has(end_log(&e), "CLOSED\n");
    assert_string_equal(end_out(&e), "</stream:stream>");
    assert_int_equal(s2s_stream_pairs(e.stream), 0);
    end_fini(&e);
}

static void tls_is_forced_on_one_who_must_not(void **state)
{
    (void)state;
    s2s_stream_config c = config_of(S2S_INITIATING);
    end e;
    c.tls = S2S_TLS_NONE;
    end_init(&e, S2S_INITIATING, &c);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_TLS));
    assert_has(end_log(&e), "DEAD err=unsupported_feature");
    end_fini(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_header),
        cmocka_unit_test(tls_is_used_when_offered),
        cmocka_unit_test(tls_is_tried_when_not_offered),
        cmocka_unit_test(tls_refused),
        cmocka_unit_test(plaintext_behind_proceed),
        cmocka_unit_test(old_peer_without_version),
        cmocka_unit_test(header_without_id),
        cmocka_unit_test(unknown_feature_is_required),
        cmocka_unit_test(external_for_the_header_pair),
        cmocka_unit_test(external_fails_and_dialback_takes_over),
        cmocka_unit_test(external_challenged),
        cmocka_unit_test(external_waits_for_answers),
        cmocka_unit_test(external_not_beside_dialback),
        cmocka_unit_test(external_not_tried),
        cmocka_unit_test(neither_proof_is_possible),
        cmocka_unit_test(dialback_answers),
        cmocka_unit_test(dialback_answer_of_another),
        cmocka_unit_test(dialback_answer_before_and_after_its_time),
        cmocka_unit_test(dialback_given_up),
        cmocka_unit_test(dialback_dropped_before_it_is_asked),
        cmocka_unit_test(pairs_are_bounded),
        cmocka_unit_test(verify_only),
        cmocka_unit_test(verify_verdicts),
        cmocka_unit_test(nothing_is_taken_on_a_one_way_stream),
        cmocka_unit_test(send_is_bounded),
        cmocka_unit_test(peer_closes_while_asked),
        cmocka_unit_test(tls_is_forced_on_one_who_must_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
