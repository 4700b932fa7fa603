/* Direct TLS (XEP-0368) between whole servers: found by its own SRV records, told from XML, judged as STARTTLS is. */
#include "sim.h"

#include <string.h>

static void exact_policy(sim *s, const char *domain, s2s_tls_level tls, unsigned proofs)
{
    s->policies[s->config.n_policies++] = (fed_policy){.match = FED_MATCH_EXACT,
                                                       .domain = sim_domain(domain),
                                                       .allow = true,
                                                       .tls = tls,
                                                       .proofs = proofs};
}

/* far.example by STARTTLS at priority 0; and by direct TLS at the one given. */
static sim_host *far_of_both(sim *s, unsigned priority)
{
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->direct = true;
    sim_add_srv_direct(s, "far.example", priority, SIM_DIRECT_PORT, "xmpp.far.example");
    return far;
}

static sim_host *far_direct(sim *s)
{
    sim_host *far = sim_remote(s, "other.example", "192.0.2.10");
    far->direct = true;
    far->domains[far->n_domains++] = far->names[far->n_names++] = sim_domain("far.example");
    sim_add_srv_direct(s, "far.example", 0, SIM_DIRECT_PORT, "xmpp.other.example");
    return far;
}

static void both_ways(void **state)
{
    (void)state;
    for (int door = 0; door < 2; door++) {
        sim *s = sim_new();
        sim_host *far = far_direct(s);
        far->connects_direct = door == 0;
        far->at_direct_door = door == 1;
        sim_start(s);
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
        sim_send(far, "u@far.example", "v@loc.example", "m2", 10);
        sim_run(s, 100);
        assert_int_equal(sim_count(far, "m1", NULL), 1);
        assert_int_equal(sim_count(sim_hq(s), "m2", NULL), 1);
        assert_true(sim_logged(s, "pair_open",
                               "role=initiating from=loc.example to=far.example proof=certificate "
                               "tls=direct version=TLSv1.3"));
        assert_true(sim_logged(s, "pair_open",
                               "role=receiving from=far.example to=loc.example proof=certificate "
                               "tls=direct version=TLSv1.3"));
        sim_end_all(s);
    }
}

static void dialback_inside_direct_tls(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_direct(s);
    far->connects_direct = true;
    far->n_names = 0; /* no certificate */
    far->offers_external = far->uses_external = false;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
    sim_send(far, "u@far.example", "v@loc.example", "m2", 10);
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    assert_int_equal(sim_count(sim_hq(s), "m2", NULL), 1);
    assert_int_equal(sim_pair(s, "loc.example", "far.example").proof, S2S_PROOF_DIALBACK);
    assert_int_equal(sim_pair(s, "far.example", "loc.example").proof, S2S_PROOF_DIALBACK);
    sim_end_all(s);
}

static void the_better_priority_wins(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 2; first++) {
        sim *s = sim_new();
        sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
        far->direct = true;
        far->domains[far->n_domains++] = far->names[far->n_names++] = sim_domain("two.example");
        sim_add_srv(s, "two.example", 10, 5269, "xmpp.far.example");
        sim_add_srv_direct(s, "two.example", first == 0 ? 20 : 5, SIM_DIRECT_PORT,
                           "xmpp.far.example");
        sim_start(s);
        sim_send(sim_hq(s), "v@loc.example", "u@two.example", "m1", 10);
        sim_run(s, 100);
        assert_int_equal(sim_count(far, "m1", NULL), 1);
        assert_int_equal(far->accepted, 1);
        assert_true(sim_logged(s, "link_state", first == 0 ? "tls=starttls" : "tls=direct"));
        sim_end_all(s);
    }
}

/* Nobody listens there, or somebody who speaks XML first: the other endpoint of the list is as good (X0368-i). */
static void broken_direct_endpoint(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        sim *s = sim_new();
        sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
        far->domains[far->n_domains++] = far->names[far->n_names++] = sim_domain("two.example");
        sim_add_srv(s, "two.example", 10, 5269, "xmpp.far.example");
        sim_add_srv_direct(s, "two.example", 5, how == 0 ? SIM_DIRECT_PORT : 5269,
                           "xmpp.far.example");
        sim_start(s);
        sim_send(sim_hq(s), "v@loc.example", "u@two.example", "m1", 10);
        sim_run(s, 100);
        assert_int_equal(sim_count(far, "m1", NULL), 1);
        assert_true(
            sim_logged(s, "attempt_ended",
                       how == 0 ? "tls=direct why=tcp_refused" : "tls=direct why=tls_handshake"));
        assert_true(sim_logged(s, "link_state", "tls=starttls"));
        sim_end_all(s);
    }
}

