/* load.c - see load.h. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare_lanes.h"

enum { SETUP_S = 60, STALL_S = 20, PROGRESS_MS = 200 };

static const uint64_t SECOND = 1000000000;

/* ---- what the played servers tell ---- */

static void on_proved(void *ctx, const s2s_domain *from, const s2s_domain *to, s2s_proof proof,
                      const char *tls, bool sender)
{
    load *l = ctx;
    (void)from;
    (void)to;
    (void)proof;
    (void)tls;
    if (sender && l->phase == PHASE_SETUP) l->proved++;
}

static void on_broke(void *ctx, const s2s_domain *ours, const s2s_domain *theirs, s2s_err why)
{
    load *l = ctx;
    if (!l->broken++)
        snprintf(l->broke, sizeof l->broke, "%.80s with %.80s: %s", ours->text, theirs->text,
                 s2s_err_of(why)->sentence);
}

static void lane_send(load *l, load_lane *lane, uint64_t stamp)
{
    uint32_t pair = lane->pairs[lane->turn];
    lane->turn = lane->turn + 1 == lane->n_pairs ? 0 : lane->turn + 1;
    s2s_span stanza = meter_send(&l->meter, pair, stamp);
    if (lane->bare)
        bare_put(lane->bare, stanza);
    else
        actor_put(lane->link, stanza);
    lane->in_flight++;
    l->drawn++;
}

static void lane_fill(load *l, load_lane *lane, uint64_t now)
{
    if (l->until && now >= l->until) l->left = 0;
    while (l->left > 0 && lane->in_flight < l->plan->window) {
        l->left--;
        lane_send(l, lane, now);
    }
}

static bool is_open_loop(const load *l)
{
    return l->plan->rate > 0 && l->phase == PHASE_MEASURE;
}

void load_arrived(load *l, s2s_span stanza)
{
    uint64_t now = net_now_ns();
    uint32_t pair = meter_arrive(&l->meter, stanza, now);
    if (pair == UINT32_MAX) return;
    load_lane *lane = &l->lanes[l->meter.pairs[pair].lane];
    lane->in_flight--;
    l->drained = now;
    if (!is_open_loop(l)) lane_fill(l, lane, now);
}

static void on_raw(void *ctx, s2s_span stanza)
{
    load_arrived(ctx, stanza);
}

static void on_arrived(void *ctx, const s2s_stanza *stanza, uint64_t now_us)
{
    (void)now_us;
    load_arrived(ctx, stanza->bytes);
}

static const actor_story story = {
    .proved = on_proved, .arrived = on_arrived, .raw = on_raw, .broke = on_broke};

/* ---- the stage ---- */

static s2s_domain name_of(const char *format, unsigned number)
{
    char text[64];
    s2s_domain d;
    snprintf(text, sizeof text, format, number);
    s2s_err err = s2s_domain_make(s2s_span_of(text), &d);
    S2S_ASSERT(err == S2S_E_OK);
    return d;
}

static s2s_domain remote_name(unsigned number)
{
    return name_of("r%u.far.example", number);
}

s2s_domain load_local_name(unsigned number)
{
    return name_of("l%u.near.example", number);
}

unsigned load_locals(const load_plan *plan)
{
    return (plan->pairs + plan->links - 1) / plan->links;
}

static bool add_domains(load *l)
{
    const load_plan *p = l->plan;
    l->remote_cert = actors_load(l->actors, p->remote_cert, p->remote_key);
    if (p->local_cert) l->local_cert = actors_load(l->actors, p->local_cert, p->local_key);
    actor_domain d = {.remote = true, .no_external = p->dialback, .cert = l->remote_cert};
    if (!l->remote_cert || (p->local_cert && !l->local_cert)) return false;
    if (p->attach == ATTACH_TUNNEL) return true; /* nobody has a name */
    snprintf(d.address, sizeof d.address, "%s", p->remotes);
    for (unsigned i = 0; i < p->links; i++) {
        d.name = remote_name(i);
        if (!actors_add_domain(l->actors, &d)) return false;
    }
    if (p->attach == ATTACH_COMPONENT) return true;
    d = (actor_domain){.cert = l->local_cert, .believes = p->unchecked};
    snprintf(d.address, sizeof d.address, "%s", p->locals);
    for (unsigned i = 0; i < load_locals(p); i++) {
        d.name = load_local_name(i);
        if (!actors_add_domain(l->actors, &d)) return false;
    }
    return true;
}

