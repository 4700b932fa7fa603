/* test_resolver.c - lookups from embedded data, from a name server, and when there is none. Attacks 130, 131, 134, 137,
 * 140, 141 and 145 as the resolver sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd.h"
#include "io/rdata.h"
#include "io/resolver.h"

enum { TOLD = 64 };

/* Copies of what was told, by ticket. */
typedef struct told {
    unsigned times;
    io_dns_answer answer;
    io_srv srv[IO_DNS_SRV_MAX];
    io_addr addr[IO_DNS_ADDR_MAX];
} told;

typedef struct scene {
    uv_loop_t loop;
    io_resolver_settings settings;
    io_resolver *resolver;
    dnsd server;
    unsigned n_told;
    told *told;
    bool asking;        /* inside io_resolver_ask: nothing may be told */
    uint64_t ask_again; /* ticket whose answer leads to another question, 0: none */
    bool free_when_told;
} scene;

static s2s_domain domain_of(const char *text)
{
    s2s_domain d;
    assert_int_equal(s2s_domain_make(s2s_span_of(text), &d), S2S_E_OK);
    return d;
}

static void ask(scene *s, uint64_t ticket, io_question what, const char *name)
{
    s2s_domain d = domain_of(name);
    s->asking = true;
    io_resolver_ask(s->resolver, ticket, &(io_query){.what = what, .name = d});
    s->asking = false;
}

static void on_told(void *ctx, uint64_t ticket, const io_dns_answer *answer)
{
    scene *s = ctx;
    assert_false(s->asking);
    assert_true(ticket < TOLD);
    told *t = &s->told[ticket];
    t->times++;
    t->answer = *answer;
    if (answer->n_srv > 0) memcpy(t->srv, answer->srv, answer->n_srv * sizeof *t->srv);
    if (answer->n_addr > 0) memcpy(t->addr, answer->addr, answer->n_addr * sizeof *t->addr);
    s->n_told++;
    uv_stop(&s->loop);
    if (s->ask_again != 0 && s->ask_again == ticket) ask(s, ticket + 1, IO_ASK_ADDR, "far.example");
    if (s->free_when_told) {
        io_resolver_free(s->resolver);
        s->resolver = NULL;
    }
}

static int begin(void **state)
{
    scene *s = calloc(1, sizeof *s);
    s->told = calloc(TOLD, sizeof *s->told);
    uv_loop_init(&s->loop);
    io_resolver_settings_init(&s->settings);
    dnsd_start(&s->server, &s->loop);
    *state = s;
    return 0;
}

/* Until no handle is left; a stop may be pending from before. */
static void run_to_the_end(scene *s)
{
    while (uv_loop_alive(&s->loop))
        uv_run(&s->loop, UV_RUN_DEFAULT);
}

static int finish(void **state)
{
    scene *s = *state;
    io_resolver_free(s->resolver);
    dnsd_stop(&s->server);
    run_to_the_end(s);
    int left = uv_loop_close(&s->loop); /* no handle may be left */
    free(s->told);
    free(s);
    return left;
}

static void start(scene *s)
{
    io_resolver_fault fault;
    s->resolver = io_resolver_new(&s->loop, &s->settings, on_told, s, &fault);
    if (s->resolver == NULL) fail_msg("%s %zu: %s", fault.what, fault.index, fault.reason);
}

/* The network is the little server. */
static void start_forwarding(scene *s)
{
    static const char *forwarder;
    forwarder = s->server.forwarder;
    s->settings.forwarders = &forwarder;
    s->settings.n_forwarders = 1;
    start(s);
}

static void run_until_told(scene *s, unsigned n)
{
    while (s->n_told < n)
        uv_run(&s->loop, UV_RUN_DEFAULT); /* stopped by whatever happens */
    assert_int_equal(s->n_told, n);
}

static const told *asked_once(scene *s, io_question what, const char *name)
{
    unsigned before = s->n_told;
    s->told[0].times = 0;
    ask(s, 0, what, name);
    run_until_told(s, before + 1);
    assert_int_equal(s->told[0].times, 1);
    return &s->told[0];
}

