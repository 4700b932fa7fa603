/* chain.h - lists of objects that carry their own hook.
 * For:    objects which stand on a list at a time, leave it by themselves, and know which one it is.
 * Never:  owns what is on it; allocates.
 * Owner:  whoever holds the chain; all-zero is an empty one.                */
#ifndef FED_CHAIN_H
#define FED_CHAIN_H

#include "s2s/base.h"

typedef struct fed_chain fed_chain;
typedef struct fed_hook fed_hook;
struct fed_hook {
    fed_hook *prev;
    fed_hook *next;
    fed_chain *on; /* NULL: on none */
};
struct fed_chain {
    fed_hook *first;
    fed_hook *last;
    size_t n;
};

void fed_chain_add(fed_chain *c, fed_hook *h);  /* to the end; asserts that h is on no chain */
void fed_chain_take(fed_hook *h);               /* off its chain; accepts one that is on none */
void fed_chain_move(fed_chain *c, fed_hook *h); /* to the end of c, off whatever it was on */
fed_hook *fed_chain_pop(fed_chain *c);          /* takes the first; NULL: empty */

#endif
