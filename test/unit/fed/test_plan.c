/* test_plan.c - SRV order, fallback, guard and caps: attacks 130, 132, 134, 135 as the plan sees them. */
#include "leaves.h"

#include <stdio.h>

#include "fed/plan.h"

typedef struct scene {
    fed_config config;
    seeded seed;
    s2s_domain domain;
    fed_plan *plan;
} scene;

static int begin(void **state)
{
    static scene s;
    memset(&s, 0, sizeof s);
    fed_limits_init(&s.config.limits);
    s.seed.state = 1;
    s.domain = domain_of("far.example");
    s.plan = fed_plan_new(&s.config, &s.domain, seeded_fill, &s.seed);
    *state = &s;
    return s.plan != NULL ? 0 : -1;
}

static int finish(void **state)
{
    scene *s = *state;
    fed_plan_free(s->plan);
    return 0;
}

static fed_srv srv_of(unsigned priority, unsigned weight, unsigned port, const char *target)
{
    fed_srv srv = {
        .priority = (uint16_t)priority, .weight = (uint16_t)weight, .port = (uint16_t)port};
    if (target[0] != '\0') srv.target = domain_of(target);
    return srv;
}

static void expect_ask(fed_plan *p, fed_query query, const char *name)
{
    fed_plan_step step = fed_plan_next(p);
    assert_int_equal(step.kind, FED_PLAN_ASK);
    assert_int_equal(step.ask.query, query);
    assert_string_equal(step.ask.name.text, name);
}

static fed_plan_step expect_begun(fed_plan *p, const char *endpoint)
{
    char text[FED_ADDR_TEXT];
    fed_plan_step step = fed_plan_next(p);
    assert_int_equal(step.kind, FED_PLAN_DIAL);
    assert_string_equal(fed_addr_print(&step.addr, text), endpoint);
    return step;
}

/* ... and it fails. */
static fed_plan_step expect_dial(fed_plan *p, const char *endpoint)
{
    fed_plan_step step = expect_begun(p, endpoint);
    fed_plan_failed(p, step.endpoint);
    return step;
}

static void expect_wait(fed_plan *p)
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(fed_plan_next(p).kind, FED_PLAN_WAIT);
}

static void expect_end(fed_plan *p, s2s_err why)
{
    for (int i = 0; i < 2; i++) { /* it stays */
        fed_plan_step step = fed_plan_next(p);
        assert_int_equal(step.kind, FED_PLAN_END);
        assert_string_equal(s2s_err_of(step.why)->name, s2s_err_of(why)->name);
    }
}

static void answer_err(fed_plan *p, s2s_err err)
{
    fed_dns dns = {.err = err};
    fed_plan_answer(p, &dns);
}

static void answer_srv(fed_plan *p, const fed_srv *srv, size_t n)
{
    fed_dns dns = {.err = S2S_E_OK, .srv = srv, .n_srv = n, .secure = true};
    fed_plan_answer(p, &dns);
}

/* Addresses as text, up to 8, ended by NULL. */
static void answer_addrs(fed_plan *p, const char *const *texts)
{
    fed_addr addrs[8];
    fed_dns dns = {.err = S2S_E_OK, .addr = addrs, .secure = true};
    for (; texts[dns.n_addr] != NULL; dns.n_addr++)
        addrs[dns.n_addr] = addr_of(texts[dns.n_addr], 0);
    fed_plan_answer(p, &dns);
}
#define ADDRS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- 130: what the absence of records means ---- */

/* rows: R6120-3.2.2 */
static void no_srv_falls_back_to_addresses(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    expect_ask(p, FED_QUERY_SRV, "far.example");
    expect_wait(p); /* for the answer */
    answer_err(p, S2S_E_DNS_NOT_FOUND);
    expect_ask(p, FED_QUERY_ADDR, "far.example");
    answer_addrs(p, ADDRS("1.2.3.4", "2a00::1"));
    fed_plan_step step = expect_dial(p, "[2a00::1]:5269");
    assert_string_equal(step.name.text, "far.example");
    assert_false(step.secure);
    expect_dial(p, "1.2.3.4:5269");
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
    assert_int_equal(fed_plan_given(p), 2);
}

