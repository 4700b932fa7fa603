/* table.h - a hash table of objects that carry their own node.
 * For:    finding pairs, targets and addresses.
 * Never:  owns what is in it; compares: the caller walks the nodes of one hash.
 * Owner:  one fed object; fini before it goes.                              */
#ifndef FED_TABLE_H
#define FED_TABLE_H

#include "s2s/base.h"

typedef struct fed_node fed_node;
struct fed_node {
    fed_node *next;
    uint32_t hash;
};

typedef struct fed_table {
    fed_node **buckets;
    size_t n_buckets; /* a power of two */
    size_t count;
} fed_table;

S2S_MUST_CHECK bool fed_table_init(fed_table *t); /* false: no memory */
void fed_table_fini(fed_table *t);

/* Cannot fail: without memory for more buckets the chains grow. */
void fed_table_put(fed_table *t, fed_node *node, uint32_t hash);
void fed_table_take(fed_table *t, fed_node *node);

/* Nodes of one hash: first, then next; NULL ends. */
fed_node *fed_table_find(const fed_table *t, uint32_t hash);
fed_node *fed_table_again(const fed_node *node);

/* All nodes in no order: NULL begins, NULL ends. The node given may be taken out only after the next was asked. */
fed_node *fed_table_walk(const fed_table *t, const fed_node *after);

#endif
