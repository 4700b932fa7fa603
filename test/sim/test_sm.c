/* Stream management (XEP-0198) on both faces, keepalives, dead peers and stream limits (XEP-0478). */
#include "sim.h"

#include <stdio.h>
#include <string.h>

static const char REMOTE[] = "u@far.example", LOCAL[] = "v@loc.example";

typedef struct scene {
    sim *s;
    sim_host *far;
} scene;

/* Either side knows it, or not. */
static scene begin(bool outside, bool inside)
{
    scene c = {.s = sim_new()};
    c.far = sim_remote(c.s, "far.example", "192.0.2.10");
    c.far->sm = outside;
    sim_hq(c.s)->sm = inside;
    return c;
}

static void burst(sim_host *h, const char *from, const char *to, int first, int n)
{
    char id[32];
    for (int i = first; i < first + n; i++) {
        snprintf(id, sizeof id, "n%d", i);
        sim_send(h, from, to, id, 200);
    }
}

static void out(scene *c, int first, int n)
{
    burst(sim_hq(c->s), LOCAL, REMOTE, first, n);
}

static void in(scene *c, int first, int n)
{
    burst(c->far, REMOTE, LOCAL, first, n);
}

/* Numbers come in order; one that was there already only where stanzas were sent again. Gives how many different ones. */
static unsigned in_order(const sim_host *h, uint64_t *again)
{
    bool seen[4096] = {false};
    int last = -1;
    unsigned different = 0;
    *again = 0;
    for (size_t i = 0; i < h->n_got; i++) {
        int n;
        if (sscanf(h->got[i].id, "n%d", &n) != 1 || strcmp(h->got[i].type, "error") == 0) continue;
        assert_true(n >= 0 && n < 4096);
        if (seen[n]) {
            ++*again;
            continue;
        }
        assert_true(n > last);
        last = n;
        seen[n] = true;
        different++;
    }
    return different;
}

static void check_balanced_end(scene *c)
{
    assert_int_equal(sim_ledger(c->s, FED_OUTBOUND).queued, 0);
    assert_int_equal(sim_ledger(c->s, FED_INBOUND).queued, 0);
    sim_end_all(c->s);
}

/* ---- what we send ---- */

/* rows: X0198-4-b */
static void acked_by_the_peer_itself(void **state)
{
    (void)state;
    scene c = begin(true, false);
    sim_start(c.s);
    c.far->never_acks = true;
    out(&c, 0, 3);
    sim_run(c.s, 5000);
    assert_int_equal(c.far->n_got, 3);
    assert_int_equal(sim_ledger(c.s, FED_OUTBOUND).queued,
                     3); /* its kernel's word does not count */
    c.far->never_acks = false;
    out(&c, 3, 200);
    sim_run(c.s, 50);
    sim_kill(c.far); /* the first three were never acknowledged, so that nothing behind them was */
    assert_true(sim_ledger(c.s, FED_OUTBOUND).acked <= 200);
    sim_revive(c.far);
    sim_run(c.s, 5000);
    fed_ledger_view v = sim_ledger(c.s, FED_OUTBOUND);
    assert_int_equal(v.accepted, 203);
    assert_int_equal(v.acked + v.in_doubt, 203);
    assert_int_equal(v.written, 0);
    check_balanced_end(&c);
}

/* What was unacknowledged goes again over the next link, before anything newer; nothing else comes twice. */
/* rows: X0198-4-c */
static void sent_again_in_order(void **state)
{
    (void)state;
    scene c = begin(true, false);
    uint64_t again;
    sim_start(c.s);
    out(&c, 0, 50);
    sim_run(c.s, 2000);
    assert_int_equal(sim_ledger(c.s, FED_OUTBOUND).acked, 50);
    c.far->never_acks = true;
    out(&c, 50, 30);
    sim_run(c.s, 2000);
    sim_cut(c.far);
    c.far->never_acks = false;
    out(&c, 80, 20);
    sim_run(c.s, 5000);
    assert_int_equal(in_order(c.far, &again), 100);
    fed_ledger_view v = sim_ledger(c.s, FED_OUTBOUND);
    assert_int_equal(v.accepted, 100);
    assert_int_equal(v.in_doubt, 30);
    assert_int_equal(v.resent, 30);
    assert_int_equal(again, 30);
    assert_int_equal(v.acked, 70);
    assert_int_equal(sim_count(sim_hq(c.s), NULL, "error"),
                     0); /* nobody is told of a failure that was none */
    check_balanced_end(&c);
}

