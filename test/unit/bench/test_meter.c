/* The meter of the load generator: it notices what is lost, doubled, swapped and changed, and nothing else. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter.h"

enum { COUNT = 2000 };

typedef struct stage {
    mix *mix;
    meter meter;
    uint32_t pairs[2];
    char *bytes[COUNT]; /* what is on its way */
    size_t lens[COUNT];
} stage;

static s2s_domain domain(const char *name)
{
    s2s_domain d;
    assert_int_equal(s2s_domain_make(s2s_span_of(name), &d), S2S_E_OK);
    return d;
}

/* COUNT stanzas sent, on two pairs in turn. */
static int setup(void **state)
{
    stage *s = calloc(1, sizeof *s);
    const mix_plan plan = {.seed = 7, .large_every = 50, .large_size = 40000};
    s2s_domain far = domain("r1.far.example"), other = domain("r22.far.example"),
               near = domain("near.example");
    assert_non_null(s);
    s->mix = mix_new(&plan);
    assert_non_null(s->mix);
    meter_init(&s->meter, s->mix);
    s->pairs[0] = meter_add(&s->meter, &far, &near, 0);
    s->pairs[1] = meter_add(&s->meter, &other, &near, 1);
    for (size_t i = 0; i < COUNT; i++) {
        s2s_span sent = meter_send(&s->meter, s->pairs[i % 2], 1000 + i);
        s->bytes[i] = malloc(sent.len);
        s->lens[i] = sent.len;
        memcpy(s->bytes[i], sent.ptr, sent.len);
    }
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    stage *s = *state;
    for (size_t i = 0; i < COUNT; i++)
        free(s->bytes[i]);
    meter_fini(&s->meter);
    mix_free(s->mix);
    free(s);
    return 0;
}

static uint32_t arrive(stage *s, size_t i)
{
    return meter_arrive(&s->meter, (s2s_span){s->bytes[i], s->lens[i]}, 5000);
}

static void arrive_between(stage *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        assert_int_equal(arrive(s, i), s->pairs[i % 2]);
}

static void check(const stage *s, uint64_t lost, uint64_t doubled, uint64_t swapped,
                  uint64_t changed, uint64_t foreign)
{
    assert_int_equal(meter_lost(&s->meter), lost);
    assert_int_equal(s->meter.doubled, doubled);
    assert_int_equal(s->meter.swapped, swapped);
    assert_int_equal(s->meter.changed, changed);
    assert_int_equal(s->meter.foreign, foreign);
    assert_int_equal(meter_clean(&s->meter), !(lost + doubled + swapped + changed + foreign));
}

static void all_is_well(void **state)
{
    stage *s = *state;
    arrive_between(s, 0, COUNT);
    check(s, 0, 0, 0, 0, 0);
    assert_int_equal(s->meter.respelled, 0);
    assert_int_equal(s->meter.latency.count, COUNT);
    assert_int_equal(s->meter.latency.most, 4000);
    assert_int_equal(s->meter.latency.least, 4000 - COUNT + 1);
    assert_int_equal(s->meter.trouble[0], 0);
}

static void one_is_lost(void **state)
{
    stage *s = *state;
    arrive_between(s, 0, 777);
    arrive_between(s, 778, COUNT);
    check(s, 1, 0, 0, 0, 0);
}

static void the_last_is_lost(void **state)
{
    stage *s = *state;
    arrive_between(s, 0, COUNT - 1);
    check(s, 1, 0, 0, 0, 0);
}

static void one_comes_twice(void **state)
{
    stage *s = *state;
    arrive_between(s, 0, COUNT);
    assert_int_equal(arrive(s, 321), UINT32_MAX);
    check(s, 0, 1, 0, 0, 0);
    assert_non_null(strstr(s->meter.trouble, "doubled"));
}

/* One lost and one doubled do not make up for each other. */
static void one_is_lost_and_one_doubled(void **state)
{
    stage *s = *state;
    arrive_between(s, 1, COUNT);
    arrive(s, 5);
    check(s, 1, 1, 0, 0, 0);
}

static void two_change_places(void **state)
{
    stage *s = *state;
    arrive_between(s, 0, 100);
    arrive(s, 102); /* of the same pair as 100 */
    arrive(s, 101);
    arrive(s, 100);
    arrive_between(s, 103, COUNT);
    check(s, 0, 0, 1, 0, 0);
}

/* Between pairs there is no order. */
static void pairs_overtake_each_other(void **state)
{
    stage *s = *state;
    for (size_t i = 0; i < COUNT; i += 2)
        arrive(s, i);
    for (size_t i = 1; i < COUNT; i += 2)
        arrive(s, i);
    check(s, 0, 0, 0, 0, 0);
}

/* Any octet of any stanza, changed: noticed, as changed or as not ours. */
static void every_octet_counts(void **state)
{
    stage *s = *state;
    size_t at = 0, tried = 0;
    for (size_t i = 0; i < COUNT; i++) {
        if (s->lens[i] > 2000) {
            arrive(s, i);
            continue;
        }
        at = (at + 37) % s->lens[i];
        s->bytes[i][at] ^= 1;
        arrive(s, i);
        tried++;
    }
    assert_true(tried > COUNT / 2);
    assert_int_equal(s->meter.changed + s->meter.foreign, tried);
    assert_int_equal(s->meter.respelled, 0);
}

static void a_stanza_is_cut_short(void **state)
{
    stage *s = *state;
    s->lens[9] -= 5;
    arrive_between(s, 0, COUNT);
    check(s, 0, 0, 0, 1, 0);
}

