/* links.c - see links.h. */
#include "links.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTLE_MS = 3000, CLOSE_MS = 500, PROGRESS_MS = 200, PORT = 16 };

static const uint64_t SECOND = 1000000000;
static const char LOCAL[] = "l0.near.example";

static void trouble(links *l, const char *what, const s2s_domain *who, const char *why)
{
    if (!l->trouble[0])
        snprintf(l->trouble, sizeof l->trouble, "%s%.80s: %.120s", what, who ? who->text : "", why);
}

/* ---- names ---- */

static s2s_domain name_of(const char *text)
{
    s2s_domain d;
    s2s_err err = s2s_domain_make(s2s_span_of(text), &d);
    S2S_ASSERT(err == S2S_E_OK);
    return d;
}

static s2s_domain remote_name(unsigned number)
{
    char text[64];
    snprintf(text, sizeof text, "r%u.far.example", number);
    return name_of(text);
}

/* The remote of that name; NULL: it is none of ours, or not used now. */
static links_one *one_of(links *l, const s2s_domain *name)
{
    unsigned number;
    int end = 0;
    if (sscanf(name->text, "r%u.far.example%n", &number, &end) != 1 || name->text[end] != '\0')
        return NULL;
    if (end == 0 || number >= l->n || l->one[number].state == LINK_UNUSED) return NULL;
    return &l->one[number];
}

/* ---- what becomes of a link ---- */

static void came_up(links *l, links_one *one)
{
    if (one->state != LINK_COMES) return;
    l->last = net_now_ns();
    one->state = LINK_UP;
    l->coming--;
    l->up++;
    hdr_add(&l->latency, l->last - one->begun);
}

static void failed(links *l, links_one *one)
{
    if (one->state != LINK_COMES) return;
    l->last = net_now_ns();
    one->state = LINK_FAILED;
    l->coming--;
    l->failed++;
}

static void on_proved(void *ctx, const s2s_domain *from, const s2s_domain *to, s2s_proof proof,
                      const char *tls, bool sender)
{
    links *l = ctx;
    links_one *one = sender ? one_of(l, from) : NULL;
    (void)to;
    (void)proof;
    (void)tls;
    if (one && l->plan->way == LINKS_IN) came_up(l, one);
    if (sender && !one && l->trunk) l->trunk_pairs++;
}

/* Outward the stanza that asked for the link arrives, or comes back as an error. */
static void on_arrived(void *ctx, const s2s_stanza *stanza, uint64_t now_us)
{
    links *l = ctx;
    links_one *to = one_of(l, &stanza->to_domain), *from = one_of(l, &stanza->from_domain);
    (void)now_us;
    if (to) {
        came_up(l, to);
    } else if (from) {
        char text[128];
        snprintf(text, sizeof text, "%.*s", (int)stanza->bytes.len, stanza->bytes.ptr);
        failed(l, from);
        trouble(l, "came back from ", &stanza->from_domain, text);
    }
}

/* Inward each connection belongs to a link; outward a server may try again. */
static void on_broke(void *ctx, const s2s_domain *ours, const s2s_domain *theirs, s2s_err why)
{
    links *l = ctx;
    links_one *one = one_of(l, ours);
    if (!one) one = one_of(l, theirs);
    if (l->closing) return;
    trouble(l, "", ours->len ? ours : theirs, s2s_err_of(why)->sentence);
    if (one && one->state == LINK_UP) {
        one->state = LINK_LOST;
        l->lost++;
    } else if (one && l->plan->way == LINKS_IN)
        failed(l, one);
}

static void on_shaken(void *ctx, const s2s_domain *ours, const actor_shake *shake)
{
    links *l = ctx;
    if (!one_of(l, ours)) return;
    l->shakes.direct += shake->direct;
    if (shake->began) {
        l->shakes.dialled++;
        l->shakes.dialled_resumed += shake->resumed;
    } else {
        l->shakes.accepted++;
        l->shakes.accepted_resumed += shake->resumed;
    }
}

static const actor_story story = {
    .proved = on_proved, .arrived = on_arrived, .shaken = on_shaken, .broke = on_broke};

/* ---- the stage ---- */

/* The address `add` behind another one. */
static bool next_address(const char *first, unsigned add, char out[ACTOR_ADDR])
{
    char host[ACTOR_ADDR];
    struct in_addr a;
    const char *colon = strrchr(first, ':');
    size_t n = colon ? (size_t)(colon - first) : ACTOR_ADDR;
    if (n >= sizeof host || strlen(colon) >= PORT) return false;
    memcpy(host, first, n);
    host[n] = '\0';
    if (inet_pton(AF_INET, host, &a) != 1) return false;
    a.s_addr = htonl(ntohl(a.s_addr) + add);
    char text[INET_ADDRSTRLEN];
    if (!inet_ntop(AF_INET, &a, text, sizeof text)) return false;
    snprintf(out, ACTOR_ADDR, "%s%s", text, colon);
    return true;
}

