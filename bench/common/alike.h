/* alike.h - whether two canonical stanzas say the same.
 * For:    judging what a server wrote in its own way: the order of attributes is its own affair, that of children is not.
 * Never:  reads anything but the core's canonical form. */
#ifndef BENCH_ALIKE_H
#define BENCH_ALIKE_H

#include <s2s/base.h>

typedef enum alike {
    ALIKE_SAME,       /* to any XML parser */
    ALIKE_REARRANGED, /* the stanza's children are the same, in another order */
    ALIKE_NOT
} alike;

alike alike_of(s2s_span a, s2s_span b);

#endif