/* ... but not for ever: within the deadline of queues. */
static void not_sent_again_for_ever(void **state)
{
    (void)state;
    scene c = begin(true, false);
    sim_start(c.s);
    c.far->never_acks = true;
    out(&c, 0, 5);
    sim_run(c.s, 2000);
    sim_kill(c.far);
    sim_run(c.s, 60000);
    fed_ledger_view v = sim_ledger(c.s, FED_OUTBOUND);
    assert_int_equal(v.in_doubt, 5);
    assert_int_equal(v.bounced, 0); /* a copy that is answered is not part of the sum */
    assert_int_equal(sim_count(sim_hq(c.s), NULL, "error"), 5);
    check_balanced_end(&c);
}

/* A peer that takes nothing holds so much and no more; the rest is answered in its time (attack 172). */
/* rows: prac-sm-mem */
static void a_peer_that_never_acks(void **state)
{
    (void)state;
    scene c = begin(true, false);
    sim_start(c.s);
    c.far->never_acks = true;
    for (int i = 0; i < 20; i++) {
        out(&c, 200 * i, 200);
        sim_run(c.s, 100);
    }
    assert_int_equal(c.far->n_got, 1000);
    assert_true(sim_pair(c.s, "loc.example", "far.example").queued_bytes < 3 * 1024 * 1024);
    sim_run(c.s, 100000);
    fed_ledger_view v = sim_ledger(c.s, FED_OUTBOUND);
    assert_int_equal(v.queued, 1000);
    assert_int_equal(v.bounced, v.accepted - 1000);
    assert_int_equal(sim_conns(c.far, S2S_RECEIVING), 1); /* it answers: it is not dead */
    sim_end_all(c.s);
}

/* rows: R6120-4.6.2 */
static void a_peer_that_does_not_answer(void **state)
{
    (void)state;
    scene c = begin(true, false);
    sim_start(c.s);
    out(&c, 0, 1);
    sim_run(c.s, 1000);
    c.far->stalled = true; /* its kernel takes everything */
    out(&c, 1, 5);
    sim_run(c.s, 29000);
    assert_int_equal(sim_conns(c.far, S2S_RECEIVING), 1);
    sim_run(c.s, 2500);
    assert_true(sim_logged(c.s, "conn_ended", "why=peer_gone"));
    assert_int_equal(sim_ledger(c.s, FED_OUTBOUND).in_doubt, 5);
    sim_end_all(c.s);
}

/* It offers stream management, and says nothing to who asks for it: the next stream does without. */
static void a_peer_that_does_not_grant_it(void **state)
{
    (void)state;
    scene c = begin(false, false);
    c.far->features = "<sm xmlns='urn:xmpp:sm:3'/>";
    sim_start(c.s);
    out(&c, 0, 3);
    sim_run(c.s, 29000);
    assert_int_equal(sim_ledger(c.s, FED_OUTBOUND).queued, 3);
    sim_run(c.s, 5000);
    fed_ledger_view v = sim_ledger(c.s, FED_OUTBOUND);
    assert_int_equal(v.in_doubt, 3);
    assert_int_equal(v.queued, 0);
    out(&c, 3, 3);
    sim_run(c.s, 5000);
    v = sim_ledger(c.s, FED_OUTBOUND);
    assert_int_equal(v.written, 3);
    assert_int_equal(c.far->accepted, 2);
    check_balanced_end(&c);
}

/* ---- what we acknowledge ---- */

/* A trunk without stream management: what its kernel has acknowledged is taken. */
/* rows: prac-sm-resp */
static void acknowledged_when_the_local_server_has_it(void **state)
{
    (void)state;
    scene c = begin(true, false);
    sim_start(c.s);
    in(&c, 0, 1);
    sim_run(c.s, 1000);
    assert_int_equal(c.far->acked, 1);
    sim_hq(c.s)->unplugged = true;
    in(&c, 1, 5);
    sim_run(c.s, 5000);
    assert_int_equal(c.far->acked, 1);
    sim_revive(sim_hq(c.s));
    sim_run(c.s, 1000);
    assert_int_equal(c.far->acked, 6);
    check_balanced_end(&c);
}

