/* Resumed TLS sessions of outside links: what the peer or its chain makes of them must never be worth less than a full
 * handshake. */
#include "sim.h"

/* A far host with which fed had a link, proved by EXTERNAL, that has ended in order; the next one would be resumed. */
static sim *had_a_link(sim_host **far, sim_resume resume)
{
    sim *s = sim_new();
    *far = sim_remote(s, "far.example", "192.0.2.10");
    (*far)->resume = resume;
    s->config.limits.idle_ms = 60000;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
    sim_run(s, 130000);
    assert_int_equal(sim_count(*far, "m1", NULL), 1);
    assert_int_equal((*far)->full, 1);
    assert_int_equal(sim_conns(*far, S2S_RECEIVING), 0);
    return s;
}

/* The next stanza arrives, proved as well as the first, over the last of so many handshakes. */
static void goes_on(sim *s, sim_host *far, const char *id, unsigned resumed, unsigned full)
{
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", id, 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(far, id, NULL), 1);
    assert_int_equal(far->resumed, resumed);
    assert_int_equal(far->full, full);
    assert_int_equal(sim_pair(s, "loc.example", "far.example").proof, S2S_PROOF_CERTIFICATE);
}

static void resumed_well(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = had_a_link(&far, SIM_RESUME_WELL);
    goes_on(s, far, "m2", 1, 1);
    assert_true(sim_logged(s, "link_state", "resumed=yes"));
    assert_true(sim_logged(s, "pair_open", "resumed=yes"));
    sim_end_all(s);
}

/* Whatever goes wrong, the same endpoint is dialled in full, at once, and from then on. */
static void in_full_after(sim_resume resume)
{
    sim_host *far;
    sim *s = had_a_link(&far, resume);
    unsigned dials = s->dials;
    goes_on(s, far, "m2", 1, 2);
    assert_int_equal(s->dials, dials + 2);
    sim_run(s, 130000);
    goes_on(s, far, "m3", 1, 3);
    sim_end_all(s);
}

static void the_handshake_breaks(void **state)
{
    (void)state;
    in_full_after(SIM_RESUME_BREAKS);
}

static void external_is_not_offered_any_more(void **state)
{
    (void)state;
    in_full_after(SIM_RESUME_FORGETS);
}

static void external_is_refused(void **state)
{
    (void)state;
    in_full_after(SIM_RESUME_REFUSES);
}

static void external_is_slammed(void **state)
{
    (void)state;
    in_full_after(SIM_RESUME_SLAMS);
}

static void no_proof_is_offered(void **state)
{
    (void)state;
    in_full_after(SIM_RESUME_DISPROVES);
}

/* The chain of then is judged as of now; the peer has renewed it meanwhile. */
static void the_chain_has_expired_and_was_renewed(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = had_a_link(&far, SIM_RESUME_WELL);
    far->trust_resumed = S2S_E_CERT_EXPIRED;
    goes_on(s, far, "m2", 1, 2);
    assert_true(sim_logged(s, "attempt_ended", "why=tls_not_resumed"));
    sim_end_all(s);
}

static void the_chain_has_expired_for_good(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = had_a_link(&far, SIM_RESUME_WELL);
    s->policies[0].proofs = FED_PROOF_CERTIFICATE;
    far->trust_resumed = far->trust = S2S_E_CERT_EXPIRED;
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m2", 10);
    sim_run(s, 130000);
    assert_int_equal(sim_count(far, "m2", NULL), 0);
    assert_int_equal(sim_count(sim_hq(s), "m2", "error"), 1);
    assert_int_equal(far->resumed, 1);
    assert_true(sim_logged(s, "attempt_ended", "why=cert_expired"));
    sim_end_all(s);
}

/* Its certificate never was any good and dialback is proof enough: there is nothing to win by a full handshake. */
static void a_peer_without_a_good_certificate(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = sim_new();
    far = sim_remote(s, "far.example", "192.0.2.10");
    far->resume = SIM_RESUME_WELL;
    far->trust = S2S_E_CERT_UNTRUSTED;
    s->config.limits.idle_ms = 60000;
    sim_start(s);
    for (unsigned i = 0; i < 3; i++) {
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m", 10);
        sim_run(s, 130000);
        assert_int_equal(sim_count(far, "m", NULL), i + 1);
        assert_int_equal(far->full, 1);
        assert_int_equal(far->resumed, i);
    }
    sim_end_all(s);
}

/* A peer that is gone is not tried twice because of it. */
static void a_dead_peer_is_no_reason(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = had_a_link(&far, SIM_RESUME_WELL);
    unsigned dials = s->dials;
    far->refuses = true;
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m2", 10);
    sim_run(s, 500);
    assert_int_equal(s->dials, dials + 1);
    far->refuses = false;
    sim_run(s, 10000);
    assert_int_equal(sim_count(far, "m2", NULL), 1);
    assert_int_equal(far->resumed, 1);
    assert_int_equal(far->full, 1);
    sim_end_all(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed_well),
        cmocka_unit_test(the_handshake_breaks),
        cmocka_unit_test(external_is_not_offered_any_more),
        cmocka_unit_test(external_is_refused),
        cmocka_unit_test(external_is_slammed),
        cmocka_unit_test(no_proof_is_offered),
        cmocka_unit_test(the_chain_has_expired_and_was_renewed),
        cmocka_unit_test(the_chain_has_expired_for_good),
        cmocka_unit_test(a_peer_without_a_good_certificate),
        cmocka_unit_test(a_dead_peer_is_no_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
