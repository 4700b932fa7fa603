/* marks.h - which plaintext offset lies behind which offset on the wire.
 * For:    telling from what the peer's kernel has acknowledged how much plaintext that was.
 * Never:  asks the kernel itself.
 * Owner:  one connection; init in place, fini releases. Holds no memory while everything is acknowledged. */
#ifndef IO_MARKS_H
#define IO_MARKS_H

#include "s2s/base.h"

typedef struct io_mark {
    uint64_t plain; /* offset of the end of a record's plaintext */
    uint64_t wire;  /* offset of the end of its bytes */
} io_mark;

typedef struct io_marks {
    io_mark *item; /* oldest first, from `first` */
    size_t first, n, size;
    uint64_t plain; /* acknowledged */
} io_marks;

#define IO_MARKS_MAX 1024

void io_marks_init(io_marks *m,
                   uint64_t plain); /* everything up to `plain` counts as acknowledged */
void io_marks_fini(io_marks *m);

/* A record was written; offsets only grow. When the list is full, or there is no memory, the newest mark is widened: its
 * plaintext then counts as acknowledged later than it was, never sooner. */
void io_marks_add(io_marks *m, uint64_t plain, uint64_t wire);
bool io_marks_full(const io_marks *m);

/* Bytes before `wire` are acknowledged. Gives the plaintext offset. */
uint64_t io_marks_acked(io_marks *m, uint64_t wire);

#endif
