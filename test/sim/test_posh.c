/* test_posh.c - POSH among servers of play: who is asked for fingerprints, when, and what they are good for. */
#include "sim.h"

#include <string.h>

enum { BOTH = FED_PROOF_CERTIFICATE | FED_PROOF_POSH };

/* far.example with a certificate that no authority vouches for, its key called "k". */
static sim_host *far_of(sim *s, unsigned proofs)
{
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->trust = S2S_E_CERT_UNTRUSTED;
    far->key = "k";
    s->policies[0].proofs = proofs;
    return far;
}

static bool reaches(sim *s, const sim_host *far)
{
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
    sim_run(s, 1000);
    return sim_count(far, "m1", NULL) == 1;
}

static bool is_let_in(sim *s, sim_host *far)
{
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_run(s, 1000);
    return sim_count(sim_hq(s), "m1", NULL) == 1;
}

/* rows: R7711-3.1 R7711-3.3 */
static void a_fingerprint_is_enough_both_ways(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of(s, BOTH);
    sim_publish(s, "far.example", "the next key");
    sim_publish(s, "far.example", "k");
    assert_true(reaches(s, far));
    assert_true(sim_logged(s, "link_state", "is=up tls=starttls version=TLSv1.3 peer_proof=posh"));
    sim_send(far, "u@far.example", "v@loc.example", "m2", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(sim_hq(s), "m2", NULL), 1);
    assert_int_equal(sim_pair(s, "far.example", "loc.example").proof, S2S_PROOF_POSH);
    assert_int_equal(s->asked_posh, 2);
    assert_int_equal(far->proves, 0);
    sim_end_all(s);
}

/* rows: R7711-3.3 */
static void without_one_it_is_what_it_would_be_otherwise(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        sim *s = sim_new();
        bool dialback = i >= 2;
        sim_host *far = far_of(s, dialback ? BOTH | FED_PROOF_DIALBACK : BOTH);
        if (i % 2 == 1) sim_publish(s, "far.example", "another key");
        assert_int_equal(reaches(s, far), dialback);
        assert_true(s->asked_posh > 0);
        if (!dialback)
            assert_true(sim_logged(s, "attempt_ended", "why=cert_posh stage=certificate"));
        sim_end_all(s);
    }
    for (int i = 0; i < 2; i++) {
        sim *s = sim_new();
        sim_host *far = far_of(s, BOTH);
        if (i == 1) sim_publish(s, "far.example", "another key");
        assert_false(is_let_in(s, far));
        assert_true(sim_logged(s, "conn_ended", "why=proof_policy"));
        sim_end_all(s);
    }
}

/* rows: R7711-6 */
static void an_expired_certificate_is_none(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of(s, BOTH);
    far->trust = S2S_E_CERT_EXPIRED;
    sim_publish(s, "far.example", "k");
    assert_false(reaches(s, far));
    sim_end_all(s);
}

/* Nobody's server is asked where policy does not want it, an authority vouches, or there is nothing to hold against it: whoever
 * claims a domain must not make us connect anywhere. rows: prac-posh */
static void not_asked_in_vain(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        sim *s = sim_new();
        sim_host *far = far_of(s, i == 0 ? FED_PROOF_CERTIFICATE : BOTH);
        if (i == 1) far->trust = S2S_E_OK;
        if (i == 2) far->n_names = 0; /* it shows no certificate */
        if (i == 3) s->policies[0].allow = false;
        sim_publish(s, "far.example", "k");
        assert_int_equal(is_let_in(s, far), i == 1);
        assert_int_equal(s->asked_posh, 0);
        sim_end_all(s);
    }
}

/* Signed TLSA records that do not fit are the last word. */
static void dane_comes_first(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        sim *s = sim_new();
        sim_host *far = far_of(s, BOTH | FED_PROOF_DANE);
        sim_zone_signs(s, "far.example", FED_QUERY_SRV, 0);
        sim_zone_signs(s, "xmpp.far.example", FED_QUERY_ADDR, 0);
        sim_zone_signs(s, "xmpp.far.example", FED_QUERY_TLSA, 5269);
        sim_add_tlsa(s, "xmpp.far.example", 5269, 3, i == 0 ? "another key" : "k");
        sim_publish(s, "far.example", "k");
        assert_int_equal(reaches(s, far), i == 1);
        assert_int_equal(s->asked_posh, 0);
        sim_end_all(s);
    }
}

/* While the document is on its way nothing is said about any pair; when it does not come in time the attempt is over. */
static void nothing_is_said_before_it_is_known(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        sim *s = sim_new();
        sim_host *far = far_of(s, BOTH | FED_PROOF_DIALBACK);
        far->offers_external = false;
        sim_publish(s, "far.example", "k");
        sim_start(s);
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
        s->no_posh = true;
        sim_settle(s);
        assert_int_equal(s->asked_posh, 1);
        assert_int_equal(far->proves, 0);
        if (i == 1) sim_cut(far);
        s->no_posh = false;
        sim_run(s, 5000);
        assert_int_equal(sim_count(far, "m1", NULL), 1);
        sim_end_all(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fingerprint_is_enough_both_ways),
        cmocka_unit_test(without_one_it_is_what_it_would_be_otherwise),
        cmocka_unit_test(an_expired_certificate_is_none),
        cmocka_unit_test(not_asked_in_vain),
        cmocka_unit_test(dane_comes_first),
        cmocka_unit_test(nothing_is_said_before_it_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
