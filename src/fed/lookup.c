/* lookup.c - see lookup.h. */
#include "fed/lookup.h"

#include "fed/turn.h"

static void ask(fed *f, fed_lookup *k)
{
    k->ticket = ++f->last_ticket;
    fed_chain_move(&f->lookups, &k->hook);
    f->world->resolve(f->w, k->ticket, &k->ask);
}

void fed_lookup_begin(fed *f, fed_lookup *k, const fed_ask *what)
{
    k->ask = *what;
    if (f->asked < f->config->limits.dns_in_flight) {
        f->asked++;
        ask(f, k);
    } else {
        fed_chain_add(&f->lookups_waiting, &k->hook);
    }
}

/* What the resolver still works on stays counted until it answers. */
void fed_lookup_drop(fed_lookup *k)
{
    k->ticket = 0;
    fed_chain_take(&k->hook);
}

static fed_lookup *take_asker(fed *f, uint64_t ticket)
{
    for (fed_hook *h = f->lookups.first; h != NULL; h = h->next) {
        fed_lookup *k = FED_OF(fed_lookup, hook, h);
        if (k->ticket != ticket) continue;
        fed_lookup_drop(k);
        return k;
    }
    return NULL;
}

void fed_on_dns(fed *f, uint64_t ticket, const fed_dns *answer)
{
    fed_turn_begin(f);
    S2S_ASSERT(f->asked > 0);
    fed_lookup *k = take_asker(f, ticket);
    fed_hook *h = fed_chain_pop(&f->lookups_waiting);
    if (h != NULL)
        ask(f, FED_OF(fed_lookup, hook, h)); /* in the place of the one that ended */
    else
        f->asked--;
    if (k != NULL) k->answered(k, answer);
    fed_turn_end(f);
}
