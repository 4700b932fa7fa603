/* The outside links: what happens when they cannot be made, break, are shared, or are full. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

#include "fed/types.h"

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
        if (sscanf(h->got[i].id, "n%d", &n) != 1) continue;
        assert_true(n > last);
        last = n;
        count++;
    }
    return count;
}

/* Without a certificate of its own it uses the link that is there, by a key (XEP-0220 2.6.1); with one it gets a stream
 * where the peer takes it (decision 005). */
/* rows: X0220-2.6.1 */
static void second_local_domain(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_local(s, "loc3.example", 0, false);
    sim_serve(sim_hq(s), "loc3.example");
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
    sim_run(s, 100);
    sim_send(sim_hq(s), "w@loc3.example", "u@far.example", "m2", 10);
    sim_run(s, 100);
    assert_int_equal(far->accepted, 1);
    assert_int_equal(far->n_got, 2);
    assert_int_equal(sim_pair(s, "loc3.example", "far.example").proof, S2S_PROOF_DIALBACK);
    sim_send(sim_hq(s), "w@loc2.example", "u@far.example", "m3", 10);
    sim_run(s, 100);
    assert_int_equal(far->accepted, 2);
    assert_int_equal(far->n_got, 3);
    assert_int_equal(sim_pair(s, "loc2.example", "far.example").proof, S2S_PROOF_CERTIFICATE);
    sim_end_all(s);
}

/* Refused on the shared link: one of its own, once. */
static void second_domain_apart(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_local(s, "loc3.example", 0, false);
    sim_serve(sim_hq(s), "loc3.example");
    far->prove = SIM_PROVE_ERROR;
    far->prove_cond = "resource-constraint";
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
    sim_run(s, 100);
    sim_send(sim_hq(s), "w@loc3.example", "u@far.example", "m2", 10);
    sim_run(s, 100);
    assert_int_equal(far->accepted, 2);
    assert_int_equal(far->n_got, 1);
    assert_int_equal(sim_count(sim_hq(s), "m2", "error"), 1); /* refused there as well */
    far->prove = SIM_PROVE_VALID;
    sim_run(s, 3000);
    sim_send(sim_hq(s), "w@loc3.example", "u@far.example", "m3", 10);
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m3", NULL), 1);
    assert_true(sim_pair(s, "loc.example", "far.example").open); /* it never noticed */
    sim_end_all(s);
}

/* Two fresh connections at most for a pair that is refused for want of room (XEP-0220 2.5). */
/* rows: X0220-2.5-rc */
static void refused_twice(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->offers_external = false;
    far->prove = SIM_PROVE_ERROR;
    far->prove_cond = "resource-constraint";
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    sim_run(s, 500);
    assert_int_equal(far->accepted, 2);
    const sim_stanza *e = sim_find(sim_hq(s), "m1");
    assert_non_null(e);
    assert_non_null(strstr(e->bytes, "<remote-server-timeout"));
    assert_non_null(strstr(e->bytes, "dialback: far.example at 192.0.2.10:5269"));
    assert_int_equal(sim_ledger(s, FED_OUTBOUND).bounced, 1);
    sim_end_all(s);
}

/* Two domains of one peer: one connection when it is fine with that, two when it is not. */
/* rows: X0220-2.6.2-a X0220-2.6.2-b */
static void target_multiplexing(void **state)
{
    (void)state;
    for (int offers = 0; offers < 2; offers++) {
        sim *s = sim_new();
        sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
        sim_serve(far, "rooms.far.example");
        far->names[far->n_names++] = sim_domain("rooms.far.example");
        far->offers_dialback = offers == 1;
        sim_start(s);
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
        sim_run(s, 100);
        sim_send(sim_hq(s), "v@loc.example", "r@rooms.far.example", "m2", 10);
        sim_run(s, 100);
        assert_int_equal(far->accepted, offers == 1 ? 1 : 2);
        assert_int_equal(far->n_got, 2);
        assert_string_equal(sim_target(s, "rooms.far.example").state, "up");
        sim_end_all(s);
    }
}

