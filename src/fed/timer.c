/* timer.c - see timer.h. */
#include "fed/timer.h"

/* Joins two heaps; either may be NULL. */
static fed_timer *meld(fed_timer *a, fed_timer *b)
{
    if (a == NULL) return b;
    if (b == NULL) return a;
    if (b->at < a->at) {
        fed_timer *first = b;
        b = a;
        a = first;
    }
    b->next = a->child;
    if (b->next != NULL) b->next->prev = b;
    b->prev = a;
    a->child = b;
    a->next = NULL;
    a->prev = NULL;
    return a;
}

/* Joins a list of siblings, two by two from the left, then from the right: without recursion, for there may be many. */
static fed_timer *meld_siblings(fed_timer *list)
{
    fed_timer *twos = NULL;
    while (list != NULL) {
        fed_timer *a = list;
        fed_timer *b = a->next;
        list = b != NULL ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b != NULL) b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = twos;
        twos = a;
    }
    fed_timer *heap = NULL;
    while (twos != NULL) {
        fed_timer *rest = twos->next;
        twos->next = NULL;
        heap = meld(heap, twos);
        twos = rest;
    }
    return heap;
}

void fed_timer_clear(fed_timers *all, fed_timer *t)
{
    if (!t->set) return;
    fed_timer *below = meld_siblings(t->child);
    if (t == all->root) {
        all->root = below;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next != NULL) t->next->prev = t->prev;
        all->root = meld(all->root, below);
    }
    t->child = t->next = t->prev = NULL;
    t->set = false;
}

void fed_timer_set(fed_timers *all, fed_timer *t, uint64_t at)
{
    S2S_ASSERT(t->fire != NULL);
    if (t->set && t->at == at) return;
    fed_timer_clear(all, t);
    if (at == UINT64_MAX) return;
    t->at = at;
    t->set = true;
    all->root = meld(all->root, t);
}

void fed_timer_sooner(fed_timers *all, fed_timer *t, uint64_t at)
{
    if (!t->set || at < t->at) fed_timer_set(all, t, at);
}

uint64_t fed_timers_next(const fed_timers *all)
{
    return all->root != NULL ? all->root->at : UINT64_MAX;
}

fed_timer *fed_timers_due(fed_timers *all, uint64_t now)
{
    fed_timer *t = all->root;
    if (t == NULL || t->at > now) return NULL;
    fed_timer_clear(all, t);
    return t;
}
