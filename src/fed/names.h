/* names.h - finding a domain among many by hash.
 * For:    the domains of the settings, which stand in arrays of larger things and do not change.
 * Never:  allocates; owns the array or its own places; says which of two equal ones is right: the first is found.
 * Owner:  a plain value; array and places are its maker's and live as long.  */
#ifndef FED_NAMES_H
#define FED_NAMES_H

#include "s2s/domain.h"

typedef struct fed_names {
    const s2s_domain *first; /* the domain in the array's first item */
    size_t stride;           /* bytes from one to the next */
    uint32_t *places;        /* index + 1, 0: free */
    size_t n_places;         /* a power of two */
    size_t longest;          /* octets of the longest domain in it; 0: none is */
} fed_names;

size_t fed_names_places(size_t n); /* how many `n` domains need */

/* Empty. `places`: fed_names_places(n) of them, for up to n domains. */
void fed_names_init(fed_names *names, const s2s_domain *first, size_t stride, uint32_t *places,
                    size_t n);
void fed_names_add(fed_names *names, size_t i); /* the i-th of the array */

#define FED_NAMES_NONE SIZE_MAX
size_t fed_names_find(const fed_names *names, const s2s_domain *d); /* its index, or NONE */
/* The longest one that d lies strictly below; NONE: it lies below none. */
size_t fed_names_above(const fed_names *names, const s2s_domain *d);

#endif
