/* Connections that go both ways (XEP-0288), outside and inside: who sends on whose, when both dial, when they break. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

static void number(char id[32], int n)
{
    snprintf(id, 32, "n%d", n);
}

/* Every numbered stanza that arrived came after the one before it; gives how many. */
static size_t in_order(const sim_host *h)
{
    int last = -1;
    size_t count = 0;
    for (size_t i = 0; i < h->n_got; i++) {
        int n;
        if (strcmp(h->got[i].type, "error") == 0 || sscanf(h->got[i].id, "n%d", &n) != 1) continue;
        assert_true(n > last);
        last = n;
        count++;
    }
    return count;
}

static sim *scene(fed_bidi with, sim_host **far)
{
    sim *s = sim_new();
    s->policies[0].bidi = with;
    *far = sim_remote(s, "far.example", "192.0.2.10");
    (*far)->bidi = true;
    return s;
}

static void send_out(sim *s, const char *id)
{
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", id, 20);
}

static void send_in(sim_host *far, const char *id)
{
    sim_send(far, "u@far.example", "v@loc.example", id, 20);
}

/* ---- one connection for both ---- */

/* rows: X0288-2.2-d */
static void we_send_on_theirs(void **state)
{
    (void)state;
    for (int by_key = 0; by_key < 2; by_key++) {
        sim_host *far;
        sim *s = scene(FED_BIDI_YES, &far);
        if (by_key == 1) far->uses_external = false;
        far->names[0] = by_key == 1 ? sim_domain("other.example") : far->names[0];
        sim_start(s);
        send_in(far, "m1");
        sim_run(s, 100);
        unsigned dialled = far->accepted; /* a key is verified over another connection */
        assert_int_equal(dialled, by_key);
        send_out(s, "m2");
        send_out(s, "m3");
        sim_run(s, 100);
        assert_int_equal(sim_count(sim_hq(s), "m1", NULL), 1);
        assert_int_equal(sim_count(far, NULL, NULL), 2);
        assert_int_equal(far->accepted, dialled);
        assert_int_equal(sim_conns(far, S2S_INITIATING), 1);
        assert_int_equal(sim_bidi_conns(s), 1);
        fed_pair_view p = sim_pair(s, "loc.example", "far.example");
        assert_true(p.open);
        assert_int_equal(p.proof, by_key ? S2S_PROOF_DIALBACK : S2S_PROOF_CERTIFICATE);
        assert_string_equal(sim_target(s, "far.example").state, "up");
        assert_int_equal(sim_ledger(s, FED_OUTBOUND).written, 2);
        sim_end_all(s);
    }
}

static void they_send_on_ours(void **state)
{
    (void)state;
    for (int by_key = 0; by_key < 2; by_key++) {
        sim_host *far;
        sim *s = scene(FED_BIDI_YES, &far);
        if (by_key == 1) far->offers_external = false;
        if (by_key == 1) far->trust = S2S_E_CERT_UNTRUSTED;
        sim_start(s);
        send_out(s, "m1");
        sim_run(s, 100);
        assert_int_equal(far->accepted, 1);
        size_t before = sim_conns(far, S2S_INITIATING);
        send_in(far, "m2");
        sim_run(s, 100);
        assert_int_equal(sim_count(far, "m1", NULL), 1);
        assert_int_equal(sim_count(sim_hq(s), "m2", NULL), 1);
        assert_int_equal(sim_conns(far, S2S_INITIATING), before);
        assert_int_equal(sim_pair(s, "far.example", "loc.example").proof,
                         by_key ? S2S_PROOF_DIALBACK : S2S_PROOF_CERTIFICATE);
        assert_int_equal(sim_ledger(s, FED_INBOUND).written, 1);
        sim_end_all(s);
    }
}

/* Each further pair that is proved on it comes back on it, and nothing else. */
static void further_pairs(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = scene(FED_BIDI_YES, &far);
    sim_serve(far, "rooms.far.example");
    far->names[far->n_names++] = sim_domain("rooms.far.example");
    far->one_conn = true;
    sim_start(s);
    send_in(far, "m1");
    sim_send(far, "r@rooms.far.example", "v@loc.example", "m2", 20);
    sim_run(s, 100);
    sim_send(sim_hq(s), "v@loc.example", "r@rooms.far.example", "m3", 20);
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m3", NULL), 1);
    assert_int_equal(far->accepted, 0);
    sim_send(sim_hq(s), "w@loc2.example", "r@rooms.far.example", "m4", 20); /* not proved there */
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m4", NULL), 1);
    assert_int_equal(far->accepted, 1);
    sim_end_all(s);
}

/* ---- with whom ---- */

