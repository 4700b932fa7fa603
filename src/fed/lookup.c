/* lookup.c - see lookup.h. */
#include "fed/lookup.h"

#include <stdlib.h>

#include "fed/link.h"
#include "fed/turn.h"

static void ask(fed_link *l)
{
    fed *f = l->f;
    l->ticket = ++f->last_ticket;
    fed_chain_move(&f->lookups, &l->lookup);
    f->world->resolve(f->w, l->ticket, l->ask.query, &l->ask.name);
}

void fed_lookup_begin(fed_link *l, const fed_plan_step *step)
{
    l->ask = *step;
    if (l->f->asked < l->f->config->limits.dns_in_flight) {
        l->f->asked++;
        ask(l);
    } else {
        fed_chain_add(&l->f->lookups_waiting, &l->lookup);
    }
}

/* What the resolver still works on stays counted until it answers. */
void fed_lookup_drop(fed_link *l)
{
    l->ticket = 0;
    fed_chain_take(&l->lookup);
}

static fed_link *take_asker(fed *f, uint64_t ticket)
{
    for (fed_hook *h = f->lookups.first; h != NULL; h = h->next) {
        fed_link *l = FED_OF(fed_link, lookup, h);
        if (l->ticket != ticket) continue;
        fed_lookup_drop(l);
        return l;
    }
    return NULL;
}

void fed_on_dns(fed *f, uint64_t ticket, const fed_dns *answer)
{
    fed_turn_begin(f);
    S2S_ASSERT(f->asked > 0);
    fed_link *l = take_asker(f, ticket);
    fed_hook *h = fed_chain_pop(&f->lookups_waiting);
    if (h != NULL)
        ask(FED_OF(fed_link, lookup, h)); /* in the place of the one that ended */
    else
        f->asked--;
    if (l != NULL) fed_link_answer(l, answer);
    fed_turn_end(f);
}
