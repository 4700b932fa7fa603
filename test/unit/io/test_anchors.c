/* test_anchors.c - files of trust anchors: what is taken of them, and which line is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/anchors.h"

#define DIGEST "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"

typedef struct read_ones {
    unsigned n;
    char last[256];
    bool refuses;
} read_ones;

static const char *take(void *ctx, const char *record)
{
    read_ones *r = ctx;
    r->n++;
    snprintf(r->last, sizeof r->last, "%s", record);
    return r->refuses ? "not this one" : NULL;
}

static bool reads(const char *text, read_ones *r, io_anchors_fault *fault)
{
    char name[] = "anchors-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    memset(fault, 0, sizeof *fault);
    bool ok = io_anchors_read(name, take, r, fault);
    unlink(name);
    assert_int_equal(ok, fault->reason[0] == '\0');
    return ok;
}

static void records_and_comments(void **state)
{
    (void)state;
    io_anchors_fault fault;
    read_ones r = {.n = 0};
    assert_true(reads("; the root\n\n$TTL 60\n. IN DS 20326 8 2 " DIGEST "\n"
                      "example.\t3600 IN DS ( 1 13 2\n  " DIGEST " ) ; in two lines\n",
                      &r, &fault));
    assert_int_equal(r.n, 2);
    assert_non_null(strstr(r.last, "example."));
    assert_non_null(strstr(r.last, "DS"));
    assert_null(strchr(r.last, '\n'));
}

static void what_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t line;
    } rows[] = {
        {"", 0},
        {"; nothing\n", 0},
        {". IN DS 20326 8 2 " DIGEST "\nnonsense\n", 2},
        {". IN DS nonsense\n", 1},
        {". IN A 192.0.2.1\n", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        io_anchors_fault fault;
        read_ones r = {.n = 0};
        assert_false(reads(rows[i].text, &r, &fault));
        assert_int_equal(fault.line, rows[i].line);
    }
}

static void whoever_takes_them_may_refuse(void **state)
{
    (void)state;
    io_anchors_fault fault;
    read_ones r = {.refuses = true};
    assert_false(reads(". IN DS 20326 8 2 " DIGEST "\n", &r, &fault));
    assert_string_equal(fault.reason, "not this one");
    assert_false(io_anchors_read("/nonexistent/root.key", take, &r, &fault));
    assert_int_equal(fault.line, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_and_comments),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(whoever_takes_them_may_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