/* The other way round: XML where TLS comes first. */
static void starttls_at_a_direct_port(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->direct = true;
    far->domains[far->n_domains++] = far->names[far->n_names++] = sim_domain("two.example");
    sim_add_srv(s, "two.example", 1, SIM_DIRECT_PORT, "xmpp.far.example");
    sim_add_srv(s, "two.example", 2, 5269, "xmpp.far.example");
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@two.example", "m1", 10);
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    assert_true(sim_logged(s, "attempt_ended", "endpoint=192.0.2.10:5270 why="));
    sim_end_all(s);
}

/* A wrong certificate is wrong on both; what policy demands is never traded for the other endpoint. */
static void policy_is_the_same(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of_both(s, 0);
    far->trust = S2S_E_CERT_EXPIRED;
    exact_policy(s, "far.example", S2S_TLS_REQUIRED, FED_PROOF_CERTIFICATE);
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    sim_run(s, 31000);
    assert_int_equal(far->n_got, 0);
    assert_int_equal(far->proves, 0);
    assert_true(sim_logged(s, "attempt_ended", "5270 tls=direct why=cert_expired"));
    assert_true(sim_logged(s, "attempt_ended", "5269 why=cert_expired"));
    assert_non_null(strstr(sim_find(sim_hq(s), "m1")->bytes, "certificate: far.example at"));
    sim_end_all(s);
}

static void no_tls_no_direct_tls(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of_both(s, 0);
    far->tls = S2S_TLS_NONE;
    far->offers_external = false;
    exact_policy(s, "far.example", S2S_TLS_NONE, FED_PROOF_DIALBACK);
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    assert_true(sim_logged(s, "link_state", "tls=none"));
    assert_false(sim_logged(s, "attempt_ended", "why="));
    sim_end_all(s);
}

/* ... but whoever comes by it is heard: it is more than was asked. */
static void direct_tls_unasked(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->connects_direct = true;
    exact_policy(s, "far.example", S2S_TLS_NONE, FED_PROOF_CERTIFICATE | FED_PROOF_DIALBACK);
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_run(s, 100);
    assert_int_equal(sim_count(sim_hq(s), "m1", NULL), 1);
    sim_end_all(s);
}

/* EXTERNAL slammed: the same endpoint once more, by direct TLS again, with a key. */
static void external_disliked(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_direct(s);
    far->slams_external = true;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    assert_int_equal(far->accepted, 2);
    assert_true(sim_logged(s, "pair_open", "proof=dialback tls=direct"));
    sim_end_all(s);
}

static fed_addr stranger(void)
{
    return (fed_addr){.family = 4, .bytes = {192, 0, 2, 99}, .port = 40000};
}

/* Where TLS comes first a refusal has no words, and no handshake either. */
static void too_many_at_the_direct_door(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->at_direct_door = true;
    s->config.limits.conns_per_address = 2;
    sim_start(s);
    for (int i = 0; i < 5; i++)
        sim_open(far, "far.example", "loc.example");
    assert_int_equal(sim_conns(far, S2S_INITIATING), 2);
    assert_true(sim_logged(s, "conn_refused", "why=too_many_connections"));
    sim_run(s, 1000);
    sim_end_all(s);
}

static void draining_at_the_direct_door(void **state)
{
    (void)state;
    sim *s = sim_new();
    int handle;
    fed_addr a = stranger();
    sim_start(s);
    fed_drain(s->fed, 1000);
    assert_null(fed_on_accept(s->fed, FED_OUTSIDE, true, &a, &handle));
    assert_true(sim_logged(s, "conn_refused", "why=shutdown"));
    sim_run(s, 2000);
    sim_end_all(s);
}

/* The handshake counts against the header's time, however TLS came about. */
static void handshake_has_no_time_of_its_own(void **state)
{
    (void)state;
    for (int door = 0; door < 2; door++) {
        sim *s = sim_new();
        sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
        far->connects_direct = door == 0;
        far->at_direct_door = door == 1;
        sim_start(s);
        far->stalled = true;
        sim_open(far, "far.example", "loc.example"); /* its ClientHello, and no more */
        sim_run(s, 9900);
        assert_int_equal(sim_open_conns(s), 1);
        sim_run(s, 200);
        assert_int_equal(sim_open_conns(s), 0);
        assert_true(sim_logged(s, "conn_ended", "why=head_timeout"));
        sim_end_all(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways),
        cmocka_unit_test(dialback_inside_direct_tls),
        cmocka_unit_test(the_better_priority_wins),
        cmocka_unit_test(broken_direct_endpoint),
        cmocka_unit_test(starttls_at_a_direct_port),
        cmocka_unit_test(policy_is_the_same),
        cmocka_unit_test(no_tls_no_direct_tls),
        cmocka_unit_test(direct_tls_unasked),
        cmocka_unit_test(external_disliked),
        cmocka_unit_test(too_many_at_the_direct_door),
        cmocka_unit_test(draining_at_the_direct_door),
        cmocka_unit_test(handshake_has_no_time_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
