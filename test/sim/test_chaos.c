/* Everything at once, drawn from a seed: servers die, stall, lose power, close, lie, while stanzas go in all directions.
 * At every step the ledger is balanced; in the end nothing is left queued, nothing came twice or out of order, and what a
 * sender was never told about is among what was written. From seed BOTH_WAYS on connections may go both ways. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REMOTES = 6, LOCALS = 2, STEPS = 250, SEEDS = 12, BOTH_WAYS = 1000 };

typedef struct chaos {
    sim *s;
    sim_host *far[REMOTES];
    sim_host *ghost[REMOTES]; /* another address of the same name, where nobody speaks */
    uint64_t state;
    unsigned sent[2];
    unsigned next; /* of all stanzas */
} chaos;

static unsigned draw(chaos *c, unsigned below)
{
    c->state = c->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(c->state >> 33) % below;
}

static void haunt(chaos *c, sim_host *ghost)
{
    ghost->refuses = ghost->blackhole = ghost->silent = false;
    switch (draw(c, 3)) {
    case 0: ghost->refuses = true; break;
    case 1: ghost->blackhole = true; break;
    default: ghost->silent = true; break; /* answers, and says nothing */
    }
    ghost->slow = draw(c, 400);
}

/* Every second remote has an IPv6 address that is of no use, and every third speaks direct TLS. */
static void add_ways(chaos *c, int i)
{
    char name[32], addr[32], host[64];
    snprintf(name, sizeof name, "ghost%d.example", i);
    snprintf(addr, sizeof addr, "2001:db8::%d", 10 + i);
    snprintf(host, sizeof host, "xmpp.r%d.example", i);
    c->ghost[i] = sim_remote(c->s, name, addr);
    haunt(c, c->ghost[i]);
    if (i % 2 == 1) sim_add_addr(c->s, host, addr);
    c->far[i]->direct = c->far[i]->connects_direct = i % 3 == 2;
    snprintf(name, sizeof name, "r%d.example", i);
    if (c->far[i]->direct) sim_add_srv_direct(c->s, name, 0, SIM_DIRECT_PORT, host);
}

/* With stream management on every other host, or on all. */
static void manage(chaos *c, unsigned each)
{
    for (size_t i = 0; i < c->s->n_hosts; i += each)
        c->s->hosts[i]->sm = true;
}

static void make_bidi(chaos *c)
{
    sim_host *hq = sim_hq(c->s);
    c->s->policies[0].bidi = draw(c, 2) == 0 ? FED_BIDI_YES : FED_BIDI_CERTIFICATE;
    c->s->servers[0].bidi = hq->bidi = draw(c, 2) == 0;
    c->s->servers[0].tls = hq->tls = S2S_TLS_REQUIRED;
    for (int i = 0; i < REMOTES; i++)
        c->far[i]->bidi = draw(c, 4) != 0;
}

static void begin(chaos *c, uint64_t seed, fed_doubt doubt)
{
    char name[32], addr[32];
    *c = (chaos){.s = sim_new(), .state = seed};
    c->s->seed ^= seed * UINT64_C(0x2545F4914F6CDD1D);
    c->s->config.doubt = doubt;
    c->s->config.limits.link_out = 16384;
    c->s->config.limits.queue_pair = 200000;
    c->s->config.limits.idle_ms = 20000;
    c->s->config.limits.keepalive_ms = 7000;
    sim_hq(c->s)->one_conn = seed % 2 == 0;
    for (int i = 0; i < REMOTES; i++) {
        snprintf(name, sizeof name, "r%d.example", i);
        snprintf(addr, sizeof addr, "192.0.2.%d", 10 + i);
        c->far[i] = sim_remote(c->s, name, addr);
        c->far[i]->offers_external = i % 2 == 0;
        if (i % 3 == 0) c->far[i]->n_names = 0;
        c->far[i]->uses_external = c->far[i]->n_names > 0;
        c->far[i]->resume = (sim_resume)draw(c, SIM_RESUME_DISPROVES + 1);
        add_ways(c, i);
    }
    if (seed >= BOTH_WAYS) make_bidi(c);
    sim_start(c->s);
}

