/* test_bounce.c - condition, text and addresses of our own errors. */
#include "leaves.h"

#include "fed/bounce.h"

static void expect_text(const fed_bounce *b, const char *text)
{
    char out[FED_BOUNCE_TEXT];
    assert_string_equal(fed_bounce_text(b, out), text);
}

static void our_side_is_told_stage_endpoint_and_sentence(void **state)
{
    (void)state;
    s2s_domain far = domain_of("far.example");
    fed_addr at = addr_of("2001:db8::1", 5269);
    fed_bounce b = {.why = S2S_E_DNS_FAILED, .toward = FED_INSIDE, .domain = &far};
    expect_text(&b, "dns: far.example: the DNS lookup failed (SERVFAIL, bogus or timeout)");
    b.why = S2S_E_TCP_REFUSED;
    b.endpoint = &at;
    expect_text(&b, "tcp: far.example at [2001:db8::1]:5269: the connection was refused");
    b.domain = NULL;
    expect_text(&b, "tcp: [2001:db8::1]:5269: the connection was refused");
    b.endpoint = NULL;
    expect_text(&b, "tcp: the connection was refused");
}

/* rows: R6120-13.10.1 */
static void the_outside_is_told_nothing(void **state)
{
    (void)state;
    s2s_domain ours = domain_of("example.org");
    fed_addr at = addr_of("10.0.0.10", 5269);
    for (s2s_err why = S2S_E_OK + 1; why < S2S_E_COUNT; why++) {
        fed_bounce b = {.why = why, .toward = FED_OUTSIDE, .domain = &ours, .endpoint = &at};
        s2s_stanza st =
            stanza_of(S2S_MESSAGE, "romeo@far.example", "juliet@example.org", "1", NULL);
        s2s_buf buf;
        expect_text(&b, "");
        s2s_buf_init(&buf, 0);
        assert_int_equal(fed_bounce_put(&buf, &st, &b), S2S_E_OK);
        assert_int_equal(s2s_buf_put(&buf, (s2s_span){"", 1}), S2S_E_OK);
        const char *xml = s2s_buf_span(&buf).ptr;
        assert_null(strstr(xml, "10.0.0.10"));
        assert_null(strstr(xml, "<text"));
        assert_null(strstr(xml, "timeout"));
        assert_null(strstr(xml, "remote-server"));
        assert_null(strstr(xml, s2s_err_of(why)->sentence));
        s2s_buf_fini(&buf);
    }
}

/* rows: R6120-10.4.3-b R6120-10.4.3-c X0410 */
static void conditions_follow_the_table(void **state)
{
    (void)state;
    static const struct {
        s2s_err why;
        const char *inside, *outside;
    } ROWS[] = {
        {S2S_E_DNS_NOT_FOUND, "remote-server-not-found", "service-unavailable"},
        {S2S_E_DNS_NO_SERVICE, "remote-server-not-found", "service-unavailable"},
        {S2S_E_DNS_FAILED, "remote-server-timeout", "service-unavailable"},
        {S2S_E_DNS_BLOCKED, "remote-server-timeout", "service-unavailable"},
        {S2S_E_NO_ENDPOINT_LEFT, "remote-server-timeout", "service-unavailable"},
        {S2S_E_CERT_NAME, "remote-server-timeout", "service-unavailable"},
        {S2S_E_DIALBACK_INVALID, "remote-server-timeout", "service-unavailable"},
        {S2S_E_FULL, "resource-constraint", "resource-constraint"},
        {S2S_E_EXPIRED, "remote-server-timeout", "service-unavailable"},
        {S2S_E_LOCAL_DOWN, "service-unavailable", "service-unavailable"},
        {S2S_E_STANZA_TOO_BIG, "policy-violation", "policy-violation"},
        {S2S_E_PEER_BLOCKED, "policy-violation", "policy-violation"},
        {S2S_E_JID_TOO_LONG, "jid-malformed", "jid-malformed"},
        {S2S_E_IQ_MALFORMED, "bad-request", "bad-request"},
        {S2S_E_XML_NOT_WELL_FORMED, "remote-server-timeout",
         "service-unavailable"}, /* the link died of it */
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        assert_string_equal(fed_bounce_condition(ROWS[i].why, FED_INSIDE), ROWS[i].inside);
        assert_string_equal(fed_bounce_condition(ROWS[i].why, FED_OUTSIDE), ROWS[i].outside);
    }
}