static void expect_addrs(const told *t, const char *const *texts)
{
    size_t n = 0;
    assert_int_equal(t->answer.err, S2S_E_OK);
    for (; texts[n] != NULL; n++) {
        bool found = false;
        for (size_t i = 0; i < t->answer.n_addr; i++) {
            char text[IO_ADDR_TEXT];
            found = found || strcmp(io_addr_print(&t->addr[i], text), texts[n]) == 0;
        }
        if (!found) fail_msg("%s is missing", texts[n]);
    }
    assert_int_equal(t->answer.n_addr, n);
}
#define ADDRS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- embedded data: no server at all ---- */

static const char *const ZONES[] = {"example"};
static const char *const DATA[] = {
    "_xmpp-server._tcp.far.example. 600 IN SRV 10 60 5270 xmpp.far.example.",
    "_xmpp-server._tcp.far.example. 600 IN SRV 20 0 5271 XMPP2.Far.Example.",
    "_xmpp-server._tcp.far.example. 600 IN SRV 30 1 5272 under_score.example.",
    "_xmpp-server._tcp.far.example. 600 IN SRV 40 1 5273 b\\195\\188cher.example.",
    "_xmpp-server._tcp.far.example. 600 IN SRV 50 1 5274 a\\.b.example.",
    "far.example. 99999999 IN A 192.0.2.1",
    "far.example. IN A 192.0.2.2",
    "far.example. 7 IN AAAA 2001:db8::1",
    "far.example. IN AAAA ::ffff:10.0.0.1",
    "none.example. IN TXT \"neither here\"",
    "_xmpp-server._tcp.root.example. IN SRV 0 0 0 .",
    "_xmpp-server._tcp.bad.example. IN SRV 0 0 5269 under_score.example.",
    "alias.example. IN CNAME far.example.",
    "six.example. IN AAAA 2001:db8::6",
};

static void start_embedded(scene *s)
{
    s->settings.zones = ZONES;
    s->settings.n_zones = 1;
    s->settings.data = DATA;
    s->settings.n_data = sizeof DATA / sizeof DATA[0];
    start(s);
}

static void srv_records_come_as_domains(void **state)
{
    scene *s = *state;
    start_embedded(s);
    const told *t = asked_once(s, IO_ASK_SRV, "far.example");
    assert_int_equal(t->answer.err, S2S_E_OK);
    assert_int_equal(t->answer.n_srv, 2); /* three targets are no domains */
    assert_int_equal(t->answer.n_addr, 0);
    const io_srv *first = t->srv[0].priority == 10 ? &t->srv[0] : &t->srv[1];
    const io_srv *second = first == &t->srv[0] ? &t->srv[1] : &t->srv[0];
    assert_int_equal(first->weight, 60);
    assert_int_equal(first->port, 5270);
    assert_string_equal(first->target.text, "xmpp.far.example");
    assert_int_equal(second->priority, 20);
    assert_int_equal(second->weight, 0);
    assert_int_equal(second->port, 5271);
    assert_string_equal(second->target.text, "xmpp2.far.example");
    assert_int_equal(t->answer.ttl, 600);
    assert_false(t->answer.secure);
    assert_string_equal(t->answer.detail, "");
}

