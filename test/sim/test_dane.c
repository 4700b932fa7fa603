/* test_dane.c - DANE among servers of play (RFC 7673): each row of its table, outwards; and inwards by the TLSA records of the
 * claimed domain's servers. */
#include "sim.h"

#include <string.h>

enum { BOTH = FED_PROOF_CERTIFICATE | FED_PROOF_DANE };
#define HOST "xmpp.far.example"

/* far.example at HOST, with a certificate that no authority vouches for, its key called "k". */
static sim_host *far_of(sim *s, unsigned proofs)
{
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->trust = S2S_E_CERT_UNTRUSTED;
    far->key = "k";
    s->policies[0].proofs = proofs;
    s->config.dnssec = true;
    return far;
}

static void sign(sim *s, bool srv, bool addr, bool tlsa)
{
    if (srv) sim_zone_signs(s, "far.example", FED_QUERY_SRV, 0);
    if (addr) sim_zone_signs(s, HOST, FED_QUERY_ADDR, 0);
    if (tlsa) sim_zone_signs(s, HOST, FED_QUERY_TLSA, 5269);
}

static bool reaches(sim *s, const sim_host *far)
{
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
    sim_run(s, 1000);
    return sim_count(far, "m1", NULL) == 1;
}

/* ---- outwards ---- */

/* rows: R7673-3.4-a R7671-5.1 R7590-3.6 */
static void records_that_fit_are_enough(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of(s, BOTH);
    far->n_names = 1;
    far->names[0] = sim_domain("elsewhere.example");
    sign(s, true, true, true);
    sim_add_tlsa(s, HOST, 5269, 3, "the next key");
    sim_add_tlsa(s, HOST, 5269, 3, "k");
    assert_true(reaches(s, far));
    assert_true(sim_logged(s, "link_state", "is=up tls=starttls version=TLSv1.3 peer_proof=dane"));
    assert_int_equal(s->asked_tlsa, 1);
    sim_end_all(s);
}

/* What the records say counts before an authority, and no dialback helps. rows: R6698-4.1-a */
static void records_that_do_not_fit_end_it(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of(s, BOTH | FED_PROOF_DIALBACK);
    far->trust = S2S_E_OK;
    sign(s, true, true, true);
    sim_add_tlsa(s, HOST, 5269, 3, "another key");
    assert_false(reaches(s, far));
    assert_true(sim_logged(s, "attempt_ended", "why=cert_tlsa stage=certificate"));
    assert_int_equal(far->proves, 0);
    sim_end_all(s);
}

/* An insecure way is one without records, whatever stands there. rows: R7673-3.1-a R7673-3.2 */
static void insecure_ways_know_no_records(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        sim *s = sim_new();
        sim_host *far = far_of(s, BOTH);
        far->trust = S2S_E_OK;
        sign(s, i == 1, i == 0, true);
        sim_add_tlsa(s, HOST, 5269, 3, "another key");
        assert_true(reaches(s, far));
        assert_int_equal(s->asked_tlsa, 0);
        assert_true(sim_logged(s, "link_state", "peer_proof=certificate"));
        sim_end_all(s);
    }
}

static void unsigned_records_are_none(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of(s, BOTH);
    far->trust = S2S_E_OK;
    sign(s, true, true, false);
    sim_add_tlsa(s, HOST, 5269, 3, "another key");
    assert_true(reaches(s, far));
    assert_int_equal(s->asked_tlsa, 1);
    sim_end_all(s);
}

/* rows: R7673-3.1-a */
static void bogus_srv_means_no_connection(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of(s, BOTH | FED_PROOF_DIALBACK);
    far->trust = S2S_E_OK;
    sign(s, true, true, true);
    sim_zone_fails_of(s, "far.example", FED_QUERY_SRV, 0);
    assert_false(reaches(s, far));
    assert_int_equal(far->accepted, 0);
    sim_end_all(s);
}

/* A bogus address, or bogus TLSA records, of one host: the next one is tried. rows: R7673-3.2 R7673-3.4-a */
static void bogus_hosts_are_skipped(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        sim *s = sim_new();
        sim_host *far = far_of(s, BOTH);
        sim_host *spare = sim_remote(s, "spare.example", "192.0.2.11");
        spare->domains[spare->n_domains++] = sim_domain("far.example");
        spare->trust = S2S_E_CERT_UNTRUSTED;
        spare->key = "k2";
        sign(s, true, true, true);
        sim_add_tlsa(s, HOST, 5269, 3, "k");
        sim_add_srv(s, "far.example", 9, 5269, "xmpp.spare.example");
        sim_zone_signs(s, "xmpp.spare.example", FED_QUERY_ADDR, 0);
        sim_zone_signs(s, "xmpp.spare.example", FED_QUERY_TLSA, 5269);
        sim_add_tlsa(s, "xmpp.spare.example", 5269, 3, "k2");
        sim_zone_fails_of(s, HOST, i == 0 ? FED_QUERY_ADDR : FED_QUERY_TLSA, i == 0 ? 0 : 5269);
        assert_true(reaches(s, spare));
        assert_int_equal(far->accepted, 0);
        sim_end_all(s);
    }
}

