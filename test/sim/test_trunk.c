/* The inside: one trunk for all, a local server that goes and comes back, what must not enter it. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum { REMOTES = 50 };

static void remotes(sim *s, sim_host **out)
{
    char name[64], addr[32];
    for (int i = 0; i < REMOTES; i++) {
        snprintf(name, sizeof name, "r%d.example", i);
        snprintf(addr, sizeof addr, "192.0.2.%d", 10 + i);
        out[i] = sim_remote(s, name, addr);
    }
}

static void send_from_all(sim_host **far, int round)
{
    char from[64], id[32];
    for (int i = 0; i < REMOTES; i++) {
        snprintf(from, sizeof from, "u@r%d.example", i);
        snprintf(id, sizeof id, "m%d-%d", round, i);
        sim_send(far[i], from, i % 2 ? "v@loc.example" : "v@loc2.example", id, 20);
    }
}

/* rows: prac-inner-mux */
static void fifty_remotes_one_connection(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far[REMOTES];
    remotes(s, far);
    sim_start(s);
    for (int round = 0; round < 3; round++)
        send_from_all(far, round);
    sim_run(s, 2000);
    assert_int_equal(sim_count(sim_hq(s), NULL, NULL), 3 * REMOTES);
    assert_int_equal(sim_hq(s)->accepted, 1);
    assert_int_equal(sim_hq(s)->proves, REMOTES);
    assert_int_equal(sim_ledger(s, FED_INBOUND).written, 3 * REMOTES);
    sim_end_all(s);
}

static void killed_and_back(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far[REMOTES];
    remotes(s, far);
    sim_start(s);
    send_from_all(far, 0);
    sim_run(s, 1000);
    sim_kill(sim_hq(s));
    send_from_all(far, 1);
    send_from_all(far, 2);
    sim_run(s, 5000);
    assert_int_equal(sim_count(sim_hq(s), NULL, NULL), REMOTES);
    assert_int_equal(sim_ledger(s, FED_INBOUND).queued, 2 * REMOTES);
    sim_revive(sim_hq(s));
    sim_run(s, 1500); /* tried again within a second */
    assert_int_equal(sim_count(sim_hq(s), NULL, NULL), 3 * REMOTES);
    assert_int_equal(sim_hq(s)->accepted, 2);
    fed_ledger_view v = sim_ledger(s, FED_INBOUND);
    assert_int_equal(v.written, 3 * REMOTES);
    assert_int_equal(v.queued, 0);
    sim_end_all(s);
}

/* Order across the break, for one pair with many stanzas. */
/* rows: R6120-10.1-a */
static void order_is_kept(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    char id[32];
    sim_start(s);
    for (int i = 0; i < 300; i++) {
        snprintf(id, sizeof id, "n%d", i);
        sim_send(far, "u@far.example", "v@loc.example", id, 1000);
        if (i == 100) sim_run(s, 5);
        if (i == 150) sim_cut(sim_hq(s));
        if (i == 200) sim_run(s, 100);
    }
    sim_run(s, 3000);
    int last = -1;
    for (size_t i = 0; i < sim_hq(s)->n_got; i++) {
        int n = 0;
        assert_int_equal(sscanf(sim_hq(s)->got[i].id, "n%d", &n), 1);
        assert_true(n > last);
        last = n;
    }
    assert_int_equal(last, 299);
    fed_ledger_view v = sim_ledger(s, FED_INBOUND);
    assert_int_equal(v.accepted, 300);
    assert_int_equal(v.written + v.in_doubt, 300);
    assert_true(sim_count(sim_hq(s), NULL, NULL) >=
                v.written - 66); /* what the program had not read of its kernel's */
    sim_end_all(s);
}

static void down_too_long(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    sim_kill(sim_hq(s));
    sim_send(far, "u@far.example/r", "v@loc.example", "m1", 10);
    sim_send_xml(far, "u@far.example/r", "v@loc.example",
                 "<presence from='u@far.example/r' to='v@loc.example'/>");
    sim_run(s, 31000);
    const sim_stanza *e = sim_find(far, "m1");
    assert_non_null(e);
    assert_string_equal(e->type, "error");
    assert_non_null(strstr(e->bytes, "<service-unavailable"));
    assert_null(strstr(e->bytes, "<text")); /* nothing about the inside */
    assert_null(strstr(e->bytes, "10.0.0"));
    assert_int_equal(sim_count(far, NULL, NULL), 1); /* presence is dropped */
    fed_ledger_view v = sim_ledger(s, FED_INBOUND);
    assert_int_equal(v.bounced, 1);
    assert_int_equal(v.dropped, 1);
    assert_true(sim_logged(s, "stanza_ended", "why=local_down"));
    sim_end_all(s);
}

