/* 10,000 numbered stanzas, and in the middle of them a link or a server dies: on legs with stream management (XEP-0198) and on
 * legs without it. The figures are printed; what may be in doubt, come twice or be lost is bounded. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum {
    COUNT = 10000,
    STEP = 50,
    STALL = 3300, /* then the one that is struck reads no more, */
    STRIKE = 3500,
    WELL = 5000,
    WINDOW = 1000 /* a peer with stream management owes no more */
};

typedef void (*blow)(sim_host *h);

typedef struct burst {
    const char *title;
    bool outward; /* from the local server to the remote */
    bool of_far;  /* who is struck */
    bool managed; /* the leg that is struck */
    blow strike;
} burst;

/* What has become of the numbers, at both ends. */
typedef struct outcome {
    bool came[COUNT], told[COUNT];
    unsigned arrived, twice, lost;
    bool in_order;
} outcome;

static void look(const sim_host *to, const sim_host *from, outcome *o)
{
    int n, last = -1;
    memset(o, 0, sizeof *o);
    o->in_order = true;
    for (size_t i = 0; i < to->n_got; i++) {
        if (sscanf(to->got[i].id, "n%d", &n) != 1 || strcmp(to->got[i].type, "error") == 0)
            continue;
        assert_true(n >= 0 && n < COUNT);
        if (o->came[n]) {
            o->twice++;
            continue;
        }
        o->in_order = o->in_order && n > last;
        last = n;
        o->came[n] = true;
        o->arrived++;
    }
    for (size_t i = 0; i < from->n_got; i++)
        if (sscanf(from->got[i].id, "n%d", &n) == 1 && strcmp(from->got[i].type, "error") == 0)
            o->told[n] = true;
    for (n = 0; n < COUNT; n++)
        o->lost += !o->came[n] && !o->told[n] ? 1 : 0;
}

static void send_step(const burst *b, sim_host *from, int first)
{
    char id[32];
    for (int i = first; i < first + STEP; i++) {
        snprintf(id, sizeof id, "n%d", i);
        if (b->outward)
            sim_send(from, "v@loc.example", "u@far.example", id, 200);
        else
            sim_send(from, "u@far.example", "v@loc.example", id, 200);
    }
}

static void play(const burst *b, sim *s, sim_host *from, sim_host *struck)
{
    for (int i = 0; i < COUNT; i += STEP) {
        send_step(b, from, i);
        if (i == STALL) struck->stalled = true; /* its kernel has what its program has not read */
        sim_run(s, 2);
        if (i == STRIKE) b->strike(struck);
        if (i == WELL) sim_revive(struck);
    }
    sim_run(s, 40000);
}

static void print_figures(const burst *b, const fed_ledger_view *v, const outcome *o)
{
    print_message("# %s, XEP-0198 %s: accepted %llu = acked %llu + written %llu + bounced %llu + "
                  "in doubt %llu (sent "
                  "again %llu); arrived %u, twice %u, lost %u\n",
                  b->title, b->managed ? "on" : "off", (unsigned long long)v->accepted,
                  (unsigned long long)v->acked, (unsigned long long)v->written,
                  (unsigned long long)v->bounced, (unsigned long long)v->in_doubt,
                  (unsigned long long)v->resent, o->arrived, o->twice, o->lost);
}

static void check_one(const burst *b)
{
    static outcome o;
    sim *s = sim_new();
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    sim_host *struck = b->of_far ? far : sim_hq(s);
    sim_host *from = b->outward ? sim_hq(s) : far, *to = b->outward ? far : sim_hq(s);
    struck->sm = b->managed;
    (b->of_far ? sim_hq(s) : far)->sm = true;
    s->config.limits.queue_pair = 8 * 1024 * 1024; /* nothing is bounced for want of room */
    sim_start(s);
    play(b, s, from, struck);
    fed_ledger_view v = sim_ledger(s, b->outward ? FED_OUTBOUND : FED_INBOUND);
    look(to, from, &o);
    print_figures(b, &v, &o);
    assert_int_equal(v.accepted, COUNT);
    assert_int_equal(v.queued + v.dropped, 0);
    assert_int_equal(v.acked + v.written + v.bounced + v.in_doubt, COUNT);
    assert_true(v.in_doubt > 0 && v.in_doubt <= WINDOW);
    assert_true(o.in_order);
    assert_true(o.twice <= v.resent);
    if (b->managed) assert_int_equal(v.written + o.lost, 0);
    if (!b->managed) assert_int_equal(v.acked + o.twice, 0);
    assert_true(o.lost <= v.written);
    if (from->sm) assert_int_equal(from->acked, COUNT);
    sim_end_all(s);
}

static void bursts(void **state)
{
    (void)state;
    static const struct {
        const char *title;
        bool outward, of_far;
        blow strike;
    } deaths[] = {
        {"the outside link is cut", true, true, sim_cut},
        {"the remote server is killed", true, true, sim_kill},
        {"the inside link is cut", false, false, sim_cut},
        {"the local server is killed", false, false, sim_kill},
    };
    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++)
        for (int managed = 1; managed >= 0; managed--) {
            burst b = {deaths[i].title, deaths[i].outward, deaths[i].of_far, managed != 0,
                       deaths[i].strike};
            check_one(&b);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bursts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
