/* Strangers: how many, how long, how much; and keys whose server cannot be asked. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

static void without_certificate(sim_host *h)
{
    h->uses_external = false;
    h->n_names = 0;
}

/* Attack 148: header and error for a while, then reset; another address is served. */
static void too_many_from_one_address(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_host *other = sim_remote(s, "other.example", "192.0.2.11");
    s->config.limits.conns_per_address = 3;
    sim_start(s);
    for (int i = 0; i < 3; i++)
        sim_open(far, "far.example", "loc.example");
    sim_settle(s);
    assert_int_equal(sim_open_conns(s), 3);
    for (int i = 0; i < 25; i++)
        sim_open(far, "far.example", "loc.example");
    sim_settle(s);
    assert_int_equal(sim_open_conns(s), 3);
    size_t told = 0, reset = 0;
    for (size_t i = 0; i < s->n_logs; i++) {
        told += strstr(s->logs[i], "conn_ended") && strstr(s->logs[i], "why=too_many_connections")
                    ? 1
                    : 0;
        reset += strstr(s->logs[i], "conn_refused") ? 1 : 0;
    }
    assert_int_equal(told, 10);
    assert_int_equal(reset, 15);
    sim_send(other, "u@other.example", "v@loc.example", "m1", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_count(sim_hq(s), "m1", NULL), 1);
    sim_end_all(s);
}

static void one_network_is_one_address(void **state)
{
    (void)state;
    sim *s = sim_new();
    fed_addr a = {
        .family = 6, .bytes = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9}, .port = 1};
    fed_addr b = a;
    int handle = 0;
    s->config.limits.conns_per_address = 1;
    s->config.limits.refusals_per_second = 0;
    sim_start(s);
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->addr = a;
    sim_open(far, "far.example", "loc.example");
    b.bytes[15] = 1;
    assert_null(fed_on_accept(s->fed, FED_OUTSIDE, false, &b, &handle)); /* the same /64 */
    b.bytes[7] = 2;
    far->addr = b;
    sim_open(far, "far.example", "loc.example");
    sim_settle(s);
    assert_int_equal(sim_open_conns(s), 2);
    sim_end_all(s);
}

static void too_many_in_all(void **state)
{
    (void)state;
    sim *s = sim_new();
    char addr[32], name[32];
    s->config.limits.conns_outside = 5;
    s->config.limits.refusals_per_second = 2;
    sim_start(s);
    for (int i = 0; i < 10; i++) {
        snprintf(addr, sizeof addr, "192.0.2.%d", 10 + i);
        snprintf(name, sizeof name, "r%d.example", i);
        sim_open(sim_remote(s, name, addr), name, "loc.example");
    }
    sim_settle(s);
    assert_int_equal(sim_open_conns(s), 5);
    assert_true(sim_logged(s, "conn_refused", "why=too_many_connections"));
    sim_end_all(s);
}

/* Attack 146, 147, 11: no byte, or no proof. */
static void strangers_have_their_time(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    sim_open(far, "far.example", "loc.example"); /* gets as far as TLS and features, then nothing */
    sim_run(s, 9000);
    assert_int_equal(sim_open_conns(s), 1);
    sim_host *dumb = sim_remote(s, "dumb.example", "192.0.2.11");
    dumb->unplugged = true;
    sim_open(dumb, "dumb.example",
             "loc.example"); /* its header never arrives, nor does our error get away */
    sim_run(s, 9900);
    assert_int_equal(sim_open_conns(s), 2);
    sim_run(s, 200);
    assert_true(sim_logged(s, "conn_ended", "peer=192.0.2.11:") &&
                sim_logged(s, "conn_ended", "why=head_timeout"));
    sim_run(s, 10500);
    assert_int_equal(sim_open_conns(s), 1); /* 29.6 s after it was accepted */
    sim_run(s, 1000);
    assert_int_equal(sim_open_conns(s), 0);
    assert_true(sim_logged(s, "conn_ended", "why=negotiation_timeout"));
    sim_end_all(s);
}