/* One connection of the local server for all pairs, as jabberd2 does. */
static void inside_multiplexed(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far[REMOTES];
    char to[64], id[32];
    remotes(s, far);
    sim_hq(s)->one_conn = true;
    sim_start(s);
    for (int i = 0; i < REMOTES; i++) {
        snprintf(to, sizeof to, "u@r%d.example", i);
        snprintf(id, sizeof id, "m%d", i);
        sim_send(sim_hq(s), "v@loc.example", to, id, 20);
    }
    sim_run(s, 2000);
    for (int i = 0; i < REMOTES; i++)
        assert_int_equal(sim_count(far[i], NULL, NULL), 1);
    assert_int_equal(sim_conns(sim_hq(s), S2S_INITIATING), 1);
    assert_int_equal(sim_ledger(s, FED_OUTBOUND).written, REMOTES);
    sim_end_all(s);
}

/* A name under ours that nobody serves comes back as an error in its own name, and nobody is dialled. */
static void loops_are_bounced(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "x@gone.loc.example", "m1", 10);
    sim_send(sim_hq(s), "v@loc.example/r", "x@loc2.example", "m2",
             10); /* the same server serves it */
    sim_run(s, 1000);
    assert_int_equal(s->asked, 0);
    const sim_stanza *e = sim_find(sim_hq(s), "m1");
    assert_non_null(e);
    assert_string_equal(e->from, "x@gone.loc.example");
    assert_non_null(strstr(e->bytes, "<remote-server-not-found"));
    assert_non_null(sim_find(sim_hq(s), "m2"));
    assert_int_equal(sim_ledger(s, FED_OUTBOUND).bounced, 1);
    assert_int_equal(sim_ledger(s, FED_INBOUND).bounced, 1);
    sim_end_all(s);
}

/* Between two local servers of ours: trunk to trunk, never outside. */
/* rows: R6120-10.5 */
static void local_to_local(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *lab = sim_server(s, "lab", "10.0.0.20", "lab.example");
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "w@lab.example", "m1", 10);
    sim_send(lab, "w@lab.example/r", "v@loc.example", "m2", 10);
    sim_run(s, 1000);
    assert_int_equal(s->asked, 0);
    assert_int_equal(sim_count(lab, "m1", NULL), 1);
    assert_int_equal(sim_count(sim_hq(s), "m2", NULL), 1);
    assert_int_equal(lab->accepted, 1);
    assert_int_equal(sim_ledger(s, FED_INBOUND).written, 2);
    sim_end_all(s);
}

/* A local server may only speak for its own domains, and only from its own address. */
/* rows: prac-inner-trust */
static void strangers_inside(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *lab = sim_server(s, "lab", "10.0.0.20", "lab.example");
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    sim_send(lab, "v@loc.example", "u@far.example", "m1", 10); /* hq's domain */
    sim_run(s, 1000);
    assert_int_equal(sim_count(far, NULL, NULL), 0);
    assert_int_equal(sim_ledger(s, FED_OUTBOUND).accepted, 0);
    lab->addr.bytes[3] = 99;
    sim_send(lab, "w@lab.example", "u@far.example", "m2", 10);
    sim_run(s, 1000);
    assert_true(sim_logged(s, "conn_ended", "why=not_a_local_server"));
    assert_int_equal(sim_count(far, NULL, NULL), 0);
    sim_end_all(s);
}

/* What would make a local server close or go deaf never gets onto the trunk. */
static void vetted(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    char jid[1300], xml[3000];
    s->servers[0].max_stanza = 2000;
    sim_start(s);
    memset(jid, 'a', 1100);
    memcpy(jid + 1100, "@loc.example", sizeof "@loc.example");
    snprintf(xml, sizeof xml, "<message from='u@far.example' to='%s' id='long'/>", jid);
    sim_send_xml(far, "u@far.example", "v@loc.example", xml);
    sim_send(far, "u@far.example", "v@loc.example", "big", 2500);
    sim_send_xml(far, "u@far.example", "v@loc.example",
                 "<message from='u@far.example' to='v@LOC.example.' id='dot'/>");
    sim_send(far, "u@far.example", "v@loc.example", "good", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(sim_hq(s), NULL, NULL), 2);
    assert_string_equal(sim_find(sim_hq(s), "dot")->to, "v@loc.example");
    assert_non_null(strstr(sim_find(far, "long")->bytes, "<jid-malformed"));
    assert_non_null(strstr(sim_find(far, "big")->bytes, "<policy-violation"));
    assert_int_equal(sim_hq(s)->accepted, 1);
    assert_int_equal(sim_ledger(s, FED_INBOUND).bounced, 2);
    sim_end_all(s);
}