/* rows: prac-bidi-auth */
static void only_with_a_certificate(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = scene(FED_BIDI_CERTIFICATE, &far);
    far->n_names = 0;
    far->uses_external = far->offers_external = false;
    sim_start(s);
    send_in(far, "m1");
    sim_run(s, 100);
    unsigned before = far->accepted;
    send_out(s, "m2");
    sim_run(s, 100);
    assert_int_equal(sim_bidi_conns(s), 0);
    assert_int_equal(far->accepted, before + 1); /* a stream of our own */
    assert_int_equal(sim_count(far, "m2", NULL), 1);
    sim_end_all(s);

    s = scene(FED_BIDI_CERTIFICATE, &far);
    sim_start(s);
    send_in(far, "m1");
    sim_run(s, 100);
    send_out(s, "m2");
    sim_run(s, 100);
    assert_int_equal(far->accepted, 0);
    assert_int_equal(sim_count(far, "m2", NULL), 1);
    sim_end_all(s);
}

/* rows: prac-bidi-no */
static void with_nobody(void **state)
{
    (void)state;
    for (int theirs = 0; theirs < 2; theirs++) {
        sim_host *far;
        sim *s = scene(theirs == 1 ? FED_BIDI_YES : FED_BIDI_NO, &far);
        far->bidi = theirs == 0;
        sim_start(s);
        send_in(far, "m1");
        sim_run(s, 100);
        send_out(s, "m2");
        sim_run(s, 100);
        assert_int_equal(sim_bidi_conns(s), 0);
        assert_int_equal(far->accepted, 1);
        assert_int_equal(sim_count(far, "m2", NULL), 1);
        sim_end_all(s);
    }
}

/* Whoever has the DNS lead to himself, without the certificate that policy asks for, brings nothing in. */
static void a_spoofer_of_names(void **state)
{
    static const struct {
        unsigned proofs;
        fed_bidi bidi;
    } policies[] = {{FED_PROOF_CERTIFICATE, FED_BIDI_YES},
                    {FED_PROOF_CERTIFICATE | FED_PROOF_DIALBACK, FED_BIDI_CERTIFICATE}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        sim_host *far;
        sim *s = scene(policies[i].bidi, &far);
        s->policies[0].proofs = policies[i].proofs;
        far->trust = S2S_E_CERT_UNTRUSTED;
        far->offers_external = far->uses_external = false;
        far->prove = SIM_PROVE_VALID; /* it says so of anything */
        far->hides = true;            /* and has no keys */
        sim_start(s);
        send_out(s, "m1");
        sim_run(s, 100);
        assert_int_equal(sim_bidi_conns(s), 0);
        send_in(far, "m2");
        sim_run(s, 60000);
        assert_int_equal(sim_count(sim_hq(s), "m2", NULL), 0);
        assert_int_equal(sim_ledger(s, FED_INBOUND).accepted, 0);
        sim_end_all(s);
    }
}

/* ---- both dial at once ---- */

/* rows: prac-bidi-glare */
static void both_at_once(void **state)
{
    char id[32];
    (void)state;
    for (uint64_t slow = 0; slow < 120; slow += 7) {
        sim_host *far;
        sim *s = scene(FED_BIDI_YES, &far);
        far->slow = slow; /* ours takes that long, theirs does not */
        sim_start(s);
        for (int i = 0; i < 200; i++) {
            number(id, i);
            if (i % 3 != 0) send_out(s, id);
            if (i % 5 != 0) send_in(far, id);
            if (i % 10 == 0) sim_run(s, 2);
        }
        sim_run(s, 1000);
        assert_int_equal(in_order(far), 133);
        assert_int_equal(in_order(sim_hq(s)), 160);
        fed_ledger_view in = sim_ledger(s, FED_INBOUND), out = sim_ledger(s, FED_OUTBOUND);
        assert_int_equal(in.written, 160);
        assert_int_equal(out.written, 133);
        sim_end_all(s);
    }
}

/* What waits for a connection that does not come about takes theirs when it comes. */
static void theirs_comes_while_we_dial(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = scene(FED_BIDI_YES, &far);
    far->blackhole = true;
    sim_start(s);
    send_out(s, "m1");
    sim_run(s, 500);
    assert_int_equal(sim_count(far, NULL, NULL), 0);
    send_in(far, "m2");
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    assert_int_equal(sim_conns(far, S2S_RECEIVING), 0);
    assert_true(sim_logged(s, "attempt_ended", "why=idle")); /* nobody needs it any more */
    sim_end_all(s);
}