static void send_some(chaos *c, unsigned n)
{
    char remote[64], id[32];
    static const char *const ours[LOCALS] = {"v@loc.example", "w@loc2.example"};
    for (unsigned k = 0; k < n; k++) {
        unsigned i = draw(c, REMOTES);
        const char *local = ours[draw(c, LOCALS)];
        snprintf(remote, sizeof remote, "u@r%u.example", i);
        snprintf(id, sizeof id, "n%u", c->next++);
        if (draw(c, 2) == 0)
            sim_send(c->far[i], remote, local, id, draw(c, 3000));
        else
            sim_send(sim_hq(c->s), local, remote, id, draw(c, 3000));
    }
}

static void mischief(chaos *c)
{
    sim_host *h = draw(c, 4) == 0 ? sim_hq(c->s) : c->far[draw(c, REMOTES)];
    switch (draw(c, 26)) {
    case 0: sim_kill(h); break;
    case 1: sim_cut(h); break;
    case 2: sim_shut(h); break;
    case 3: h->stalled = true; break;
    case 4: h->unplugged = true; break;
    case 5: h->slams_external = !h->slams_external; break;
    case 6: h->prove = h->prove == SIM_PROVE_VERIFY ? SIM_PROVE_INVALID : SIM_PROVE_VERIFY; break;
    case 7: h->silent = !h->silent; break;
    case 8: h->blackhole = true; break;
    case 9: h->slow = draw(c, 600); break;
    case 10: haunt(c, c->ghost[draw(c, REMOTES)]); break;
    case 11: h->never_acks = !h->never_acks; break;
    default: sim_revive(h); break;
    }
}

static void heal(chaos *c)
{
    for (size_t i = 0; i < c->s->n_hosts; i++) {
        sim_host *h = c->s->hosts[i];
        sim_revive(h);
        h->slams_external = h->silent = h->never_acks = false;
        h->slow = 0;
        h->prove = SIM_PROVE_VERIFY;
    }
    for (int i = 0; i < REMOTES; i++)
        c->ghost[i]->blackhole = true;
    sim_run(c->s, 200000);
}

/* Each connection that was dialled has ended in one way, and said so once. Gives how many were outrun. */
static size_t check_dials(const sim *s)
{
    assert_int_equal(s->dials, sim_count_logged(s, "attempt_ended", "") +
                                   sim_count_logged(s, "conn_ended", "role=initiating"));
    return sim_count_logged(s, "attempt_ended", "why=outrun");
}

static unsigned number_of(const sim_stanza *st)
{
    return (unsigned)strtoul(st->id + 1, NULL, 10);
}

/* Neither an error, and of one pair. */
static bool same_way(const sim_stanza *a, const sim_stanza *b)
{
    if (strcmp(a->type, "error") == 0 || strcmp(b->type, "error") == 0) return false;
    return strcmp(a->from, b->from) == 0 && strcmp(a->to, b->to) == 0;
}

static bool came_before(const sim_host *h, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (same_way(&h->got[k], &h->got[i]) && number_of(&h->got[k]) == number_of(&h->got[i]))
            return true;
    return false;
}

/* Per pair, stanzas that are no errors come in the order in which they were sent; none comes twice, unless what is in
 * doubt is sent again: then the order is that in which each came first. */
static void check_host(const sim_host *h, bool twice)
{
    for (size_t i = 0; i < h->n_got; i++) {
        if (twice && came_before(h, i)) continue;
        for (size_t k = 0; k < i; k++)
            if (same_way(&h->got[k], &h->got[i]))
                assert_true(number_of(&h->got[k]) < number_of(&h->got[i]));
    }
}

/* An error is told at most once. */
static void check_errors(const sim_host *h)
{
    for (size_t i = 0; i < h->n_got; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(h->got[k].type, "error") == 0 && strcmp(h->got[i].type, "error") == 0)
                assert_int_not_equal(number_of(&h->got[k]), number_of(&h->got[i]));
}

static size_t arrived(const sim_host *h)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n_got; i++)
        n += strcmp(h->got[i].type, "error") != 0 ? 1 : 0;
    return n;
}

