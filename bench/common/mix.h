/* mix.h - the stanzas a loader sends: what a busy federated server sees, made from a seed.
 * For:    60 % messages (16 % of them end-to-end encrypted), 25 % presence with capabilities, 15 % iq from pings to key bundles;
 *         each carries who sent it, its number and its time, under a check.
 * Never:  sends, or keeps what was sent: everything can be written again from the mark. */
#ifndef BENCH_MIX_H
#define BENCH_MIX_H

#include <s2s/base.h>

typedef struct mix mix;

typedef struct mix_mark { /* what a stanza's id says */
    uint32_t pair;
    uint64_t number; /* on its pair, from 0; below 2^40 */
    uint64_t stamp;  /* ns */
} mix_mark;

typedef struct mix_plan {
    uint64_t seed;
    unsigned large_every; /* each so many templates one is a large message; 0: none */
    size_t large_size;    /* octets of it */
} mix_plan;

mix *mix_new(const mix_plan *plan); /* NULL: no memory */
void mix_free(mix *m);
size_t mix_longest(const mix *m, size_t from_len, size_t to_len); /* octets of the longest stanza */
double mix_mean(const mix *m, size_t from_len, size_t to_len);

/* Writes the stanza for a mark, in canonical form; gives its length. */
size_t mix_write(const mix *m, const mix_mark *mark, s2s_span from, s2s_span to, char *out);
/* Reads the mark of a stanza, however it is spelled. False: it has none, or the check does not hold. */
bool mix_read(const mix *m, s2s_span stanza, mix_mark *mark);

#endif
