/* chain.c - see chain.h. */
#include "fed/chain.h"

void fed_chain_add(fed_chain *c, fed_hook *h)
{
    S2S_ASSERT(h->on == NULL);
    *h = (fed_hook){.prev = c->last, .on = c};
    *(c->last != NULL ? &c->last->next : &c->first) = h;
    c->last = h;
    c->n++;
}

void fed_chain_take(fed_hook *h)
{
    fed_chain *c = h->on;
    if (c == NULL) return;
    *(h->prev != NULL ? &h->prev->next : &c->first) = h->next;
    *(h->next != NULL ? &h->next->prev : &c->last) = h->prev;
    c->n--;
    *h = (fed_hook){.prev = NULL};
}

void fed_chain_move(fed_chain *c, fed_hook *h)
{
    fed_chain_take(h);
    fed_chain_add(c, h);
}

fed_hook *fed_chain_pop(fed_chain *c)
{
    fed_hook *h = c->first;
    if (h != NULL) fed_chain_take(h);
    return h;
}