/* The local server denies a key at first (its names were not yet there): asked again, in time. */
static void trunk_pair_asked_again(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_hq(s)->prove = SIM_PROVE_ERROR;
    sim_hq(s)->prove_cond = "remote-server-timeout";
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_run(s, 3000);
    assert_int_equal(sim_count(sim_hq(s), NULL, NULL), 0);
    sim_hq(s)->prove = SIM_PROVE_VERIFY;
    sim_run(s, 10000);
    assert_int_equal(sim_count(sim_hq(s), "m1", NULL), 1);
    sim_end_all(s);
}

/* A flood of one remote delays another's stanza by no more than its share. */
/* rows: prac-fair */
static void flood_is_fair(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *flood = sim_remote(s, "flood.example", "192.0.2.10");
    sim_host *calm = sim_remote(s, "calm.example", "192.0.2.11");
    s->config.limits.link_out = 16384;
    sim_start(s);
    sim_send(flood, "u@flood.example", "v@loc.example", "warm", 10);
    sim_send(calm, "u@calm.example", "v@loc.example", "warm", 10);
    sim_run(s, 100);
    sim_hq(s)->stalled = true;
    for (int i = 0; i < 300; i++)
        sim_send(flood, "u@flood.example", "v@loc.example", "f", 1000);
    sim_settle(s);
    sim_send(calm, "u@calm.example", "v@loc.example", "c", 10);
    sim_settle(s);
    sim_hq(s)->stalled = false;
    sim_run(s, 1000);
    size_t before = 0;
    for (size_t i = 0; i < sim_hq(s)->n_got && strcmp(sim_hq(s)->got[i].id, "c") != 0; i++)
        before += strcmp(sim_hq(s)->got[i].id, "f") == 0 ? 1 : 0;
    assert_int_equal(sim_count(sim_hq(s), "c", NULL), 1);
    assert_int_equal(sim_count(sim_hq(s), "f", NULL), 300);
    assert_in_range(before, 50, 110); /* two kernels' buffers, the stream's output, one share */
    sim_end_all(s);
}

/* What an operator sees of a local server: not needed yet, up, killed, back. */
static void server_is_shown(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_server(s, "lab", "10.0.0.20", "lab.example");
    sim_start(s);
    fed_server_view v = sim_server_view(s, "hq");
    assert_string_equal(v.state, "idle");
    assert_string_equal(v.endpoint, "");
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_send(far, "u@far.example", "w@loc2.example", "m2", 10);
    sim_run(s, 1000);
    v = sim_server_view(s, "hq");
    assert_string_equal(v.state, "up");
    assert_string_equal(v.endpoint, "10.0.0.10:5269");
    assert_string_equal(v.why, "");
    assert_int_equal(v.pairs, 2);
    assert_int_equal(v.queued, 0);
    sim_hq(s)->unplugged = true;
    sim_send(far, "u@far.example", "v@loc.example", "m3", 10);
    sim_settle(s);
    v = sim_server_view(s, "hq");
    assert_string_equal(v.state, "up");
    assert_int_equal(v.queued, 1); /* in flight */
    assert_true(v.queued_bytes > 0);
    sim_kill(sim_hq(s));
    sim_send(far, "u@far.example", "v@loc.example", "m4", 10);
    sim_run(s, 3000);
    v = sim_server_view(s, "hq");
    assert_string_equal(v.state, "down");
    assert_string_equal(v.why, "tcp_refused");
    assert_in_range(v.backoff_ms, 1, 1000);
    assert_int_equal(v.pairs, 0);
    assert_int_equal(v.queued, 1); /* m3 is in doubt, and was bounced */
    sim_revive(sim_hq(s));
    sim_hq(s)->blackhole = true;
    sim_run(s, 1500);
    assert_string_equal(sim_server_view(s, "hq").state, "dialling");
    sim_hq(s)->blackhole = false;
    sim_run(s, 15000);
    v = sim_server_view(s, "hq");
    assert_string_equal(v.state, "up");
    assert_string_equal(v.why, "");
    assert_int_equal(v.pairs, 1);
    assert_int_equal(v.queued, 0);
    assert_string_equal(sim_server_view(s, "lab").state, "idle");
    sim_end_all(s);
}

