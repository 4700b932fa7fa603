/* Deadlines, hash tables and lists against plain models of them. */
#include "leaves.h"

#include <stdlib.h>

#include "fed/chain.h"
#include "fed/table.h"
#include "fed/timer.h"

enum { N = 500, ROUNDS = 20000 };

static void fire(fed *f, fed_timer *t)
{
    (void)f;
    (void)t;
}

static uint64_t earliest(const fed_timer *t)
{
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < N; i++)
        if (t[i].set && t[i].at < at) at = t[i].at;
    return at;
}

static void timers_come_in_order(void **state)
{
    (void)state;
    fed_timers all = {NULL};
    fed_timer t[N] = {{0}};
    seeded seed = {99};
    uint64_t now = 0;
    for (size_t i = 0; i < N; i++)
        t[i].fire = fire;
    for (size_t round = 0; round < ROUNDS; round++) {
        uint32_t draw[2];
        seeded_fill(&seed, draw, sizeof draw);
        fed_timer *one = &t[draw[0] % N];
        uint64_t at = now + draw[1] % 1000;
        switch (draw[0] / N % 4) {
        case 0: fed_timer_clear(&all, one); break;
        case 1: {
            uint64_t want = one->set && one->at < at ? one->at : at;
            fed_timer_sooner(&all, one, at);
            assert_int_equal(one->at, want);
            break;
        }
        default: fed_timer_set(&all, one, at); break;
        }
        assert_int_equal(fed_timers_next(&all), earliest(t));
        if (round % 8 != 0) continue;
        now += draw[1] % 50;
        for (fed_timer *due; (due = fed_timers_due(&all, now)) != NULL;) {
            assert_true(due->at <= now);
            assert_false(due->set);
            assert_true(due->at <= earliest(t));
        }
        assert_true(earliest(t) > now);
    }
    for (size_t i = 0; i < N; i++)
        fed_timer_clear(&all, &t[i]);
    assert_null(all.root);
}

static void never_is_cleared(void **state)
{
    (void)state;
    fed_timers all = {NULL};
    fed_timer t = {.fire = fire};
    fed_timer_set(&all, &t, 5);
    fed_timer_set(&all, &t, UINT64_MAX);
    assert_false(t.set);
    assert_int_equal(fed_timers_next(&all), UINT64_MAX);
    fed_timer_clear(&all, &t);
}

static void table_finds_what_is_in_it(void **state)
{
    (void)state;
    fed_table table;
    fed_node nodes[N] = {{0}};
    bool in[N] = {false};
    seeded seed = {7};
    assert_true(fed_table_init(&table));
    for (size_t round = 0; round < ROUNDS; round++) {
        uint32_t draw;
        seeded_fill(&seed, &draw, sizeof draw);
        size_t i = draw % N;
        uint32_t hash = (uint32_t)(i / 3) * 64; /* three of each hash, many in one bucket */
        if (in[i])
            fed_table_take(&table, &nodes[i]);
        else
            fed_table_put(&table, &nodes[i], hash);
        in[i] = !in[i];
        size_t found = 0;
        for (fed_node *n = fed_table_find(&table, hash); n != NULL; n = fed_table_again(n)) {
            assert_true(in[n - nodes]);
            assert_int_equal((uint32_t)((n - nodes) / 3) * 64, hash);
            found += n == &nodes[i] ? 1 : 0;
        }
        assert_int_equal(found, in[i] ? 1 : 0);
    }
    size_t count = 0, walked = 0;
    for (size_t i = 0; i < N; i++)
        count += in[i] ? 1 : 0;
    for (fed_node *n = NULL; (n = fed_table_walk(&table, n)) != NULL;)
        walked++;
    assert_int_equal(table.count, count);
    assert_int_equal(walked, count);
    fed_table_fini(&table);
}

static void chains_keep_order(void **state)
{
    (void)state;
    fed_chain a = {NULL, NULL, 0}, b = {NULL, NULL, 0};
    fed_hook h[4] = {{NULL, NULL, NULL}};
    for (size_t i = 0; i < 4; i++)
        fed_chain_add(&a, &h[i]);
    fed_chain_move(&b, &h[1]);
    fed_chain_move(&a, &h[0]); /* to the end */
    fed_chain_take(&h[3]);
    fed_chain_take(&h[3]);
    assert_null(h[3].on);
    assert_ptr_equal(h[1].on, &b);
    assert_int_equal(a.n, 2);
    assert_ptr_equal(fed_chain_pop(&a), &h[2]);
    assert_ptr_equal(fed_chain_pop(&a), &h[0]);
    assert_null(fed_chain_pop(&a));
    assert_ptr_equal(fed_chain_pop(&b), &h[1]);
    assert_int_equal(a.n + b.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_come_in_order),
        cmocka_unit_test(never_is_cleared),
        cmocka_unit_test(table_finds_what_is_in_it),
        cmocka_unit_test(chains_keep_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
