/* An initiating and a receiving stream back to back in memory, in every segmentation of the bytes:
 * what happens must not depend on how the bytes were cut. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "stream_end.h"

typedef struct meeting {
    end a; /* initiating */
    end b; /* receiving */
} meeting;

typedef void (*story)(meeting *m);

static void meeting_init(meeting *m)
{
    end_init(&m->a, S2S_INITIATING, NULL);
    end_init(&m->b, S2S_RECEIVING, NULL);
}

static void meeting_fini(meeting *m)
{
    end_fini(&m->a);
    end_fini(&m->b);
}

static void want(meeting *m, const char *from, const char *to)
{
    s2s_domain f = domain(from), t = domain(to);
    assert_int_equal(s2s_stream_want_pair(m->a.stream, &f, &t), S2S_E_OK);
}

static void message(meeting *m, const char *from, const char *to, unsigned number)
{
    char text[200];
    s2s_domain f = domain(from), t = domain(to);
    snprintf(text, sizeof text, "<message from='%s' to='%s' id='%u'><body>&lt;</body></message>",
             from, to, number);
    assert_int_equal(s2s_stream_send(m->a.stream, &f, &t, s2s_span_of(text)), S2S_E_OK);
}

/* ---- stories ---- */

static void external(meeting *m)
{
    want(m, "a.example", "b.example");
    ends_meet(&m->a, &m->b);
    message(m, "a.example", "b.example", 1);
    message(m, "a.example", "b.example", 2);
    ends_meet(&m->a, &m->b);
    s2s_stream_close(m->a.stream, S2S_E_OK, (s2s_span){NULL, 0});
    ends_meet(&m->a, &m->b);
    assert_has(end_log(&m->a), "PAIR_OPEN from=a.example to=b.example proof=certificate");
    assert_has(end_log(&m->b), "PAIR_OPEN from=a.example to=b.example proof=certificate");
    assert_has(end_log(&m->b), "id='2' xml:lang='en'><body>&lt;</body></message>\nCLOSED");
    assert_true(m->a.closed && m->b.closed);
}

static void external_refused(meeting *m)
{
    m->b.auth_ok = false;
    want(m, "a.example", "b.example");
    ends_meet(&m->a, &m->b);
    message(m, "a.example", "b.example", 1);
    ends_meet(&m->a, &m->b);
    assert_has(end_log(&m->a), "NOTE err=sasl_failed");
    assert_has(end_log(&m->b), "STANZA from=a.example to=b.example proof=dialback");
}

static void verify_only(meeting *m)
{
    s2s_domain from = domain("a.example"), to = domain("b.example");
    m->b.check = S2S_INVALID;
    assert_int_equal(s2s_stream_ask_verify(m->a.stream, &from, &to, S2S_LIT("i<d"), S2S_LIT("k&y")),
                     S2S_E_OK);
    ends_meet(&m->a, &m->b);
    s2s_stream_close(m->a.stream, S2S_E_OK, (s2s_span){NULL, 0});
    ends_meet(&m->a, &m->b);
    assert_has(end_log(&m->b), "CHECK_KEY from=a.example to=b.example id=i<d key=k&y");
    assert_has(end_log(&m->a), "VERIFY_ANSWER from=a.example to=b.example id=i<d verdict=invalid");
    assert_hasnt(end_log(&m->b), "AUTH");
    assert_true(m->a.closed && m->b.closed);
}

static void plain_dialback(meeting *m)
{
    m->b.answer.offer_external = false;
    want(m, "a.example", "b.example");
    want(m, "c.example", "b.example");
    ends_meet(&m->a, &m->b);
    message(m, "c.example", "b.example", 1);
    message(m, "a.example", "b.example", 2);
    ends_meet(&m->a, &m->b);
    assert_has(end_log(&m->b), "STANZA from=c.example to=b.example proof=dialback");
    assert_int_equal(s2s_stream_pairs(m->a.stream), 2);
    assert_int_equal(s2s_stream_pairs(m->b.stream), 2);
}