/* With it on both: only what the local server has acknowledged; and across its death. */
static void acknowledged_end_to_end(void **state)
{
    (void)state;
    scene c = begin(true, true);
    uint64_t again;
    sim_start(c.s);
    in(&c, 0, 10);
    sim_run(c.s, 2000);
    assert_int_equal(c.far->acked, 10);
    sim_hq(c.s)->never_acks = true;
    in(&c, 10, 10);
    sim_run(c.s, 2000);
    assert_int_equal(sim_count(sim_hq(c.s), NULL, NULL), 20);
    assert_int_equal(c.far->acked, 10);
    sim_kill(sim_hq(c.s));
    sim_run(c.s, 1000);
    assert_int_equal(c.far->acked, 10); /* in doubt is not taken while it may be sent again */
    sim_hq(c.s)->never_acks = false;
    sim_revive(sim_hq(c.s));
    sim_run(c.s, 3000);
    assert_int_equal(c.far->acked, 20);
    assert_int_equal(in_order(sim_hq(c.s), &again), 20);
    assert_int_equal(again, 10);
    fed_ledger_view v = sim_ledger(c.s, FED_INBOUND);
    assert_int_equal(v.acked, 10);
    assert_int_equal(v.in_doubt, 10);
    check_balanced_end(&c);
}

/* What was answered, or dropped, is dealt with: it counts as taken. */
static void answered_is_taken(void **state)
{
    (void)state;
    scene c = begin(true, false);
    sim_start(c.s);
    in(&c, 0, 1);
    sim_run(c.s, 1000);
    sim_kill(sim_hq(c.s));
    in(&c, 1, 3);
    sim_send_xml(c.far, REMOTE, LOCAL, "<presence from='u@far.example' to='v@loc.example'/>");
    sim_run(c.s, 20000);
    assert_int_equal(c.far->acked, 1);
    sim_run(c.s, 15000);
    assert_int_equal(sim_count(c.far, NULL, "error"), 3);
    assert_int_equal(c.far->acked, 5);
    check_balanced_end(&c);
}

/* The local server's connection carries pairs to all remotes: one that is down must not keep the others from being
 * acknowledged for ever. */
static void one_dead_remote_does_not_stop_the_window(void **state)
{
    (void)state;
    scene c = begin(true, true);
    sim_host *near = sim_remote(c.s, "near.example", "192.0.2.11");
    c.s->config.limits.queue_ms = 600000;
    sim_hq(c.s)->one_conn = true;
    sim_start(c.s);
    burst(sim_hq(c.s), LOCAL, "u@near.example", 0, 1);
    sim_run(c.s, 1000);
    c.far->blackhole = true;
    out(&c, 0, 3);
    sim_run(c.s, 100);
    for (int i = 0; i < 6; i++) {
        burst(sim_hq(c.s), LOCAL, "u@near.example", 1 + 160 * i, 160);
        sim_run(c.s, 1000);
    }
    assert_int_equal(near->n_got, 961);
    assert_int_equal(sim_hq(c.s)->acked, 1); /* the three are before them all */
    burst(sim_hq(c.s), LOCAL, "u@near.example", 961, 60);
    sim_run(c.s, 1000);
    assert_int_equal(near->n_got, 1021);
    assert_int_equal(sim_count(sim_hq(c.s), NULL, "error"), 3);
    assert_int_equal(sim_hq(c.s)->acked, 1024);
    sim_end_all(c.s);
}

/* The connection has gone while its stanzas are still here: nobody is told, nothing is lost. */
static void sender_gone_before_its_stanzas(void **state)
{
    (void)state;
    scene c = begin(true, true);
    sim_start(c.s);
    in(&c, 0, 1);
    sim_run(c.s, 1000);
    sim_hq(c.s)->never_acks = true;
    in(&c, 1, 5);
    sim_run(c.s, 1000);
    sim_kill(c.far);
    sim_run(c.s, 1000);
    sim_cut(sim_hq(c.s)); /* again, for an owner that is no more */
    sim_hq(c.s)->never_acks = false;
    sim_run(c.s, 3000);
    assert_int_equal(sim_ledger(c.s, FED_INBOUND).in_doubt, 5);
    assert_int_equal(sim_count(sim_hq(c.s), NULL, NULL), 11);
    check_balanced_end(&c);
}