static size_t play(uint64_t seed, fed_doubt doubt, unsigned managed)
{
    chaos c;
    size_t out = 0, outrun;
    begin(&c, seed, doubt);
    if (managed > 0) manage(&c, managed);
    for (unsigned step = 0; step < STEPS; step++) {
        send_some(&c, draw(&c, 6));
        if (draw(&c, 5) == 0) mischief(&c);
        sim_run(c.s, draw(&c, 10) == 0 ? draw(&c, 5000) : draw(&c, 200));
        sim_check(c.s);
    }
    heal(&c);
    for (size_t i = 0; i < c.s->n_hosts; i++) {
        check_host(c.s->hosts[i], doubt == FED_DOUBT_RESEND || managed > 0);
        if (managed == 0) check_errors(c.s->hosts[i]); /* else one may be sent again */
    }
    for (int i = 0; i < REMOTES; i++)
        out += arrived(c.far[i]);
    fed_ledger_view v = sim_ledger(c.s, FED_OUTBOUND), w = sim_ledger(c.s, FED_INBOUND);
    assert_int_equal(v.queued + w.queued, 0);
    assert_true(v.accepted > 50 && w.accepted > 50);
    assert_true(out <= v.written + v.acked + v.in_doubt + v.resent);
    assert_true(arrived(sim_hq(c.s)) <= w.written + w.acked + w.in_doubt + w.resent);
    if (managed == 1) assert_true(v.acked + w.acked > 50); /* not all: EXTERNAL may fail */
    if (managed == 1) assert_true(out >= v.acked);         /* and what was acked has been read */
    assert_int_equal(sim_open_conns(c.s), 0);              /* idle ones close */
    outrun = check_dials(c.s);
    sim_end_all(c.s);
    return outrun;
}

static void doubt_bounced(void **state)
{
    (void)state;
    size_t outrun = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        outrun += play(seed, FED_DOUBT_BOUNCE, 0);
    assert_true(outrun > 0);
}

static void doubt_resent(void **state)
{
    (void)state;
    size_t outrun = 0;
    for (uint64_t seed = 100; seed < 100 + SEEDS; seed++)
        outrun += play(seed, FED_DOUBT_RESEND, 0);
    assert_true(outrun > 0);
}

static void managed(void **state)
{
    (void)state;
    for (uint64_t seed = 300; seed < 300 + SEEDS; seed++) {
        play(seed, FED_DOUBT_BOUNCE, 1);
        play(seed + SEEDS, FED_DOUBT_BOUNCE, 2);
    }
}

static void both_ways(void **state)
{
    (void)state;
    for (uint64_t seed = BOTH_WAYS; seed < BOTH_WAYS + SEEDS; seed++)
        play(seed, FED_DOUBT_BOUNCE, (unsigned)(seed % 3));
    for (uint64_t seed = BOTH_WAYS + 100; seed < BOTH_WAYS + 100 + SEEDS; seed++)
        play(seed, FED_DOUBT_RESEND, 0);
}

/* Stopped in the middle of it all: it always comes to an end, and each stanza has its fate. */
static void stopped(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 2 * SEEDS; n++) {
        chaos c;
        begin(&c, n < SEEDS ? 200 + n : BOTH_WAYS + 200 + n, FED_DOUBT_BOUNCE);
        if (n % 2 == 0) manage(&c, 1);
        for (unsigned step = 0; step < 60; step++) {
            send_some(&c, draw(&c, 6));
            if (draw(&c, 4) == 0) mischief(&c);
            sim_run(c.s, draw(&c, 200));
        }
        fed_drain(c.s->fed, 3000);
        for (unsigned step = 0; step < 20; step++) {
            send_some(&c, 2);
            sim_run(c.s, 1000);
            sim_check(c.s);
        }
        assert_true(fed_drained(c.s->fed));
        assert_int_equal(sim_ledger(c.s, FED_OUTBOUND).queued + sim_ledger(c.s, FED_INBOUND).queued,
                         0);
        sim_end_all(c.s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubt_bounced), cmocka_unit_test(doubt_resent), cmocka_unit_test(managed),
        cmocka_unit_test(both_ways),     cmocka_unit_test(stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