static void nothing_at_all_is_not_found(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_err(p, S2S_E_DNS_NOT_FOUND);
    expect_ask(p, FED_QUERY_ADDR, "far.example");
    answer_err(p, S2S_E_DNS_NOT_FOUND);
    expect_end(p, S2S_E_DNS_NOT_FOUND);
}

/* rows: R2782-c */
static void root_target_means_no_service(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    fed_srv srv = srv_of(0, 0, 0, "");
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, &srv, 1);
    expect_end(p, S2S_E_DNS_NO_SERVICE); /* and no fallback */
}

/* rows: R2782-c */
static void root_target_among_others_is_passed_over(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    fed_srv srv[] = {srv_of(0, 0, 5269, ""), srv_of(1, 0, 5269, "b.example")};
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 2);
    expect_ask(p, FED_QUERY_ADDR, "b.example");
    answer_addrs(p, ADDRS("1.2.3.4"));
    expect_dial(p, "1.2.3.4:5269");
}

/* 131 */
/* rows: prac-srvfail */
static void failed_srv_lookup_is_not_no_record(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_err(p, S2S_E_DNS_FAILED);
    expect_end(p, S2S_E_DNS_FAILED);
}

/* rows: R6120-3.2.1-b */
static void targets_without_addresses_end_without_fallback(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    fed_srv srv[] = {srv_of(0, 0, 5269, "a.example"), srv_of(1, 0, 5269, "b.example")};
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 2);
    expect_ask(p, FED_QUERY_ADDR, "a.example");
    answer_err(p, S2S_E_DNS_FAILED);
    expect_ask(p, FED_QUERY_ADDR, "b.example");
    answer_err(p, S2S_E_DNS_NOT_FOUND);
    expect_end(p, S2S_E_DNS_FAILED); /* one of them may exist: worth another try */
}

static void no_usable_record_ends_without_fallback(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, NULL, 0); /* there were records, all with targets of bad syntax */
    expect_end(p, S2S_E_DNS_NOT_FOUND);
}

/* ---- order ---- */

/* rows: R2782-a X0495 */
static void priorities_come_one_after_another(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    fed_srv srv[] = {srv_of(65535, 65535, 5269, "c.example"), srv_of(0, 0, 5270, "a.example"),
                     srv_of(10, 65535, 5271, "b.example")};
    static const char *const NAMES[] = {"a.example", "b.example", "c.example"};
    static const char *const ENDS[] = {"1.0.0.1:5270", "1.0.0.2:5271", "1.0.0.3:5269"};
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 3);
    for (int i = 0; i < 3; i++) {
        char addr[24];
        snprintf(addr, sizeof addr, "1.0.0.%d", i + 1);
        expect_ask(p, FED_QUERY_ADDR, NAMES[i]);
        answer_addrs(p, ADDRS(addr));
        fed_plan_step step = expect_dial(p, ENDS[i]);
        assert_string_equal(step.name.text, NAMES[i]);
        assert_true(step.secure);
    }
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
}

/* ---- XEP-0368: both kinds are one list ---- */

static fed_srv direct_of(unsigned priority, unsigned weight, unsigned port, const char *target)
{
    fed_srv srv = srv_of(priority, weight, port, target);
    srv.direct = true;
    return srv;
}

static void both_kinds_by_priority(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    fed_srv srv[] = {srv_of(10, 0, 5269, "b.example"), srv_of(30, 0, 5269, "d.example"),
                     direct_of(20, 0, 5270, "c.example"), direct_of(5, 0, 443, "a.example")};
    static const struct {
        const char *name, *end;
        bool direct;
    } ROWS[] = {{"a.example", "1.0.0.1:443", true},
                {"b.example", "1.0.0.2:5269", false},
                {"c.example", "1.0.0.3:5270", true},
                {"d.example", "1.0.0.4:5269", false}};
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 4);
    for (int i = 0; i < 4; i++) {
        char addr[24];
        snprintf(addr, sizeof addr, "1.0.0.%d", i + 1);
        expect_ask(p, FED_QUERY_ADDR, ROWS[i].name);
        answer_addrs(p, ADDRS(addr));
        assert_int_equal(expect_dial(p, ROWS[i].end).direct, ROWS[i].direct);
    }
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
}

