/* What may be answered with an error, and the error itself (RFC 6120 8.2.3, 8.3). */
#include "cmocka_all.h"

#include <string.h>

#include <s2s/stanza.h>

#include "xml_record.h"

static s2s_stanza stanza(s2s_kind kind, const char *type)
{
    return (s2s_stanza){.kind = kind,
                        .from = S2S_LIT("u@loc.example/r"),
                        .to = S2S_LIT("v@rem.example"),
                        .id = S2S_LIT("i1"),
                        .type = s2s_span_of(type)};
}

/* Checklist rows R6120-8.3.1-a, R6120-8.3.1-b, prac-presence. */
static void what_may_bounce(void **state)
{
    (void)state;
    static const struct {
        s2s_kind kind;
        const char *type;
        bool may;
    } rows[] = {
        {S2S_MESSAGE, NULL, true},
        {S2S_MESSAGE, "chat", true},
        {S2S_MESSAGE, "error", false},
        {S2S_MESSAGE, "result", true},
        {S2S_MESSAGE, "unavailable", true},
        {S2S_PRESENCE, NULL, true},
        {S2S_PRESENCE, "subscribe", true},
        {S2S_PRESENCE, "probe", true},
        {S2S_PRESENCE, "unavailable", false},
        {S2S_PRESENCE, "error", false},
        {S2S_IQ, "get", true},
        {S2S_IQ, "set", true},
        {S2S_IQ, "result", false},
        {S2S_IQ, "error", false},
        {S2S_IQ, "subscribe", true},
        {S2S_IQ, NULL, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s2s_stanza st = stanza(rows[i].kind, rows[i].type);
        assert_int_equal(s2s_stanza_may_bounce(&st), rows[i].may);
    }
}

/* Checklist row R6120-8.2.3-a. */
static void which_iq_is_one(void **state)
{
    (void)state;
    const char *const good[] = {"get", "set", "result", "error"};
    for (size_t i = 0; i < 4; i++) {
        s2s_stanza st = stanza(S2S_IQ, good[i]);
        assert_true(s2s_stanza_iq_ok(&st));
        st.id = (s2s_span){NULL, 0};
        assert_false(s2s_stanza_iq_ok(&st));
    }
    const char *const bad[] = {NULL, "", "subscribe", "GET", "gets"};
    for (size_t i = 0; i < 5; i++) {
        s2s_stanza st = stanza(S2S_IQ, bad[i]);
        assert_false(s2s_stanza_iq_ok(&st));
    }
    s2s_stanza st = stanza(S2S_MESSAGE, NULL);
    st.id = (s2s_span){NULL, 0};
    assert_true(s2s_stanza_iq_ok(&st));
}

static void expect_error(const s2s_stanza *st, const char *cond, const char *text, const char *app,
                         const char *app_ns, const char *want)
{
    s2s_buf out;
    s2s_buf_init(&out, 0);
    assert_int_equal(s2s_stanza_put_error(&out, st, cond, s2s_span_of(text), app, app_ns),
                     S2S_E_OK);
    assert_int_equal(s2s_buf_puts(&out, ""), S2S_E_OK);
    s2s_span got = s2s_buf_span(&out);
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
    record_check_canonical(&s2s_xml_limits_open, got);
    s2s_buf_fini(&out);
}

/* Checklist rows R6120-8.3.1-c, R6120-8.3.1-d. */
static void errors(void **state)
{
    (void)state;
    s2s_stanza st = stanza(S2S_IQ, "get");
    expect_error(&st, "remote-server-timeout", "tcp: it's <a&b>", NULL, NULL,
                 "<iq from='v@rem.example' to='u@loc.example/r' type='error' id='i1'>"
                 "<error type='wait'>"
                 "<remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                 "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>"
                 "tcp: it's &lt;a&amp;b&gt;</text></error></iq>");
    st = stanza(S2S_MESSAGE, NULL);
    st.id = (s2s_span){NULL, 0};
    expect_error(&st, "policy-violation", NULL, "stanza-too-big", "urn:xmpp:errors",
                 "<message from='v@rem.example' to='u@loc.example/r' type='error'>"
                 "<error type='modify'>"
                 "<policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                 "<stanza-too-big xmlns='urn:xmpp:errors'/></error></message>");
    st = stanza(S2S_PRESENCE, "subscribe");
    st.id = S2S_LIT("a'b&c");
    st.to = S2S_LIT("o'neill@rem.example");
    expect_error(&st, "remote-server-not-found", "a\001b\033\n\r", NULL, NULL,
                 "<presence from='o&apos;neill@rem.example' to='u@loc.example/r' type='error' "
                 "id='a&apos;b&amp;c'><error type='cancel'>"
                 "<remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                 "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>"
                 "a?b?\n&#xD;</text></error></presence>");
}

/* Every condition of the table of errors for stanzas has a row here. */
static void all_conditions_of_the_table(void **state)
{
    (void)state;
    for (int e = 0; e < S2S_E_COUNT; e++) {
        const char *cond = s2s_err_of((s2s_err)e)->stanza;
        if (*cond == '\0') continue;
        s2s_stanza st = stanza(S2S_MESSAGE, NULL);
        s2s_buf out;
        s2s_buf_init(&out, 0);
        assert_int_equal(s2s_stanza_put_error(&out, &st, cond, (s2s_span){NULL, 0}, NULL, NULL),
                         S2S_E_OK);
        assert_non_null(memmem(out.ptr, out.end, cond, strlen(cond)));
        s2s_buf_fini(&out);
    }
}

/* Whatever the cap, either all of it is there or nothing. */
static void a_full_buffer_gets_nothing(void **state)
{
    (void)state;
    s2s_stanza st = stanza(S2S_IQ, "set");
    for (size_t cap = 4; cap < 600; cap++) {
        s2s_buf out;
        s2s_buf_init(&out, cap);
        assert_int_equal(s2s_buf_puts(&out, "head"), S2S_E_OK);
        s2s_err err = s2s_stanza_put_error(&out, &st, "item-not-found", S2S_LIT("no 'such' thing"),
                                           NULL, NULL);
        if (err == S2S_E_FULL)
            assert_true(s2s_span_is(s2s_buf_span(&out), "head"));
        else
            assert_memory_equal(out.ptr + out.end - 5, "</iq>", 5);
        s2s_buf_fini(&out);
    }
}

static void kinds(void **state)
{
    (void)state;
    assert_string_equal(s2s_kind_name(S2S_MESSAGE), "message");
    assert_string_equal(s2s_kind_name(S2S_PRESENCE), "presence");
    assert_string_equal(s2s_kind_name(S2S_IQ), "iq");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_bounce),
        cmocka_unit_test(which_iq_is_one),
        cmocka_unit_test(errors),
        cmocka_unit_test(all_conditions_of_the_table),
        cmocka_unit_test(a_full_buffer_gets_nothing),
        cmocka_unit_test(kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