/* A domain that cannot be dialled at all is reached while it is connected. */
static void nobody_could_dial_it(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->bidi = true;
    far->refuses = true;
    s->policies[0].bidi = FED_BIDI_YES;
    sim_start(s);
    send_out(s, "m1");
    sim_run(s, 40000);
    assert_int_equal(sim_count(sim_hq(s), "m1", "error"), 1);
    send_in(far, "m2");
    sim_run(s, 100);
    send_out(s, "m3");
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m3", NULL), 1);
    sim_end_all(s);
}

/* ---- the end of it ---- */

static void killed_in_mid_traffic(void **state)
{
    char id[32];
    (void)state;
    for (int how = 0; how < 3; how++) {
        sim_host *far;
        sim *s = scene(FED_BIDI_YES, &far);
        sim_start(s);
        send_in(far, "m1");
        sim_run(s, 100);
        assert_int_equal(far->accepted, 0);
        for (int i = 0; i < 300; i++) {
            number(id, i);
            sim_send(sim_hq(s), "v@loc.example", "u@far.example", id, 900);
            if (i % 20 == 0) sim_run(s, 1);
            if (i == 90) far->stalled = true; /* so that something is in flight */
            if (i == 150 && how == 0) sim_cut(far);
            if (i == 150 && how == 1) sim_kill(far);
            if (i == 150 && how == 2) sim_shut(far);
            if (i == 160) sim_revive(far);
        }
        sim_run(s, 60000);
        in_order(far);
        fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
        assert_int_equal(v.accepted, 300);
        assert_int_equal(v.written + v.in_doubt + v.bounced + v.dropped, 300);
        assert_true(v.written > 100);
        if (how < 2) assert_true(v.in_doubt + v.bounced > 0);
        assert_true(far->accepted >= 1); /* the rest by a connection of ours */
        assert_true(sim_count(far, "n299", NULL) == 1);
        sim_end_all(s);
    }
}

/* Ours breaks: their stanzas on it have their fates too, and the pair may be proved anew on another. */
static void ours_is_cut(void **state)
{
    char id[32];
    (void)state;
    sim_host *far;
    sim *s = scene(FED_BIDI_YES, &far);
    sim_start(s);
    send_out(s, "m1");
    sim_run(s, 100);
    for (int i = 0; i < 200; i++) {
        number(id, i);
        send_in(far, id);
        if (i == 100) sim_run(s, 5);
        if (i == 100) sim_cut(far);
        if (i % 10 == 0) sim_run(s, 1);
    }
    sim_run(s, 3000);
    size_t came = in_order(sim_hq(s));
    fed_ledger_view v = sim_ledger(s, FED_INBOUND);
    assert_int_equal(v.accepted, came);
    assert_int_equal(v.written, came);
    assert_int_equal(sim_count(sim_hq(s), "n199", NULL), 1);
    send_out(s, "m2");
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m2", NULL), 1);
    sim_end_all(s);
}

static void idle_ones_close(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = scene(FED_BIDI_YES, &far);
    s->config.limits.idle_ms = 20000;
    sim_start(s);
    send_in(far, "m1");
    sim_run(s, 100);
    for (int i = 0; i < 4; i++) { /* what we send keeps it open too, and it rests in between */
        send_out(s, "m2");
        sim_run(s, 15000);
    }
    assert_int_equal(sim_conns(far, S2S_INITIATING), 1);
    assert_int_equal(sim_count(far, "m2", NULL), 4);
    sim_run(s, 30000);
    assert_int_equal(sim_conns(far, S2S_INITIATING), 0);
    assert_int_equal(sim_bidi_conns(s), 0);
    send_out(s, "m3");
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m3", NULL), 1);
    assert_int_equal(far->accepted, 1);
    sim_end_all(s);
}

/* Stopping: what we have for them still goes, what they bring is answered. */
static void drained(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = scene(FED_BIDI_YES, &far);
    sim_start(s);
    send_in(far, "m1");
    sim_run(s, 100);
    far->stalled = true;
    send_out(s, "m2");
    sim_run(s, 10);
    fed_drain(s->fed, 10000);
    far->stalled = false;
    send_in(far, "m3");
    sim_run(s, 12000);
    assert_int_equal(sim_count(far, "m2", NULL), 1);
    assert_int_equal(sim_count(sim_hq(s), "m3", NULL), 0);
    assert_true(fed_drained(s->fed));
    assert_int_equal(sim_ledger(s, FED_OUTBOUND).written, 1);
    sim_end_all(s);
}