/* One port may speak both: those are two endpoints, each tried once. */
static void one_port_of_both_kinds(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    fed_srv srv[] = {srv_of(1, 0, 5269, "a.example"), direct_of(0, 0, 5269, "a.example"),
                     direct_of(0, 0, 5269, "A.example")};
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 3);
    for (int i = 0; i < 2; i++) {
        expect_ask(p, FED_QUERY_ADDR, "a.example");
        answer_addrs(p, ADDRS("1.2.3.4"));
        assert_int_equal(expect_dial(p, "1.2.3.4:5269").direct, i == 0);
    }
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
}

static void without_an_srv_record_nothing_is_direct(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_err(p, S2S_E_DNS_NOT_FOUND);
    expect_ask(p, FED_QUERY_ADDR, "far.example");
    answer_addrs(p, ADDRS("1.2.3.4"));
    assert_false(expect_dial(p, "1.2.3.4:5269").direct);
}

/* X0368-h */
static void no_direct_service_leaves_the_other(void **state)
{
    scene *s = *state;
    fed_srv srv[] = {direct_of(0, 0, 0, ""), srv_of(7, 0, 5269, "a.example")};
    expect_ask(s->plan, FED_QUERY_SRV, "far.example");
    answer_srv(s->plan, srv, 2);
    expect_ask(s->plan, FED_QUERY_ADDR, "a.example");
    answer_addrs(s->plan, ADDRS("1.2.3.4"));
    assert_false(expect_dial(s->plan, "1.2.3.4:5269").direct);

    fed_plan *p = fed_plan_new(&s->config, &s->domain, seeded_fill, &s->seed);
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 1);
    expect_end(p, S2S_E_DNS_NO_SERVICE); /* and no fallback */
    fed_plan_free(p);
}

static void records_policy_has_no_use_for(void **state)
{
    scene *s = *state;
    fed_srv srv[] = {direct_of(0, 0, 5270, "a.example"), srv_of(7, 0, 5269, "b.example"),
                     direct_of(0, 0, 25, "a.example")};
    fed_plan_without_direct(s->plan);
    expect_ask(s->plan, FED_QUERY_SRV, "far.example");
    answer_srv(s->plan, srv, 3);
    expect_ask(s->plan, FED_QUERY_ADDR, "b.example");
    answer_addrs(s->plan, ADDRS("1.2.3.4"));
    expect_dial(s->plan, "1.2.3.4:5269");
    expect_end(s->plan, S2S_E_NO_ENDPOINT_LEFT);
    assert_int_equal(fed_plan_blocked(s->plan), 0);

    fed_plan *p = fed_plan_new(&s->config, &s->domain, seeded_fill, &s->seed);
    fed_plan_without_direct(p);
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 1);
    expect_end(p, S2S_E_DNS_NOT_FOUND); /* there were records: no fallback */
    fed_plan_free(p);
}

/* The name the plan asks first, for these records. */
static s2s_domain first_target(scene *s, const fed_srv *srv, size_t n)
{
    fed_plan *p = fed_plan_new(&s->config, &s->domain, seeded_fill, &s->seed);
    fed_plan_next(p);
    answer_srv(p, srv, n);
    s2s_domain name = fed_plan_next(p).ask.name;
    fed_plan_free(p);
    return name;
}

enum { DRAWS = 20000 };

static void count_first(scene *s, const fed_srv *srv, size_t n, unsigned *counts)
{
    memset(counts, 0, n * sizeof *counts);
    for (int i = 0; i < DRAWS; i++) {
        s2s_domain name = first_target(s, srv, n);
        for (size_t k = 0; k < n; k++)
            counts[k] += s2s_domain_eq(&name, &srv[k].target) ? 1 : 0;
    }
}

/* rows: R2782-b */
static void weights_1_3_0_give_20_60_20(void **state)
{
    fed_srv srv[] = {srv_of(5, 1, 5269, "a.example"), srv_of(5, 3, 5269, "b.example"),
                     srv_of(5, 0, 5269, "c.example")};
    unsigned counts[3];
    count_first(*state, srv, 3, counts);
    /* Four standard deviations are 1.4 %. */
    assert_in_range(counts[0], DRAWS * 0.186, DRAWS * 0.214);
    assert_in_range(counts[1], DRAWS * 0.586, DRAWS * 0.614);
    assert_in_range(counts[2], DRAWS * 0.186, DRAWS * 0.214);
}

