/* A certificate expires while a stream lives that is known by it (RFC 6120 13.7.2.3). */
#include "sim.h"

enum { HOUR = 3600 };

static sim_host *far_of(sim *s)
{
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->cert_ends_in = HOUR;
    s->config.limits.idle_ms = 10 * HOUR * 1000;
    return far;
}

static void their_stream_is_reset(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of(s);
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_run(s, (HOUR - 1) * 1000);
    assert_int_equal(far->told, S2S_E_OK);
    assert_int_equal(sim_conns(far, S2S_INITIATING), 1);
    sim_run(s, 2000);
    assert_int_equal(far->told, S2S_E_PEER_ERROR);
    assert_string_equal(far->told_cond, "reset");
    assert_int_equal(sim_conns(far, S2S_INITIATING), 0);
    assert_true(sim_logged(s, "conn_ended", "why=cert_over"));
    far->trust = S2S_E_CERT_EXPIRED; /* so it has no new one: dialback is left */
    sim_send(far, "u@far.example", "v@loc.example", "m2", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(sim_hq(s), "m2", NULL), 1);
    assert_int_equal(sim_pair(s, "far.example", "loc.example").proof, S2S_PROOF_DIALBACK);
    sim_end_all(s);
}

static void so_is_ours(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of(s);
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
    sim_run(s, (HOUR - 1) * 1000);
    assert_int_equal(sim_conns(far, S2S_RECEIVING), 1);
    sim_run(s, 2000);
    assert_int_equal(sim_conns(far, S2S_RECEIVING), 0);
    assert_true(sim_logged(s, "conn_ended", "why=cert_over"));
    sim_run(s, 2000); /* what a link that broke is left alone for */
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m2", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(far, "m2", NULL), 1); /* it has a new one */
    assert_int_equal(far->accepted, 2);
    sim_end_all(s);
}

/* A pinned key has no date, and dialback has no certificate. */
static void who_is_known_otherwise_stays(void **state)
{
    (void)state;
    for (int pinned = 0; pinned < 2; pinned++) {
        sim *s = sim_new();
        sim_host *far = far_of(s);
        far->trust = S2S_E_CERT_UNTRUSTED;
        far->pinned = pinned == 1;
        s->policies[0].proofs |= FED_PROOF_PIN;
        sim_start(s);
        sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m2", 10);
        sim_run(s, 2 * HOUR * 1000);
        assert_int_equal(sim_conns(far, S2S_INITIATING), 1);
        assert_int_equal(sim_conns(far, S2S_RECEIVING), 1);
        assert_false(sim_logged(s, "conn_ended", "why=cert_over"));
        sim_end_all(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(their_stream_is_reset),
        cmocka_unit_test(so_is_ours),
        cmocka_unit_test(who_is_known_otherwise_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