/* XEP-0368: both kinds are asked for, and can be told apart. */
static void both_kinds_of_srv_are_merged(void **state)
{
    static const char *const BOTH[] = {
        "_xmpp-server._tcp.far.example. IN SRV 10 1 5269 xmpp.far.example.",
        "_xmpps-server._tcp.far.example. IN SRV 5 2 5270 xmpp.far.example.",
        "_xmpps-server._tcp.far.example. IN SRV 15 3 443 xmpp.far.example.",
        "_xmpps-server._tcp.only.example. IN SRV 0 0 5270 xmpp.far.example.",
        "_xmpps-server._tcp.none.example. IN SRV 0 0 0 .",
    };
    scene *s = *state;
    s->settings.zones = ZONES;
    s->settings.n_zones = 1;
    s->settings.data = BOTH;
    s->settings.n_data = sizeof BOTH / sizeof BOTH[0];
    start(s);
    const told *t = asked_once(s, IO_ASK_SRV, "far.example");
    assert_int_equal(t->answer.err, S2S_E_OK);
    assert_int_equal(t->answer.n_srv, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(t->srv[i].direct, t->srv[i].port != 5269);
    t = asked_once(s, IO_ASK_SRV, "only.example");
    assert_int_equal(t->answer.err, S2S_E_OK);
    assert_int_equal(t->answer.n_srv, 1);
    assert_true(t->srv[0].direct);
    t = asked_once(s, IO_ASK_SRV, "none.example");
    assert_int_equal(t->answer.n_srv, 1);
    assert_int_equal(t->srv[0].target.len, 0);
    assert_true(t->srv[0].direct);
}

static void root_target_comes_as_no_domain(void **state)
{
    scene *s = *state;
    start_embedded(s);
    const told *t = asked_once(s, IO_ASK_SRV, "root.example");
    assert_int_equal(t->answer.err, S2S_E_OK);
    assert_int_equal(t->answer.n_srv, 1);
    assert_int_equal(t->srv[0].target.len, 0);
    /* Records whose targets are all bad: there were records, so it is not "not found". */
    t = asked_once(s, IO_ASK_SRV, "bad.example");
    assert_int_equal(t->answer.err, S2S_E_OK);
    assert_int_equal(t->answer.n_srv, 0);
}

static void both_families_are_merged_and_mapped_ones_unmapped(void **state)
{
    scene *s = *state;
    start_embedded(s);
    const told *t = asked_once(s, IO_ASK_ADDR, "far.example");
    expect_addrs(t, ADDRS("192.0.2.1", "192.0.2.2", "2001:db8::1", "10.0.0.1"));
    assert_true(t->answer.ttl <= 7); /* the shorter one */
    assert_int_equal(t->addr[0].port, 0);
    t = asked_once(s, IO_ASK_ADDR, "six.example");
    expect_addrs(t, ADDRS("2001:db8::6"));
}

static void absent_names_and_types_are_not_found(void **state)
{
    scene *s = *state;
    start_embedded(s);
    static const char *const NAMES[] = {"absent.example", "none.example"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(asked_once(s, IO_ASK_SRV, NAMES[i])->answer.err, S2S_E_DNS_NOT_FOUND);
        assert_int_equal(asked_once(s, IO_ASK_ADDR, NAMES[i])->answer.err, S2S_E_DNS_NOT_FOUND);
    }
    assert_int_equal(s->server.asked, 0);
}

static void huge_ttl_is_cut(void **state)
{
    static const char *const DATA_LONG[] = {"long.example. 2147483647 IN A 192.0.2.1",
                                            "long.example. 2147483647 IN AAAA 2001:db8::1"};
    scene *s = *state;
    s->settings.zones = ZONES;
    s->settings.n_zones = 1;
    s->settings.data = DATA_LONG;
    s->settings.n_data = 2;
    start(s);
    assert_int_equal(asked_once(s, IO_ASK_ADDR, "long.example")->answer.ttl, IO_DNS_TTL_MAX);
}

static void a_thousand_targets_come_in_full(void **state)
{
    scene *s = *state;
    enum { N = 1000 };
    char(*lines)[96] = calloc(N, sizeof *lines);
    const char **data = calloc(N, sizeof *data);
    for (int i = 0; i < N; i++) {
        snprintf(lines[i], sizeof lines[i],
                 "_xmpp-server._tcp.big.example. IN SRV %d 0 5269 t%d.example.", i, i);
        data[i] = lines[i];
    }
    s->settings.zones = ZONES;
    s->settings.n_zones = 1;
    s->settings.data = data;
    s->settings.n_data = N;
    start(s);
    const told *t = asked_once(s, IO_ASK_SRV, "big.example");
    assert_int_equal(t->answer.n_srv, N);
    uint64_t sum = 0;
    for (int i = 0; i < N; i++)
        sum += t->srv[i].priority;
    assert_int_equal(sum, N * (N - 1) / 2);
    free(lines);
    free(data);
}

/* A domain may be so long that the SRV name in front of it cannot exist. */
static void a_name_too_long_for_srv_is_not_found(void **state)
{
    scene *s = *state;
    char name[250];
    start_embedded(s);
    memset(name, 'a', sizeof name);
    for (int i = 60; i < 240; i += 60)
        name[i] = '.';
    name[240] = '\0';
    assert_int_equal(asked_once(s, IO_ASK_SRV, name)->answer.err, S2S_E_DNS_NOT_FOUND);
}

/* ... or one of the two names can. */
static void a_name_too_long_for_one_kind(void **state)
{
    enum { LEN = 253 - 18 };
    static char name[LEN + 1], line[LEN + 80];
    static const char *const DATA_ONE[] = {line};
    scene *s = *state;
    memset(name, 'a', LEN);
    for (int i = 60; i < LEN; i += 60)
        name[i] = '.';
    snprintf(line, sizeof line, "_xmpp-server._tcp.%s. IN SRV 0 0 5269 far.example.", name);
    static const char *const ALL[] = {"."};
    s->settings.zones = ALL;
    s->settings.n_zones = 1;
    s->settings.data = DATA_ONE;
    s->settings.n_data = 1;
    start(s);
    const told *t = asked_once(s, IO_ASK_SRV, name);
    assert_int_equal(t->answer.err, S2S_E_OK);
    assert_int_equal(t->answer.n_srv, 1);
    assert_false(t->srv[0].direct);
}

/* ---- wrong settings ---- */

static void expect_fault(scene *s, const char *what, size_t index)
{
    io_resolver_fault fault;
    assert_null(io_resolver_new(&s->loop, &s->settings, on_told, s, &fault));
    assert_string_equal(fault.what, what);
    assert_int_equal(fault.index, index);
    assert_true(strlen(fault.reason) > 0);
    io_resolver_settings_init(&s->settings);
}

static void wrong_settings_are_refused_with_their_place(void **state)
{
    scene *s = *state;
    static const char *const RECORDS[] = {"far.example IN A 192.0.2.1",
                                          "far.example IN SRV 0 0 xmpp.example.",
                                          "far.example IN A 192.0.2.2"};
    s->settings.data = RECORDS;
    s->settings.n_data = 3;
    expect_fault(s, "data", 1);
    static const char *const SERVERS[] = {"127.0.0.1@5353", "::1@5353", "resolver.example"};
    s->settings.forwarders = SERVERS;
    s->settings.n_forwarders = 3;
    expect_fault(s, "forwarder", 2);
    static const char *const OPTIONS[] = {"do-ip6:", "no", "no-such-option:", "1"};
    s->settings.options = OPTIONS;
    s->settings.n_options = 2;
    expect_fault(s, "option", 1);
    static const char *const NAMES[] = {"example", "a..b"};
    s->settings.zones = NAMES;
    s->settings.n_zones = 2;
    expect_fault(s, "zone", 1);
    static const char *const ANCHORS[] = {"example. IN DS nonsense"};
    s->settings.anchors = ANCHORS;
    s->settings.n_anchors = 1;
    expect_fault(s, "anchor", 0);
    s->settings.anchor_file = "/nonexistent/root.key";
    expect_fault(s, "anchor file: line", 0);
    s->settings.resolv_conf = "/nonexistent/resolv.conf";
    expect_fault(s, "resolv.conf", 0);
}

/* ---- from a name server ---- */

static void a_forwarder_is_asked(void **state)
{
    scene *s = *state;
    dnsd_add(&s->server, "_xmpp-server._tcp.far.example. IN SRV 1 2 5269 far.example.");
    dnsd_add(&s->server, "far.example. IN A 192.0.2.1");
    start_forwarding(s);
    assert_int_equal(asked_once(s, IO_ASK_SRV, "far.example")->answer.n_srv, 1);
    expect_addrs(asked_once(s, IO_ASK_ADDR, "far.example"), ADDRS("192.0.2.1"));
    assert_int_equal(asked_once(s, IO_ASK_SRV, "absent.example")->answer.err, S2S_E_DNS_NOT_FOUND);
    assert_true(s->server.asked >= 3);
}

/* rows: prac-srvfail */
static void servfail_and_refused_are_failures(void **state)
{
    scene *s = *state;
    static const dnsd_mood MOODS[] = {DNSD_SERVFAIL, DNSD_REFUSED};
    static const char *const NAMES[] = {"a.example", "b.example"};
    start_forwarding(s);
    for (int i = 0; i < 2; i++) {
        s->server.mood = MOODS[i];
        const told *t = asked_once(s, IO_ASK_SRV, NAMES[i]);
        assert_int_equal(t->answer.err, S2S_E_DNS_FAILED);
        assert_true(strlen(t->answer.detail) > 0);
        assert_int_equal(asked_once(s, IO_ASK_ADDR, NAMES[i])->answer.err, S2S_E_DNS_FAILED);
    }
}

static void one_broken_family_does_not_hide_the_other(void **state)
{
    scene *s = *state;
    dnsd_add(&s->server, "far.example. IN A 192.0.2.1");
    s->server.mood = DNSD_AAAA_FAILS;
    start_forwarding(s);
    expect_addrs(asked_once(s, IO_ASK_ADDR, "far.example"), ADDRS("192.0.2.1"));
    /* But one family that is not there and one that failed is no "not found". */
    dnsd_add(&s->server, "text.example. IN TXT \"x\"");
    assert_int_equal(asked_once(s, IO_ASK_ADDR, "text.example")->answer.err, S2S_E_DNS_FAILED);
}

/* ---- one half comes late ---- */

enum { FOR_EVER = 3600000 /* ms: a test that has to wait for it hangs */ };

typedef struct late {
    io_question what;
    ldns_rr_type type;
    const char *prefix;
    size_t n_srv, n_addr; /* of the half that comes in time */
} late;

static const late LATE[] = {
    {IO_ASK_SRV, LDNS_RR_TYPE_SRV, "_xmpps-server.", 1, 0},
    {IO_ASK_SRV, LDNS_RR_TYPE_SRV, "_xmpp-server.", 2, 0},
    {IO_ASK_ADDR, LDNS_RR_TYPE_AAAA, "", 0, 1},
    {IO_ASK_ADDR, LDNS_RR_TYPE_A, "", 0, 2},
};

static void start_holding(scene *s, const late *l)
{
    dnsd_add(&s->server, "_xmpp-server._tcp.far.example. IN SRV 1 2 5269 far.example.");
    dnsd_add(&s->server, "_xmpps-server._tcp.far.example. IN SRV 1 2 5270 far.example.");
    dnsd_add(&s->server, "_xmpps-server._tcp.far.example. IN SRV 1 2 5271 far.example.");
    dnsd_add(&s->server, "far.example. IN A 192.0.2.1");
    dnsd_add(&s->server, "far.example. IN AAAA 2001:db8::1");
    dnsd_add(&s->server, "far.example. IN AAAA 2001:db8::2");
    s->server.mood = DNSD_HOLDS;
    s->server.holds = l->type;
    s->server.holds_prefix = l->prefix;
    s->settings.timeout_ms = FOR_EVER;
    s->settings.family_ms = s->settings.service_ms = FOR_EVER;
}

static void half_an_answer_is_enough_after_a_while(void **state)
{
    for (size_t i = 0; i < sizeof LATE / sizeof LATE[0]; i++) {
        const late *l = &LATE[i];
        scene *s = *state;
        assert_int_equal(s->settings.family_ms, 50); /* rows: R8305-3 */
        start_holding(s, l);
        if (l->what == IO_ASK_SRV)
            s->settings.service_ms = 1;
        else
            s->settings.family_ms = 1;
        start_forwarding(s);
        const told *t = asked_once(s, l->what, "far.example");
        assert_int_equal(t->answer.err, S2S_E_OK);
        assert_int_equal(t->answer.n_srv, l->n_srv);
        assert_int_equal(t->answer.n_addr, l->n_addr);
        finish(state);
        begin(state);
    }
}

static void the_other_half_is_waited_for(void **state)
{
    for (size_t i = 0; i < sizeof LATE / sizeof LATE[0]; i++) {
        const late *l = &LATE[i];
        scene *s = *state;
        start_holding(s, l);
        start_forwarding(s);
        ask(s, 0, l->what, "far.example");
        while (s->server.held == NULL || s->server.asked < 2)
            uv_run(&s->loop, UV_RUN_DEFAULT);
        assert_int_equal(s->n_told, 0);
        dnsd_let_go(&s->server);
        run_until_told(s, 1);
        assert_int_equal(s->told[0].answer.n_srv, l->what == IO_ASK_SRV ? 3 : 0);
        assert_int_equal(s->told[0].answer.n_addr, l->what == IO_ASK_ADDR ? 3 : 0);
        finish(state);
        begin(state);
    }
}

/* Nothing in hand: the short time does not run. */
static void no_records_of_one_half_are_not_enough(void **state)
{
    scene *s = *state;
    dnsd_add(&s->server, "_xmpps-server._tcp.far.example. IN SRV 1 2 5270 far.example.");
    s->server.mood = DNSD_HOLDS;
    s->server.holds = LDNS_RR_TYPE_SRV;
    s->server.holds_prefix = "_xmpps-server.";
    s->settings.service_ms = 0;
    start_forwarding(s);
    ask(s, 0, IO_ASK_SRV, "far.example");
    while (s->server.held == NULL || s->server.asked < 2)
        uv_run(&s->loop, UV_RUN_DEFAULT);
    for (int i = 0; i < 20; i++)
        uv_run(&s->loop, UV_RUN_NOWAIT);
    assert_int_equal(s->n_told, 0);
    dnsd_let_go(&s->server);
    run_until_told(s, 1);
    assert_int_equal(s->told[0].answer.n_srv, 1);
}

static void silence_ends_after_the_attempts(void **state)
{
    scene *s = *state;
    s->server.mood = DNSD_MUTE;
    s->settings.timeout_ms = 60;
    start_forwarding(s);
    const told *t = asked_once(s, IO_ASK_ADDR, "far.example");
    assert_int_equal(t->answer.err, S2S_E_DNS_FAILED);
    assert_true(strlen(t->answer.detail) > 0);
    io_resolver_counts counts;
    io_resolver_count(s->resolver, &counts);
    assert_int_equal(counts.timeouts, 2);
    assert_int_equal(counts.in_flight, 0);
    assert_true(s->server.asked >= 1);
}

/* ---- DNSSEC ---- */

static void start_validating(scene *s, const char *anchor)
{
    static const char *anchors[1];
    anchors[0] = anchor;
    s->settings.anchors = anchors;
    s->settings.n_anchors = 1;
    start_forwarding(s);
}

static void add_signed_zone(scene *s)
{
    dnsd_add(&s->server, "_xmpp-server._tcp.far.example. IN SRV 1 2 5269 far.example.");
    dnsd_add(&s->server, "_xmpps-server._tcp.far.example. IN SRV 1 2 5270 far.example.");
    dnsd_add(&s->server, "far.example. IN A 192.0.2.1");
    dnsd_add(&s->server, "far.example. IN AAAA 2001:db8::1");
}

/* rows: R6698-4.1-c */
static void signed_answers_are_secure(void **state)
{
    scene *s = *state;
    add_signed_zone(s);
    char *anchor = dnsd_sign(&s->server, "far.example.");
    start_validating(s, anchor);
    const told *t = asked_once(s, IO_ASK_SRV, "far.example");
    assert_int_equal(t->answer.err, S2S_E_OK);
    assert_true(t->answer.secure);
    t = asked_once(s, IO_ASK_ADDR, "far.example");
    expect_addrs(t, ADDRS("192.0.2.1", "2001:db8::1"));
    assert_true(t->answer.secure);
    free(anchor);
}

/* rows: R6698-4.1-c */
static void a_forged_record_is_a_failure(void **state)
{
    scene *s = *state;
    add_signed_zone(s);
    char *anchor = dnsd_sign(&s->server, "far.example.");
    dnsd_add(&s->server, "far.example. IN A 192.0.2.66"); /* after signing */
    start_validating(s, anchor);
    /* The other family is sound, but who forges one will have dropped or kept the other at will. */
    const told *t = asked_once(s, IO_ASK_ADDR, "far.example");
    assert_int_equal(t->answer.err, S2S_E_DNS_FAILED);
    assert_int_equal(t->answer.n_addr, 0);
    assert_false(t->answer.secure);
    assert_true(strlen(t->answer.detail) > 0);
    free(anchor);
}

/* Whoever forges the one kind of SRV record would choose the other for us. */
static void a_forged_kind_of_srv_spoils_both(void **state)
{
    scene *s = *state;
    add_signed_zone(s);
    char *anchor = dnsd_sign(&s->server, "far.example.");
    dnsd_add(&s->server, "_xmpps-server._tcp.far.example. IN SRV 0 2 5270 evil.example.");
    start_validating(s, anchor);
    const told *t = asked_once(s, IO_ASK_SRV, "far.example");
    assert_int_equal(t->answer.err, S2S_E_DNS_FAILED);
    assert_int_equal(t->answer.n_srv, 0);
    free(anchor);
}

/* ---- many at once ---- */

/* rows: prac-dns-limits */
static void lookups_in_flight_are_capped(void **state)
{
    scene *s = *state;
    io_resolver_counts counts;
    s->server.mood = DNSD_MUTE;
    s->settings.timeout_ms = 60;
    s->settings.in_flight = 2;
    s->settings.waiting = 3;
    start_forwarding(s);
    for (unsigned i = 0; i < 7; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%u.example", i);
        ask(s, i, IO_ASK_SRV, name);
    }
    run_until_told(s, 2); /* those beyond fail at once */
    io_resolver_count(s->resolver, &counts);
    assert_int_equal(counts.in_flight, 2);
    assert_int_equal(counts.waiting, 3);
    assert_int_equal(counts.overflows, 2);
    assert_int_equal(s->told[5].times, 1);
    assert_int_equal(s->told[6].times, 1);
    run_until_told(s, 7); /* and the others in their time, each once */
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(s->told[i].times, 1);
        assert_int_equal(s->told[i].answer.err, S2S_E_DNS_FAILED);
    }
    io_resolver_count(s->resolver, &counts);
    assert_int_equal(counts.asked, 7);
    assert_int_equal(counts.answered, 7);
    assert_int_equal(counts.failed, 7);
    assert_int_equal(counts.in_flight + counts.waiting, 0);
}