bool links_certs_init(links_certs *c, net *n, const links_plan *plan)
{
    if (plan->issuer) return mint_init(&c->mint, plan->issuer, plan->issuer_key, plan->remote_key);
    c->same = net_load(n, plan->remote_cert, plan->remote_key);
    return c->same != NULL;
}

net_cert *links_certs_of(const links_certs *c, net *n, const s2s_domain *remote)
{
    if (c->same) return c->same;
    char *pem = mint_make(&c->mint, remote->text);
    S2S_ASSERT(pem);
    net_cert *cert = net_load_pem(n, s2s_span_of(pem), s2s_span_of(c->mint.key_pem));
    free(pem);
    return cert;
}

void links_certs_fini(links_certs *c)
{
    mint_fini(&c->mint);
}

static bool add_remote(links *l, const links_certs *certs, unsigned i)
{
    const links_plan *p = l->plan;
    actor_domain d = {.name = remote_name(i),
                      .remote = true,
                      .no_external = p->dialback,
                      .bare = p->bare,
                      .own_source = true,
                      .direct = p->direct,
                      .deaf = (p->way == LINKS_IN && !p->dialback) || (p->visits && i == 0)};
    net_cert *cert = links_certs_of(certs, actors_net(l->actors), &d.name);
    if (cert && p->resume) net_give_tickets(cert);
    d.cert = cert;
    return cert && next_address(p->remotes, i, d.address) && actors_add_domain(l->actors, &d);
}

static bool add_remotes(links *l)
{
    links_certs certs = {.same = NULL};
    bool ok = links_certs_init(&certs, actors_net(l->actors), l->plan);
    for (unsigned i = 0; ok && i < l->n; i++)
        ok = add_remote(l, &certs, i);
    links_certs_fini(&certs);
    return ok;
}

bool links_prepare(links *l, const links_plan *plan)
{
    l->plan = plan;
    l->n = plan->warm + plan->count;
    l->one = calloc(l->n, sizeof *l->one);
    l->actors = actors_new(plan->ca, plan->outside, plan->inside, &story, l);
    if (!l->one || !l->actors) return false;
    const net_cert *cert =
        plan->local_cert ? actors_load(l->actors, plan->local_cert, plan->local_key) : NULL;
    return !plan->local_cert == !cert && add_remotes(l) &&
           (plan->visits || actors_add(l->actors, LOCAL, false, cert, plan->locals));
}

void links_free(links *l)
{
    if (l->actors) actors_free(l->actors);
    free(l->one);
}

/* ---- phases ---- */

static bool is_stopped(void *ctx)
{
    const links *l = ctx;
    return l->stopped && *l->stopped;
}

static void turn(links *l)
{
    static const uint64_t every = PROGRESS_MS * 1000000ULL;
    uint64_t before = net_now_ns() / every;
    net_turn(actors_net(l->actors), true);
    if (net_now_ns() / every != before) l->progress(l);
}

static void turn_of(void *ctx)
{
    turn(ctx);
}

/* Turns until nothing is missing. False: said in trouble. */
static bool wait_for(links *l, unsigned (*missing)(const links *l), const char *what)
{
    uint64_t moved = net_now_ns();
    unsigned least = missing(l);
    for (unsigned now = least; now > 0; now = missing(l)) {
        turn(l);
        if (now < least) moved = net_now_ns();
        if (now < least) least = now;
        bool stalled = net_now_ns() - moved > l->plan->stall_s * SECOND;
        if (!is_stopped(l) && !stalled) continue;
        trouble(l, what, NULL, stalled ? "not in time" : "stopped");
        return false;
    }
    return true;
}

static unsigned trunk_missing(const links *l)
{
    return l->trouble[0] ? 0 : l->n - l->trunk_pairs;
}

/* The local server's connection carries all pairs, and is no part of what is measured. */
static bool open_trunk(links *l)
{
    s2s_domain local = name_of(LOCAL), remote = remote_name(0);
    l->trunk = actors_open(l->actors, &local, &remote, FLUSH_RECORD);
    for (unsigned i = 1; l->trunk && i < l->n; i++) {
        remote = remote_name(i);
        if (!actor_want(l->trunk, &local, &remote)) return false;
    }
    return l->trunk && wait_for(l, trunk_missing, "pairs inside: ") && !l->trouble[0];
}