static bool lane_add(load *l, uint32_t index, const s2s_domain *from, const s2s_domain *to)
{
    load_lane *lane = &l->lanes[index];
    uint32_t *pairs = realloc(lane->pairs, (lane->n_pairs + 1) * sizeof *pairs);
    uint32_t pair = pairs ? meter_add(&l->meter, from, to, index) : UINT32_MAX;
    if (pairs) lane->pairs = pairs;
    if (pair == UINT32_MAX) return false;
    lane->pairs[lane->n_pairs++] = pair;
    return true;
}

/* Outbound all pairs go over the local server's one link; a component speaks for itself alone, a tunnel for its remote. */
static size_t lanes_out(const load_plan *p)
{
    return p->attach == ATTACH_COMPONENT ? load_locals(p)
           : p->attach == ATTACH_TUNNEL  ? p->links
                                         : 1;
}

static size_t lane_out_of(const load_plan *p, uint32_t pair)
{
    return p->attach == ATTACH_COMPONENT ? pair / p->links
           : p->attach == ATTACH_TUNNEL  ? pair % p->links
                                         : 0;
}

/* Pair number i is of remote i % links and local i / links. Inbound each remote has a link of its own. */
static bool add_lanes(load *l)
{
    const load_plan *p = l->plan;
    bool in = (p->way & WAY_IN) != 0, out = (p->way & WAY_OUT) != 0;
    l->n_in = in ? p->links : 0;
    l->n_lanes = l->n_in + (out ? lanes_out(p) : 0);
    l->lanes = calloc(l->n_lanes, sizeof *l->lanes);
    if (!l->lanes) return false;
    for (uint32_t i = 0; i < p->pairs; i++) {
        s2s_domain remote = remote_name(i % p->links), local = load_local_name(i / p->links);
        if (in && !lane_add(l, i % p->links, &remote, &local)) return false;
        uint32_t index = (uint32_t)(l->n_in + lane_out_of(p, i));
        if (out && !lane_add(l, index, &local, &remote)) return false;
    }
    return true;
}

bool load_prepare(load *l, const load_plan *plan)
{
    l->plan = plan;
    l->mix = mix_new(&plan->mix);
    if (!l->mix) return false;
    meter_init(&l->meter, l->mix);
    l->meter.may_rearrange = plan->may_rearrange;
    l->meter.may_rename = plan->attach == ATTACH_COMPONENT;
    l->actors = actors_new(plan->ca, plan->outside, plan->inside, &story, l);
    return l->actors && add_domains(l) && add_lanes(l) && bare_lanes_prepare(l);
}

void load_free(load *l)
{
    bare_lanes_free(l);
    if (l->actors) actors_free(l->actors);
    for (size_t i = 0; i < l->n_lanes; i++)
        free(l->lanes[i].pairs);
    free(l->lanes);
    meter_fini(&l->meter);
    mix_free(l->mix);
}

/* ---- phases ---- */

static bool give_up(load *l, const char *why)
{
    snprintf(l->broke, sizeof l->broke, "%s", why);
    return false;
}

/* False: a link broke, nothing moves any more, or we were stopped. */
static bool turn(load *l, bool wait)
{
    static const uint64_t every = PROGRESS_MS * 1000000ULL;
    uint64_t before = net_now_ns() / every;
    net_turn(actors_net(l->actors), wait);
    uint64_t now = net_now_ns();
    if (now / every != before) l->progress(l);
    if (l->stopped && *l->stopped) return give_up(l, "stopped");
    if (meter_lost(&l->meter) == 0)
        l->moved = now;
    else if (l->drained > l->moved)
        l->moved = l->drained;
    else if (now - l->moved > STALL_S * SECOND)
        return give_up(l, "stanzas do not arrive");
    return l->broken == 0;
}

/* A link with many pairs asks for the next when the one before is proved in no order of its own: all at once. */
static bool open_lane(load *l, load_lane *lane)
{
    const meter_pair *first = &l->meter.pairs[lane->pairs[0]];
    if (bare_lanes_is_bare(l, lane)) return bare_lanes_open(l, lane);
    lane->link = actors_open(l->actors, &first->from, &first->to, l->plan->mode);
    for (uint32_t i = 1; lane->link && i < lane->n_pairs; i++) {
        const meter_pair *p = &l->meter.pairs[lane->pairs[i]];
        if (!actor_want(lane->link, &p->from, &p->to)) return false;
    }
    return lane->link != NULL;
}

