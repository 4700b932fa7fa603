/* Several endpoints at a time (RFC 8305, XEP-0495): which is dialled when, who wins, what becomes of the others; and that
 * nobody can make us knock at many doors at once. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

#include "fed/types.h"

/* far.example with an IPv6 address too, where `six` stands. */
static sim_host *far_of_two(sim *s, sim_host **six)
{
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    *six = sim_remote(s, "six.example", "2001:db8::10");
    (*six)->domains[(*six)->n_domains++] = (*six)->names[(*six)->n_names++] = far->domain;
    sim_add_addr(s, "xmpp.far.example", "2001:db8::10");
    return far;
}

/* Another endpoint of a domain that `h` serves. */
static void add_endpoint(sim *s, const char *domain, unsigned priority, sim_host *h)
{
    char name[300];
    snprintf(name, sizeof name, "xmpp.%s", h->domain.text);
    sim_add_srv(s, domain, priority, 5269, name);
    h->domains[h->n_domains++] = h->names[h->n_names++] = sim_domain(domain);
}

static void write_to(sim *s, const char *domain, const char *id)
{
    char to[300];
    snprintf(to, sizeof to, "u@%s", domain);
    sim_send(sim_hq(s), "v@loc.example/r", to, id, 10);
}

/* The n-th outside dial was that one, so many ms after the first. */
static void dial_is(const sim *s, size_t n, const char *endpoint, uint64_t after)
{
    assert_true(n < s->n_dialled);
    assert_string_equal(s->dialled[n].endpoint, endpoint);
    assert_int_equal(s->dialled[n].at - s->dialled[0].at, after);
}

/* Whatever was dialled and is over said why, once. */
static void each_has_one_why(const sim *s, size_t still_open)
{
    size_t ended = sim_count_logged(s, "attempt_ended", "domain=") +
                   sim_count_logged(s, "conn_ended", "side=outside role=initiating");
    assert_int_equal(s->n_dialled, ended + still_open);
    assert_int_equal(s->fed->racing, 0);
}

/* ---- RFC 8305 ---- */

static void refused_first_address(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *six, *far = far_of_two(s, &six);
    six->refuses = true;
    sim_start(s);
    write_to(s, "far.example", "m1");
    sim_run(s, 100);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    assert_int_equal(s->n_dialled, 2);
    dial_is(s, 0, "[2001:db8::10]:5269", 0);
    dial_is(s, 1, "192.0.2.10:5269", 0); /* a failure is not waited for */
    assert_int_equal(sim_count_logged(s, "attempt_ended", "why=tcp_refused"), 1);
    each_has_one_why(s, 1);
    sim_end_all(s);
}

/* Attack 142: IPv6 leads nowhere. */
static void blackholed_family(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *six, *far = far_of_two(s, &six);
    six->blackhole = true;
    sim_start(s);
    write_to(s, "far.example", "m1");
    sim_run(s, 249);
    assert_int_equal(s->n_dialled, 1);
    sim_run(s, 50);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    dial_is(s, 0, "[2001:db8::10]:5269", 0);
    dial_is(s, 1, "192.0.2.10:5269", 250);
    assert_int_equal(
        sim_count_logged(s, "attempt_ended", "endpoint=[2001:db8::10]:5269 why=outrun stage=tcp"),
        1);
    each_has_one_why(s, 1);
    assert_int_equal(sim_conns(six, S2S_RECEIVING), 0);
    assert_string_equal(sim_target(s, "far.example").endpoint, "192.0.2.10:5269");
    sim_run(s, 60000);
    assert_int_equal(s->n_dialled, 2); /* and that is that */
    sim_end_all(s);
}

static void slow_but_in_time(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *six, *far = far_of_two(s, &six);
    six->slow = 200;
    sim_start(s);
    write_to(s, "far.example", "m1");
    sim_run(s, 1000);
    assert_int_equal(sim_count(six, "m1", NULL), 1);
    assert_int_equal(far->accepted, 0);
    assert_int_equal(s->n_dialled, 1);
    sim_end_all(s);
}

