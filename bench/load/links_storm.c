/* links_storm.c - see links_storm.h. */
#include "links_storm.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WARM_S = 1, LIMIT_S = 120, PATIENCE_S = 20, SETTLE_MS = 3000, CLOSE_MS = 200, NICE = 10 };

static const uint64_t SECOND = 1000000000;

static void trouble(storm *s, const char *what)
{
    if (!s->trouble[0]) snprintf(s->trouble, sizeof s->trouble, "%s", what);
}

/* ---- the second process ---- */

static void no_progress(const links *l)
{
    (void)l;
}

static bool is_told_to_go(int go)
{
    char octet;
    ssize_t n;
    do
        n = read(go, &octet, 1);
    while (n < 0 && errno == EINTR);
    return n == 1;
}

static bool tell(int to, const links *l)
{
    storm_told told = {.up = l->up,
                       .failed = l->failed,
                       .lost = l->lost,
                       .seconds = (double)(l->last - l->begun) / 1e9,
                       .setup_p50 = (double)hdr_at(&l->latency, 0.5) / 1e6,
                       .setup_p99 = (double)hdr_at(&l->latency, 0.99) / 1e6};
    memcpy(told.trouble, l->trouble, sizeof told.trouble);
    return write(to, &told, sizeof told) == (ssize_t)sizeof told; /* a pipe takes it whole */
}

/* Ready is one octet. The links are held until the first process closes its end. */
static int be_the_storm(const storm_plan *plan, int go, int to, const volatile int *stopped)
{
    static links l;
    l.progress = no_progress;
    l.stopped = stopped;
    (void)setpriority(PRIO_PROCESS, 0, NICE);
    bool ok = links_prepare(&l, &plan->links) && write(to, "r", 1) == 1 && is_told_to_go(go);
    if (ok) {
        (void)links_burst(&l);
        ok = tell(to, &l);
        (void)is_told_to_go(go);
    }
    links_free(&l);
    return ok ? 0 : 1;
}

/* ---- stanzas ---- */

static void on_proved(void *ctx, const s2s_domain *from, const s2s_domain *to, s2s_proof proof,
                      const char *tls, bool sender)
{
    storm *s = ctx;
    (void)from;
    (void)to;
    (void)proof;
    (void)tls;
    if (sender) s->up = true;
}

static void on_raw(void *ctx, s2s_span stanza)
{
    storm *s = ctx;
    (void)meter_arrive(&s->meter, stanza, net_now_ns());
}

static void on_arrived(void *ctx, const s2s_stanza *stanza, uint64_t now_us)
{
    (void)now_us;
    on_raw(ctx, stanza->bytes);
}

static void on_broke(void *ctx, const s2s_domain *ours, const s2s_domain *theirs, s2s_err why)
{
    char text[256];
    snprintf(text, sizeof text, "%.80s with %.80s: %.80s", ours->text, theirs->text,
             s2s_err_of(why)->sentence);
    trouble(ctx, text);
}

static const actor_story story = {
    .proved = on_proved, .arrived = on_arrived, .raw = on_raw, .broke = on_broke};

/* ---- the stage ---- */

static bool fork_storm(storm *s)
{
    int go[2], told[2];
    if (pipe2(go, O_CLOEXEC) != 0) return false;
    if (pipe2(told, O_CLOEXEC) != 0) {
        close(go[0]);
        close(go[1]);
        return false;
    }
    s->child = (int)fork();
    if (s->child == 0) {
        close(go[1]);
        close(told[0]);
        exit(be_the_storm(s->plan, go[0], told[1], s->stopped));
    }
    close(go[0]);
    close(told[1]);
    s->go = go[1];
    s->told_by = told[0];
    char octet;
    return s->child > 0 && read(s->told_by, &octet, 1) == 1 &&
           fcntl(s->told_by, F_SETFL, O_NONBLOCK) == 0;
}

/* The first process wakes when a stanza is due, and whenever it can do something the second does nothing. */
static bool go_first(void)
{
    const struct sched_param first = {.sched_priority = 1};
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    return sched_setscheduler(0, SCHED_FIFO, &first) == 0;
}

static bool add_domains(storm *s, s2s_domain *remote, s2s_domain *local)
{
    const links_plan *p = &s->plan->links;
    links_certs certs = {.same = NULL};
    const net_cert *near =
        p->local_cert ? actors_load(s->actors, p->local_cert, p->local_key) : NULL;
    actor_domain d = {.remote = true,
                      .no_external = p->dialback,
                      .bare = p->bare,
                      .own_source = true,
                      .direct = p->direct,
                      .deaf = !p->dialback};
    snprintf(d.address, sizeof d.address, "%s", p->remotes);
    if (s2s_domain_make(s2s_span_of("r0.far.example"), remote) != S2S_E_OK ||
        s2s_domain_make(s2s_span_of("l0.near.example"), local) != S2S_E_OK)
        return false;
    d.name = *remote;
    if (links_certs_init(&certs, actors_net(s->actors), p))
        d.cert = links_certs_of(&certs, actors_net(s->actors), remote);
    links_certs_fini(&certs);
    return d.cert && !p->local_cert == !near && actors_add_domain(s->actors, &d) &&
           actors_add(s->actors, local->text, false, near, p->locals);
}

