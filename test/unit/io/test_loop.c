/* test_loop.c - deadlines in order, tasks once per turn, marks of what is acknowledged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/loop_priv.h"
#include "io/marks.h"
#include "party.h"

/* ---- timers ---- */

enum { TIMERS = 200 };

typedef struct alarm_clock {
    io_loop *l;
    io_timer t;
    uint64_t at;
    bool rang;
    struct alarm_clock *drops; /* a neighbour to clear when ringing */
} alarm_clock;

static uint64_t last_rung;
static unsigned rung;

static void ring(void *ctx)
{
    alarm_clock *a = ctx;
    assert_false(a->rang);
    assert_true(a->at >= last_rung);
    assert_true(a->at <= io_loop_now(a->l));
    a->rang = true;
    last_rung = a->at;
    rung++;
    if (a->drops) io_timer_clear(a->l, &a->drops->t);
}

static void set_alarm(alarm_clock *a, io_loop *l, uint64_t at)
{
    a->l = l;
    a->at = at;
    io_timer_set(l, &a->t, at, ring, a);
}

static void deadlines_come_in_order(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    alarm_clock *a = calloc(TIMERS, sizeof *a);
    uint64_t now = io_loop_now(l);
    uint32_t x = 7;
    last_rung = 0;
    rung = 0;
    for (unsigned i = 0; i < TIMERS; i++) {
        x = x * 1664525U + 1013904223U;
        set_alarm(&a[i], l, now + 2 + (x >> 24) % 32);
    }
    for (unsigned i = 0; i < TIMERS; i += 3)
        io_timer_clear(l, &a[i].t);
    for (unsigned i = 1; i < TIMERS; i += 9)
        set_alarm(&a[i], l, now + 1 + i % 40); /* moved */
    for (unsigned i = 2; i < TIMERS; i += 9)
        set_alarm(&a[i], l, UINT64_MAX); /* never */
    io_timer_clear(l, &a[0].t);          /* twice is fine */
    unsigned expected = 0;
    for (unsigned i = 0; i < TIMERS; i++)
        expected += a[i].t.armed;
    while (rung < expected)
        io_loop_turn(l, true);
    for (unsigned i = 0; i < TIMERS; i++)
        assert_int_equal(a[i].rang, i % 3 != 0 && i % 9 != 2);
    assert_null(l->timers);
    free(a);
    io_loop_free(l);
}

static void a_deadline_may_drop_another(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    alarm_clock a = {.drops = NULL}, b = {.drops = NULL}, c = {.drops = NULL};
    last_rung = 0;
    rung = 0;
    a.drops = &b;
    set_alarm(&a, l, io_loop_now(l) + 1);
    set_alarm(&b, l, io_loop_now(l) + 2);
    set_alarm(&c, l, io_loop_now(l) + 3);
    while (rung < 2)
        io_loop_turn(l, true);
    assert_true(a.rang && c.rang && !b.rang);
    io_loop_free(l);
}

typedef struct stubborn {
    io_loop *l;
    io_timer t;
    unsigned rang;
} stubborn;

static void again_at_once(void *ctx)
{
    stubborn *s = ctx;
    s->rang++;
    io_timer_set(s->l, &s->t, 0, again_at_once, s);
}

static void a_stubborn_deadline_does_not_stop_the_loop(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    stubborn s = {.l = l};
    io_timer_set(l, &s.t, 0, again_at_once, &s);
    while (s.rang < 3) {
        unsigned before = s.rang;
        io_loop_turn(l, true);
        assert_true(s.rang <= before + 2); /* UV_RUN_ONCE looks at the clock before and after */
    }
    io_timer_clear(l, &s.t);
    io_loop_free(l);
}

/* ---- tasks ---- */

typedef struct busy {
    io_loop *l;
    io_list *again; /* put there again, so many times */
    io_task t;
    unsigned ran, times;
} busy;

static void work(void *ctx)
{
    busy *b = ctx;
    b->ran++;
    if (b->ran < b->times) io_task_put(b->again, &b->t);
}

static void what_waits_is_run_without_sleeping(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    busy a = {.l = l, .again = &l->again, .times = 10};
    busy f = {.l = l, .again = &l->flush, .times = 100};
    io_task_init(&a.t, work, &a);
    io_task_init(&f.t, work, &f);
    io_task_put(&l->again, &a.t);
    io_task_put(&l->again, &a.t); /* on it once */
    io_loop_turn(l, true);
    assert_int_equal(a.ran, 1); /* once in a turn */
    io_task_put(&l->flush, &f.t);
    io_loop_turn(l, true);
    assert_true(f.ran > 1 && f.ran < 100); /* a flush asks for a flush: soon, but not for ever */
    while (a.ran < 10 || f.ran < 100)
        io_loop_turn(l, true);
    io_loop_free(l);
}

static void drop_both(void *ctx)
{
    busy *b = ctx;
    b[0].ran++;
    io_task_drop(&b[0].t);
    io_task_drop(&b[1].t);
}

static void a_task_may_drop_its_neighbour(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    busy b[2] = {{.l = l, .times = 1}, {.l = l, .times = 1}};
    io_task_init(&b[0].t, drop_both, b);
    io_task_init(&b[1].t, work, &b[1]);
    io_task_put(&l->flush, &b[0].t);
    io_task_put(&l->flush, &b[1].t);
    io_loop_turn(l, false);
    assert_int_equal(b[0].ran, 1);
    assert_int_equal(b[1].ran, 0);
    io_loop_free(l);
}

/* ---- marks ---- */

static void marks(void **state)
{
    (void)state;
    io_marks m;
    io_marks_init(&m, 5);
    assert_int_equal(io_marks_acked(&m, 1000), 5);
    io_marks_add(&m, 10, 100);
    io_marks_add(&m, 20, 200);
    assert_int_equal(io_marks_acked(&m, 99), 5);
    assert_int_equal(io_marks_acked(&m, 100), 10);
    assert_int_equal(io_marks_acked(&m, 199), 10);
    io_marks_add(&m, 30, 300);
    assert_int_equal(io_marks_acked(&m, 10000), 30);
    assert_null(m.item); /* all acknowledged: no memory */
    io_marks_fini(&m);
}

static void marks_widen_when_full(void **state)
{
    (void)state;
    io_marks m;
    io_marks_init(&m, 0);
    for (uint64_t i = 1; i <= IO_MARKS_MAX + 500; i++) {
        io_marks_add(&m, i, 10 * i);
        assert_int_equal(io_marks_full(&m), i >= IO_MARKS_MAX);
    }
    assert_int_equal(io_marks_acked(&m, 10 * (IO_MARKS_MAX - 1)), IO_MARKS_MAX - 1);
    /* The last mark stands for 501 records now: later, never sooner. */
    assert_int_equal(io_marks_acked(&m, 10 * (IO_MARKS_MAX + 499)), IO_MARKS_MAX - 1);
    assert_int_equal(io_marks_acked(&m, 10 * (IO_MARKS_MAX + 500)), IO_MARKS_MAX + 500);
    io_marks_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(deadlines_come_in_order, hang_guard),
        cmocka_unit_test_setup(a_deadline_may_drop_another, hang_guard),
        cmocka_unit_test_setup(a_stubborn_deadline_does_not_stop_the_loop, hang_guard),
        cmocka_unit_test_setup(what_waits_is_run_without_sleeping, hang_guard),
        cmocka_unit_test_setup(a_task_may_drop_its_neighbour, hang_guard),
        cmocka_unit_test(marks),
        cmocka_unit_test(marks_widen_when_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
