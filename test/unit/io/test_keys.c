/* test_keys.c - which keys are news. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/keys.h"

static io_keys_entry key(unsigned char first, bool good)
{
    return (io_keys_entry){.pin = {.sha256 = {first}}, .good = good};
}

static bool shows(io_keys *k, const char *domain, io_keys_entry now, io_keys_entry *before)
{
    s2s_domain d;
    assert_int_equal(s2s_domain_make(s2s_span_of(domain), &d), S2S_E_OK);
    return io_keys_changed(k, &d, &now, before);
}

static void another_key_is_news(void **state)
{
    (void)state;
    io_keys_entry before;
    io_keys *k = io_keys_new(64);
    assert_false(shows(k, "far.example", key(1, true), &before)); /* the first */
    assert_false(shows(k, "far.example", key(1, true), &before));
    assert_false(shows(k, "other.example", key(2, true), &before));
    assert_true(shows(k, "far.example", key(3, true), &before));
    assert_int_equal(before.pin.sha256[0], 1);
    assert_true(before.good);
    assert_false(shows(k, "far.example", key(3, true), &before));
    io_keys_free(k);
}

/* Whoever claims a domain and proves nothing is told, each time, and remembered only where nobody has proved it. */
static void what_proves_nothing_takes_no_place(void **state)
{
    (void)state;
    io_keys_entry before;
    io_keys *k = io_keys_new(64);
    assert_false(shows(k, "far.example", key(1, true), &before));
    for (int i = 0; i < 3; i++) {
        assert_true(shows(k, "far.example", key(9, false), &before));
        assert_int_equal(before.pin.sha256[0], 1);
    }
    assert_false(shows(k, "far.example", key(1, true), &before));
    assert_false(shows(k, "plain.example", key(4, false), &before));
    assert_true(shows(k, "plain.example", key(5, false), &before));
    assert_true(shows(k, "plain.example", key(6, true), &before));
    assert_false(before.good);
    assert_int_equal(before.pin.sha256[0], 5);
    io_keys_free(k);
}

static void many_domains_take_no_more_room(void **state)
{
    (void)state;
    io_keys_entry before;
    io_keys *k = io_keys_new(1);
    char name[32];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "r%u.example", i);
        assert_false(shows(k, name, key((unsigned char)i, true), &before));
    }
    assert_true(shows(k, name, key(77, true), &before));          /* the last is known still */
    assert_false(shows(k, "r0.example", key(88, true), &before)); /* the first is not */
    io_keys_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_key_is_news),
        cmocka_unit_test(what_proves_nothing_takes_no_place),
        cmocka_unit_test(many_domains_take_no_more_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
