/* meter.h - what was sent and what arrived: loss, duplicates, order, content, latency.
 * For:    every stanza numbered on its pair and judged when it arrives, byte for byte.
 * Never:  sends; trusts what arrives. */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <s2s/domain.h>

#include "hdr.h"
#include "mix.h"

typedef struct meter_pair {
    s2s_domain from, to;
    uint32_t lane;   /* for the owner */
    uint64_t sent;   /* how many; also the next number */
    uint64_t next;   /* the number expected */
    uint64_t *seen;  /* bits, one for each number */
    size_t seen_len; /* words */
} meter_pair;

typedef struct meter {
    const mix *mix;
    meter_pair *pairs;
    size_t n_pairs, size;
    char *scratch;
    size_t scratch_len;
    /* All since the start. Lost is what has not arrived: only true when all is drained. */
    uint64_t sent, arrived; /* arrived: once each */
    uint64_t octets;        /* of what arrived */
    uint64_t doubled, swapped, changed, foreign;
    uint64_t respelled; /* the same to an XML parser, other bytes */
    uint64_t
        rearranged; /* the same children in another order: changed too, unless that is allowed */
    bool may_rearrange;
    bool
        may_rename; /* a stanza may say xmlns='jabber:client' itself, as some servers tell components */
    char trouble[512]; /* the first that was wrong, for people */
    hdr latency;       /* ns; cleared by whoever begins a phase */
} meter;

void meter_init(meter *m, const mix *of); /* borrows the mix */
void meter_fini(meter *m);
/* Index of the new pair; UINT32_MAX: no memory. */
uint32_t meter_add(meter *m, const s2s_domain *from, const s2s_domain *to, uint32_t lane);
/* The next stanza of a pair, lent until the next call. */
s2s_span meter_send(meter *m, uint32_t pair, uint64_t stamp);
/* Judges what arrived; gives the pair which got a new stanza, or UINT32_MAX. */
uint32_t meter_arrive(meter *m, s2s_span stanza, uint64_t now);
uint64_t meter_lost(const meter *m);
bool meter_clean(const meter *m); /* nothing lost, doubled, swapped, changed or foreign */

#endif
