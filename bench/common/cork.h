/* cork.h - gathers TLS records, so that many of them leave in one send.
 * For:    a loader that plays servers which write a record per stanza while the kernel takes them together.
 * Never:  waits: what the socket does not take stays until the next flush. */
#ifndef BENCH_CORK_H
#define BENCH_CORK_H

#include <openssl/bio.h>
#include <stdbool.h>

BIO *cork_new(int fd);        /* NULL: no memory; does not own fd */
bool cork_flush(BIO *cork);   /* false: something is left */
void cork_through(BIO *cork); /* gathers no more */

#endif