/* rows: R7712-4.4.2 */
static void no_multiplexing_without_name(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_serve(far, "rooms.far.example"); /* not in its certificate */
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
    sim_run(s, 100);
    sim_send(sim_hq(s), "v@loc.example", "r@rooms.far.example", "m2", 10);
    sim_run(s, 100);
    assert_int_equal(far->accepted, 2);
    assert_int_equal(far->n_got, 2);
    sim_end_all(s);
}

/* rows: prac-he-stream */
static void next_endpoint(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *bad = sim_remote(s, "bad.example", "192.0.2.10");
    sim_host *good = sim_remote(s, "good.example", "192.0.2.11");
    sim_add_srv(s, "two.example", 1, 5269, "xmpp.bad.example");
    sim_add_srv(s, "two.example", 2, 5269, "xmpp.good.example");
    good->domains[good->n_domains++] = good->names[good->n_names++] = sim_domain("two.example");
    sim_start(s);
    bad->refuses = true;
    sim_send(sim_hq(s), "v@loc.example", "u@two.example", "m1", 10);
    sim_run(s, 100);
    assert_int_equal(sim_count(good, "m1", NULL), 1);
    assert_true(sim_logged(s, "attempt_ended", "endpoint=192.0.2.10:5269 why=tcp_refused"));
    sim_end_all(s);
}

/* A certificate that does not fit: no dialback for this one. */
static void certificate_required(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->trust = S2S_E_CERT_EXPIRED;
    s->policies[s->config.n_policies++] = (fed_policy){.match = FED_MATCH_EXACT,
                                                       .domain = sim_domain("far.example"),
                                                       .allow = true,
                                                       .tls = S2S_TLS_REQUIRED,
                                                       .proofs = FED_PROOF_CERTIFICATE};
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    sim_run(s, 31000);
    assert_int_equal(far->n_got, 0);
    const sim_stanza *e = sim_find(sim_hq(s), "m1");
    assert_non_null(e);
    assert_non_null(strstr(e->bytes, "certificate: far.example at 192.0.2.10:5269"));
    assert_true(sim_logged(s, "attempt_ended", "why=cert_expired"));
    sim_end_all(s);
}

static void blocked_by_policy(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    s->policies[s->config.n_policies++] =
        (fed_policy){.match = FED_MATCH_SUBTREE, .domain = sim_domain("example"), .allow = false};
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    sim_send(far, "u@far.example", "v@loc.example", "m2", 10);
    sim_run(s, 1000);
    assert_int_equal(s->asked, 0); /* policy before DNS */
    assert_int_equal(sim_count(sim_hq(s), "m2", NULL), 0);
    assert_non_null(strstr(sim_find(sim_hq(s), "m1")->bytes, "<policy-violation"));
    assert_true(sim_logged(s, "conn_ended", "why=peer_blocked"));
    assert_int_equal(sim_ledger(s, FED_OUTBOUND).bounced, 1);
    assert_int_equal(sim_ledger(s, FED_INBOUND).accepted, 0);
    sim_end_all(s);
}

/* The remote's machine loses power in mid-burst: what its kernel took is written, the rest in doubt or sent again. */
/* rows: R6120-4.9.1.1 */
static void link_dies(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    char id[32];
    s->config.limits.link_out = 16384;
    sim_start(s);
    for (int i = 0; i < 50; i++) {
        number(id, i);
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", id, 1000);
    }
    sim_run(s, 1000);
    assert_int_equal(in_order(far), 50);
    far->unplugged = true;
    for (int i = 50; i < 200; i++) {
        number(id, i);
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", id, 1000);
    }
    sim_run(s, 1000);
    fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
    assert_int_equal(v.written, 50);
    assert_int_equal(v.queued, 150);
    sim_cut(far);
    v = sim_ledger(s, FED_OUTBOUND);
    assert_in_range(v.in_doubt, 25, 35); /* one kernel buffer */
    assert_int_equal(v.queued, 150 - v.in_doubt);
    far->unplugged = false;
    sim_run(s, 3000);
    v = sim_ledger(s, FED_OUTBOUND);
    assert_int_equal(v.queued, 0);
    assert_int_equal(v.accepted, 200);
    assert_int_equal(v.written + v.in_doubt, 200);
    assert_int_equal(in_order(far), v.written);
    assert_int_equal(sim_count(sim_hq(s), NULL, "error"), v.in_doubt); /* bounced by default */
    sim_end_all(s);
}

