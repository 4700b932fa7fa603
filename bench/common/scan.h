/* scan.h - where a first-level element ends, found without a parser.
 * For:    a loader that must take stanzas faster than what it loads; it compares whole bytes afterwards.
 * Never:  judges what it sees: streams of servers under test only, without comments or CDATA. */
#ifndef BENCH_SCAN_H
#define BENCH_SCAN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct scan { /* zero: between two elements */
    int state;
    unsigned depth;
    char quote;
    char last;
} scan;

/* Goes to the end of the first-level element, or of the bytes. Gives how many octets that were; *whole: an element ended with
 * the last of them (the end tag of the stream counts as one). White space before an element counts to it. */
size_t scan_run(scan *s, const char *bytes, size_t n, bool *whole);
bool scan_between(const scan *s); /* nothing but white space was seen since the last element */

#endif