bool storm_prepare(storm *s, const storm_plan *plan)
{
    s2s_domain remote, local;
    s->plan = plan;
    s->go = s->told_by = -1;
    if (!fork_storm(s)) return false;
    s->yields = go_first();
    s->mix = mix_new(&plan->mix);
    if (!s->mix) return false;
    meter_init(&s->meter, s->mix);
    s->actors = actors_new(plan->links.ca, plan->links.outside, plan->links.inside, &story, s);
    if (!s->actors || !add_domains(s, &remote, &local)) return false;
    s->link = actors_open(s->actors, &remote, &local, FLUSH_RECORD);
    return s->link && meter_add(&s->meter, &remote, &local, 0) == 0;
}

void storm_free(storm *s)
{
    if (s->go >= 0) close(s->go);
    if (s->told_by >= 0) close(s->told_by);
    if (s->child > 0) {
        if (!s->has_told) (void)kill(s->child, SIGTERM);
        (void)waitpid(s->child, NULL, 0);
    }
    if (s->actors) actors_free(s->actors);
    meter_fini(&s->meter);
    mix_free(s->mix);
}

/* ---- phases ---- */

static bool is_fine(storm *s)
{
    if (s->stopped && *s->stopped) trouble(s, "stopped");
    return !s->trouble[0];
}

static bool wait_for(storm *s, bool (*done)(const storm *s), const char *what)
{
    uint64_t until = net_now_ns() + PATIENCE_S * SECOND;
    while (!done(s) && is_fine(s)) {
        net_turn(actors_net(s->actors), true);
        if (net_now_ns() > until) trouble(s, what);
    }
    return !s->trouble[0];
}

static bool is_up(const storm *s)
{
    return s->up;
}

static bool is_drained(const storm *s)
{
    return meter_lost(&s->meter) == 0;
}

static bool is_time_over(storm *s)
{
    return net_now_ns() >= s->until;
}

static bool has_passed(storm *s)
{
    ssize_t n = read(s->told_by, &s->told, sizeof s->told);
    s->has_told = n == (ssize_t)sizeof s->told;
    if (n >= 0 && !s->has_told) trouble(s, "the process of the storm ended");
    if (is_time_over(s)) trouble(s, "the storm does not pass");
    return s->has_told;
}

/* Stanzas at their times until `over`, and then until all have arrived. Their latencies are in the meter's histogram. */
static bool run_rate(storm *s, bool (*over)(storm *s))
{
    net *n = actors_net(s->actors);
    double gap = 1e9 / s->plan->rate;
    uint64_t begun = net_now_ns(), sent = 0, due = begun;
    memset(&s->meter.latency, 0, sizeof s->meter.latency);
    memset(&s->late, 0, sizeof s->late);
    while (!over(s) && is_fine(s)) {
        for (uint64_t now = net_now_ns(); due <= now; now = net_now_ns()) {
            hdr_add(&s->late, now - due);
            actor_put(s->link, meter_send(&s->meter, 0, due));
            due = begun + (uint64_t)((double)++sent * gap);
        }
        net_turn(n, false);
        net_doze(n, due);
    }
    return wait_for(s, is_drained, "stanzas do not arrive");
}

static bool run_phases(storm *s)
{
    const usage_pids *pids = &s->plan->links.pids;
    if (!wait_for(s, is_up, "the link of the stanzas is not up in time")) return false;
    s->until = net_now_ns() + WARM_S * SECOND;
    if (!run_rate(s, is_time_over)) return false;
    s->until = net_now_ns() + (uint64_t)(s->plan->quiet_s * 1e9);
    if (!run_rate(s, is_time_over)) return false;
    s->quiet = s->meter.latency;
    if (!usage_sum(pids, &s->before)) trouble(s, "there is no such process");
    if (write(s->go, "g", 1) != 1) trouble(s, "the process of the storm has ended");
    s->until = net_now_ns() + LIMIT_S * SECOND;
    bool ok = run_rate(s, has_passed);
    s->stormy = s->meter.latency;
    (void)usage_sum(pids, &s->after);
    return ok;
}

static bool never(void *ctx)
{
    const storm *s = ctx;
    return s->stopped && *s->stopped;
}

bool storm_run(storm *s)
{
    bool ok = run_phases(s);
    if (ok && s->told.up != s->plan->links.count) trouble(s, s->told.trouble);
    actors_close_all(s->actors);
    (void)net_run(actors_net(s->actors), never, s, CLOSE_MS);
    return ok && s->told.up == s->plan->links.count && s->told.lost == 0 && meter_clean(&s->meter);
}
