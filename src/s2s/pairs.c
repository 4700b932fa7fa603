#include "pairs.h"

#include <stdlib.h>

enum { FIRST_BUCKETS = 8 };

void s2s_pairs_init(s2s_pairs *p, unsigned max, uint32_t seed)
{
    *p = (s2s_pairs){.max = max, .seed = seed};
}

void s2s_pairs_fini(s2s_pairs *p)
{
    for (s2s_pair *pair = p->first, *next; pair != NULL; pair = next) {
        next = pair->next;
        free(pair);
    }
    free(p->buckets);
    s2s_pairs_init(p, p->max, p->seed);
}

static uint32_t hash_of(const s2s_pairs *p, const s2s_domain *from, const s2s_domain *to)
{
    return s2s_domain_hash(to, s2s_domain_hash(from, p->seed));
}

static s2s_pair *find(const s2s_pairs *p, uint32_t hash, const s2s_domain *from,
                      const s2s_domain *to)
{
    if (p->n_buckets == 0) return NULL;
    s2s_pair *pair = p->buckets[hash & (p->n_buckets - 1)];
    while (pair != NULL && !(pair->hash == hash && s2s_domain_eq(&pair->from, from) &&
                             s2s_domain_eq(&pair->to, to)))
        pair = pair->same;
    return pair;
}

unsigned s2s_pairs_in(const s2s_pairs *p, s2s_pair_state state)
{
    return p != NULL ? p->states[state] : 0;
}

unsigned s2s_pairs_count(const s2s_pairs *p)
{
    return p != NULL ? p->count : 0;
}

s2s_pair *s2s_pairs_find(const s2s_pairs *p, const s2s_domain *from, const s2s_domain *to)
{
    return s2s_pairs_count(p) == 0 ? NULL : find(p, hash_of(p, from, to), from, to);
}

bool s2s_pairs_prove(const s2s_pairs *p, const s2s_domain *from)
{
    for (const s2s_pair *pair = p != NULL ? p->first : NULL; pair != NULL; pair = pair->next)
        if (pair->state == S2S_PAIR_OPEN && s2s_domain_eq(&pair->from, from)) return true;
    return false;
}

/* Twice the buckets once there are as many pairs. */
static s2s_err grow(s2s_pairs *p)
{
    if (p->count < p->n_buckets) return S2S_E_OK;
    unsigned n = p->n_buckets == 0 ? FIRST_BUCKETS : 2 * p->n_buckets;
    s2s_pair **buckets = calloc(n, sizeof *buckets);
    if (buckets == NULL) return S2S_E_NOMEM;
    for (s2s_pair *pair = p->first; pair != NULL; pair = pair->next) {
        pair->same = buckets[pair->hash & (n - 1)];
        buckets[pair->hash & (n - 1)] = pair;
    }
    free(p->buckets);
    p->buckets = buckets;
    p->n_buckets = n;
    return S2S_E_OK;
}

s2s_err s2s_pairs_get(s2s_pairs *p, const s2s_domain *from, const s2s_domain *to, s2s_pair **out)
{
    uint32_t hash = hash_of(p, from, to);
    *out = find(p, hash, from, to);
    if (*out != NULL) return S2S_E_OK;
    if (p->count >= p->max) return S2S_E_PAIR_LIMIT;
    if (grow(p) != S2S_E_OK) return S2S_E_NOMEM;
    s2s_pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL) return S2S_E_NOMEM;
    pair->from = *from;
    pair->to = *to;
    pair->hash = hash;
    pair->same = p->buckets[hash & (p->n_buckets - 1)];
    p->buckets[hash & (p->n_buckets - 1)] = pair;
    pair->prev = p->last;
    if (p->last != NULL)
        p->last->next = pair;
    else
        p->first = pair;
    p->last = pair;
    p->count++;
    p->states[S2S_PAIR_GONE]++;
    *out = pair;
    return S2S_E_OK;
}

void s2s_pair_enter(s2s_pairs *p, s2s_pair *pair, s2s_pair_state state)
{
    p->states[pair->state]--;
    p->states[state]++;
    pair->state = state;
}

/* ---- events due ---- */

void s2s_pair_owe(s2s_pairs *p, s2s_pair *pair, s2s_event_kind due)
{
    if (pair->due == S2S_EV_NONE) { /* else it stands in the queue already */
        pair->due_next = NULL;
        if (p->due_last != NULL)
            p->due_last->due_next = pair;
        else
            p->due_first = pair;
        p->due_last = pair;
    }
    pair->due = due;
}

s2s_pair *s2s_pairs_take_due(s2s_pairs *p)
{
    s2s_pair *pair = p != NULL ? p->due_first : NULL;
    if (pair == NULL) return NULL;
    p->due_first = pair->due_next;
    if (p->due_first == NULL) p->due_last = NULL;
    pair->due_next = NULL;
    return pair;
}

void s2s_pairs_drop_due(s2s_pairs *p)
{
    for (s2s_pair *pair; (pair = s2s_pairs_take_due(p)) != NULL;)
        pair->due = S2S_EV_NONE;
}

void s2s_pair_drop_due(s2s_pairs *p, s2s_pair *pair)
{
    if (pair->due == S2S_EV_NONE) return;
    s2s_pair *before = NULL;
    for (s2s_pair *at = p->due_first; at != pair; at = at->due_next)
        before = at;
    if (before != NULL)
        before->due_next = pair->due_next;
    else
        p->due_first = pair->due_next;
    if (p->due_last == pair) p->due_last = before;
    pair->due_next = NULL;
    pair->due = S2S_EV_NONE;
}

static void unlink_pair(s2s_pairs *p, s2s_pair *pair)
{
    s2s_pair **at = &p->buckets[pair->hash & (p->n_buckets - 1)];
    while (*at != pair)
        at = &(*at)->same;
    *at = pair->same;
    *(pair->prev != NULL ? &pair->prev->next : &p->first) = pair->next;
    *(pair->next != NULL ? &pair->next->prev : &p->last) = pair->prev;
    p->count--;
    p->states[pair->state]--;
}

void s2s_pair_release(s2s_pairs *p, s2s_pair *pair)
{
    if (pair->state != S2S_PAIR_GONE || pair->owed > 0 || pair->due == S2S_EV_PAIR_REFUSED) return;
    s2s_pair_drop_due(p, pair);
    unlink_pair(p, pair);
    free(pair);
}
