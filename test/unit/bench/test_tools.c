/* The load generator's tools: the histogram against sorting, the scanner against every cut, the ring of lengths, what processes
 * use. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hdr.h"
#include "raw.h"
#include "scan.h"
#include "usage.h"

enum { VALUES = 20000 };

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void percentiles_are_those_of_the_sorted_values(void **state)
{
    (void)state;
    static uint64_t values[VALUES];
    static hdr h, part;
    uint64_t x = 88172645463325252ULL;
    for (size_t i = 0; i < VALUES; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        values[i] = x >> (x % 60); /* all sizes */
        hdr_add(i % 2 ? &h : &part, values[i]);
    }
    hdr_merge(&h, &part);
    qsort(values, VALUES, sizeof values[0], by_size);
    assert_int_equal(h.count, VALUES);
    assert_int_equal(h.least, values[0]);
    assert_int_equal(h.most, values[VALUES - 1]);
    const double shares[] = {0.0001, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        uint64_t want = values[(size_t)(shares[i] * VALUES + 0.5) - 1];
        uint64_t got = hdr_at(&h, shares[i]);
        assert_true(got >= want && got - want <= want / HDR_SUB);
    }
}

static void an_empty_histogram(void **state)
{
    (void)state;
    static hdr h;
    assert_int_equal(hdr_at(&h, 0.99), 0);
    hdr_add(&h, UINT64_MAX);
    assert_true(hdr_at(&h, 0.5) == UINT64_MAX);
}

static const char stream[] = "<message a='>' b=\"it's/>\"><x/><y>t</y></message> \n<iq/>"
                             "<presence><a b='c'/></presence></stream:stream>";
static const char *const elements[] = {"<message a='>' b=\"it's/>\"><x/><y>t</y></message>",
                                       " \n<iq/>", "<presence><a b='c'/></presence>",
                                       "</stream:stream>"};

/* Elements are found the same however the bytes come. */
static void the_scanner_at_every_cut(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof stream; piece++) {
        scan s = {0};
        char got[sizeof stream];
        size_t at = 0, len = 0, found = 0;
        while (at < sizeof stream - 1) {
            size_t n = piece < sizeof stream - 1 - at ? piece : sizeof stream - 1 - at;
            bool whole;
            size_t run = scan_run(&s, stream + at, n, &whole);
            memcpy(got + len, stream + at, run);
            at += run;
            len += run;
            if (!whole) continue;
            assert_true(scan_between(&s));
            assert_int_equal(len, strlen(elements[found]));
            assert_memory_equal(got, elements[found], len);
            found++;
            len = 0;
        }
        assert_int_equal(found, 4);
    }
}

static void stanzas_leave_one_by_one(void **state)
{
    (void)state;
    raw r;
    raw_init(&r);
    for (unsigned i = 0; i < 200; i++)
        raw_put(&r, (s2s_span){"abcdefghijklmnopqrstuvwxyz", 1 + i % 26});
    assert_int_equal(raw_out(&r, FLUSH_FULL).len, s2s_buf_span(&r.bytes).len);
    for (unsigned i = 0; i < 200; i++) {
        s2s_span out = raw_out(&r, FLUSH_RECORD);
        assert_int_equal(out.len, 1 + i % 26);
        assert_int_equal(out.ptr[0], 'a');
        raw_sent(&r, 1); /* half of it, then a new one behind */
        raw_put(&r, S2S_LIT("a"));
        assert_int_equal(raw_out(&r, FLUSH_EACH).len, out.len > 1 ? out.len - 1 : 1 + (i + 1) % 26);
        if (out.len > 1) raw_sent(&r, out.len - 1);
    }
    assert_int_equal(raw_out(&r, FLUSH_FULL).len, 200);
    raw_sent(&r, 150);
    raw_sent(&r, 50);
    assert_int_equal(raw_out(&r, FLUSH_EACH).len, 0);
    raw_fini(&r);
}

static void processes_are_read_from_a_list(void **state)
{
    (void)state;
    usage_pids pids;
    assert_true(usage_parse(&pids, "17"));
    assert_int_equal(pids.n, 1);
    assert_true(usage_parse(&pids, "3,1,2"));
    assert_int_equal(pids.n, 3);
    assert_int_equal(pids.pid[0], 3);
    assert_int_equal(pids.pid[2], 2);
    const char *const wrong[] = {
        "",   "0",   "-1",  "x",           "1,",
        ",1", "1;2", "1 2", "99999999999", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(usage_parse(&pids, wrong[i]));
}

/* The same process twice uses twice as much; one that is not there spoils it. */
static void what_several_processes_use_is_summed(void **state)
{
    (void)state;
    used once, twice;
    usage_pids pids = {.pid = {(int)getpid(), (int)getpid()}, .n = 1};
    assert_true(usage_sum(&pids, &once));
    pids.n = 2;
    assert_true(usage_sum(&pids, &twice));
    assert_true(once.cpu > 0 && twice.cpu >= 2 * once.cpu);
    assert_true(once.rss_kb > 0 && twice.rss_peak_kb >= 2 * once.rss_kb);
    pids.pid[1] = 1 << 30;
    assert_false(usage_sum(&pids, &twice));
    pids.n = 0;
    assert_true(usage_sum(&pids, &twice));
    assert_true(twice.cpu == 0 && twice.rss_kb == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_those_of_the_sorted_values),
        cmocka_unit_test(an_empty_histogram),
        cmocka_unit_test(the_scanner_at_every_cut),
        cmocka_unit_test(stanzas_leave_one_by_one),
        cmocka_unit_test(processes_are_read_from_a_list),
        cmocka_unit_test(what_several_processes_use_is_summed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
