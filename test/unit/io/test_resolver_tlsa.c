/* test_resolver_tlsa.c - TLSA records from embedded data, and signed ones from a name server of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd.h"
#include "io/resolver.h"

static const char *const ZONES[] = {"example"};
static const char *const DATA[] = {
    "_5270._tcp.far.example. 300 IN TLSA 3 1 1 "
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "_5270._tcp.far.example. 300 IN TLSA 1 1 1 "
    "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "_5270._tcp.far.example. 300 IN TLSA 3 1 1 ff01",
    "_5270._tcp.far.example. 300 IN TLSA 2 0 2 "
    "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
    "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f",
    "_5271._tcp.far.example. 300 IN TLSA 0 0 1 "
    "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
};

enum { RECORDS = 4 };

typedef struct told {
    uv_loop_t *loop;
    unsigned times;
    io_dns_answer answer;
    io_tlsa tlsa[RECORDS];
    char data[RECORDS][64];
} told;

static void on_told(void *ctx, uint64_t ticket, const io_dns_answer *a)
{
    told *t = ctx;
    assert_int_equal(ticket, 7);
    assert_true(a->n_tlsa <= RECORDS);
    t->times++;
    t->answer = *a;
    for (size_t i = 0; i < a->n_tlsa; i++) {
        t->tlsa[i] = a->tlsa[i];
        assert_true(a->tlsa[i].data.len <= sizeof t->data[i]);
        memcpy(t->data[i], a->tlsa[i].data.ptr, a->tlsa[i].data.len);
    }
    uv_stop(t->loop);
}

static void ask(io_resolver *r, told *t, const char *name, uint16_t port)
{
    io_query q = {.what = IO_ASK_TLSA, .port = port};
    assert_int_equal(s2s_domain_make(s2s_span_of(name), &q.name), S2S_E_OK);
    unsigned before = t->times;
    io_resolver_ask(r, 7, &q);
    assert_int_equal(t->times, before);
    while (t->times == before)
        uv_run(t->loop, UV_RUN_DEFAULT);
}

/* Under the port's name; without those that say nothing. What is embedded is signed by nobody. rows: R7673-3.3 R6698-4.1-b */
static void records_come_by_port(void **state)
{
    (void)state;
    uv_loop_t loop;
    io_resolver_settings how;
    io_resolver_fault fault;
    told t = {.loop = &loop};
    uv_loop_init(&loop);
    io_resolver_settings_init(&how);
    how.zones = ZONES, how.n_zones = 1;
    how.data = DATA, how.n_data = sizeof DATA / sizeof DATA[0];
    io_resolver *r = io_resolver_new(&loop, &how, on_told, &t, &fault);
    if (!r) fail_msg("%s %zu: %s", fault.what, fault.index, fault.reason);
    ask(r, &t, "far.example", 5270);
    assert_int_equal(t.answer.err, S2S_E_OK);
    assert_int_equal(t.answer.n_tlsa, 2);
    assert_false(t.answer.secure);
    assert_int_equal(t.answer.ttl, 300);
    size_t ee = t.tlsa[0].usage == 3 ? 0 : 1, ta = 1 - ee;
    assert_int_equal(t.tlsa[ee].selector, 1);
    assert_int_equal(t.tlsa[ee].matching, 1);
    assert_int_equal(t.tlsa[ee].data.len, 32);
    for (int i = 0; i < 32; i++)
        assert_int_equal(t.data[ee][i], i);
    assert_int_equal(t.tlsa[ta].usage, 2);
    assert_int_equal(t.tlsa[ta].data.len, 64);
    for (int i = 0; i < 64; i++)
        assert_int_equal(t.data[ta][i], 0x40 + i % 32);
    ask(r, &t, "far.example", 5271); /* there are some, and none of use */
    assert_int_equal(t.answer.err, S2S_E_OK);
    assert_int_equal(t.answer.n_tlsa, 0);
    ask(r, &t, "far.example", 5269);
    assert_int_equal(t.answer.err, S2S_E_DNS_NOT_FOUND);
    char longest[254];
    memset(longest, 'a', sizeof longest);
    for (size_t i = 63; i < sizeof longest; i += 64)
        longest[i] = '.';
    longest[251] = '\0';
    ask(r, &t, longest, 5269); /* so long that nothing can stand in front of it */
    assert_int_equal(t.answer.err, S2S_E_DNS_NOT_FOUND);
    io_resolver_free(r);
    while (uv_loop_alive(&loop))
        uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* ---- signed ---- */

typedef struct scene {
    uv_loop_t loop;
    dnsd server;
    io_resolver *resolver;
    const char *forwarder, *anchor;
    io_resolver_settings how;
    told told;
} scene;

#define RECORD                                                                                     \
    "_5269._tcp.far.example. IN TLSA 3 1 1 "                                                       \
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* A zone with that record, signed; `after` is added when it is; `anchored`: we know its key. What is then said of it. */
static io_dns_answer asked_signed(const char *before, const char *after, bool anchored)
{
    scene *s = calloc(1, sizeof *s);
    io_resolver_fault fault;
    assert_non_null(s);
    s->told.loop = &s->loop;
    uv_loop_init(&s->loop);
    dnsd_start(&s->server, &s->loop);
    dnsd_add(&s->server, "far.example. IN A 192.0.2.1");
    if (before) dnsd_add(&s->server, before);
    char *anchor = dnsd_sign(&s->server, "far.example.");
    if (after) dnsd_add(&s->server, after);
    s->forwarder = s->server.forwarder, s->anchor = anchor;
    io_resolver_settings_init(&s->how);
    s->how.forwarders = &s->forwarder, s->how.n_forwarders = 1;
    s->how.anchors = &s->anchor, s->how.n_anchors = anchored ? 1 : 0;
    s->resolver = io_resolver_new(&s->loop, &s->how, on_told, &s->told, &fault);
    if (!s->resolver) fail_msg("%s %zu: %s", fault.what, fault.index, fault.reason);
    ask(s->resolver, &s->told, "far.example", 5269);
    io_dns_answer a = s->told.answer;
    io_resolver_free(s->resolver);
    dnsd_stop(&s->server);
    while (uv_loop_alive(&s->loop))
        uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    free(anchor);
    free(s);
    return a;
}

/* rows: R6698-4.1-c R7673-3.4-a */
static void secure_bogus_and_insecure(void **state)
{
    (void)state;
    io_dns_answer a = asked_signed(RECORD, NULL, true);
    assert_int_equal(a.err, S2S_E_OK);
    assert_true(a.secure);
    assert_int_equal(a.n_tlsa, 1);
    a = asked_signed(RECORD, NULL, false); /* without an anchor nothing is secure */
    assert_int_equal(a.err, S2S_E_OK);
    assert_false(a.secure);
    a = asked_signed(NULL, RECORD, true); /* put in by somebody who cannot sign */
    assert_int_equal(a.err, S2S_E_DNS_FAILED);
    assert_int_equal(a.n_tlsa, 0);
    assert_true(a.detail[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_by_port),
        cmocka_unit_test(secure_bogus_and_insecure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