static void those_waiting_get_their_turn(void **state)
{
    scene *s = *state;
    s->settings.in_flight = 2;
    start_embedded(s);
    for (unsigned i = 0; i < 40; i++)
        ask(s, i, i % 2 == 0 ? IO_ASK_SRV : IO_ASK_ADDR, "far.example");
    run_until_told(s, 40);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(s->told[i].times, 1);
        assert_int_equal(s->told[i].answer.err, S2S_E_OK);
    }
}

static void an_answer_may_ask_again(void **state)
{
    scene *s = *state;
    start_embedded(s);
    s->ask_again = 3;
    ask(s, 3, IO_ASK_SRV, "far.example");
    run_until_told(s, 2);
    assert_int_equal(s->told[4].answer.n_addr, 4);
}

static void an_answer_may_free_the_resolver(void **state)
{
    scene *s = *state;
    start_embedded(s);
    s->free_when_told = true;
    for (unsigned i = 0; i < 10; i++)
        ask(s, i, IO_ASK_ADDR, "far.example");
    run_until_told(s, 1);
    dnsd_stop(&s->server);
    run_to_the_end(s);
    assert_int_equal(s->n_told, 1);
    dnsd_start(&s->server, &s->loop);
}

static void freed_with_questions_in_flight_nobody_is_told(void **state)
{
    scene *s = *state;
    s->server.mood = DNSD_MUTE;
    s->settings.in_flight = 4;
    start_forwarding(s);
    for (unsigned i = 0; i < 10; i++)
        ask(s, i, IO_ASK_ADDR, "far.example");
    while (s->server.asked == 0)
        uv_run(&s->loop, UV_RUN_DEFAULT);
    io_resolver_free(s->resolver);
    s->resolver = NULL;
    dnsd_stop(&s->server);
    run_to_the_end(s);
    assert_int_equal(s->n_told, 0);
    dnsd_start(&s->server, &s->loop);
}