/* The same draw when the two kinds are mixed. */
static void weights_are_mixed_over_both_kinds(void **state)
{
    fed_srv srv[] = {srv_of(5, 1, 5269, "a.example"), direct_of(5, 3, 5270, "b.example"),
                     direct_of(5, 0, 5270, "c.example")};
    unsigned counts[3];
    count_first(*state, srv, 3, counts);
    assert_in_range(counts[0], DRAWS * 0.186, DRAWS * 0.214);
    assert_in_range(counts[1], DRAWS * 0.586, DRAWS * 0.614);
    assert_in_range(counts[2], DRAWS * 0.186, DRAWS * 0.214);
}

/* 135 */
static void all_weights_zero_share_alike(void **state)
{
    fed_srv srv[] = {srv_of(0, 0, 5269, "a.example"), srv_of(0, 0, 5269, "b.example"),
                     srv_of(0, 0, 5269, "c.example"), srv_of(0, 0, 5269, "d.example")};
    unsigned counts[4];
    count_first(*state, srv, 4, counts);
    for (int i = 0; i < 4; i++)
        assert_in_range(counts[i], DRAWS * 0.236, DRAWS * 0.264);
}

static void extreme_weights_do_not_overflow(void **state)
{
    fed_srv srv[] = {srv_of(0, 65535, 5269, "a.example"), srv_of(0, 65535, 5269, "b.example"),
                     srv_of(0, 0, 5269, "c.example")};
    unsigned counts[3];
    count_first(*state, srv, 3, counts);
    assert_in_range(counts[0], DRAWS * 0.48, DRAWS * 0.52);
    assert_in_range(counts[1], DRAWS * 0.48, DRAWS * 0.52);
    assert_true(counts[2] < 10); /* a zero weight means: very little */
}

/* After the first pick the rest is drawn anew by the remaining weights. */
static void later_picks_are_weighted_too(void **state)
{
    scene *s = *state;
    fed_srv srv[] = {srv_of(0, 100, 5269, "a.example"), srv_of(1, 1, 5269, "b.example"),
                     srv_of(1, 3, 5269, "c.example")};
    unsigned second_b = 0;
    for (int i = 0; i < DRAWS; i++) {
        fed_plan *p = fed_plan_new(&s->config, &s->domain, seeded_fill, &s->seed);
        fed_plan_next(p);
        answer_srv(p, srv, 3);
        expect_ask(p, FED_QUERY_ADDR, "a.example");
        answer_err(p, S2S_E_DNS_NOT_FOUND);
        second_b += strcmp(fed_plan_next(p).ask.name.text, "b.example") == 0 ? 1 : 0;
        fed_plan_free(p);
    }
    /* Draws 0..4: 0 and 1 meet b. */
    assert_in_range(second_b, DRAWS * 0.386, DRAWS * 0.414);
}

/* ---- 135: ports ---- */

static void ports_of_other_services_are_not_dialled(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    fed_srv srv[] = {srv_of(0, 0, 0, "zero.example"), srv_of(1, 0, 25, "mail.example"),
                     srv_of(2, 0, 22, "ssh.example"), srv_of(3, 0, 443, "web.example"),
                     srv_of(4, 0, 65535, "top.example")};
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 5);
    expect_ask(p, FED_QUERY_ADDR, "web.example");
    answer_addrs(p, ADDRS("1.2.3.4"));
    expect_dial(p, "1.2.3.4:443");
    expect_ask(p, FED_QUERY_ADDR, "top.example");
    answer_addrs(p, ADDRS("1.2.3.4"));
    expect_dial(p, "1.2.3.4:65535");
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
    assert_int_equal(fed_plan_blocked(p), 2);
}

static void only_blocked_ports_is_blocked(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    fed_srv srv = srv_of(0, 0, 25, "mail.example");
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, &srv, 1);
    expect_end(p, S2S_E_DNS_BLOCKED);
}

/* ---- 132: the guard ---- */

