/* One message each way, by each kind of proof; what the ledger and the views say of it. */
#include "sim.h"

#include <string.h>

static void out_by_external(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    assert_string_equal(sim_last(far)->from, "v@loc.example/r");
    assert_int_equal(far->proves, 0);
    fed_pair_view p = sim_pair(s, "loc.example", "far.example");
    assert_true(p.open);
    assert_int_equal(p.proof, S2S_PROOF_CERTIFICATE);
    assert_int_equal(p.stanzas, 1);
    assert_string_equal(sim_target(s, "far.example").state, "up");
    fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
    assert_int_equal(v.accepted, 1);
    assert_int_equal(v.written, 1);
    assert_int_equal(v.own, 0);
    sim_end_all(s);
}

static void out_by_dialback(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->offers_external = false;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    assert_int_equal(far->proves, 1); /* it asked us whether the key is ours */
    assert_int_equal(sim_pair(s, "loc.example", "far.example").proof, S2S_PROOF_DIALBACK);
    assert_int_equal(sim_ledger(s, FED_OUTBOUND).written, 1);
    sim_end_all(s);
}

static void in_by_external(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    sim_send(far, "u@far.example/r", "v@loc.example", "m1", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(sim_hq(s), "m1", NULL), 1);
    assert_string_equal(sim_last(sim_hq(s))->to, "v@loc.example");
    assert_int_equal(far->accepted, 0); /* nobody had to be asked */
    assert_int_equal(sim_pair(s, "far.example", "loc.example").proof, S2S_PROOF_CERTIFICATE);
    fed_ledger_view v = sim_ledger(s, FED_INBOUND);
    assert_int_equal(v.accepted, 1);
    assert_int_equal(v.written, 1);
    sim_end_all(s);
}

static void in_by_dialback(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->uses_external = false;
    far->n_names = 0;
    sim_start(s);
    sim_send(far, "u@far.example/r", "v@loc.example", "m1", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(sim_hq(s), "m1", NULL), 1);
    assert_int_equal(far->accepted, 1);
    assert_int_equal(sim_conns(far, S2S_RECEIVING),
                     0); /* the connection that asked closed after the answer */
    assert_int_equal(sim_pair(s, "far.example", "loc.example").proof, S2S_PROOF_DIALBACK);
    assert_int_equal(sim_ledger(s, FED_INBOUND).written, 1);
    sim_end_all(s);
}

/* A key offered where the certificate would do needs no question to anybody (XEP-0344). */
/* rows: X0344-2.4 */
static void in_by_key_with_certificate(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->uses_external = false;
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(sim_hq(s), "m1", NULL), 1);
    assert_int_equal(far->accepted, 0);
    assert_int_equal(sim_pair(s, "far.example", "loc.example").proof, S2S_PROOF_CERTIFICATE);
    sim_end_all(s);
}

static void both_ways_share_nothing(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    for (int i = 0; i < 20; i++) {
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", "a", 100);
        sim_send(far, "u@far.example", "v@loc.example", "b", 100);
    }
    sim_run(s, 1000);
    assert_int_equal(sim_count(far, "a", NULL), 20);
    assert_int_equal(sim_count(sim_hq(s), "b", NULL), 20);
    assert_int_equal(sim_conns(far, S2S_RECEIVING), 1);
    assert_int_equal(sim_conns(sim_hq(s), S2S_RECEIVING), 1);
    assert_int_equal(sim_ledger(s, FED_OUTBOUND).written, 20);
    assert_int_equal(sim_ledger(s, FED_INBOUND).written, 20);
    sim_end_all(s);
}

static void byte_by_byte(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    s->chunk = 1;
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 50);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m2", 50);
    sim_run(s, 1000);
    assert_int_equal(sim_count(sim_hq(s), "m1", NULL), 1);
    assert_int_equal(sim_count(far, "m2", NULL), 1);
    sim_end_all(s);
}

/* EXTERNAL is refused by closing the connection: the same endpoint once more, by dialback. */
static void external_slammed(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->slams_external = true;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    assert_int_equal(s->dials, 2);
    sim_end_all(s);
}

/* Our verdict on keys: made here or not; for a domain of ours or not. */
static void keys_are_checked(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    char key[65];
    s2s_domain receiving = sim_domain("far.example"), ours = sim_domain("loc.example");
    sim_start(s);
    sim_open(far, "far.example", "loc.example");
    sim_run(s, 10);
    sim_ask(far, "far.example", "loc.example", "id1", "0123456789abcdef");
    sim_run(s, 10);
    assert_int_equal(sim_verdicts(far, S2S_INVALID), 1);
    sim_ask(far, "far.example", "loc.example", "id2", "");
    sim_run(s, 10);
    assert_int_equal(sim_verdicts(far, S2S_ERROR), 1);
    sim_key(s, FED_OUTSIDE, &receiving, &ours, "id3", key);
    sim_ask(far, "far.example", "loc.example", "id3", key);
    sim_key(s, FED_INSIDE, &receiving, &ours, "id4", key); /* a key of the inside is none outside */
    sim_ask(far, "far.example", "loc.example", "id4", key);
    sim_run(s, 10);
    assert_int_equal(sim_verdicts(far, S2S_VALID), 1);
    assert_int_equal(sim_verdicts(far, S2S_INVALID), 2);
    sim_end_all(s);
}

static void lying_peer(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->uses_external = false;
    far->n_names = 0;
    far->lies = true;
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(sim_hq(s), NULL, NULL), 0);
    assert_int_equal(sim_ledger(s, FED_INBOUND).accepted, 0);
    assert_true(sim_logged(s, "check_ended", "verdict=invalid"));
    assert_true(sim_logged(s, "conn_ended", "why=dialback_denied"));
    sim_end_all(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_by_external),
        cmocka_unit_test(out_by_dialback),
        cmocka_unit_test(in_by_external),
        cmocka_unit_test(in_by_dialback),
        cmocka_unit_test(in_by_key_with_certificate),
        cmocka_unit_test(both_ways_share_nothing),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(external_slammed),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(lying_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
