/* raw.h - stanzas about to be sent past the stream, with the places where each ends.
 * For:    a loader which decides how its bytes are cut into records; cheap enough to load what is cheap.
 * Never:  looks at the bytes. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <s2s/buf.h>

typedef enum flush_mode {
    FLUSH_EACH,   /* one record and one send for each stanza */
    FLUSH_RECORD, /* one record for each stanza, many records in one send */
    FLUSH_FULL    /* records as full as what waits allows */
} flush_mode;

typedef struct raw {
    s2s_buf bytes;
    uint32_t *lengths; /* a ring */
    size_t first, count, size;
    size_t gone; /* octets sent of the first stanza */
} raw;

void raw_init(raw *r);
void raw_fini(raw *r);
void raw_put(raw *r, s2s_span stanza);
s2s_span raw_out(const raw *r, flush_mode mode); /* what to hand to the connection next */
void raw_sent(raw *r, size_t n);

#endif