/* Without records of use a secure way makes the host's name as good as the domain's; an insecure one does not.
 * rows: R7673-4.1 R9525-6.1 */
static void the_name_of_the_host(void **state)
{
    (void)state;
    static const struct {
        bool srv, addr, tlsa;
        const char *key; /* of a record of use; NULL: none */
        unsigned useless;
        bool reaches;
    } rows[] = {
        {false, true, true, NULL, 0, false}, {true, false, false, NULL, 0, true},
        {true, true, true, NULL, 0, true},   {true, true, false, NULL, 0, true},
        {true, true, true, NULL, 1, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sim *s = sim_new();
        sim_host *far = far_of(s, BOTH);
        far->trust = S2S_E_OK;
        far->names[0] = sim_domain(HOST);
        sign(s, rows[i].srv, rows[i].addr, rows[i].tlsa);
        if (rows[i].useless != 0) sim_add_tlsa(s, HOST, 5269, rows[i].useless, "of no use");
        assert_int_equal(reaches(s, far), rows[i].reaches);
        sim_end_all(s);
    }
}

/* A trust anchor needs a name besides: the domain's or the host's. rows: R7671-5.2 */
static void anchors_and_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *signer;
        bool reaches;
    } rows[] = {{"far.example", "a", true},
                {HOST, "a", true},
                {"elsewhere.example", "a", false},
                {"far.example", "b", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sim *s = sim_new();
        sim_host *far = far_of(s, BOTH | FED_PROOF_DIALBACK);
        far->signer = rows[i].signer;
        far->names[0] = sim_domain(rows[i].name);
        sign(s, true, true, true);
        sim_add_tlsa(s, HOST, 5269, 2, "a");
        assert_int_equal(reaches(s, far), rows[i].reaches);
        sim_end_all(s);
    }
}

/* Where there are records, be they of no use, TLS is a must though policy would do without. rows: R7673-3.4-a */
static void records_demand_tls(void **state)
{
    (void)state;
    for (unsigned usage = 0; usage <= 3; usage += 3) {
        sim *s = sim_new();
        sim_host *far = far_of(s, BOTH | FED_PROOF_DIALBACK);
        s->policies[0].tls = S2S_TLS_OPTIONAL;
        far->tls = S2S_TLS_NONE; /* stripped, perhaps */
        sign(s, true, true, true);
        sim_add_tlsa(s, HOST, 5269, usage, "k");
        assert_false(reaches(s, far));
        assert_true(sim_logged(s, "attempt_ended", "why=tls_not_offered"));
        sim_end_all(s);
    }
}

/* tls: dane. */
static void nothing_but_dane(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of(s, FED_PROOF_DANE);
    far->trust = S2S_E_OK;
    sign(s, true, true, true);
    assert_false(reaches(s, far));
    assert_int_equal(far->accepted, 0);
    assert_string_equal(sim_target(s, "far.example").why, "dns_no_tlsa");
    assert_int_equal(sim_count(sim_hq(s), "m1", "error"), 1); /* at once: waiting would not help */
    sim_end_all(s);
}

/* rows: R6698-4.1-c */
static void without_validation_there_is_no_dane(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of(s, BOTH);
    far->trust = S2S_E_OK;
    sign(s, true, true, true);
    sim_add_tlsa(s, HOST, 5269, 3, "another key");
    s->config.dnssec = false;
    assert_true(reaches(s, far));
    assert_int_equal(s->asked_tlsa, 0);
    sim_end_all(s);
}

/* Another domain's link leads to the same endpoint: it is shared only if that certificate fits this domain's records. */
static void guests_need_records_that_fit(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        sim *s = sim_new();
        sim_host *far = far_of(s, BOTH | FED_PROOF_DIALBACK);
        sign(s, true, true, true);
        sim_add_tlsa(s, HOST, 5269, 3, "k");
        far->domains[far->n_domains++] = sim_domain("guest.example");
        sim_add_srv(s, "guest.example", 0, 5269, "xmpp.guest.example");
        sim_add_addr(s, "xmpp.guest.example", "192.0.2.10");
        sim_zone_signs(s, "guest.example", FED_QUERY_SRV, 0);
        sim_zone_signs(s, "xmpp.guest.example", FED_QUERY_ADDR, 0);
        sim_zone_signs(s, "xmpp.guest.example", FED_QUERY_TLSA, 5269);
        sim_add_tlsa(s, "xmpp.guest.example", 5269, 3, i == 0 ? "k" : "another key");
        far->prove = SIM_PROVE_VALID;
        assert_true(reaches(s, far));
        sim_send(sim_hq(s), "v@loc.example", "u@guest.example", "m2", 10);
        sim_run(s, 1000);
        assert_int_equal(sim_count(far, "m2", NULL), i == 0 ? 1 : 0);
        if (i == 0) assert_int_equal(far->accepted, 1);
        sim_end_all(s);
    }
}

