/* test_backoff.c - the wait of a domain that failed. */
#include "leaves.h"

#include "fed/backoff.h"

/* rows: R6120-3.3-a */
static void doubles_up_to_the_cap(void **state)
{
    (void)state;
    static const uint64_t MOST[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    fed_backoff low, high;
    fed_backoff_init(&low, 1000, 60000);
    fed_backoff_init(&high, 1000, 60000);
    for (size_t i = 0; i < 8; i++) {
        assert_true(fed_backoff_fail(&low, 5, 0) == 5 + MOST[i] / 2);
        assert_true(fed_backoff_fail(&high, 5, (uint32_t)(MOST[i] / 2)) == 5 + MOST[i]);
    }
}

/* rows: R6120-3.3-a */
static void jitter_spreads_within_its_half(void **state)
{
    (void)state;
    seeded seed = {7};
    unsigned bin[4] = {0};
    for (int i = 0; i < 4000; i++) {
        fed_backoff b;
        uint32_t r;
        fed_backoff_init(&b, 1000, 60000);
        seeded_fill(&seed, &r, sizeof r);
        uint64_t wait = fed_backoff_fail(&b, 0, r);
        assert_true(wait >= 500 && wait <= 1000);
        bin[wait == 1000 ? 3 : (wait - 500) / 125]++;
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(bin[i], 900, 1100);
}

static void holds_until_its_time(void **state)
{
    (void)state;
    fed_backoff b;
    fed_backoff_init(&b, 1000, 60000);
    assert_false(fed_backoff_holds(&b, 0));
    fed_backoff_fail(&b, 10000, 0);
    assert_true(fed_backoff_holds(&b, 10499));
    assert_int_equal(fed_backoff_left(&b, 10100), 400);
    assert_false(fed_backoff_holds(&b, 10500));
    assert_int_equal(fed_backoff_left(&b, 99999), 0);
}

static void contact_resets_and_the_operator_cuts(void **state)
{
    (void)state;
    fed_backoff b;
    fed_backoff_init(&b, 1000, 60000);
    fed_backoff_fail(&b, 0, 0);
    fed_backoff_fail(&b, 0, 0);
    fed_backoff_cut(&b);
    assert_false(fed_backoff_holds(&b, 0));
    assert_true(fed_backoff_fail(&b, 0, 0) == 2000); /* third in a row all the same */
    fed_backoff_reset(&b);
    assert_false(fed_backoff_holds(&b, 0));
    assert_true(fed_backoff_fail(&b, 0, 0) == 500);
}

static void a_year_of_failures_stays_at_the_cap(void **state)
{
    (void)state;
    fed_backoff b;
    fed_backoff_init(&b, 3, UINT32_MAX);
    for (int i = 0; i < 600000; i++)
        fed_backoff_fail(&b, 0, UINT32_MAX);
    assert_true(b.until <= UINT32_MAX);
    assert_true(b.until >= UINT32_MAX / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_the_cap),
        cmocka_unit_test(jitter_spreads_within_its_half),
        cmocka_unit_test(holds_until_its_time),
        cmocka_unit_test(contact_resets_and_the_operator_cuts),
        cmocka_unit_test(a_year_of_failures_stays_at_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
