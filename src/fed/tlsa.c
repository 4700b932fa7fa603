/* tlsa.c - see tlsa.h. */
#include "fed/tlsa.h"

#include <stdlib.h>
#include <string.h>

static size_t bytes_of(const fed_tlsa *list, size_t n)
{
    size_t bytes = n * sizeof *list;
    for (size_t i = 0; i < n; i++)
        bytes += list[i].data.len;
    return bytes;
}

/* Gives where the next one's data may begin. */
static char *copy(fed_tlsa *to, const fed_tlsa *from, size_t n, char *at)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
        to[i].data.ptr = at;
        if (from[i].data.len > 0) memcpy(at, from[i].data.ptr, from[i].data.len);
        at += from[i].data.len;
    }
    return at;
}

bool fed_tlsa_add(fed_tlsa_set *set, const fed_dns *answer)
{
    if (answer->n_tlsa == 0) return true;
    size_t n = set->n + answer->n_tlsa;
    fed_tlsa *item = malloc(bytes_of(set->item, set->n) + bytes_of(answer->tlsa, answer->n_tlsa));
    if (item == NULL) return false;
    char *at = copy(item, set->item, set->n, (char *)(item + n));
    copy(item + set->n, answer->tlsa, answer->n_tlsa, at);
    free(set->item);
    *set = (fed_tlsa_set){item, n};
    return true;
}

void fed_tlsa_clear(fed_tlsa_set *set)
{
    free(set->item);
    *set = (fed_tlsa_set){NULL, 0};
}
