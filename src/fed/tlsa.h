/* tlsa.h - TLSA records that are kept beyond the answer they came in.
 * For:    the plan of a link, an inquiry.
 * Never:  looks into one.
 * Owner:  whoever holds the set; all-zero is an empty one.                  */
#ifndef FED_TLSA_H
#define FED_TLSA_H

#include "fed/world.h"

typedef struct fed_tlsa_set {
    fed_tlsa *item; /* one block with the data behind it */
    size_t n;
} fed_tlsa_set;

/* Copies those of the answer behind what is there. False: no memory; the set is as it was. */
bool fed_tlsa_add(fed_tlsa_set *set, const fed_dns *answer);
void fed_tlsa_clear(fed_tlsa_set *set);

#endif
