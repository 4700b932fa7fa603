/* test_plan_dane.c - the rows of the DANE table (RFC 7673 3, RFC 7671 4) as the plan of a remote domain goes through them:
 * what is asked, what is dialled, and what is known of the certificate there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fed/plan.h"

/* What the DNS says of one record set. */
typedef enum said {
    BOGUS,    /* or SERVFAIL, or nothing in time */
    INSECURE, /* records, unsigned */
    SECURE,   /* records, signed */
    NONE,     /* no such records, and that is signed */
    USELESS,  /* TLSA: signed, but none that anybody can use */
    NOT_ASKED
} said;

typedef struct row {
    said srv, addr, tlsa;
    s2s_err end; /* OK: the endpoint is dialled */
    bool host;   /* ... and its name counts */
    bool tls;    /* ... with TLS as a must */
    bool fits;   /* ... and a certificate that fits the records */
} row;

static fed_limits limits;

static void fill(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 0, n);
}

static s2s_domain domain_of(const char *text)
{
    s2s_domain d;
    assert_int_equal(s2s_domain_make(s2s_span_of(text), &d), S2S_E_OK);
    return d;
}

static void answer(fed_plan *p, const fed_plan_step *step, said what)
{
    const fed_addr addr = {.family = 4, .bytes = {8, 8, 8, 8}};
    const fed_srv srv = {.port = 5270, .target = domain_of("xmpp.far.example")};
    const fed_tlsa tlsa = {3, 1, 1, S2S_LIT("0123456789abcdef0123456789abcdef")};
    fed_dns dns = {.err = S2S_E_OK, .secure = what != INSECURE, .srv = &srv, .addr = &addr};
    dns.tlsa = &tlsa;
    bool records = what == SECURE || what == INSECURE;
    dns.n_srv = records && step->ask.query == FED_QUERY_SRV;
    dns.n_addr = records && step->ask.query == FED_QUERY_ADDR;
    dns.n_tlsa = records && step->ask.query == FED_QUERY_TLSA;
    if (what == BOGUS) dns = (fed_dns){.err = S2S_E_DNS_FAILED};
    if (what == NONE) dns.err = S2S_E_DNS_NOT_FOUND;
    fed_plan_answer(p, &dns);
}

/* Asks what the plan wants asked; `what` NOT_ASKED: it must not want it. */
static void expect(fed_plan *p, fed_query query, const char *name, said what)
{
    if (what == NOT_ASKED) return;
    fed_plan_step step = fed_plan_next(p);
    assert_int_equal(step.kind, FED_PLAN_ASK);
    assert_int_equal(step.ask.query, query);
    assert_string_equal(step.ask.name.text, name);
    if (query == FED_QUERY_TLSA) assert_int_equal(step.ask.port, 5270);
    answer(p, &step, what);
}

static void walk(const row *r, bool only)
{
    const fed_config config = {.limits = limits};
    const s2s_domain domain = domain_of("far.example");
    fed_plan *p = fed_plan_new(&config, &domain, fill, NULL);
    assert_non_null(p);
    fed_plan_with_dane(p, only);
    expect(p, FED_QUERY_SRV, "far.example", r->srv);
    expect(p, FED_QUERY_ADDR, "xmpp.far.example", r->addr);
    expect(p, FED_QUERY_TLSA, "xmpp.far.example", r->tlsa);
    fed_plan_step step = fed_plan_next(p);
    if (r->end != S2S_E_OK) {
        assert_int_equal(step.kind, FED_PLAN_END);
        assert_string_equal(s2s_err_of(step.why)->name, s2s_err_of(r->end)->name);
    } else {
        assert_int_equal(step.kind, FED_PLAN_DIAL);
        assert_int_equal(step.dane.host != NULL, r->host);
        if (r->host) assert_string_equal(step.dane.host->text, "xmpp.far.example");
        assert_int_equal(step.dane.tls, r->tls);
        assert_int_equal(step.dane.n_tlsa, r->fits ? 1 : 0);
        if (r->fits)
            assert_true(s2s_span_is(step.dane.tlsa[0].data, "0123456789abcdef0123456789abcdef"));
    }
    fed_plan_free(p);
}