/* A peer that does not read what it asked to be sent: its queue is bounded and told of, others notice nothing. */
static void they_do_not_read(void **state)
{
    char id[32];
    (void)state;
    sim_host *far;
    sim *s = scene(FED_BIDI_YES, &far);
    sim_host *good = sim_remote(s, "good.example", "192.0.2.11");
    s->config.limits.queue_pair = 100000;
    sim_hq(s)->one_conn = true; /* of several pairs: it is not paused for one of them */
    sim_start(s);
    send_in(far, "m1");
    sim_run(s, 100);
    far->stalled = true;
    for (int i = 0; i < 1000; i++) {
        number(id, i);
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", id, 900);
        if (i % 10 == 0) sim_send(sim_hq(s), "w@loc2.example", "u@good.example", id, 20);
    }
    sim_run(s, 1000);
    assert_int_equal(in_order(good), 100);
    sim_run(s, 120000);
    fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
    assert_int_equal(v.queued, 0);
    assert_int_equal(v.accepted, v.written + v.bounced + v.in_doubt + v.dropped);
    assert_true(v.bounced > 0);
    sim_end_all(s);
}

/* ---- inside ---- */

static sim *inside_scene(sim_host **far)
{
    sim *s = sim_new();
    *far = sim_remote(s, "far.example", "192.0.2.10");
    s->servers[0].tls = sim_hq(s)->tls = S2S_TLS_REQUIRED;
    s->servers[0].bidi = sim_hq(s)->bidi = true;
    return s;
}

static void no_trunk_is_needed(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = inside_scene(&far);
    sim_start(s);
    send_out(s, "m1");
    sim_run(s, 100);
    send_in(far, "m2");
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    assert_int_equal(sim_count(sim_hq(s), "m2", NULL), 1);
    assert_int_equal(sim_hq(s)->accepted, 0);
    assert_string_equal(sim_server_view(s, "hq").state, "up");
    assert_int_equal(sim_server_view(s, "hq").pairs, 1);
    sim_send(far, "u@far.example", "w@loc2.example", "m3", 20); /* not proved there */
    sim_run(s, 100);
    assert_int_equal(sim_hq(s)->accepted, 1);
    assert_int_equal(sim_count(sim_hq(s), "m3", NULL), 1);
    sim_kill(sim_hq(s)); /* and when it is gone there is the trunk */
    sim_revive(sim_hq(s));
    send_in(far, "m4");
    sim_run(s, 2000);
    assert_int_equal(sim_count(sim_hq(s), "m4", NULL), 1);
    sim_end_all(s);
}

static void answers_on_the_trunk(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = inside_scene(&far);
    sim_start(s);
    send_in(far, "m1");
    sim_run(s, 100);
    assert_int_equal(sim_hq(s)->accepted, 1);
    size_t before = sim_conns(sim_hq(s), S2S_INITIATING);
    send_out(s, "m2");
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m2", NULL), 1);
    assert_int_equal(sim_conns(sim_hq(s), S2S_INITIATING), before);
    sim_end_all(s);
}

/* An error of ours goes back on the server's own connection, where that goes both ways. */
static void errors_come_back_on_it(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = inside_scene(&far);
    far->refuses = true;
    sim_start(s);
    send_out(s, "m1");
    sim_run(s, 40000);
    assert_int_equal(sim_count(sim_hq(s), "m1", "error"), 1);
    assert_int_equal(sim_hq(s)->accepted, 0);
    sim_end_all(s);
}

static void switched_off_inside(void **state)
{
    (void)state;
    sim_host *far;
    sim *s = inside_scene(&far);
    s->servers[0].bidi = false;
    sim_start(s);
    send_out(s, "m1");
    sim_run(s, 100);
    send_in(far, "m2");
    sim_run(s, 100);
    assert_int_equal(sim_bidi_conns(s), 0);
    assert_int_equal(sim_hq(s)->accepted, 1);
    assert_int_equal(sim_count(sim_hq(s), "m2", NULL), 1);
    sim_end_all(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(we_send_on_theirs),
        cmocka_unit_test(they_send_on_ours),
        cmocka_unit_test(further_pairs),
        cmocka_unit_test(only_with_a_certificate),
        cmocka_unit_test(with_nobody),
        cmocka_unit_test(a_spoofer_of_names),
        cmocka_unit_test(both_at_once),
        cmocka_unit_test(theirs_comes_while_we_dial),
        cmocka_unit_test(nobody_could_dial_it),
        cmocka_unit_test(killed_in_mid_traffic),
        cmocka_unit_test(ours_is_cut),
        cmocka_unit_test(idle_ones_close),
        cmocka_unit_test(drained),
        cmocka_unit_test(they_do_not_read),
        cmocka_unit_test(no_trunk_is_needed),
        cmocka_unit_test(answers_on_the_trunk),
        cmocka_unit_test(errors_come_back_on_it),
        cmocka_unit_test(switched_off_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