/* It takes what is sent and answers nothing any more: two keys in a row had their time, and there is a new trunk. */
static void goes_deaf(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_host *new = sim_remote(s, "new.example", "192.0.2.11");
    s->config.limits.dialback_ms = 10000;
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_run(s, 1000);
    sim_deafen(sim_hq(s));
    sim_send(new, "u@new.example", "v@loc.example", "n1", 10);
    sim_run(s, 20000);
    sim_send(far, "u@far.example", "v@loc.example", "lost", 10); /* its kernel takes it */
    sim_settle(s);
    assert_int_equal(sim_hq(s)->accepted, 1);
    sim_run(s, 5000);
    assert_true(sim_logged(s, "conn_ended", "why=trunk_deaf"));
    assert_int_equal(sim_hq(s)->accepted, 2);
    assert_int_equal(sim_count(sim_hq(s), "n1", NULL), 1);
    sim_send(far, "u@far.example", "v@loc.example", "m2", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(sim_hq(s), "m2", NULL), 1);
    assert_int_equal(sim_count(sim_hq(s), "lost", NULL), 0);
    assert_string_equal(sim_server_view(s, "hq").state, "up");
    fed_ledger_view v = sim_ledger(s, FED_INBOUND);
    assert_int_equal(v.accepted, 4);
    assert_int_equal(v.written, 4);
    sim_end_all(s);
}

/* Keys may stay unanswered for ever: as long as others are answered, the trunk carries what is proved. */
static void answers_others(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far[REMOTES];
    char from[64];
    remotes(s, far);
    s->config.limits.dialback_ms = 10000;
    sim_start(s);
    for (int i = 1; i < 12; i++) {
        sim_hq(s)->prove = SIM_PROVE_MUTE;
        sim_send(far[0], "u@r0.example", "v@loc.example", "never", 10);
        sim_run(s, 5000);
        sim_hq(s)->prove = SIM_PROVE_VALID;
        snprintf(from, sizeof from, "u@r%d.example", i);
        sim_send(far[i], from, "v@loc2.example", "m", 10);
        sim_run(s, 1000);
        sim_hq(s)->prove = SIM_PROVE_MUTE;
        sim_run(s, 5000);
    }
    assert_true(sim_logged(s, "pair_refused", "why=dialback_timeout"));
    assert_int_equal(sim_hq(s)->accepted, 1);
    assert_int_equal(sim_count(sim_hq(s), "m", NULL), 11);
    sim_end_all(s);
}

/* It asks us about the keys, so it has read them, whatever keeps it from answering. */
static void asks_and_is_silent(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far[REMOTES];
    char from[64];
    remotes(s, far);
    s->config.limits.dialback_ms = 10000;
    sim_start(s);
    sim_send(far[0], "u@r0.example", "v@loc.example", "m", 10);
    sim_run(s, 1000);
    sim_hq(s)->prove = SIM_PROVE_ASKS;
    for (int i = 1; i < 12; i++) {
        snprintf(from, sizeof from, "u@r%d.example", i);
        sim_send(far[i], from, "v@loc.example", "n", 10);
        sim_run(s, 8000);
    }
    sim_send(far[0], "u@r0.example", "v@loc.example", "m", 10);
    sim_run(s, 1000);
    assert_true(sim_logged(s, "pair_refused", "why=dialback_timeout"));
    assert_int_equal(sim_hq(s)->accepted, 1);
    assert_int_equal(sim_count(sim_hq(s), "m", NULL), 2);
    assert_int_equal(sim_count(sim_hq(s), "n", NULL), 0);
    sim_end_all(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_remotes_one_connection),
        cmocka_unit_test(killed_and_back),
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(down_too_long),
        cmocka_unit_test(inside_multiplexed),
        cmocka_unit_test(loops_are_bounced),
        cmocka_unit_test(local_to_local),
        cmocka_unit_test(strangers_inside),
        cmocka_unit_test(vetted),
        cmocka_unit_test(trunk_pair_asked_again),
        cmocka_unit_test(flood_is_fair),
        cmocka_unit_test(server_is_shown),
        cmocka_unit_test(goes_deaf),
        cmocka_unit_test(answers_others),
        cmocka_unit_test(asks_and_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