static void doubt_is_resent(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    char id[32];
    s->config.doubt = FED_DOUBT_RESEND;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "n0", 10);
    sim_run(s, 1000);
    far->unplugged = true;
    for (int i = 1; i < 100; i++) {
        number(id, i);
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", id, 1000);
    }
    sim_run(s, 100);
    sim_cut(far);
    far->unplugged = false;
    sim_run(s, 3000);
    fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
    assert_int_equal(in_order(far), 100);
    assert_int_equal(v.resent, v.in_doubt);
    assert_true(v.resent > 0);
    assert_int_equal(v.written + v.in_doubt, 100);
    assert_int_equal(sim_count(sim_hq(s), NULL, NULL), 0);
    sim_end_all(s);
}

/* -9 in mid-traffic, again and again: only what its program had not read is lost, and it is among the written. */
static void killed_again_and_again(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    char id[32];
    sim_start(s);
    for (int i = 0; i < 500; i++) {
        number(id, i);
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", id, 500);
        if (i % 7 == 0) sim_run(s, 20);
        if (i % 100 == 50) {
            sim_kill(far);
            sim_run(s, 700);
            sim_revive(far);
        }
    }
    sim_run(s, 5000);
    fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
    assert_int_equal(v.accepted, 500);
    assert_int_equal(v.queued, 0);
    assert_int_equal(v.written + v.in_doubt + v.bounced, 500);
    assert_true(in_order(far) <= v.written);
    assert_true(in_order(far) + 5 * (2 * SIM_KERNEL / 500) >= v.written);
    sim_end_all(s);
}

/* It closes properly: nothing is lost, nothing in doubt, and the next stanza goes over a new connection. */
static void closed_properly(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "n0", 10);
    sim_run(s, 100);
    sim_shut(far);
    sim_run(s, 100);
    assert_int_equal(sim_conns(far, S2S_RECEIVING), 0);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "n1", 10);
    sim_run(s, 2000);
    assert_int_equal(in_order(far), 2);
    assert_int_equal(sim_ledger(s, FED_OUTBOUND).written, 2);
    assert_true(sim_logged(s, "conn_ended", "why=peer_closed"));
    sim_end_all(s);
}

/* The remote reads nothing: its queue fills up to its cap, what comes then is answered, what is old is answered too. */
/* rows: prac-queue-full */
static void queue_full_then_old(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_host *other = sim_remote(s, "other.example", "192.0.2.11");
    s->config.limits.queue_pair = 100000;
    s->config.limits.link_out = 16384;
    sim_hq(s)->one_conn = true;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "warm", 10);
    sim_send(sim_hq(s), "v@loc.example", "u@other.example", "warm", 10);
    sim_run(s, 100);
    far->stalled = true;
    for (int i = 0; i < 300; i++)
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", "f", 1000);
    sim_send(sim_hq(s), "v@loc.example", "u@other.example", "m1", 10);
    sim_run(s, 100);
    assert_int_equal(sim_count(other, "m1", NULL), 1); /* only the domain that is stuck suffers */
    assert_int_equal(s->pauses, 0);
    size_t full = sim_count(sim_hq(s), "f", "error");
    assert_in_range(full, 50, 200);
    assert_non_null(strstr(sim_find(sim_hq(s), "f")->bytes, "<resource-constraint"));
    sim_run(s, 31000);
    assert_true(sim_count(sim_hq(s), "f", "error") > full);
    assert_non_null(strstr(sim_last(sim_hq(s))->bytes, "<remote-server-timeout"));
    far->stalled = false;
    sim_run(s, 31000);
    fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
    assert_int_equal(v.queued, 0);
    assert_int_equal(v.accepted, v.written + v.bounced);
    sim_end_all(s);
}