static void begin_one(links *l, unsigned number)
{
    links_one *one = &l->one[number];
    s2s_domain local = name_of(LOCAL), remote = remote_name(number);
    char text[512];
    l->coming++;
    one->state = LINK_COMES;
    one->begun = net_now_ns();
    if (l->plan->way == LINKS_IN) {
        one->link = actors_open(l->actors, &remote, &local, FLUSH_RECORD);
        if (!one->link) failed(l, one);
        return;
    }
    int n = snprintf(text, sizeof text,
                     "<message from='romeo@%s/hall' to='juliet@%s' type='chat' id='l%u'>"
                     "<body>number %u</body></message>",
                     local.text, remote.text, number, number);
    actor_put(l->trunk, (s2s_span){text, (size_t)n});
}

/* Who is still waited for will not come. */
static void give_up(links *l, const char *why)
{
    trouble(l, "", NULL, why);
    for (unsigned i = 0; i < l->n; i++)
        failed(l, &l->one[i]);
}

static bool bring_up(links *l, unsigned first, unsigned count)
{
    unsigned begun = 0;
    l->coming = l->up = l->failed = l->lost = 0;
    memset(&l->latency, 0, sizeof l->latency);
    memset(&l->shakes, 0, sizeof l->shakes);
    l->closing = false;
    l->begun = l->last = net_now_ns();
    while (begun < count || l->coming > 0) {
        while (begun < count && l->coming < l->plan->at_once)
            begin_one(l, first + begun++);
        turn(l);
        if (is_stopped(l)) give_up(l, "stopped");
        if (net_now_ns() - l->last > l->plan->stall_s * SECOND)
            give_up(l, "did not come up in time");
        if (is_stopped(l)) return false;
    }
    return l->failed == 0 && l->lost == 0;
}

static unsigned dialled(const links *l)
{
    return actors_dialled(l->actors);
}

/* All links are closed by the remotes. */
static bool hang_up(links *l)
{
    l->closing = true;
    actors_hang_up(l->actors);
    if (!wait_for(l, dialled, "closing: ")) return false;
    for (unsigned i = 0; i < l->n; i++)
        l->one[i].state = LINK_UNUSED;
    return true;
}

static unsigned count_alive(const links *l)
{
    unsigned n = 0, others = l->plan->resume ? 0 : l->plan->warm;
    if (l->plan->way == LINKS_OUT) return dialled(l) > others ? dialled(l) - others : 0;
    for (unsigned i = l->plan->warm; i < l->n; i++)
        n += l->one[i].link && actor_alive(l->one[i].link);
    return n;
}

static bool settle(links *l, used *into)
{
    if (l->plan->pids.n == 0 || usage_settle(&l->plan->pids, into, SETTLE_MS, turn_of, l))
        return true;
    trouble(l, "", NULL, "there is no such process");
    return false;
}

static bool let_be(links *l, double seconds)
{
    uint64_t until = net_now_ns() + (uint64_t)(seconds * 1e9);
    while (net_now_ns() < until && !is_stopped(l) && count_alive(l) == l->plan->count)
        turn(l);
    return !is_stopped(l);
}

static bool hold(links *l)
{
    if (!let_be(l, l->plan->rest_s)) return false;
    uint64_t from = net_now_ns();
    (void)usage_sum(&l->plan->pids, &l->held_from);
    bool ok = let_be(l, l->plan->hold_s);
    (void)usage_sum(&l->plan->pids, &l->held_to);
    l->held_s = (double)(net_now_ns() - from) / 1e9;
    return ok;
}

static bool run_phases(links *l)
{
    const links_plan *p = l->plan;
    if (!settle(l, &l->idle) || (p->way == LINKS_OUT && !open_trunk(l))) return false;
    if (p->warm && !bring_up(l, 0, p->warm)) return false;
    if (p->resume && (!bring_up(l, p->warm, p->count) || !hang_up(l))) return false;
    if (!settle(l, &l->before)) return false;
    bool up = bring_up(l, p->warm, p->count);
    if (!settle(l, &l->after)) return false;
    if (p->hold_s > 0 && !hold(l)) return false;
    return up;
}

static bool is_closed(void *ctx)
{
    const links *l = ctx;
    for (unsigned i = 0; i < l->n; i++)
        if (l->one[i].link && actor_alive(l->one[i].link)) return is_stopped(ctx);
    return dialled(l) == 0 || is_stopped(ctx);
}

bool links_burst(links *l)
{
    return bring_up(l, 1, l->n - 1);
}

bool links_run(links *l)
{
    bool ok = run_phases(l);
    l->closing = true;
    l->held = count_alive(l);
    actors_close_all(l->actors);
    (void)net_run(actors_net(l->actors), is_closed, l, CLOSE_MS);
    return ok && l->lost == 0 && l->held == l->plan->count;
}