static void fifty_pairs(meeting *m)
{
    char name[32];
    want(m, "a.example", "b.example");
    for (unsigned i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "s%u.example", i);
        want(m, name, "b.example"); /* sender multiplexing */
    }
    ends_meet(&m->a, &m->b);
    assert_true(s2s_stream_offers_dialback_errors(m->a.stream));
    want(m, "a.example", "rooms.b.example"); /* target multiplexing */
    ends_meet(&m->a, &m->b);
    for (unsigned i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "s%u.example", i);
        message(m, name, "b.example", i);
    }
    message(m, "a.example", "rooms.b.example", 50);
    ends_meet(&m->a, &m->b);
    assert_int_equal(s2s_stream_pairs(m->a.stream), 52);
    assert_int_equal(s2s_stream_pairs(m->b.stream), 52);
    const char *log = end_log(&m->b);
    for (unsigned i = 0; i <= 50; i++) { /* each once, in order */
        char id[16];
        snprintf(id, sizeof id, " id='%u' ", i);
        log = strstr(log, id);
        assert_non_null(log);
    }
}

static void denied_among_many(meeting *m)
{
    want(m, "a.example", "b.example");
    ends_meet(&m->a, &m->b);
    m->b.prove = S2S_ERROR;
    want(m, "c.example", "b.example");
    ends_meet(&m->a, &m->b);
    m->b.prove = S2S_INVALID;
    want(m, "d.example", "b.example");
    ends_meet(&m->a, &m->b);
    message(m, "a.example", "b.example", 1);
    ends_meet(&m->a, &m->b);
    assert_has(end_log(&m->a), "PAIR_REFUSED err=dialback_error from=c.example to=b.example "
                               "cond=item-not-found");
    assert_has(end_log(&m->a), "PAIR_REFUSED err=dialback_invalid from=d.example");
    assert_has(end_log(&m->b), "STANZA");
}

/* ---- segmentations ---- */

/* Tells the story with bytes cut as said; gives both logs as one text (malloc). */
static char *tell(story tale, size_t chunk, size_t cut)
{
    meeting m;
    meeting_init(&m);
    m.a.chunk = m.b.chunk = chunk;
    m.a.cut = m.b.cut = cut;
    tale(&m);
    size_t size = strlen(end_log(&m.a)) + strlen(end_log(&m.b)) + 16;
    char *text = malloc(size);
    assert_non_null(text);
    snprintf(text, size, "%s--\n%s", end_log(&m.a), end_log(&m.b));
    meeting_fini(&m);
    return text;
}

static size_t bytes_of(story tale)
{
    meeting m;
    meeting_init(&m);
    tale(&m);
    size_t most = m.a.fed > m.b.fed ? m.a.fed : m.b.fed;
    meeting_fini(&m);
    return most;
}

static void tell_in_chunks(story tale, const char *expected)
{
    static const size_t chunks[] = {1, 2, 3, 5, 7, 16, 61, 256, 1000, 4096};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        char *text = tell(tale, chunks[i], 0);
        assert_string_equal(text, expected);
        free(text);
    }
}

/* Every single cut, and every chunk size of the list. */
static void in_every_segmentation(story tale)
{
    char *expected = tell(tale, 0, 0);
    size_t bytes = bytes_of(tale);
    assert_true(bytes > 500);
    tell_in_chunks(tale, expected);
    for (size_t cut = 1; cut < bytes; cut++) {
        char *text = tell(tale, 0, cut);
        assert_string_equal(text, expected);
        free(text);
    }
    free(expected);
}

static void external_in_every_segmentation(void **state)
{
    (void)state;
    in_every_segmentation(external);
}

static void external_refused_in_every_segmentation(void **state)
{
    (void)state;
    in_every_segmentation(external_refused);
}

static void verify_in_every_segmentation(void **state)
{
    (void)state;
    in_every_segmentation(verify_only);
}

static void dialback_in_every_segmentation(void **state)
{
    (void)state;
    in_every_segmentation(plain_dialback);
}

static void denied_in_every_segmentation(void **state)
{
    (void)state;
    in_every_segmentation(denied_among_many);
}

static void fifty_pairs_in_chunks(void **state)
{
    (void)state;
    char *expected = tell(fifty_pairs, 0, 0);
    tell_in_chunks(fifty_pairs, expected);
    free(expected);
}

/* ---- memory ---- */