/* rows: R7673-3.1-a R7673-3.2 R7673-3.3 R7673-3.4-a R7673-4.1 */
static void every_row_of_the_table(void **state)
{
    (void)state;
    static const row rows[] = {
        {BOGUS, NOT_ASKED, NOT_ASKED, .end = S2S_E_DNS_FAILED},
        {INSECURE, SECURE, NOT_ASKED, .host = false},
        {INSECURE, INSECURE, NOT_ASKED, .host = false},
        {SECURE, BOGUS, NOT_ASKED, .end = S2S_E_DNS_FAILED},
        {SECURE, INSECURE, NOT_ASKED, .host = true},
        {SECURE, SECURE, BOGUS, .end = S2S_E_DNS_FAILED},
        {SECURE, SECURE, NONE, .host = true},
        {SECURE, SECURE, INSECURE, .host = true},
        {SECURE, SECURE, SECURE, .host = true, .tls = true, .fits = true},
        {SECURE, SECURE, USELESS, .host = true, .tls = true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        walk(&rows[i], false);
}

/* ... and where policy takes no other proof: nothing without records is dialled. */
static void every_row_where_dane_is_all(void **state)
{
    (void)state;
    static const row rows[] = {
        {BOGUS, NOT_ASKED, NOT_ASKED, .end = S2S_E_DNS_FAILED},
        {INSECURE, SECURE, NOT_ASKED, .end = S2S_E_DNS_NO_TLSA},
        {SECURE, INSECURE, NOT_ASKED, .end = S2S_E_DNS_NO_TLSA},
        {SECURE, SECURE, BOGUS, .end = S2S_E_DNS_FAILED},
        {SECURE, SECURE, NONE, .end = S2S_E_DNS_NO_TLSA},
        {SECURE, SECURE, INSECURE, .end = S2S_E_DNS_NO_TLSA},
        {SECURE, SECURE, USELESS, .end = S2S_E_DNS_NO_TLSA},
        {SECURE, SECURE, SECURE, .host = true, .tls = true, .fits = true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        walk(&rows[i], true);
}

/* One endpoint whose records cannot be had does not spoil the next, and its records are not asked before its turn. */
static void the_next_endpoint_is_tried(void **state)
{
    (void)state;
    const fed_config config = {.limits = limits};
    const s2s_domain domain = domain_of("far.example");
    fed_plan *p = fed_plan_new(&config, &domain, fill, NULL);
    const fed_srv srv[] = {{.priority = 1, .port = 5270, .target = domain_of("a.far.example")},
                           {.priority = 2, .port = 5270, .target = domain_of("b.far.example")}};
    fed_plan_with_dane(p, false);
    fed_plan_next(p);
    fed_plan_answer(p, &(fed_dns){.err = S2S_E_OK, .secure = true, .srv = srv, .n_srv = 2});
    expect(p, FED_QUERY_ADDR, "a.far.example", SECURE);
    expect(p, FED_QUERY_TLSA, "a.far.example", BOGUS);
    const fed_addr other = {.family = 4, .bytes = {9, 9, 9, 9}};
    fed_plan_step step = fed_plan_next(p);
    assert_string_equal(step.ask.name.text, "b.far.example");
    fed_plan_answer(p, &(fed_dns){.err = S2S_E_OK, .secure = true, .addr = &other, .n_addr = 1});
    expect(p, FED_QUERY_TLSA, "b.far.example", SECURE);
    step = fed_plan_next(p);
    assert_int_equal(step.kind, FED_PLAN_DIAL);
    assert_string_equal(step.dane.host->text, "b.far.example");
    fed_plan_failed(p, step.endpoint);
    step = fed_plan_next(p);
    assert_int_equal(step.kind, FED_PLAN_END);
    assert_int_equal(step.why, S2S_E_NO_ENDPOINT_LEFT);
    fed_plan_free(p);
}

/* Without SRV records, securely: the domain itself is the host (RFC 6120 3.2.2). */
static void no_srv_records_at_all(void **state)
{
    (void)state;
    const fed_config config = {.limits = limits};
    const s2s_domain domain = domain_of("far.example");
    fed_plan *p = fed_plan_new(&config, &domain, fill, NULL);
    fed_plan_with_dane(p, false);
    expect(p, FED_QUERY_SRV, "far.example", NONE);
    expect(p, FED_QUERY_ADDR, "far.example", SECURE);
    fed_plan_step step = fed_plan_next(p);
    assert_int_equal(step.ask.query, FED_QUERY_TLSA);
    assert_string_equal(step.ask.name.text, "far.example");
    assert_int_equal(step.ask.port, FED_PLAN_PORT);
    answer(p, &step, SECURE);
    step = fed_plan_next(p);
    assert_int_equal(step.kind, FED_PLAN_DIAL);
    assert_int_equal(step.dane.n_tlsa, 1);
    fed_plan_free(p);
}

/* What policy does not want is not asked, and no name but the domain's own counts. */
static void without_dane_nothing_changes(void **state)
{
    (void)state;
    const fed_config config = {.limits = limits};
    const s2s_domain domain = domain_of("far.example");
    fed_plan *p = fed_plan_new(&config, &domain, fill, NULL);
    expect(p, FED_QUERY_SRV, "far.example", SECURE);
    expect(p, FED_QUERY_ADDR, "xmpp.far.example", SECURE);
    fed_plan_step step = fed_plan_next(p);
    assert_int_equal(step.kind, FED_PLAN_DIAL);
    assert_null(step.dane.host);
    fed_plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table),
        cmocka_unit_test(every_row_where_dane_is_all),
        cmocka_unit_test(the_next_endpoint_is_tried),
        cmocka_unit_test(no_srv_records_at_all),
        cmocka_unit_test(without_dane_nothing_changes),
    };
    fed_limits_init(&limits);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
