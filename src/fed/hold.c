/* hold.c - see hold.h. Siblings are found by the local domains: there are few, while a trunk may carry many pairs. */
#include "fed/hold.h"

#include "fed/link.h"
#include "fed/pair.h"

/* The pair (p->from, local domain `i`) when l carries it and it is not p; else NULL. */
static fed_pair *sibling(const fed_link *l, const fed_pair *p, size_t i)
{
    const s2s_domain *to = &l->f->config->locals[i].domain;
    if (s2s_domain_eq(to, &p->to)) return NULL;
    fed_pair *other = fed_pair_find(l->f, &p->from, to);
    return other != NULL && other->link == l ? other : NULL;
}

static size_t siblings(const fed_link *l)
{
    return l->target->server != NULL ? l->f->config->n_locals : 0;
}

bool fed_hold_busy(const fed_link *l, const fed_pair *p)
{
    for (size_t i = 0; i < siblings(l); i++) {
        const fed_pair *other = sibling(l, p, i);
        if (other != NULL && other->state == FED_PAIR_ASKED) return true;
    }
    return false;
}

void fed_hold_begin(fed_link *l, fed_pair *p)
{
    for (size_t i = 0; i < siblings(l); i++) {
        fed_pair *other = sibling(l, p, i);
        if (other == NULL || other->state != FED_PAIR_OPEN) continue;
        other->held = true;
        other->in_turn = false;
        fed_chain_take(&other->round);
    }
}

void fed_hold_end(fed_link *l, fed_pair *p)
{
    fed_pair *next = NULL;
    for (size_t i = 0; i < siblings(l); i++) {
        fed_pair *other = sibling(l, p, i);
        if (other == NULL) continue;
        other->held = false;
        if (other->state == FED_PAIR_ASSIGNED && next == NULL) next = other;
    }
    bool ready = l->state == FED_LINK_ASKING || l->state == FED_LINK_UP;
    if (next != NULL && ready) fed_link_ask(l, next); /* holds the others again */
    for (size_t i = 0; i < siblings(l); i++) {
        fed_pair *other = sibling(l, p, i);
        if (other != NULL && other->state == FED_PAIR_OPEN) fed_pair_go(other);
    }
}
