/* hdr.c - see hdr.h. A slot is the position of the highest bit, and the seven bits behind it. */
#include "hdr.h"

#include <stddef.h>

static unsigned highest(uint64_t value)
{
    return 63u - (unsigned)__builtin_clzll(value);
}

static size_t slot_of(uint64_t value)
{
    if (value < HDR_SUB) return (size_t)value;
    unsigned shift = highest(value) - HDR_SUB_BITS;
    return ((size_t)(shift + 1) << HDR_SUB_BITS) + (size_t)((value >> shift) - HDR_SUB);
}

/* The greatest value of a slot. */
static uint64_t value_of(size_t slot)
{
    if (slot < HDR_SUB) return slot;
    unsigned shift = (unsigned)(slot >> HDR_SUB_BITS) - 1;
    uint64_t low = ((uint64_t)(slot & (HDR_SUB - 1)) + HDR_SUB) << shift;
    return low + ((uint64_t)1 << shift) - 1;
}

void hdr_add(hdr *h, uint64_t value)
{
    h->slots[slot_of(value)]++;
    if (h->count == 0 || value < h->least) h->least = value;
    if (value > h->most) h->most = value;
    h->count++;
    h->sum += (double)value;
}

void hdr_merge(hdr *into, const hdr *from)
{
    for (size_t i = 0; i < HDR_SLOTS; i++)
        into->slots[i] += from->slots[i];
    if (from->count > 0 && (into->count == 0 || from->least < into->least))
        into->least = from->least;
    if (from->most > into->most) into->most = from->most;
    into->count += from->count;
    into->sum += from->sum;
}

uint64_t hdr_at(const hdr *h, double share)
{
    uint64_t seen = 0;
    double need = share * (double)h->count;
    if (h->count == 0) return 0;
    for (size_t i = 0; i < HDR_SLOTS; i++) {
        seen += h->slots[i];
        if (seen > 0 && (double)seen >= need) {
            uint64_t value = value_of(i);
            return value < h->most ? value : h->most;
        }
    }
    return h->most;
}

double hdr_mean(const hdr *h)
{
    return h->count ? h->sum / (double)h->count : 0.0;
}