/* rows: prac-ssrf */
static void private_addresses_are_passed_over(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    fed_srv srv[] = {srv_of(0, 0, 5269, "evil.example"), srv_of(1, 0, 5269, "good.example")};
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 2);
    expect_ask(p, FED_QUERY_ADDR, "evil.example");
    answer_addrs(
        p, ADDRS("127.0.0.1", "10.0.0.1", "::1", "64:ff9b::7f00:1", "2002:7f00:1::", "0.0.0.0"));
    expect_ask(p, FED_QUERY_ADDR, "good.example");
    answer_addrs(p, ADDRS("169.254.169.254", "1.2.3.4"));
    expect_dial(p, "1.2.3.4:5269");
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
    assert_int_equal(fed_plan_blocked(p), 7);
    assert_int_equal(fed_plan_given(p), 1);
}

static void all_blocked_says_so(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_err(p, S2S_E_DNS_NOT_FOUND);
    expect_ask(p, FED_QUERY_ADDR, "far.example");
    answer_addrs(p, ADDRS("192.168.1.1", "fe80::1"));
    expect_end(p, S2S_E_DNS_BLOCKED);
    assert_int_equal(fed_plan_blocked(p), 2);
    assert_int_equal(fed_plan_given(p), 0);
}

static void blocked_ones_do_not_use_up_the_cap(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_err(p, S2S_E_DNS_NOT_FOUND);
    expect_ask(p, FED_QUERY_ADDR, "far.example");
    answer_addrs(p, ADDRS("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "1.2.3.4"));
    expect_dial(p, "1.2.3.4:5269");
    assert_int_equal(fed_plan_blocked(p), 5);
}

static void inside_plans_have_no_guard(void **state)
{
    scene *s = *state;
    fed_plan *p = fed_plan_new_inside(&s->config, &s->domain, seeded_fill, &s->seed);
    fed_srv srv = srv_of(0, 0, 269, "xmpp.inside.example");
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, &srv, 1);
    expect_ask(p, FED_QUERY_ADDR, "xmpp.inside.example");
    answer_addrs(p, ADDRS("10.0.0.10"));
    expect_dial(p, "10.0.0.10:269");
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
    fed_plan_free(p);
}

static void fixed_endpoints_in_order(void **state)
{
    (void)state;
    fed_addr addrs[] = {addr_of("10.0.0.11", 5269), addr_of("10.0.0.10", 5269),
                        addr_of("fd00::1", 7)};
    fed_plan *p = fed_plan_new_fixed(addrs, 3);
    fed_plan_step step = expect_dial(p, "10.0.0.11:5269");
    assert_int_equal(step.name.len, 0);
    expect_dial(p, "10.0.0.10:5269");
    expect_dial(p, "[fd00::1]:7");
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
    fed_plan_free(p);
    p = fed_plan_new_fixed(NULL, 0);
    expect_end(p, S2S_E_DNS_NOT_FOUND);
    fed_plan_free(p);
}

/* ---- 134: caps ---- */

/* rows: prac-dns-limits */
static void a_thousand_targets_of_a_hundred_addresses(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    static fed_srv srv[1100];
    static fed_addr addrs[100];
    for (unsigned i = 0; i < 1100; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%u.example", i);
        srv[i] = srv_of(i % 3, i % 7, 5269, name);
    }
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 1100);
    unsigned lookups = 0, dials = 0;
    for (;;) {
        fed_plan_step step = fed_plan_next(p);
        if (step.kind == FED_PLAN_END) break;
        if (step.kind == FED_PLAN_DIAL) {
            dials++;
            fed_plan_failed(p, step.endpoint);
            continue;
        }
        lookups++;
        for (unsigned i = 0; i < 100; i++) {
            addrs[i] = addr_of("1.2.0.0", 0);
            addrs[i].bytes[2] = (uint8_t)lookups;
            addrs[i].bytes[3] = (uint8_t)i;
        }
        fed_dns dns = {.err = S2S_E_OK, .addr = addrs, .n_addr = 100};
        fed_plan_answer(p, &dns);
    }
    assert_int_equal(lookups, 10);
    assert_int_equal(dials, 40);
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
}