/* Present in programs built with AddressSanitizer, whose malloc knows no mallinfo. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
    if (__sanitizer_get_current_allocated_bytes != NULL)
        return __sanitizer_get_current_allocated_bytes();
    return mallinfo2().uordblks;
}

/* Carries bytes without keeping them, so that only the streams' own memory is counted. */
static void carry(s2s_stream *from, s2s_stream *to)
{
    while (s2s_stream_out(from).len > 0) {
        s2s_span out = s2s_stream_out(from);
        s2s_stream_feed(to, out.len > 65536 ? (s2s_span){out.ptr, 65536} : out);
        s2s_stream_sent(from, out.len > 65536 ? 65536 : out.len);
        while (s2s_stream_next(to)->kind != S2S_EV_NONE)
            continue;
    }
}

static void idle_streams_do_not_grow(void **state)
{
    (void)state;
    meeting m;
    meeting_init(&m);
    want(&m, "a.example", "b.example");
    ends_meet(&m.a, &m.b);
    size_t size = 200000;
    char *big = malloc(size + 1);
    assert_non_null(big);
    int n = snprintf(big, size, "<message from='a.example' to='b.example'><body>");
    memset(big + n, 'x', size - (size_t)n - 17);
    memcpy(big + size - 17, "</body></message>", 18);
    s2s_domain a = domain("a.example"), b = domain("b.example");

    size_t base = 0;
    for (unsigned i = 0; i < 3000; i++) {
        assert_int_equal(s2s_stream_send(m.a.stream, &a, &b,
                                         S2S_LIT("<message from='a.example' "
                                                 "to='b.example' id='1'/>")),
                         S2S_E_OK);
        if (i % 100 == 0)
            assert_int_equal(s2s_stream_send(m.a.stream, &a, &b, s2s_span_of(big)), S2S_E_OK);
        carry(m.a.stream, m.b.stream);
        assert_false(s2s_stream_half_stanza(m.b.stream));
        if (i == 200) base = allocated();
    }
    assert_int_equal(s2s_stream_pairs(m.b.stream), 1); /* it lived all the while */
    assert_true(allocated() <= base);
    free(big);
    meeting_fini(&m);
}

/* What a stranger costs: header, TLS, and then nothing (guarantee G9 without the TLS library). */
static void stranger_costs_little(void **state)
{
    (void)state;
    size_t before = allocated();
    s2s_stream_config c = config_of(S2S_RECEIVING);
    s2s_stream *s = s2s_stream_new(&c);
    s2s_answer answer = {.as = domain("b.example"), .id = S2S_LIT("1"), .tls = S2S_TLS_REQUIRED};
    s2s_stream_feed(s, s2s_span_of(HEAD_AB));
    assert_int_equal(s2s_stream_next(s)->kind, S2S_EV_HEAD);
    s2s_stream_answer(s, &answer);
    assert_int_equal(s2s_stream_next(s)->kind, S2S_EV_NONE);
    s2s_stream_sent(s, s2s_stream_out(s).len);
    size_t cost = allocated() - before;
    print_message("# a stranger's stream: %zu bytes\n", cost);
    assert_true(cost <= 16384);
    s2s_stream_free(s);
}

/* A quiet stream with its pair proved: no buffer, no parser; and it goes on. */
static void little_is_held_at_rest(void **state)
{
    (void)state;
    meeting m;
    meeting_init(&m);
    want(&m, "a.example", "b.example");
    ends_meet(&m.a, &m.b);
    s2s_domain a = domain("a.example"), b = domain("b.example");
    s2s_span text = S2S_LIT("<message from='a.example' to='b.example' id='1'/>");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(s2s_stream_send(m.a.stream, &a, &b, text), S2S_E_OK);
        carry(m.a.stream, m.b.stream);
        size_t busy = allocated();
        s2s_stream_rest(m.a.stream);
        s2s_stream_rest(m.b.stream);
        size_t freed = busy - allocated();
        print_message("# given back by the two ends: %zu bytes\n", freed);
        assert_true(freed >= 8192); /* a parser at the least */
    }
    meeting_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(external_in_every_segmentation),
        cmocka_unit_test(external_refused_in_every_segmentation),
        cmocka_unit_test(verify_in_every_segmentation),
        cmocka_unit_test(dialback_in_every_segmentation),
        cmocka_unit_test(denied_in_every_segmentation),
        cmocka_unit_test(fifty_pairs_in_chunks),
        cmocka_unit_test(idle_streams_do_not_grow),
        cmocka_unit_test(stranger_costs_little),
        cmocka_unit_test(little_is_held_at_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