static void switched_off(void **state)
{
    (void)state;
    scene c = begin(true, true);
    c.s->policies[0].sm = false;
    c.s->servers[0].sm = false;
    sim_start(c.s);
    in(&c, 0, 2);
    out(&c, 0, 2);
    sim_run(c.s, 2000);
    assert_int_equal(c.far->acked + sim_hq(c.s)->acked, 0);
    assert_int_equal(sim_ledger(c.s, FED_OUTBOUND).written, 2);
    assert_int_equal(sim_ledger(c.s, FED_INBOUND).written, 2);
    check_balanced_end(&c);
}

/* Stopping waits for what is owed, for its time. */
static void drained(void **state)
{
    (void)state;
    scene c = begin(true, true);
    sim_start(c.s);
    out(&c, 0, 100);
    in(&c, 0, 100);
    sim_run(c.s, 20);
    fed_drain(c.s->fed, 5000);
    sim_run(c.s, 2000);
    assert_true(fed_drained(c.s->fed));
    fed_ledger_view v = sim_ledger(c.s, FED_OUTBOUND), w = sim_ledger(c.s, FED_INBOUND);
    assert_int_equal(v.acked + v.bounced, v.accepted);
    assert_int_equal(w.acked + w.bounced, w.accepted);
    check_balanced_end(&c);
}

/* ---- quiet connections ---- */

/* Twelve in an hour, then it is closed: a keepalive is no activity. */
/* rows: R6120-4.6.1 R6120-4.6.4 */
static void looked_after(void **state)
{
    (void)state;
    for (int sm = 0; sm < 2; sm++) {
        scene c = begin(sm != 0, sm != 0);
        sim_start(c.s);
        out(&c, 0, 1);
        sim_run(c.s, 3590000);
        assert_int_equal(sim_conns(c.far, S2S_RECEIVING), 1);
        assert_true(c.s->wakes < 200);
        sim_run(c.s, 20000);
        assert_int_equal(sim_conns(c.far, S2S_RECEIVING), 0);
        assert_true(sim_logged(c.s, "conn_ended", "why=idle"));
        assert_false(sim_logged(c.s, "conn_ended", "why=peer_gone"));
        check_balanced_end(&c);
    }
}

/* rows: R6120-4.6.2 */
static void found_dead(void **state)
{
    (void)state;
    for (int sm = 0; sm < 2; sm++) {
        scene c = begin(sm != 0, false);
        sim_start(c.s);
        out(&c, 0, 1);
        sim_run(c.s, 10000);
        c.far->unplugged = true;
        sim_run(c.s, 295000);
        assert_int_equal(sim_conns(c.far, S2S_RECEIVING), 1);
        sim_run(c.s, 31000);
        assert_true(sim_logged(c.s, "conn_ended", "role=initiating"));
        assert_true(sim_logged(c.s, "conn_ended", "why=peer_gone"));
        assert_int_equal(sim_conns(c.far, S2S_RECEIVING), 0);
        sim_end_all(c.s);
    }
}

static const sim_stanza *last_ping(const sim_host *h)
{
    for (size_t i = h->n_got; i > 0; i--)
        if (strncmp(h->got[i - 1].id, "ping-", 5) == 0) return &h->got[i - 1];
    return NULL;
}

static void answer_ping(scene *c, const char *type)
{
    char xml[256];
    const sim_stanza *ping = last_ping(c->far);
    assert_non_null(ping);
    assert_non_null(strstr(ping->bytes, "<ping xmlns='urn:xmpp:ping'/>"));
    snprintf(xml, sizeof xml, "<iq type='%s' from='far.example' to='loc.example' id='%s'/>", type,
             ping->id);
    sim_send_xml(c->far, "far.example", "loc.example", xml);
}

/* The answer comes over another connection; an error is one; nobody else sees it. */
/* rows: prac-ping-out */
static void pinged(void **state)
{
    (void)state;
    scene c = begin(false, false);
    c.s->policies[0].ping = true;
    sim_start(c.s);
    out(&c, 0, 1);
    sim_run(c.s, 10000);
    assert_null(last_ping(c.far));
    for (int i = 0; i < 3; i++) {
        sim_run(c.s, 300000);
        answer_ping(&c, i == 1 ? "error" : "result");
    }
    sim_run(c.s, 60000);
    assert_int_equal(sim_conns(c.far, S2S_RECEIVING), 1);
    assert_int_equal(sim_hq(c.s)->n_got, 0);
    assert_int_equal(sim_ledger(c.s, FED_INBOUND).accepted, 0);
    assert_false(sim_logged(c.s, "conn_ended", "why=peer_gone"));
    check_balanced_end(&c);
}