static void the_same_endpoint_is_tried_once(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    fed_srv srv[] = {srv_of(0, 0, 5269, "a.example"), srv_of(0, 5, 5269, "A.example"),
                     srv_of(1, 0, 5269, "b.example"), srv_of(2, 0, 5270, "a.example")};
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 4);
    expect_ask(p, FED_QUERY_ADDR, "a.example");
    answer_addrs(p, ADDRS("1.2.3.4", "1.2.3.4"));
    expect_dial(p, "1.2.3.4:5269");
    expect_ask(p, FED_QUERY_ADDR, "b.example");
    answer_addrs(p, ADDRS("1.2.3.4"));
    expect_ask(p, FED_QUERY_ADDR, "a.example");
    answer_addrs(p, ADDRS("1.2.3.4"));
    expect_dial(p, "1.2.3.4:5270");
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
}

/* rows: R8305-4 */
static void families_take_turns(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_err(p, S2S_E_DNS_NOT_FOUND);
    expect_ask(p, FED_QUERY_ADDR, "far.example");
    answer_addrs(
        p, ADDRS("1.0.0.1", "1.0.0.2", "2a00::1", "2a00::2", "2a00::3", "2a00::4", "2a00::5"));
    expect_dial(p, "[2a00::1]:5269");
    expect_dial(p, "1.0.0.1:5269");
    expect_dial(p, "[2a00::2]:5269");
    expect_dial(p, "1.0.0.2:5269");
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
}

/* ---- RFC 8305, XEP-0495: several at a time ---- */

static void all_of_one_priority_may_be_tried_at_once(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    static const char *const ENDS[] = {"[2a00::1]:5269", "1.0.0.1:5269", "[2a00::2]:5269",
                                       "1.0.0.2:5269"};
    fed_plan_step step[4];
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_err(p, S2S_E_DNS_NOT_FOUND);
    expect_ask(p, FED_QUERY_ADDR, "far.example");
    answer_addrs(p, ADDRS("1.0.0.1", "1.0.0.2", "2a00::1", "2a00::2"));
    for (int i = 0; i < 4; i++)
        step[i] = expect_begun(p, ENDS[i]);
    for (int i = 3; i >= 0; i--) {
        expect_wait(p); /* one of those left may still answer */
        fed_plan_failed(p, step[i].endpoint);
    }
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
}

/* X0495: the next priority is untouched while one of this may still answer. */
static void priorities_do_not_overlap(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    fed_srv srv[] = {srv_of(1, 0, 5269, "a.example"), srv_of(1, 0, 5270, "a.example"),
                     srv_of(2, 0, 5269, "b.example")};
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 3);
    expect_ask(p, FED_QUERY_ADDR, "a.example");
    answer_addrs(p, ADDRS("1.0.0.1"));
    fed_plan_step first = fed_plan_next(p);
    assert_int_equal(first.kind, FED_PLAN_DIAL);
    expect_ask(p, FED_QUERY_ADDR,
               "a.example"); /* of the same priority: asked while the first runs */
    expect_wait(p);
    answer_addrs(p, ADDRS("1.0.0.1"));
    fed_plan_step second = fed_plan_next(p);
    assert_int_equal(second.kind, FED_PLAN_DIAL);
    assert_int_not_equal(first.addr.port, second.addr.port);
    expect_wait(p);
    fed_plan_failed(p, first.endpoint);
    expect_wait(p);
    fed_plan_failed(p, second.endpoint);
    expect_ask(p, FED_QUERY_ADDR, "b.example");
    answer_addrs(p, ADDRS("1.0.0.2"));
    expect_dial(p, "1.0.0.2:5269");
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
}

/* What an answer brings while others run is tried beside them, families in turn over all targets. */
static void families_take_turns_over_targets(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    fed_srv srv[] = {srv_of(0, 65535, 5269, "a.example"), srv_of(0, 0, 5270, "b.example")};
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_srv(p, srv, 2);
    expect_ask(p, FED_QUERY_ADDR, "a.example");
    answer_addrs(p, ADDRS("2a00::1", "2a00::2"));
    expect_begun(p, "[2a00::1]:5269");
    expect_begun(p, "[2a00::2]:5269"); /* no other family is known yet */
    expect_ask(p, FED_QUERY_ADDR, "b.example");
    answer_addrs(p, ADDRS("2a00::3", "1.0.0.3"));
    expect_begun(p, "1.0.0.3:5270");
    expect_begun(p, "[2a00::3]:5270");
    expect_wait(p);
}

