/* canon.h - a stanza in the canonical form of the core, whatever its spelling.
 * For:    what the loader sends (so that it comes back the same bytes); comparing what a server spelled in its own way.
 * Never:  fast: a stream of its own for each call. */
#ifndef BENCH_CANON_H
#define BENCH_CANON_H

#include <s2s/buf.h>
#include <s2s/domain.h>

/* Appends the canonical form of one whole stanza from `from` to `to`; false: it is none. */
bool canon_stanza(s2s_span stanza, const char *from, const char *to, s2s_buf *out);

#endif
