/* anchors.h - the DNSSEC trust anchors in a file.
 * For:    saying at the start what is wrong with it: libunbound would read it at the first lookup, and fail each one then.
 * Never:  judges whether an anchor is the right one.
 * Owner:  plain functions.                                                  */
#ifndef IO_ANCHORS_H
#define IO_ANCHORS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct io_anchors_fault {
    size_t line; /* 0: of the file as a whole */
    char reason[96];
} io_anchors_fault;

/* Calls `each` with every DS and DNSKEY record, in one line as in a zone file; it may say no and why (a text that lives for
 * ever). At least one must be there, and nothing else but comments. False: *fault says why. */
bool io_anchors_read(const char *file, const char *(*each)(void *ctx, const char *record),
                     void *ctx, io_anchors_fault *fault);

#endif
