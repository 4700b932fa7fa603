/* Direct TLS (XEP-0368): both roles, from the first byte on. */
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "stream_end.h"

static end begun(s2s_role role, bool by_hello)
{
    end e;
    s2s_stream_config c = config_of(role);
    c.direct_tls = !by_hello;
    end_init(&e, role, &c);
    e.mute = true; /* nobody says that TLS is done */
    if (by_hello) s2s_stream_hello(e.stream);
    end_walk(&e);
    return e;
}

static void tls_is_done(end *e)
{
    e->mute = false;
    s2s_stream_tls_done(e->stream);
    end_walk(e);
    end_log_clear(e);
}

static void initiating_says_nothing_before_tls(void **state)
{
    (void)state;
    end e = begun(S2S_INITIATING, false);
    assert_string_equal(end_log(&e), "NEED_TLS\n");
    assert_string_equal(end_out(&e), "");
    assert_string_equal(s2s_stream_state(e.stream), "EXPECT_TLS");
    assert_false(s2s_stream_in_tls(e.stream));
    tls_is_done(&e);
    assert_true(s2s_stream_in_tls(e.stream));
    assert_string_equal(
        end_out(&e),
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
        "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
        "from='a.example' to='b.example' version='1.0' xml:lang='en'>");
    s2s_domain a = domain("a.example"), b = domain("b.example");
    assert_int_equal(s2s_stream_want_pair(e.stream, &a, &b), S2S_E_OK);
    end_feed(&e, HEAD_BACK FEATURES(OFFER_EXTERNAL OFFER_DIALBACK));
    assert_string_equal(end_out(&e), AUTH("YS5leGFtcGxl"));
    end_fini(&e);
}

/* X0368-f: an offer inside is not taken up, required or not. */
static void starttls_offered_inside_is_not_followed(void **state)
{
    (void)state;
    static const char *const OFFERS[] = {FEATURES(OFFER_TLS OFFER_EXTERNAL),
                                         FEATURES(OFFER_EXTERNAL OFFER_TLS OFFER_DIALBACK),
                                         FEATURES("<starttls xmlns='" NS_TLS "'/>" OFFER_EXTERNAL)};
    for (size_t i = 0; i < sizeof OFFERS / sizeof OFFERS[0]; i++) {
        end e = begun(S2S_INITIATING, false);
        tls_is_done(&e);
        s2s_domain a = domain("a.example"), b = domain("b.example");
        assert_int_equal(s2s_stream_want_pair(e.stream, &a, &b), S2S_E_OK);
        end_feed(&e, HEAD_BACK);
        end_out(&e);
        end_feed(&e, OFFERS[i]);
        assert_string_equal(end_out(&e), AUTH("YS5leGFtcGxl"));
        end_fini(&e);
    }
}

/* Nothing else than TLS is read: what comes before it is an attack, or no server at all. */
static void bytes_before_tls_end_it(void **state)
{
    (void)state;
    for (int role = 0; role < 2; role++) {
        end e = begun(role == 0 ? S2S_INITIATING : S2S_RECEIVING, false);
        end_feed(&e, role == 0 ? HEAD_BACK : HEAD_AB);
        assert_has(end_log(&e), "DEAD err=tls_injection");
        assert_string_equal(end_all_out(&e), "");
        end_fini(&e);
    }
}

static void ends_before_tls_are_mute(void **state)
{
    (void)state;
    static const s2s_err WHYS[] = {S2S_E_OK, S2S_E_SHUTDOWN, S2S_E_HEAD_TIMEOUT};
    for (size_t i = 0; i < 2 * sizeof WHYS / sizeof WHYS[0]; i++) {
        end e = begun(i % 2 == 0 ? S2S_INITIATING : S2S_RECEIVING, false);
        s2s_stream_close(e.stream, WHYS[i / 2], (s2s_span){NULL, 0});
        end_walk(&e);
        assert_has(end_log(&e), "DEAD");
        assert_string_equal(end_all_out(&e), ""); /* no XML in clear */
        end_fini(&e);
    }
}

