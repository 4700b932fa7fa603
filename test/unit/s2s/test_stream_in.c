/* The receiving stream: dialback, stanzas, errors, the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "stream_end.h"

/* ---- dialback ---- */

static void dialback_valid_invalid_error(void **state)
{
    (void)state;
    end e = receiver_in_tls();
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

    e = receiver_in_tls();
    e.prove = S2S_INVALID;
    end_feed(&e, RESULT("a.example", "b.example", "k3y"));
    assert_has(end_out(&e), "type='invalid'/></stream:stream>");
    assert_has(end_log(&e), "DEAD err=dialback_denied");
    end_fini(&e);
}

static void dialback_answered_later(void **state)
{
    (void)state;
    end e = receiver_proved();
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
    end e = receiver_in_tls();
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
        e = receiver_in_tls();
        end_feed(&e, missing[i]);
        assert_string_equal(end_out(&e), ERROR("improper-addressing") CLOSE);
        end_fini(&e);
    }
}

/* rows: prac-mux-cap */
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
    end e = receiver_in_tls();
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

/* rows: X0220-2.2.2-a */
static void verify_is_answered_before_any_proof(void **state)
{
    (void)state;
    end e = receiver_in_tls();
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
        {MESSAGE("u@a.example", "v@\xe2\x98\x83.example"), "STANZA_REFUSED err=domain_idn"},
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
        end e = receiver_proved();
        end_feed(&e, cases[i].feed);
        assert_int_equal(strncmp(end_log(&e), cases[i].log, strlen(cases[i].log)), 0);
        end_fini(&e);
    }
}

/* rows: R7622-3.1 */
static void stanza_with_a_long_part_is_marked(void **state)
{
    (void)state;
    char text[2000], part[1025];
    memset(part, 'x', 1024);
    part[1024] = '\0';
    end e = receiver_proved();
    snprintf(text, sizeof text, "<message from='u@a.example' to='v@b.example/%s'/>", part);
    s2s_stream_feed(e.stream, s2s_span_of(text));
    const s2s_event *ev = s2s_stream_next(e.stream);
    assert_int_equal(ev->kind, S2S_EV_STANZA);
    assert_int_equal(ev->stanza->address, S2S_E_JID_TOO_LONG);
    assert_int_equal(ev->stanza->to.len, 1024 + 12);
    end_fini(&e);
}

/* The limit holds for what is written too: an apostrophe grows six-fold. */
/* rows: prac-open-size */
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
    memcpy(text + n + 2000, "\"/>", 4);
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
        end e = receiver_in_tls();
        end_feed(&e, stanzas[i]);
        assert_string_equal(end_out(&e), ERROR("not-authorized") CLOSE);
        assert_string_equal(end_log(&e), "DEAD err=before_auth cond=not-authorized\n");
        end_fini(&e);
    }
    end e = receiver_in_tls(); /* nor between a key and its verdict */
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
    end e = receiver_proved();
    end_feed(&e, MESSAGE("u@a.example", "v@b.example") "</stream:stream>");
    assert_string_equal(end_out(&e), "</stream:stream>");
    assert_has(end_log(&e), "STANZA");
    assert_has(end_log(&e), "CLOSED\n");
    s2s_stream_eof(e.stream);
    end_walk(&e);
    assert_false(e.dead);
    end_fini(&e);
}

/* rows: R6120-4.4-a */
static void we_close_and_read_on(void **state)
{
    (void)state;
    end e = receiver_proved();
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
    end e = receiver_proved();
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
        end e = receiver_proved();
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
    end e = receiver_proved();
    s2s_stream_close(e.stream, S2S_E_SHUTDOWN, (s2s_span){NULL, 0});
    end_walk(&e);
    assert_string_equal(end_out(&e), ERROR("system-shutdown") CLOSE);
    assert_string_equal(end_log(&e), "DEAD err=shutdown cond=system-shutdown\n");
    end_feed(&e, MESSAGE("u@a.example", "v@b.example"));
    assert_hasnt(end_log(&e), "STANZA");
    end_fini(&e);

    e = receiver_proved(); /* a reason without a condition: only the tag */
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