/* What the peer has acknowledged is let go by its bytes too: no sweep comes here. */
static void flight_is_bounded(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    char id[32];
    s->config.limits.sweep_ms = 3600000;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "n0", 10);
    sim_run(s, 100);
    for (int i = 1; i < 3000; i++) {
        number(id, i);
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", id, 1000);
    }
    sim_run(s, 1000);
    assert_int_equal(in_order(far), 3000);
    assert_in_range(s->fed->total.bytes, 1, 600000);
    assert_int_equal(sim_ledger(s, FED_OUTBOUND).written,
                     3000); /* who asks is told the whole truth */
    assert_int_equal(s->fed->total.bytes, 0);
    sim_end_all(s);
}

/* Inbound, the connection is paused instead, and nothing is lost. */
static void remote_is_paused(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    char id[32];
    s->config.limits.queue_pair = 200000;
    s->config.limits.link_out = 16384;
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "n0", 10);
    sim_run(s, 100);
    sim_hq(s)->stalled = true;
    for (int i = 1; i < 600; i++) {
        number(id, i);
        sim_send(far, "u@far.example", "v@loc.example", id, 1000);
    }
    sim_run(s, 5000);
    assert_true(s->pauses > 0);
    assert_in_range(sim_pair(s, "far.example", "loc.example").queued_bytes, 100000, 200000);
    sim_hq(s)->stalled = false;
    sim_run(s, 5000);
    assert_int_equal(in_order(sim_hq(s)), 600);
    assert_int_equal(sim_ledger(s, FED_INBOUND).written, 600);
    sim_end_all(s);
}

/* Dead domains: few lookups, all answered, growing distances. */
/* rows: prac-negcache R6120-3.3-a */
static void dead_domain(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->refuses = true;
    sim_start(s);
    for (int i = 0; i < 1000; i++) {
        sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m", 10);
        sim_run(s, 100);
    }
    assert_in_range(s->dials, 5, 14); /* 100 seconds; one is the trunk */
    sim_run(s, 40000);
    fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
    assert_int_equal(v.bounced, 1000);
    assert_int_equal(sim_count(sim_hq(s), "m", "error"), 1000);
    assert_non_null(strstr(sim_last(sim_hq(s))->bytes, "tcp: far.example at 192.0.2.10:5269"));
    sim_end_all(s);
}

static void not_found_at_once(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@gone.example", "m1", 10);
    sim_send_xml(sim_hq(s), "v@loc.example/r", "u@gone.example",
                 "<iq type='result' from='v@loc.example/r' to='u@gone.example' id='i1'/>");
    sim_send_xml(sim_hq(s), "v@loc.example/r", "u@gone.example",
                 "<presence type='unavailable' from='v@loc.example/r' to='u@gone.example'/>");
    sim_run(s, 10);
    assert_non_null(strstr(sim_find(sim_hq(s), "m1")->bytes, "<remote-server-not-found"));
    assert_non_null(strstr(sim_find(sim_hq(s), "m1")->bytes, "dns: gone.example"));
    assert_int_equal(sim_count(sim_hq(s), NULL, NULL), 1);
    unsigned asked = s->asked;
    sim_send(sim_hq(s), "v@loc.example/r", "u@gone.example", "m2", 10);
    sim_run(s, 10);
    assert_non_null(sim_find(sim_hq(s), "m2"));
    assert_int_equal(s->asked, asked); /* known for a moment */
    fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
    assert_int_equal(v.bounced, 2);
    assert_int_equal(v.dropped, 2);
    sim_end_all(s);
}

/* It failed, but now it has shown itself: no reason to wait. */
static void inbound_proof_ends_backoff(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    s->config.limits.backoff_first_ms = 20000;
    far->refuses = true;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    sim_run(s, 10);
    assert_string_equal(sim_target(s, "far.example").state, "backoff");
    far->refuses = false;
    sim_send(far, "u@far.example", "v@loc.example", "x", 10);
    sim_run(s, 10);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    sim_end_all(s);
}

