/* table.c - see table.h. */
#include "fed/table.h"

#include <stdlib.h>

enum { FIRST_BUCKETS = 64 };

bool fed_table_init(fed_table *t)
{
    *t = (fed_table){.n_buckets = FIRST_BUCKETS};
    t->buckets = calloc(t->n_buckets, sizeof(fed_node *));
    return t->buckets != NULL;
}

void fed_table_fini(fed_table *t)
{
    free(t->buckets);
    *t = (fed_table){.buckets = NULL};
}

static fed_node **bucket(const fed_table *t, uint32_t hash)
{
    return &t->buckets[hash & (t->n_buckets - 1)];
}

/* Twice the buckets once there are more nodes than buckets. */
static void grow(fed_table *t)
{
    if (t->count <= t->n_buckets) return;
    fed_table wider = {.n_buckets = 2 * t->n_buckets, .count = t->count};
    wider.buckets = calloc(wider.n_buckets, sizeof(fed_node *));
    if (wider.buckets == NULL) return;
    for (size_t i = 0; i < t->n_buckets; i++)
        for (fed_node *node = t->buckets[i], *rest; node != NULL; node = rest) {
            rest = node->next;
            fed_node **to = bucket(&wider, node->hash);
            node->next = *to;
            *to = node;
        }
    free(t->buckets);
    *t = wider;
}

void fed_table_put(fed_table *t, fed_node *node, uint32_t hash)
{
    fed_node **at = bucket(t, hash);
    node->hash = hash;
    node->next = *at;
    *at = node;
    t->count++;
    grow(t);
}

void fed_table_take(fed_table *t, fed_node *node)
{
    fed_node **at = bucket(t, node->hash);
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    node->next = NULL;
    t->count--;
}

static fed_node *same(fed_node *node, uint32_t hash)
{
    while (node != NULL && node->hash != hash)
        node = node->next;
    return node;
}

fed_node *fed_table_find(const fed_table *t, uint32_t hash)
{
    return same(*bucket(t, hash), hash);
}

fed_node *fed_table_again(const fed_node *node)
{
    return same(node->next, node->hash);
}

fed_node *fed_table_walk(const fed_table *t, const fed_node *after)
{
    if (after != NULL && after->next != NULL) return after->next;
    size_t i = after != NULL ? (after->hash & (t->n_buckets - 1)) + 1 : 0;
    for (; i < t->n_buckets; i++)
        if (t->buckets[i] != NULL) return t->buckets[i];
    return NULL;
}