static bool has(s2s_span text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static void an_item_with_addresses_swapped(void **state)
{
    (void)state;
    s2s_domain far = domain_of("far.example");
    fed_bounce b = {.why = S2S_E_TCP_TIMEOUT, .toward = FED_INSIDE, .domain = &far};
    s2s_stanza st = stanza_of(S2S_IQ, "juliet@example.org/x", "romeo@far.example/y", "q1", "get");
    fed_item *item = fed_bounce_new(&st, &b, FED_INBOUND, 9);
    assert_non_null(item);
    assert_true(s2s_span_is(item->from, "romeo@far.example/y"));
    assert_true(s2s_span_is(item->to, "juliet@example.org/x"));
    assert_true(s2s_span_is(item->from_domain, "far.example"));
    assert_true(s2s_span_is(item->to_domain, "example.org"));
    assert_true(s2s_span_is(item->id, "q1"));
    assert_true(s2s_span_is(item->type, "error"));
    assert_int_equal(item->kind, S2S_IQ);
    assert_int_equal(item->way, FED_INBOUND);
    assert_int_equal(item->accepted_at, 9);
    assert_false(item->may_bounce); /* it can never be answered in turn */
    assert_true(has(item->bytes, "<remote-server-timeout"));
    assert_true(has(item->bytes, "tcp: far.example: the connection timed out"));
    assert_false(has(item->bytes, "hello")); /* no payload */
    fed_item_free(item);
}

static void too_big_has_its_own_condition(void **state)
{
    (void)state;
    fed_bounce b = {.why = S2S_E_STANZA_TOO_BIG, .toward = FED_OUTSIDE};
    s2s_stanza st = stanza_of(S2S_MESSAGE, "far.example", "example.org", NULL, NULL);
    fed_item *item = fed_bounce_new(&st, &b, FED_OUTBOUND, 0);
    assert_true(has(item->bytes, "<policy-violation"));
    assert_true(has(item->bytes, "<stanza-too-big xmlns='urn:xmpp:errors'"));
    assert_null(item->id.ptr);
    fed_item_free(item);
}

/* A local server closes its stream on a JID part over 1,023 octets, so none may reach it, not even its own back. */
/* rows: R7622-3.1 */
static void long_addresses_are_cut_to_the_domain(void **state)
{
    (void)state;
    static char to[1200];
    memset(to, 'a', 1100);
    memcpy(to + 1100, "@far.example", sizeof "@far.example");
    fed_bounce b = {.why = S2S_E_JID_TOO_LONG, .toward = FED_INSIDE};
    s2s_stanza st = stanza_of(S2S_MESSAGE, "juliet@example.org", to, "1", NULL);
    assert_int_equal(st.address, S2S_E_JID_TOO_LONG);
    fed_item *item = fed_bounce_new(&st, &b, FED_INBOUND, 0);
    assert_true(s2s_span_is(item->from, "far.example"));
    assert_true(s2s_span_is(item->to, "juliet@example.org"));
    assert_int_equal(item->address, S2S_E_OK);
    assert_false(has(item->bytes, "aaaa"));
    assert_true(has(item->bytes, "<jid-malformed"));
    fed_item_free(item);
}

static void what_may_not_be_answered(void **state)
{
    (void)state;
    static const struct {
        s2s_kind kind;
        const char *type;
        bool inside, outside;
    } ROWS[] = {
        {S2S_MESSAGE, NULL, true, true},
        {S2S_MESSAGE, "chat", true, true},
        {S2S_MESSAGE, "error", false, false},
        {S2S_IQ, "get", true, true},
        {S2S_IQ, "set", true, true},
        {S2S_IQ, "result", false, false},
        {S2S_IQ, "error", false, false},
        {S2S_PRESENCE, NULL, true, false},
        {S2S_PRESENCE, "subscribe", true, false},
        {S2S_PRESENCE, "unavailable", false, false},
        {S2S_PRESENCE, "error", false, false},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        s2s_stanza st = stanza_of(ROWS[i].kind, "a.example", "b.example", "1", ROWS[i].type);
        assert_int_equal(fed_bounce_allowed(&st, FED_INSIDE), ROWS[i].inside);
        assert_int_equal(fed_bounce_allowed(&st, FED_OUTSIDE), ROWS[i].outside);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_side_is_told_stage_endpoint_and_sentence),
        cmocka_unit_test(the_outside_is_told_nothing),
        cmocka_unit_test(conditions_follow_the_table),
        cmocka_unit_test(an_item_with_addresses_swapped),
        cmocka_unit_test(too_big_has_its_own_condition),
        cmocka_unit_test(long_addresses_are_cut_to_the_domain),
        cmocka_unit_test(what_may_not_be_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