static void put_back_once(void **state)
{
    fed_plan *p = ((scene *)*state)->plan;
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_err(p, S2S_E_DNS_NOT_FOUND);
    expect_ask(p, FED_QUERY_ADDR, "far.example");
    answer_addrs(p, ADDRS("2a00::1", "1.0.0.1", "2a00::2"));
    fed_plan_step slow = expect_begun(p, "[2a00::1]:5269");
    fed_plan_step fast = expect_begun(p, "1.0.0.1:5269");
    fed_plan_put_back(p, slow.endpoint); /* the other one was faster, */
    fed_plan_failed(p, fast.endpoint);   /* but its stream was no good */
    slow = expect_begun(p, "[2a00::1]:5269");
    fast = expect_begun(p, "[2a00::2]:5269");
    fed_plan_put_back(p, slow.endpoint);
    fed_plan_failed(p, fast.endpoint);
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT); /* it has had its turns */
    assert_int_equal(fed_plan_given(p), 4);
}

/* "Tried in order" is what the settings say of a local server's addresses: the second is for when the first is down. */
static void fixed_endpoints_one_at_a_time(void **state)
{
    (void)state;
    fed_addr addrs[] = {addr_of("10.0.0.11", 5269), addr_of("fd00::1", 5269)};
    fed_plan *p = fed_plan_new_fixed(addrs, 2);
    fed_plan_step step = expect_begun(p, "10.0.0.11:5269");
    expect_wait(p);
    fed_plan_failed(p, step.endpoint);
    expect_dial(p, "[fd00::1]:5269");
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
    fed_plan_free(p);
}

/* RFC 6724: IPv6 before IPv4, but IPv4 before what only looks like IPv6. */
static void better_addresses_first(void **state)
{
    scene *s = *state;
    fed_plan *p = fed_plan_new_inside(&s->config, &s->domain, seeded_fill, &s->seed);
    expect_ask(p, FED_QUERY_SRV, "far.example");
    answer_err(p, S2S_E_DNS_NOT_FOUND);
    expect_ask(p, FED_QUERY_ADDR, "far.example");
    answer_addrs(p, ADDRS("fd00::1", "2002:100::1", "1.0.0.1", "1.0.0.2"));
    expect_dial(p, "1.0.0.1:5269");
    expect_dial(p, "[2002:100::1]:5269");
    expect_dial(p, "1.0.0.2:5269");
    expect_dial(p, "[fd00::1]:5269");
    expect_end(p, S2S_E_NO_ENDPOINT_LEFT);
    fed_plan_free(p);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(no_srv_falls_back_to_addresses),
        SCENE(nothing_at_all_is_not_found),
        SCENE(root_target_means_no_service),
        SCENE(root_target_among_others_is_passed_over),
        SCENE(failed_srv_lookup_is_not_no_record),
        SCENE(targets_without_addresses_end_without_fallback),
        SCENE(no_usable_record_ends_without_fallback),
        SCENE(priorities_come_one_after_another),
        SCENE(weights_1_3_0_give_20_60_20),
        SCENE(both_kinds_by_priority),
        SCENE(one_port_of_both_kinds),
        SCENE(without_an_srv_record_nothing_is_direct),
        SCENE(no_direct_service_leaves_the_other),
        SCENE(records_policy_has_no_use_for),
        SCENE(weights_are_mixed_over_both_kinds),
        SCENE(all_weights_zero_share_alike),
        SCENE(extreme_weights_do_not_overflow),
        SCENE(later_picks_are_weighted_too),
        SCENE(ports_of_other_services_are_not_dialled),
        SCENE(only_blocked_ports_is_blocked),
        SCENE(private_addresses_are_passed_over),
        SCENE(all_blocked_says_so),
        SCENE(blocked_ones_do_not_use_up_the_cap),
        SCENE(inside_plans_have_no_guard),
        SCENE(fixed_endpoints_in_order),
        SCENE(a_thousand_targets_of_a_hundred_addresses),
        SCENE(the_same_endpoint_is_tried_once),
        SCENE(families_take_turns),
        SCENE(all_of_one_priority_may_be_tried_at_once),
        SCENE(priorities_do_not_overlap),
        SCENE(families_take_turns_over_targets),
        SCENE(put_back_once),
        SCENE(fixed_endpoints_one_at_a_time),
        SCENE(better_addresses_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
