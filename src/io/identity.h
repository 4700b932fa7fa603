/* identity.h - the inside of a certificate of ours, for the files that use it.
 * For:    identity.c and tls.c.
 * Never:  included from elsewhere.
 * Owner:  counted; whoever keeps one holds a reference.                     */
#ifndef IO_IDENTITY_H
#define IO_IDENTITY_H

#include "io/tls.h"

struct io_identity {
    unsigned refs;
    X509 *leaf;
    STACK_OF(X509) * chain; /* intermediates */
    EVP_PKEY *key;
};

/* tls.c: OpenSSL would show it to a peer. */
bool io_identity_serves(const io_identity *id);

#endif
