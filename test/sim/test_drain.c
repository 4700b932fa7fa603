/* Stopping: stanzas in hand go on, the rest is answered, every stream is told. */
#include "sim.h"

#include <string.h>

/* rows: R6120-4.9.3.20 */
static void quiet(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m2", 10);
    sim_run(s, 1000);
    assert_false(fed_drained(s->fed));
    fed_drain(s->fed, 10000);
    sim_run(s, 10);
    assert_true(fed_drained(s->fed));
    assert_int_equal(sim_open_conns(s), 0);
    assert_true(sim_logged(s, "conn_ended", "why=shutdown"));
    sim_end_all(s);
}

/* What is on its way arrives; what comes meanwhile is answered. */
/* rows: R6120-4.9.3.20 */
static void in_hand_goes_on(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "warm", 10);
    sim_run(s, 1000);
    far->stalled = true;
    for (int i = 0; i < 150; i++)
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m", 1000);
    sim_run(s, 100);
    fed_drain(s->fed, 10000);
    sim_run(s, 100);
    assert_false(fed_drained(s->fed));
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "late", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(sim_hq(s), "late", "error"), 1);
    far->stalled = false;
    sim_run(s, 1000);
    assert_true(fed_drained(s->fed));
    assert_int_equal(sim_count(far, "m", NULL), 150);
    fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
    assert_int_equal(v.written, 151);
    assert_int_equal(v.bounced, 1);
    sim_end_all(s);
}

/* Nothing new is let in: a header, system-shutdown, the end. */
static void newcomers(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "warm", 10);
    sim_run(s, 1000);
    far->stalled = true;
    for (int i = 0; i < 150; i++)
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m", 1000);
    sim_run(s, 100);
    fed_drain(s->fed, 10000);
    size_t before = sim_open_conns(s);
    sim_host *other = sim_remote(s, "other.example", "192.0.2.11");
    sim_open(other, "other.example", "loc.example");
    sim_run(s, 100);
    assert_int_equal(sim_open_conns(s), before);
    sim_end_all(s);
}

/* The time is over: what is left is answered, and nobody is waited for. */
static void time_over(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->blackhole = true;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    sim_run(s, 1000);
    fed_drain(s->fed, 2000);
    sim_run(s, 1900);
    assert_false(fed_drained(s->fed));
    sim_run(s, 300);
    assert_true(fed_drained(s->fed));
    assert_int_equal(sim_count(sim_hq(s), "m1", "error"), 1);
    fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
    assert_int_equal(v.bounced, 1);
    assert_int_equal(v.queued, 0);
    sim_end_all(s);
}

/* Even when nobody reads what we say. */
static void nobody_listens(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "warm", 10);
    sim_send(far, "u@far.example", "v@loc.example", "warm", 10);
    sim_run(s, 1000);
    far->stalled = true;
    sim_hq(s)->unplugged = true;
    for (int i = 0; i < 300; i++) {
        sim_send(far, "u@far.example", "v@loc.example", "a", 1000);
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", "b", 1000);
    }
    sim_run(s, 100);
    fed_drain(s->fed, 2000);
    sim_run(s, 30000);
    assert_true(fed_drained(s->fed));
    assert_int_equal(sim_ledger(s, FED_INBOUND).queued, 0);
    assert_int_equal(sim_ledger(s, FED_OUTBOUND).queued, 0);
    sim_end_all(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet),     cmocka_unit_test(in_hand_goes_on), cmocka_unit_test(newcomers),
        cmocka_unit_test(time_over), cmocka_unit_test(nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