/* Both on their way: whoever answers first is taken, the other is let go. */
static void the_first_answer_wins(void **state)
{
    (void)state;
    for (int later = 0; later < 2; later++) {
        sim *s = sim_new();
        sim_host *six, *far = far_of_two(s, &six);
        six->slow = 400;
        far->slow = later == 1 ? 200 : 100; /* at 450 or 350 */
        sim_start(s);
        write_to(s, "far.example", "m1");
        sim_run(s, 2000);
        assert_int_equal(sim_count(later == 1 ? six : far, "m1", NULL), 1);
        assert_int_equal(sim_count(later == 1 ? far : six, "m1", NULL), 0);
        assert_int_equal(s->n_dialled, 2);
        assert_int_equal(sim_count_logged(s, "attempt_ended", "why=outrun"), 1);
        each_has_one_why(s, 1);
        sim_end_all(s);
    }
}

/* What won is no XMPP server: the one that was let go gets its turn. */
static void the_winner_may_fail(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *six, *far = far_of_two(s, &six);
    six->slow = 300;
    far->trust = S2S_E_CERT_EXPIRED;
    s->policies[0].proofs = FED_PROOF_CERTIFICATE;
    sim_start(s);
    write_to(s, "far.example", "m1");
    sim_run(s, 2000);
    assert_int_equal(sim_count(six, "m1", NULL), 1);
    dial_is(s, 0, "[2001:db8::10]:5269", 0);
    dial_is(s, 1, "192.0.2.10:5269", 250);
    dial_is(s, 2, "[2001:db8::10]:5269", 250);
    assert_int_equal(s->n_dialled, 3);
    assert_int_equal(sim_count_logged(s, "attempt_ended", "why=cert_expired"), 1);
    each_has_one_why(s, 1);
    sim_end_all(s);
}

/* A winner that says nothing has the header's time, and then the plan goes on. */
static void a_mute_winner(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *six, *far = far_of_two(s, &six);
    six->silent = true;
    sim_start(s);
    write_to(s, "far.example", "m1");
    sim_run(s, 9900);
    assert_int_equal(s->n_dialled, 1);
    sim_run(s, 200);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    assert_int_equal(sim_count_logged(s, "attempt_ended", "why=head_timeout"), 1);
    each_has_one_why(s, 1);
    sim_end_all(s);
}

/* Under direct TLS an answer is TLS, not TCP. */
static void direct_tls_that_hangs(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_host *hung = sim_remote(s, "hung.example", "192.0.2.11");
    hung->direct = hung->stalled = true;
    sim_add_srv_direct(s, "two.example", 0, SIM_DIRECT_PORT, "xmpp.hung.example");
    sim_weigh(s, 65535); /* first */
    add_endpoint(s, "two.example", 0, far);
    sim_start(s);
    write_to(s, "two.example", "m1");
    sim_run(s, 300);
    assert_int_equal(sim_count(far, "m1", NULL), 1);
    dial_is(s, 0, "192.0.2.11:5270", 0);
    dial_is(s, 1, "192.0.2.10:5269", 250);
    assert_int_equal(sim_count_logged(s, "attempt_ended", "tls=direct why=outrun"), 1);
    each_has_one_why(s, 1);
    sim_end_all(s);
}

static void direct_tls_that_hangs_alone(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *hung = sim_remote(s, "hung.example", "192.0.2.11");
    hung->direct = hung->stalled = true;
    sim_add_srv_direct(s, "two.example", 0, SIM_DIRECT_PORT, "xmpp.hung.example");
    sim_start(s);
    write_to(s, "two.example", "m1");
    sim_run(s, 10100);
    assert_int_equal(sim_count_logged(s, "attempt_ended", "tls=direct why=head_timeout"), 1);
    sim_run(s, 30000);
    assert_int_equal(sim_count(sim_hq(s), "m1", "error"), 1);
    sim_end_all(s);
}

/* ---- everything is dead ---- */

enum { DEAD = 8 };

