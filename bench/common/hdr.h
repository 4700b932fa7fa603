/* hdr.h - a histogram of latencies with a fixed relative error (1/128 of a value).
 * For:    percentiles of millions of values in constant memory; nothing is sampled away.
 * Never:  knows the unit of what it counts. */
#ifndef BENCH_HDR_H
#define BENCH_HDR_H

#include <stdint.h>

enum { HDR_SUB_BITS = 7, HDR_SUB = 1 << HDR_SUB_BITS, HDR_SLOTS = (65 - HDR_SUB_BITS) * HDR_SUB };

typedef struct hdr { /* zero before first use */
    uint64_t slots[HDR_SLOTS];
    uint64_t count, least, most;
    double sum;
} hdr;

void hdr_add(hdr *h, uint64_t value);
void hdr_merge(hdr *into, const hdr *from);
/* The least value which at least `share` (0 to 1) of all values do not exceed, at most 1/128 too high; 0 when empty. */
uint64_t hdr_at(const hdr *h, double share);
double hdr_mean(const hdr *h);

#endif