/* Attack 97: sixteen questions at a time, the rest is told that there is no room. */
/* rows: prac-db-limit */
static void open_checks_are_few(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    char from[64];
    without_certificate(far);
    far->one_conn = true;
    sim_start(s);
    for (int i = 0; i < 40; i++) {
        snprintf(from, sizeof from, "u@d%d.example", i);
        sim_zone_fails(s, from + 2);
        sim_send(far, from, "v@loc.example", "m", 10);
    }
    sim_settle_without_dns(s);
    assert_int_equal(s->zone.n_questions, 16);
    sim_run(s, 1000);
    assert_int_equal(sim_ledger(s, FED_INBOUND).accepted, 0);
    sim_end_all(s);
}

static unsigned cond_count(const sim *s, const char *cond)
{
    unsigned n = 0;
    for (size_t i = 0; i < s->n_logs; i++)
        n += strncmp(s->logs[i], "check_ended ", 12) == 0 && strstr(s->logs[i], cond) != NULL ? 1
                                                                                              : 0;
    return n;
}

/* Attack 96: each way not to be able to ask has its own answer; the stream stays. */
/* rows: X0220-2.5-a X0220-2.5-b */
static void unreachable_authority(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_host *mute = sim_remote(s, "mute.example", "192.0.2.11");
    sim_host *dead = sim_remote(s, "dead.example", "192.0.2.12");
    sim_host *clear = sim_remote(s, "clear.example", "192.0.2.13");
    sim_host *wrong = sim_remote(s, "wrong.example", "192.0.2.14");
    without_certificate(far);
    far->one_conn = true;
    mute->silent = true;
    dead->refuses = true;
    clear->tls = S2S_TLS_NONE;
    wrong->n_domains = 0; /* does not know its own name */
    sim_zone_fails(s, "fail.example");
    sim_add_srv(s, "none.example", 0, 5269, ".");
    sim_add_srv(s, "self.example", 0, 5269, "self.example");
    sim_add_addr(s, "self.example", "127.0.0.1");
    sim_start(s);
    const char *const froms[] = {"u@gone.example",  "u@none.example", "u@fail.example",
                                 "u@self.example",  "u@mute.example", "u@dead.example",
                                 "u@clear.example", "u@wrong.example"};
    for (size_t i = 0; i < sizeof froms / sizeof froms[0]; i++)
        sim_send(far, froms[i], "v@loc.example", "m", 10);
    sim_run(s, 29500);
    assert_int_equal(
        cond_count(
            s, "from=gone.example to=loc.example verdict=error condition=remote-server-not-found"),
        1);
    assert_int_equal(
        cond_count(
            s, "from=none.example to=loc.example verdict=error condition=remote-server-not-found"),
        1);
    assert_int_equal(
        cond_count(
            s, "from=fail.example to=loc.example verdict=error condition=remote-server-timeout"),
        1);
    assert_int_equal(
        cond_count(
            s, "from=self.example to=loc.example verdict=error condition=remote-connection-failed"),
        1);
    assert_int_equal(
        cond_count(
            s, "from=mute.example to=loc.example verdict=error condition=remote-server-timeout"),
        1);
    assert_int_equal(
        cond_count(
            s, "from=dead.example to=loc.example verdict=error condition=remote-connection-failed"),
        1);
    assert_int_equal(
        cond_count(s, "from=clear.example to=loc.example verdict=error condition=policy-violation"),
        1);
    assert_int_equal(
        cond_count(
            s, "from=wrong.example to=loc.example verdict=error condition=remote-server-not-found"),
        1);
    assert_int_equal(sim_conns(far, S2S_INITIATING), 1);
    sim_end_all(s);
}

/* Whoever brought the key has gone before the answer came: nothing happens. */
static void asker_gone(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_host *evil = sim_remote(s, "evil.example", "192.0.2.66");
    without_certificate(evil);
    far->hides = true; /* does not answer */
    sim_start(s);
    sim_send(evil, "u@far.example", "v@loc.example", "m1", 10);
    sim_run(s, 1000);
    assert_int_equal(sim_conns(far, S2S_RECEIVING), 1);
    sim_cut(evil);
    sim_run(s, 1000);
    assert_int_equal(sim_conns(far, S2S_RECEIVING), 0); /* nobody needs it any more */
    assert_int_equal(sim_count(sim_hq(s), NULL, NULL), 0);
    sim_end_all(s);
}