static void operator_ends_backoff(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    s->config.limits.backoff_first_ms = 20000;
    far->refuses = true;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    sim_run(s, 10);
    far->refuses = false;
    s2s_domain d = sim_domain("far.example");
    fed_flush(s->fed, &d);
    sim_run(s, 10);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    sim_end_all(s);
}

/* Up and down again and again: ever fewer connections, no stanza without a fate (attack 153). */
/* rows: R6120-3.3-a */
static void flapping(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->closes_when_proved = true;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    for (int i = 0; i < 60; i++) {
        sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m", 10);
        sim_run(s, 1000);
    }
    assert_in_range(far->accepted, 3, 16);
    sim_run(s, 40000);
    assert_int_equal(sim_ledger(s, FED_OUTBOUND).queued, 0);
    sim_end_all(s);
}

static void mute_remote(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->silent = true;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    sim_run(s, 29000);
    assert_int_equal(sim_count(sim_hq(s), NULL, NULL), 0);
    sim_run(s, 2000);
    assert_int_equal(sim_count(sim_hq(s), "m1", "error"), 1);
    assert_true(sim_logged(s, "attempt_ended", "why=head_timeout"));
    sim_end_all(s);
}

static void blackholed_remote(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->blackhole = true;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    sim_run(s, 10500);
    assert_true(sim_logged(s, "attempt_ended", "why=tcp_timeout"));
    sim_run(s, 21000);
    assert_int_equal(sim_count(sim_hq(s), "m1", "error"), 1);
    sim_end_all(s);
}

/* rows: R6120-4.6.3 R6120-4.9.3.4 */
static void idle_links_close(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    s->config.limits.idle_ms = 60000;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m1", 10);
    sim_run(s, 100);
    assert_true(sim_open_conns(s) > 0);
    sim_run(s, 130000);
    assert_int_equal(sim_open_conns(s), 0);
    assert_true(sim_logged(s, "conn_ended", "why=idle"));
    assert_string_equal(sim_target(s, "far.example").state, ""); /* forgotten */
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m2", 10);
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m2", NULL), 1);
    sim_end_all(s);
}

/* One timer once, then silence; and what comes later comes through. */
static void quiet_links_rest(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    s->config.limits.rest_ms = 3000;
    s->config.limits.keepalive_ms = 3600000;
    sim_start(s);
    for (unsigned i = 1; i <= 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "m%u", i);
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", id, 10);
        sim_run(s, 10000);
        assert_int_equal(sim_count(far, id, NULL), 1);
    }
    assert_true(sim_open_conns(s) > 0);
    uint64_t wakes = s->wakes;
    sim_run(s, 600000);
    assert_int_equal(s->wakes, wakes);
    sim_end_all(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_local_domain),
        cmocka_unit_test(second_domain_apart),
        cmocka_unit_test(refused_twice),
        cmocka_unit_test(target_multiplexing),
        cmocka_unit_test(no_multiplexing_without_name),
        cmocka_unit_test(next_endpoint),
        cmocka_unit_test(certificate_required),
        cmocka_unit_test(blocked_by_policy),
        cmocka_unit_test(link_dies),
        cmocka_unit_test(doubt_is_resent),
        cmocka_unit_test(killed_again_and_again),
        cmocka_unit_test(closed_properly),
        cmocka_unit_test(queue_full_then_old),
        cmocka_unit_test(flight_is_bounded),
        cmocka_unit_test(remote_is_paused),
        cmocka_unit_test(dead_domain),
        cmocka_unit_test(not_found_at_once),
        cmocka_unit_test(inbound_proof_ends_backoff),
        cmocka_unit_test(operator_ends_backoff),
        cmocka_unit_test(flapping),
        cmocka_unit_test(mute_remote),
        cmocka_unit_test(blackholed_remote),
        cmocka_unit_test(idle_links_close),
        cmocka_unit_test(quiet_links_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
