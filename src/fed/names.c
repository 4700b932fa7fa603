/* names.c - see names.h. Open addressing, at most half full. */
#include "fed/names.h"

#include <string.h>

size_t fed_names_places(size_t n)
{
    size_t places = 4;
    while (places < 2 * n)
        places *= 2;
    return places;
}

void fed_names_init(fed_names *names, const s2s_domain *first, size_t stride, uint32_t *places,
                    size_t n)
{
    *names = (fed_names){
        .first = first, .stride = stride, .places = places, .n_places = fed_names_places(n)};
    memset(places, 0, names->n_places * sizeof *places);
}

static const s2s_domain *domain_at(const fed_names *names, size_t i)
{
    return (const s2s_domain *)(const void *)((const char *)names->first + i * names->stride);
}

/* Where d stands, or would stand. */
static uint32_t *place_of(const fed_names *names, const s2s_domain *d)
{
    size_t at = s2s_domain_hash(d, 0);
    for (;; at++) {
        uint32_t *place = &names->places[at & (names->n_places - 1)];
        if (*place == 0 || s2s_domain_eq(domain_at(names, *place - 1), d)) return place;
    }
}

void fed_names_add(fed_names *names, size_t i)
{
    const s2s_domain *d = domain_at(names, i);
    uint32_t *place = place_of(names, d);
    S2S_ASSERT(i < UINT32_MAX);
    if (*place == 0) *place = (uint32_t)i + 1;
    if (d->len > names->longest) names->longest = d->len;
}

size_t fed_names_find(const fed_names *names, const s2s_domain *d)
{
    if (d->len > names->longest) return FED_NAMES_NONE;
    uint32_t place = *place_of(names, d);
    return place != 0 ? place - 1 : FED_NAMES_NONE;
}

/* What is longer than the longest is not hashed: somebody may make up names of a hundred labels. */
size_t fed_names_above(const fed_names *names, const s2s_domain *d)
{
    s2s_domain up = *d;
    if (names->longest == 0) return FED_NAMES_NONE;
    while (s2s_domain_parent(&up, &up)) {
        size_t i = fed_names_find(names, &up);
        if (i != FED_NAMES_NONE) return i;
    }
    return FED_NAMES_NONE;
}