static bool in_time(load *l)
{
    return net_now_ns() - l->begun <= SETUP_S * SECOND || give_up(l, "links were not up in time");
}

/* The whole way of a pair is known to stand when a stanza has come through. Some at a time: each may make the server under test,
 * and who is behind it, prove themselves over connections of their own. */
static bool try_pairs(load *l)
{
    enum { AT_ONCE = 128 };
    for (size_t i = 0; i < l->n_lanes; i++)
        for (uint32_t n = 0; n < l->lanes[i].n_pairs; n++) {
            lane_send(l, &l->lanes[i], net_now_ns());
            while (meter_lost(&l->meter) >= AT_ONCE)
                if (!turn(l, true)) return false;
        }
    while (meter_lost(&l->meter) > 0)
        if (!turn(l, true)) return false;
    return true;
}

/* Some links at a time, as a server would. */
static bool set_up(load *l)
{
    enum { AT_ONCE = 64 };
    uint64_t want = 0;
    size_t opened = 0;
    l->begun = l->drained = net_now_ns();
    l->phase = PHASE_SETUP;
    if (l->components && !bare_lanes_components(l)) return false;
    while (l->components && l->ready < load_locals(l->plan))
        if (!turn(l, true) || !in_time(l)) return false;
    while (opened < l->n_lanes || l->proved < want) {
        while (opened < l->n_lanes && want - l->proved < AT_ONCE) {
            want += l->lanes[opened].n_pairs;
            if (!open_lane(l, &l->lanes[opened++])) return false;
        }
        if (!turn(l, true) || !in_time(l)) return false;
    }
    l->setup_ns = net_now_ns() - l->begun;
    return try_pairs(l);
}

static void begin(load *l, load_phase phase, uint64_t count, double seconds)
{
    l->phase = phase;
    l->drawn = 0;
    l->sent_before = l->meter.sent;
    l->octets_before = l->meter.octets;
    memset(&l->meter.latency, 0, sizeof l->meter.latency);
    l->begun = net_now_ns();
    l->drained = l->begun;
    l->left = count ? count : UINT64_MAX;
    l->until = count ? 0 : l->begun + (uint64_t)(seconds * 1e9);
}

/* Everything was sent, now all must come in. */
static bool drain(load *l)
{
    while (meter_lost(&l->meter) > 0)
        if (!turn(l, true)) return false;
    return true;
}

static bool run_closed(load *l)
{
    for (size_t i = 0; i < l->n_lanes; i++)
        lane_fill(l, &l->lanes[i], net_now_ns());
    while (l->left > 0) {
        if (!turn(l, true)) return false;
        if (l->until && net_now_ns() >= l->until) l->left = 0;
    }
    return drain(l);
}

/* Each stanza has its time, which is its stamp whether it can be kept or not. Sleeping is too coarse for that: turns. */
static bool run_open(load *l)
{
    double gap = 1e9 / l->plan->rate;
    uint64_t n = 0;
    while (l->left > 0) {
        uint64_t now = net_now_ns(), due;
        while (l->left > 0 && (due = l->begun + (uint64_t)((double)n * gap)) <= now) {
            if (l->until && due >= l->until) {
                l->left = 0;
                break;
            }
            lane_send(l, &l->lanes[n++ % l->n_lanes], due);
            l->left--;
        }
        if (!turn(l, false)) return false;
    }
    return drain(l);
}

static bool run_phases(load *l)
{
    const load_plan *p = l->plan;
    if (!set_up(l)) return false;
    (void)usage_sum(&p->pids, &l->idle);
    begin(l, PHASE_WARM, p->warm ? p->warm : 1, 0);
    if (!run_closed(l)) return false;
    begin(l, PHASE_MEASURE, p->count, p->seconds);
    if (!usage_sum(&p->pids, &l->before)) return give_up(l, "there is no such process");
    if (!(p->rate > 0 ? run_open(l) : run_closed(l))) return false;
    return usage_sum(&p->pids, &l->after) || give_up(l, "the server under test has ended");
}

static bool never(void *ctx)
{
    const load *l = ctx;
    return l->stopped && *l->stopped;
}

bool load_run(load *l)
{
    bool ok = run_phases(l);
    l->phase = PHASE_DRAINED;
    actors_close_all(l->actors);
    if (l->bare) bare_close_all(l->bare);
    (void)net_run(actors_net(l->actors), never, l, ok ? 200 : 50);
    return ok && meter_clean(&l->meter);
}