/* ---- the context is replaced ---- */

static void a_new_context_asks_again_what_was_open(void **state)
{
    scene *s = *state;
    io_resolver_counts counts;
    dnsd_add(&s->server, "far.example. IN A 192.0.2.1");
    s->server.mood = DNSD_MUTE;
    start_forwarding(s);
    ask(s, 1, IO_ASK_ADDR, "far.example");
    ask(s, 2, IO_ASK_SRV, "far.example");
    while (s->server.asked < 3)
        uv_run(&s->loop, UV_RUN_DEFAULT);
    s->server.mood = DNSD_ANSWERS;
    assert_true(io_resolver_rebuild(s->resolver));
    run_until_told(s, 2);
    expect_addrs(&s->told[1], ADDRS("192.0.2.1"));
    assert_int_equal(s->told[2].answer.err, S2S_E_DNS_NOT_FOUND);
    io_resolver_count(s->resolver, &counts);
    assert_int_equal(counts.rebuilds, 1);
    assert_int_equal(counts.timeouts, 0);
    assert_int_equal(asked_once(s, IO_ASK_SRV, "far.example")->answer.err, S2S_E_DNS_NOT_FOUND);
}

/* ---- hostile bytes ---- */

static void names_of_bad_form_are_no_domains(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        s2s_err err;
        const char *text;
    } ROWS[] = {
        {"\0", 1, S2S_E_OK, ""},
        {"\3far\7example\0", 13, S2S_E_OK, "far.example"},
        {"\3FAR\0", 5, S2S_E_OK, "far"},
        {"", 0, S2S_E_DOMAIN_SYNTAX, ""},
        {"\3far", 4, S2S_E_DOMAIN_SYNTAX, ""},    /* no end */
        {"\3far\0x", 6, S2S_E_DOMAIN_SYNTAX, ""}, /* something behind */
        {"\7far\0", 5, S2S_E_DOMAIN_SYNTAX, ""},  /* longer than the rest */
        {"\300\14", 2, S2S_E_DOMAIN_SYNTAX, ""},  /* a pointer */
        {"\3f.r\0", 5, S2S_E_DOMAIN_SYNTAX, ""},
        {"\3f r\0", 5, S2S_E_DOMAIN_SYNTAX, ""},
        {"\2f\0\0", 4, S2S_E_DOMAIN_SYNTAX, ""},
        {"\3f\303\274\0", 5, S2S_E_DOMAIN_SYNTAX, ""},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        s2s_domain d;
        assert_int_equal(io_rdata_name((const uint8_t *)ROWS[i].bytes, ROWS[i].len, &d),
                         ROWS[i].err);
        assert_string_equal(d.text, ROWS[i].text);
    }
    io_srv srv;
    static const uint8_t SRV[] = {0, 1, 2, 3, 0x14, 0x95, 1, 'a', 0};
    for (size_t len = 0; len < sizeof SRV; len++)
        assert_int_equal(io_rdata_srv(SRV, len, &srv), S2S_E_DOMAIN_SYNTAX);
    assert_int_equal(io_rdata_srv(SRV, sizeof SRV, &srv), S2S_E_OK);
    assert_int_equal(srv.priority, 1);
    assert_int_equal(srv.weight, 0x203);
    assert_int_equal(srv.port, 5269);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(srv_records_come_as_domains),
        SCENE(both_kinds_of_srv_are_merged),
        SCENE(a_name_too_long_for_one_kind),
        SCENE(half_an_answer_is_enough_after_a_while),
        SCENE(the_other_half_is_waited_for),
        SCENE(no_records_of_one_half_are_not_enough),
        SCENE(a_forged_kind_of_srv_spoils_both),
        SCENE(root_target_comes_as_no_domain),
        SCENE(both_families_are_merged_and_mapped_ones_unmapped),
        SCENE(absent_names_and_types_are_not_found),
        SCENE(huge_ttl_is_cut),
        SCENE(a_thousand_targets_come_in_full),
        SCENE(a_name_too_long_for_srv_is_not_found),
        SCENE(wrong_settings_are_refused_with_their_place),
        SCENE(a_forwarder_is_asked),
        SCENE(servfail_and_refused_are_failures),
        SCENE(one_broken_family_does_not_hide_the_other),
        SCENE(silence_ends_after_the_attempts),
        SCENE(signed_answers_are_secure),
        SCENE(a_forged_record_is_a_failure),
        SCENE(lookups_in_flight_are_capped),
        SCENE(those_waiting_get_their_turn),
        SCENE(an_answer_may_ask_again),
        SCENE(an_answer_may_free_the_resolver),
        SCENE(freed_with_questions_in_flight_nobody_is_told),
        SCENE(a_new_context_asks_again_what_was_open),
        cmocka_unit_test(names_of_bad_form_are_no_domains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