static void add_dead(sim *s, sim_host *dead[DEAD], unsigned same_priority)
{
    char name[32], addr[32];
    for (unsigned i = 0; i < DEAD; i++) {
        snprintf(name, sizeof name, "dead%u.example", i);
        snprintf(addr, sizeof addr, "192.0.2.%u", 20 + i);
        dead[i] = sim_remote(s, name, addr);
        add_endpoint(s, "gone.example", same_priority ? 0 : i, dead[i]);
    }
}

static void all_refuse(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *dead[DEAD];
    add_dead(s, dead, 1);
    for (int i = 0; i < DEAD; i++)
        dead[i]->refuses = true;
    sim_start(s);
    write_to(s, "gone.example", "m1");
    sim_run(s, 10);
    assert_int_equal(s->n_dialled, DEAD);
    assert_int_equal(s->dialling_most, 1);
    assert_int_equal(sim_count_logged(s, "attempt_ended", "why=tcp_refused"), DEAD);
    each_has_one_why(s, 0);
    assert_string_equal(sim_target(s, "gone.example").state, "backoff");
    sim_end_all(s);
}

/* Three at a time, each for its ten seconds; the stanza is told in its own time, and the last failure names itself. */
static void all_are_black_holes(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *dead[DEAD];
    add_dead(s, dead, 1);
    for (int i = 0; i < DEAD; i++)
        dead[i]->blackhole = true;
    s->config.limits.queue_ms = 120000;
    s->config.limits.backoff_max_ms = s->config.limits.backoff_first_ms = 100000; /* one plan */
    sim_start(s);
    write_to(s, "gone.example", "m1");
    sim_run(s, 9000);
    assert_int_equal(s->n_dialled, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(s->dialled[i].at - s->dialled[0].at, 250 * i);
    sim_run(s, 1100);
    assert_int_equal(s->n_dialled, 4); /* in the place of the first */
    sim_run(s, 21000);
    assert_int_equal(s->n_dialled, DEAD);
    assert_int_equal(s->dialling_most, 3);
    assert_int_equal(sim_count_logged(s, "attempt_ended", "why=tcp_timeout"), DEAD);
    each_has_one_why(s, 0);
    sim_end_all(s);
}

static void the_plan_has_a_deadline(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *dead[DEAD];
    add_dead(s, dead, 1);
    for (int i = 0; i < DEAD; i++)
        dead[i]->blackhole = true;
    s->config.limits.plan_ms = 5000;
    s->config.limits.backoff_first_ms = 60000;
    sim_start(s);
    write_to(s, "gone.example", "m1");
    sim_run(s, 5010);
    assert_int_equal(s->n_dialled, 3);
    assert_int_equal(sim_count_logged(s, "attempt_ended", "why=tcp_timeout"), 3);
    each_has_one_why(s, 0);
    assert_string_equal(sim_target(s, "gone.example").why, "tcp_timeout");
    sim_end_all(s);
}

/* XEP-0495, RFC 2782: the next priority only when this one has failed, however long that takes. */
static void priorities_one_after_another(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *dead[DEAD];
    add_dead(s, dead, 0);
    dead[0]->blackhole = dead[1]->refuses = true;
    sim_start(s);
    write_to(s, "gone.example", "m1");
    sim_run(s, 9900);
    assert_int_equal(s->n_dialled, 1);
    sim_run(s, 200);
    assert_int_equal(sim_count(dead[2], "m1", NULL), 1);
    dial_is(s, 1, "192.0.2.21:5269", 10000);
    dial_is(s, 2, "192.0.2.22:5269", 10000);
    each_has_one_why(s, 1);
    sim_end_all(s);
}

/* ---- nobody makes us knock at many doors (attacks 134, 126) ---- */

static void a_long_list(void **state)
{
    (void)state;
    sim *s = sim_new();
    char target[64], addr[32];
    for (unsigned t = 0; t < 40; t++) {
        snprintf(target, sizeof target, "t%u.evil.example", t);
        sim_add_srv(s, "evil.example", 0, 5269, target);
        for (unsigned a = 0; a < 10; a++) {
            snprintf(addr, sizeof addr, "2001:db8:%u::%u", t + 1, a + 1);
            sim_add_addr(s, target, addr);
        }
    }
    for (unsigned i = 0; i < 40; i++) { /* the first of each name is a machine, dead */
        char name[32];
        snprintf(name, sizeof name, "victim%u.example", i);
        snprintf(addr, sizeof addr, "2001:db8:%u::1", i + 1);
        sim_remote(s, name, addr)->blackhole = true;
    }
    s->config.limits.queue_ms = 300000;
    s->config.limits.backoff_max_ms = s->config.limits.backoff_first_ms = 300000; /* one plan */
    sim_start(s);
    write_to(s, "evil.example", "m1");
    sim_run(s, 59000);
    assert_true(s->n_dialled <= 40); /* 10 names, 4 addresses each */
    assert_in_range(s->dialling_most, 2, 3);
    assert_true(s->asked <= 12);
    sim_end_all(s);
}

enum { DOMAINS = 50 };

/* Many such domains at once: what is tried beside the first of each is bounded in all. */
static void many_long_lists(void **state)
{
    (void)state;
    for (int bounded = 0; bounded < 2; bounded++) {
        sim *s = sim_new();
        char name[32], addr[32];
        for (unsigned i = 0; i < DOMAINS; i++) {
            snprintf(addr, sizeof addr, "192.0.2.%u", 20 + i);
            snprintf(name, sizeof name, "dead%u.example", i);
            sim_remote(s, name, addr)->blackhole = true;
        }
        for (unsigned i = 0; i < DOMAINS; i++)
            for (unsigned k = 0; k < 4; k++) {
                char domain[32], target[64];
                snprintf(domain, sizeof domain, "evil%u.example", i);
                snprintf(target, sizeof target, "xmpp.dead%u.example", (i + k) % DOMAINS);
                sim_add_srv(s, domain, 0, 5269, target);
            }
        if (bounded == 1) s->config.limits.attempts_in_all = 10;
        sim_start(s);
        for (unsigned i = 0; i < DOMAINS; i++) {
            snprintf(name, sizeof name, "evil%u.example", i);
            write_to(s, name, "m");
        }
        sim_run(s, 5000);
        if (bounded == 1)
            assert_int_equal(s->dialling_most, DOMAINS);
        else
            assert_int_equal(s->dialling_most, 3 * DOMAINS);
        sim_run(s, 200000);
        each_has_one_why(s, 0);
        sim_end_all(s);
    }
}

/* A server that takes and drops each connection at once, and beside it an address that is slow: that one is not dialled
 * again for each drop. */
static void the_slow_one_is_not_hammered(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *six, *far = far_of_two(s, &six);
    char name[32], addr[32];
    six->blackhole = true;
    far->trust = S2S_E_CERT_EXPIRED;
    s->policies[0].proofs = FED_PROOF_CERTIFICATE;
    for (unsigned i = 0; i < 8; i++) { /* more of the kind that drops */
        snprintf(name, sizeof name, "drop%u.example", i);
        snprintf(addr, sizeof addr, "192.0.2.%u", 30 + i);
        sim_host *h = sim_remote(s, name, addr);
        h->trust = S2S_E_CERT_EXPIRED;
        add_endpoint(s, "far.example", 0, h);
    }
    s->config.limits.backoff_first_ms = 60000;
    sim_start(s);
    write_to(s, "far.example", "m1");
    sim_run(s, 40000);
    size_t slow = 0;
    for (size_t i = 0; i < s->n_dialled; i++)
        slow += strcmp(s->dialled[i].endpoint, "[2001:db8::10]:5269") == 0 ? 1 : 0;
    assert_in_range(slow, 1, 2);
    each_has_one_why(s, 0);
    sim_end_all(s);
}

/* ---- ends in mid-race ---- */

static void nobody_needs_it_any_more(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *six, *far = far_of_two(s, &six);
    six->blackhole = far->blackhole = true;
    s->config.limits.queue_ms = 1000;
    sim_start(s);
    write_to(s, "far.example", "m1");
    sim_run(s, 500);
    assert_int_equal(s->n_dialled, 2);
    assert_int_equal(s->fed->racing, 2);
    sim_run(s, 30000);
    assert_int_equal(sim_count(sim_hq(s), "m1", "error"), 1);
    each_has_one_why(s, 0);
    sim_end_all(s);
}

static void stopped_in_mid_race(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *six, *far = far_of_two(s, &six);
    six->blackhole = far->blackhole = true;
    sim_start(s);
    write_to(s, "far.example", "m1");
    sim_run(s, 500);
    fed_drain(s->fed, 1000);
    sim_run(s, 20000);
    assert_true(fed_drained(s->fed));
    assert_int_equal(sim_count(sim_hq(s), "m1", "error"), 1);
    each_has_one_why(s, 0);
    sim_end_all(s);
}

static void freed_in_mid_race(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *six, *far = far_of_two(s, &six);
    six->blackhole = far->blackhole = true;
    sim_start(s);
    write_to(s, "far.example", "m1");
    sim_run(s, 500);
    assert_int_equal(s->fed->racing, 2);
    sim_end_all(s); /* asserts, and what a sanitizer says */
}

/* A lookup of the same priority was under way when one won and failed: its answer is still used. */
static void an_answer_that_comes_late(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *bad = sim_remote(s, "bad.example", "192.0.2.11");
    sim_host *good = sim_remote(s, "good.example", "192.0.2.12");
    bad->slow = 300;
    bad->trust = S2S_E_CERT_EXPIRED;
    s->policies[0].proofs = FED_PROOF_CERTIFICATE;
    sim_add_srv(s, "two.example", 0, 5269, "xmpp.bad.example");
    sim_weigh(s, 65535); /* first */
    add_endpoint(s, "two.example", 0, good);
    sim_start(s);
    write_to(s, "two.example", "m1");
    sim_settle(s);
    assert_int_equal(s->n_dialled, 1);
    s->no_dns = true;
    sim_run(s, 400); /* at 250 the other name is asked for; at 300 the first wins, and fails */
    assert_int_equal(s->n_dialled, 1);
    assert_string_equal(sim_target(s, "two.example").state, "resolving");
    s->no_dns = false;
    sim_run(s, 100);
    assert_int_equal(sim_count(good, "m1", NULL), 1);
    each_has_one_why(s, 1);
    sim_end_all(s);
}

/* Inside the order of the settings holds: the second address is for when the first is down. */
static void local_servers_one_after_another(void **state)
{
    (void)state;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_host *spare = sim_server(s, "spare", "10.0.0.20", "loc3.example");
    fed_addr both[2] = {s->server_addr[0], spare->addr};
    sim_serve(spare, "loc.example");
    s->servers[0].addr = both;
    s->servers[0].n_addr = 2;
    sim_hq(s)->blackhole = true;
    sim_start(s);
    sim_send(far, "u@far.example", "v@loc.example", "m1", 10);
    sim_run(s, 9900);
    assert_int_equal(spare->accepted, 0);
    sim_run(s, 200);
    assert_int_equal(spare->accepted, 1);
    sim_end_all(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_first_address),
        cmocka_unit_test(blackholed_family),
        cmocka_unit_test(slow_but_in_time),
        cmocka_unit_test(the_first_answer_wins),
        cmocka_unit_test(the_winner_may_fail),
        cmocka_unit_test(a_mute_winner),
        cmocka_unit_test(direct_tls_that_hangs),
        cmocka_unit_test(direct_tls_that_hangs_alone),
        cmocka_unit_test(all_refuse),
        cmocka_unit_test(all_are_black_holes),
        cmocka_unit_test(the_plan_has_a_deadline),
        cmocka_unit_test(priorities_one_after_another),
        cmocka_unit_test(a_long_list),
        cmocka_unit_test(many_long_lists),
        cmocka_unit_test(the_slow_one_is_not_hammered),
        cmocka_unit_test(nobody_needs_it_any_more),
        cmocka_unit_test(stopped_in_mid_race),
        cmocka_unit_test(freed_in_mid_race),
        cmocka_unit_test(an_answer_that_comes_late),
        cmocka_unit_test(local_servers_one_after_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