/* Questions go out although the domain is being left alone for its failures. */
static void checks_ignore_backoff(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    without_certificate(far);
    s->config.limits.backoff_first_ms = 20000;
    far->refuses = true;
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "m1", 10);
    sim_run(s, 10);
    assert_string_equal(sim_target(s, "far.example").state, "backoff");
    far->refuses = false;
    sim_send(far, "u@far.example", "v@loc.example", "m2", 10);
    sim_run(s, 100);
    assert_int_equal(sim_count(sim_hq(s), "m2", NULL), 1);
    assert_int_equal(sim_count(far, "m1", NULL), 1); /* it took the same way */
    sim_end_all(s);
}

/* Attack 110: so many bytes a second, nothing is lost. */
/* rows: R6120-13.12-6 */
static void rate_is_held(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    s->policies[0].rate = 10000;
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "warm", 10);
    sim_run(s, 1000);
    for (int i = 0; i < 100; i++)
        sim_send(far, "u@far.example", "v@loc.example", "m", 1000);
    sim_run(s, 4000);
    assert_in_range(sim_count(sim_hq(s), "m", NULL), 20, 70);
    sim_run(s, 10000);
    assert_int_equal(sim_count(sim_hq(s), "m", NULL), 100);
    sim_end_all(s);
}

/* Attack 41: half a stanza has a minute. */
static void half_a_stanza(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_run(s, 100);
    sim_send_xml(far, "u@far.example", "v@loc.example",
                 "<message from='u@far.example' to='v@loc.example'><body>");
    sim_run(s, 59000);
    assert_int_equal(sim_conns(far, S2S_INITIATING), 1);
    sim_run(s, 2000);
    assert_int_equal(sim_conns(far, S2S_INITIATING), 0);
    assert_true(sim_logged(s, "conn_ended", "why=stanza_timeout"));
    sim_end_all(s);
}

/* A peer that does not read is given up, and what it has not taken goes another way. */
/* rows: prac-slow-read */
static void peer_does_not_read(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_start(s);
    sim_send(sim_hq(s), "v@loc.example", "u@far.example", "warm", 10);
    sim_run(s, 100);
    far->stalled = true;
    for (int i = 0; i < 200; i++)
        sim_send(sim_hq(s), "v@loc.example", "u@far.example", "m", 1000);
    sim_run(s, 65000);
    assert_true(sim_logged(s, "conn_ended", "why=send_timeout"));
    fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
    assert_int_equal(v.accepted, 201);
    assert_int_equal(v.queued, 0);
    sim_end_all(s);
}

/* Attack 141: so many lookups at a time; all are answered. */
static void lookups_are_few(void **state)
{
    (void)state;
    sim *s = sim_new();
    char to[64];
    s->config.limits.dns_in_flight = 5;
    sim_hq(s)->one_conn = true;
    sim_start(s);
    for (int i = 0; i < 200; i++) {
        snprintf(to, sizeof to, "u@no%d.example", i);
        sim_send(sim_hq(s), "v@loc.example/r", to, "m", 10);
    }
    sim_settle_without_dns(s);
    assert_int_equal(s->zone.n_questions, 5);
    sim_run(s, 100);
    assert_int_equal(sim_count(sim_hq(s), "m", "error"), 200);
    sim_end_all(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_many_from_one_address),
        cmocka_unit_test(one_network_is_one_address),
        cmocka_unit_test(too_many_in_all),
        cmocka_unit_test(strangers_have_their_time),
        cmocka_unit_test(open_checks_are_few),
        cmocka_unit_test(unreachable_authority),
        cmocka_unit_test(asker_gone),
        cmocka_unit_test(checks_ignore_backoff),
        cmocka_unit_test(rate_is_held),
        cmocka_unit_test(half_a_stanza),
        cmocka_unit_test(peer_does_not_read),
        cmocka_unit_test(lookups_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