/* The number and the time cannot be changed unnoticed either. */
static void an_id_is_forged(void **state)
{
    stage *s = *state;
    char *id = memmem(s->bytes[4], s->lens[4], " id='", 5);
    assert_non_null(id);
    id[5 + 8 + 1 + 9] = '9'; /* number 9 instead of 2 */
    assert_int_equal(arrive(s, 4), UINT32_MAX);
    check(s, COUNT, 0, 0, 0, 1);
}

/* Another spelling of the same stanza is no fault of a server. */
static void another_spelling_is_counted_apart(void **state)
{
    stage *s = *state;
    char text[65536];
    size_t n = 0;
    for (size_t i = 0; i < s->lens[0]; i++)
        text[n++] = s->bytes[0][i] == '\'' ? '"' : s->bytes[0][i];
    assert_int_equal(meter_arrive(&s->meter, (s2s_span){text, n}, 5000), s->pairs[0]);
    arrive_between(s, 1, COUNT);
    check(s, 0, 0, 0, 0, 0);
    assert_int_equal(s->meter.respelled, 1);
}

/* As jabberd2 does: the stanza declares the namespace of clients. Only to a component that is forgiven. */
static void arrive_as_of_a_client(stage *s)
{
    char text[65536];
    const char *space = memchr(s->bytes[0], ' ', s->lens[0]);
    assert_non_null(space);
    int before = (int)(space - s->bytes[0]);
    int n = snprintf(text, sizeof text, "%.*s xmlns='jabber:client'%.*s", before, s->bytes[0],
                     (int)s->lens[0] - before, space);
    s2s_span stanza = {text, (size_t)n};
    assert_int_equal(meter_arrive(&s->meter, stanza, 5000), s->pairs[0]);
    arrive_between(s, 1, COUNT);
}

static void a_component_may_hear_the_namespace_of_clients(void **state)
{
    stage *s = *state;
    s->meter.may_rename = true;
    arrive_as_of_a_client(s);
    check(s, 0, 0, 0, 0, 0);
    assert_int_equal(s->meter.respelled, 1);
}

static void nobody_else_may(void **state)
{
    stage *s = *state;
    arrive_as_of_a_client(s);
    check(s, 0, 0, 0, 1, 0);
}

/* As ejabberd does: the first child of a message comes last. */
static size_t rearrange(const stage *s, size_t i, char *text)
{
    const char *bytes = s->bytes[i], *head = memchr(bytes, '>', s->lens[i]);
    const char *end = bytes + s->lens[i] - strlen("</message>");
    const char *body = memmem(head, (size_t)(end - head), "</body>", 7);
    assert_non_null(body);
    body += 7;
    int n = snprintf(text, 65536, "%.*s%.*s%.*s</message>", (int)(head + 1 - bytes), bytes,
                     (int)(end - body), body, (int)(body - head - 1), head + 1);
    return (size_t)n;
}

static void arrive_rearranged(stage *s)
{
    char text[65536];
    size_t at = 0;
    while (!(s->bytes[at][1] == 'm' && s->lens[at] < 2000 &&
             memmem(s->bytes[at], s->lens[at], "</body><", 8) &&
             !memmem(s->bytes[at], s->lens[at], "</body></message>", 17)))
        at++;
    arrive_between(s, 0, at);
    meter_arrive(&s->meter, (s2s_span){text, rearrange(s, at, text)}, 5000);
    arrive_between(s, at + 1, COUNT);
    assert_int_equal(s->meter.rearranged, 1);
    assert_int_equal(s->meter.respelled, 0);
}

static void children_in_another_order_are_a_change(void **state)
{
    stage *s = *state;
    arrive_rearranged(s);
    check(s, 0, 0, 0, 1, 0);
    assert_non_null(strstr(s->meter.trouble, "changed at"));
}

static void unless_that_is_allowed(void **state)
{
    stage *s = *state;
    s->meter.may_rearrange = true;
    arrive_rearranged(s);
    check(s, 0, 0, 0, 0, 0);
}

static void the_mix_is_as_announced(void **state)
{
    (void)state;
    const mix_plan plan = {.seed = 1};
    mix *m = mix_new(&plan), *again = mix_new(&plan);
    char a[16384], b[16384];
    unsigned kinds[3] = {0};
    s2s_span from = S2S_LIT("r1.far.example"), to = S2S_LIT("near.example");
    assert_non_null(m);
    assert_non_null(again);
    assert_true(mix_longest(m, from.len, to.len) <= sizeof a);
    for (uint64_t i = 0; i < 10000; i++) {
        mix_mark mark = {.number = i, .stamp = i};
        size_t n = mix_write(m, &mark, from, to, a);
        assert_int_equal(mix_write(again, &mark, from, to, b), n);
        assert_memory_equal(a, b, n);
        kinds[a[1] == 'm' ? 0 : a[1] == 'p' ? 1 : 2]++;
    }
    assert_in_range(kinds[0], 5500, 6500);
    assert_in_range(kinds[1], 2000, 3000);
    assert_in_range(kinds[2], 1000, 2000);
    assert_in_range((uint64_t)mix_mean(m, from.len, to.len), 420, 520);
    mix_free(m);
    mix_free(again);
}

int main(void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        STAGED(all_is_well),
        STAGED(one_is_lost),
        STAGED(the_last_is_lost),
        STAGED(one_comes_twice),
        STAGED(one_is_lost_and_one_doubled),
        STAGED(two_change_places),
        STAGED(pairs_overtake_each_other),
        STAGED(every_octet_counts),
        STAGED(a_stanza_is_cut_short),
        STAGED(an_id_is_forged),
        STAGED(another_spelling_is_counted_apart),
        STAGED(a_component_may_hear_the_namespace_of_clients),
        STAGED(nobody_else_may),
        STAGED(children_in_another_order_are_a_change),
        STAGED(unless_that_is_allowed),
        cmocka_unit_test(the_mix_is_as_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