static void receiving(bool by_hello)
{
    end e = begun(S2S_RECEIVING, by_hello);
    assert_string_equal(end_log(&e), "NEED_TLS\n");
    assert_string_equal(end_out(&e), "");
    tls_is_done(&e);
    end_feed(&e, HEAD_AB);
    assert_has(end_log(&e), "HEAD from=a.example to=b.example");
    const char *out = end_out(&e);
    assert_has(out, " id='id1' ");
    assert_has(out, "<mechanism>EXTERNAL</mechanism>");
    assert_hasnt(out, "starttls");
    end_feed(&e, AUTH("="));
    assert_has(end_log(&e), "PAIR_OPEN from=a.example to=b.example proof=certificate");
    end_fini(&e);
}

static void receiving_on_a_port_of_its_own(void **state)
{
    (void)state;
    receiving(false);
}

static void receiving_after_a_look_at_the_first_byte(void **state)
{
    (void)state;
    receiving(true);
}

static void starttls_inside_is_refused(void **state)
{
    (void)state;
    for (int level = S2S_TLS_NONE; level <= S2S_TLS_REQUIRED; level++) {
        end e = begun(S2S_RECEIVING, level == S2S_TLS_OPTIONAL);
        e.answer.tls = (s2s_tls_level)level;
        tls_is_done(&e);
        end_feed(&e, HEAD_AB);
        assert_hasnt(end_out(&e), "starttls");
        end_feed(&e, STARTTLS);
        assert_string_equal(end_out(&e), "<failure xmlns='" NS_TLS "'/></stream:stream>");
        assert_has(end_log(&e), "DEAD err=out_of_turn");
        end_fini(&e);
    }
}

/* Once the stream has begun there is no second beginning. */
static void hello_comes_first_or_never(void **state)
{
    (void)state;
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    end_feed(&e, HEAD_AB);
    s2s_stream_hello(e.stream);
    end_walk(&e);
    assert_has(end_log(&e), "DEAD err=out_of_turn");
    end_fini(&e);

    e = receiver_in_tls();
    s2s_stream_hello(e.stream);
    end_walk(&e);
    assert_has(end_log(&e), "DEAD err=out_of_turn");
    end_fini(&e);
}

/* Both ends of ours, whole sessions. */
static void two_ends_meet(void **state)
{
    (void)state;
    for (int by_hello = 0; by_hello < 2; by_hello++) {
        end a, b;
        s2s_stream_config c = config_of(S2S_INITIATING), d = config_of(S2S_RECEIVING);
        c.direct_tls = true;
        d.direct_tls = by_hello == 0;
        end_init(&a, S2S_INITIATING, &c);
        end_init(&b, S2S_RECEIVING, &d);
        s2s_domain from = domain("a.example"), to = domain("b.example");
        assert_int_equal(s2s_stream_want_pair(a.stream, &from, &to), S2S_E_OK);
        if (by_hello == 1) s2s_stream_hello(b.stream);
        end_walk(&b);
        end_walk(&a);
        ends_meet(&a, &b);
        assert_has(end_log(&a), "PAIR_OPEN from=a.example to=b.example proof=certificate");
        assert_true(s2s_stream_in_tls(a.stream) && s2s_stream_in_tls(b.stream));
        assert_hasnt(end_all_out(&a), "starttls");
        assert_hasnt(end_all_out(&b), "starttls");
        end_fini(&a);
        end_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initiating_says_nothing_before_tls),
        cmocka_unit_test(starttls_offered_inside_is_not_followed),
        cmocka_unit_test(bytes_before_tls_end_it),
        cmocka_unit_test(ends_before_tls_are_mute),
        cmocka_unit_test(receiving_on_a_port_of_its_own),
        cmocka_unit_test(receiving_after_a_look_at_the_first_byte),
        cmocka_unit_test(starttls_inside_is_refused),
        cmocka_unit_test(hello_comes_first_or_never),
        cmocka_unit_test(two_ends_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