/* Its kernel acknowledges all that comes, and that is not enough. */
static void does_not_answer_pings(void **state)
{
    (void)state;
    scene c = begin(false, false);
    c.s->policies[0].ping = true;
    sim_start(c.s);
    out(&c, 0, 1);
    sim_run(c.s, 315000);
    assert_non_null(last_ping(c.far));
    assert_int_equal(sim_conns(c.far, S2S_RECEIVING), 1);
    sim_run(c.s, 31000);
    assert_true(sim_logged(c.s, "conn_ended", "why=peer_gone"));
    assert_int_equal(sim_conns(c.far, S2S_RECEIVING), 0);
    check_balanced_end(&c);
}

/* What only looks like an answer goes its way; who knows XEP-0198 is asked by that. */
static void no_answers_to_pings(void **state)
{
    (void)state;
    scene c = begin(true, false);
    c.s->policies[0].ping = true;
    sim_start(c.s);
    out(&c, 0, 1);
    sim_send_xml(c.far, "far.example", "loc.example",
                 "<iq type='result' from='far.example' to='loc.example' "
                 "id='ping-0123456789abcdef0123456789abcdef'/>");
    sim_run(c.s, 315000);
    assert_null(last_ping(c.far));
    assert_int_equal(sim_hq(c.s)->n_got, 1);
    check_balanced_end(&c);
}

/* rows: X0478-idle */
static void in_time_for_a_peer_that_closes_early(void **state)
{
    (void)state;
    scene c = begin(false, false);
    c.far->idle_seconds = 10;
    sim_start(c.s);
    out(&c, 0, 1);
    sim_run(c.s, 1000);
    for (int i = 0; i < 12; i++) {
        uint64_t before = c.far->heard;
        sim_run(c.s, 9000);
        assert_true(c.far->heard > before);
    }
    sim_end_all(c.s);
}

/* ---- the longest stanza a peer takes ---- */

/* rows: X0478-b */
static void too_long_for_this_peer(void **state)
{
    (void)state;
    scene c = begin(false, false);
    c.far->max_bytes = 20000;
    sim_start(c.s);
    sim_send(sim_hq(c.s), LOCAL, REMOTE, "n0", 10);
    sim_send(sim_hq(c.s), LOCAL, REMOTE, "n1", 30000);
    sim_send(sim_hq(c.s), LOCAL, REMOTE, "n2", 19000);
    sim_run(c.s, 2000);
    assert_int_equal(c.far->n_got, 2);
    assert_int_equal(c.far->accepted, 1);
    const sim_stanza *e = sim_find(sim_hq(c.s), "n1");
    assert_non_null(e);
    assert_non_null(strstr(e->bytes, "<error type='modify'><policy-violation"));
    assert_null(strstr(e->bytes, "by="));
    assert_int_equal(sim_ledger(c.s, FED_OUTBOUND).bounced, 1);
    check_balanced_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acked_by_the_peer_itself),
        cmocka_unit_test(sent_again_in_order),
        cmocka_unit_test(not_sent_again_for_ever),
        cmocka_unit_test(a_peer_that_never_acks),
        cmocka_unit_test(a_peer_that_does_not_answer),
        cmocka_unit_test(a_peer_that_does_not_grant_it),
        cmocka_unit_test(acknowledged_when_the_local_server_has_it),
        cmocka_unit_test(acknowledged_end_to_end),
        cmocka_unit_test(answered_is_taken),
        cmocka_unit_test(one_dead_remote_does_not_stop_the_window),
        cmocka_unit_test(sender_gone_before_its_stanzas),
        cmocka_unit_test(switched_off),
        cmocka_unit_test(drained),
        cmocka_unit_test(looked_after),
        cmocka_unit_test(found_dead),
        cmocka_unit_test(pinged),
        cmocka_unit_test(does_not_answer_pings),
        cmocka_unit_test(no_answers_to_pings),
        cmocka_unit_test(in_time_for_a_peer_that_closes_early),
        cmocka_unit_test(too_long_for_this_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