/* ---- inwards ---- */

static bool is_let_in(sim *s, sim_host *far)
{
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_run(s, 1000);
    return sim_count(sim_hq(s), "m1", NULL) == 1;
}

/* rows: prac-dane-in */
static void records_of_the_claimed_domain_let_it_in(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of(s, BOTH);
    sign(s, true, false, true);
    sim_add_srv(s, "far.example", 1, 5269, "other.far.example");
    sim_zone_signs(s, "other.far.example", FED_QUERY_TLSA, 5269);
    sim_add_tlsa(s, "other.far.example", 5269, 3, "k"); /* the second host's */
    assert_true(is_let_in(s, far));
    assert_true(
        sim_logged(s, "pair_open", "role=receiving from=far.example to=loc.example proof=dane"));
    assert_int_equal(sim_pair(s, "far.example", "loc.example").proof, S2S_PROOF_DANE);
    assert_int_equal(far->proves, 0);
    sim_end_all(s);
}

/* rows: prac-dane-in */
static void nothing_less_lets_it_in(void **state)
{
    (void)state;
    static const struct {
        bool srv, tlsa;
        const char *key;
        bool fails;
    } rows[] = {{false, true, "k", false},
                {true, false, "k", false},
                {true, true, "another key", false},
                {true, true, NULL, false},
                {true, true, "k", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned more = 0; more <= FED_PROOF_DIALBACK; more += FED_PROOF_DIALBACK) {
            sim *s = sim_new();
            sim_host *far = far_of(s, BOTH | more);
            sign(s, rows[i].srv, true, rows[i].tlsa);
            if (rows[i].key != NULL) sim_add_tlsa(s, HOST, 5269, 3, rows[i].key);
            if (rows[i].fails) sim_zone_fails_of(s, HOST, FED_QUERY_TLSA, 5269);
            far->lies = true; /* its keys are not the domain's: dialback does not help either */
            assert_false(is_let_in(s, far));
            assert_false(sim_logged(s, "pair_open", "role=receiving from=far.example"));
            sim_end_all(s);
        }
    }
}

/* What an authority vouches for is asked of nobody; nor is what policy would not take. */
static void the_dns_is_not_asked_in_vain(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        sim *s = sim_new();
        sim_host *far = far_of(s, i == 0 ? BOTH : FED_PROOF_CERTIFICATE);
        if (i == 0) far->trust = S2S_E_OK;
        sign(s, true, true, true);
        sim_add_tlsa(s, HOST, 5269, 3, "k");
        assert_int_equal(is_let_in(s, far), i == 0);
        assert_int_equal(s->asked, 0);
        sim_end_all(s);
    }
}

/* The peer goes while the DNS is being asked, or is silent until the time is over; the answer finds nobody. */
static void answers_that_find_nobody(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = far_of(s, BOTH);
    sign(s, true, true, true);
    sim_add_tlsa(s, HOST, 5269, 3, "k");
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_settle_without_dns(s);
    sim_cut(far);
    sim_run(s, 1000);
    s->no_dns = true;
    sim_send(far, "u@far.example", "v@loc.example", "m2", 10);
    sim_run(s, 31000);
    assert_true(sim_logged(s, "conn_ended", "why=negotiation_timeout"));
    s->no_dns = false;
    sim_run(s, 1000);
    assert_int_equal(sim_count(sim_hq(s), NULL, NULL), 0);
    sim_end_all(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_that_fit_are_enough),
        cmocka_unit_test(records_that_do_not_fit_end_it),
        cmocka_unit_test(insecure_ways_know_no_records),
        cmocka_unit_test(unsigned_records_are_none),
        cmocka_unit_test(bogus_srv_means_no_connection),
        cmocka_unit_test(bogus_hosts_are_skipped),
        cmocka_unit_test(the_name_of_the_host),
        cmocka_unit_test(anchors_and_names),
        cmocka_unit_test(records_demand_tls),
        cmocka_unit_test(nothing_but_dane),
        cmocka_unit_test(without_validation_there_is_no_dane),
        cmocka_unit_test(guests_need_records_that_fit),
        cmocka_unit_test(records_of_the_claimed_domain_let_it_in),
        cmocka_unit_test(nothing_less_lets_it_in),
        cmocka_unit_test(the_dns_is_not_asked_in_vain),
        cmocka_unit_test(answers_that_find_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
