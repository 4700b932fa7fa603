/* bare_lanes.c - see bare_lanes.h. */
#include "bare_lanes.h"

#include <stdio.h>
#include <stdlib.h>

static void on_ready(void *ctx, bare_link *link)
{
    load *l = ctx;
    l->ready++;
    for (size_t i = 0; i < l->n_lanes; i++)
        if (l->lanes[i].bare == link && l->phase == PHASE_SETUP) l->proved += l->lanes[i].n_pairs;
}

static void on_arrived(void *ctx, s2s_span stanza)
{
    load_arrived(ctx, stanza);
}

static void on_broke(void *ctx, const char *why)
{
    load *l = ctx;
    if (!l->broken++) snprintf(l->broke, sizeof l->broke, "%s", why);
}

static const bare_story story = {on_ready, on_arrived, on_broke};

bool bare_lanes_prepare(load *l)
{
    const load_plan *p = l->plan;
    if (p->attach == ATTACH_S2S) return true;
    l->bare = bare_new(actors_net(l->actors), &story, l);
    if (!l->bare) return false;
    if (p->attach == ATTACH_COMPONENT) {
        l->components = calloc(load_locals(p), sizeof *l->components);
        return l->components != NULL;
    }
    return (!(p->way & WAY_IN) || bare_listen(l->bare, p->locals, l->local_cert)) &&
           (!(p->way & WAY_OUT) || bare_listen(l->bare, p->remotes, l->remote_cert));
}

void bare_lanes_free(load *l)
{
    bare_free(l->bare);
    free(l->components);
}

bool bare_lanes_components(load *l)
{
    const load_plan *p = l->plan;
    for (unsigned i = 0; i < load_locals(p); i++) {
        s2s_domain name = load_local_name(i);
        l->components[i] = bare_component(l->bare, p->inside, name.text, p->secret, p->mode);
        if (!l->components[i]) return false;
    }
    return true;
}

static bool is_out(const load *l, const load_lane *lane)
{
    return l->plan->way == WAY_OUT || (size_t)(lane - l->lanes) >= l->n_in;
}

bool bare_lanes_is_bare(const load *l, const load_lane *lane)
{
    return l->plan->attach == ATTACH_TUNNEL ||
           (l->plan->attach == ATTACH_COMPONENT && is_out(l, lane));
}

bool bare_lanes_open(load *l, load_lane *lane)
{
    const load_plan *p = l->plan;
    const meter_pair *first = &l->meter.pairs[lane->pairs[0]];
    if (p->attach == ATTACH_COMPONENT) {
        lane->bare = l->components[(size_t)(lane - l->lanes) - l->n_in];
        l->proved += lane->n_pairs; /* nobody has to prove a component */
    } else if (is_out(l, lane))
        lane->bare = bare_tunnel(l->bare, p->inside, l->local_cert, first->to.text, p->mode);
    else
        lane->bare = bare_tunnel(l->bare, p->outside, l->remote_cert, first->to.text, p->mode);
    return lane->bare != NULL;
}
