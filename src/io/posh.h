/* posh.h - fingerprints of certificates, as a domain publishes them (RFC 7711).
 * For:    holding a certificate against them.
 * Never:  fetches them (fetch.h) or reads the document they stand in; looks at names or signers.
 * Owner:  plain values.                                                     */
#ifndef IO_POSH_H
#define IO_POSH_H

#include <openssl/x509.h>
#include <time.h>

#include "s2s/base.h"

typedef struct io_posh_print { /* of the certificate as DER */
    uint8_t len;               /* 32: SHA-256, 64: SHA-512 */
    uint8_t digest[64];
} io_posh_print;

/* OK: one of the prints is that certificate's, and it is valid at that time (0: now; RFC 7711 6). CERT_POSH, CERT_EXPIRED,
 * CERT_WEAK, CERT_MISSING. */
s2s_err io_posh_judge(X509 *leaf, const io_posh_print *prints, size_t n, time_t at,
                      char detail[128]);

#endif
