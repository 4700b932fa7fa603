/* pin.h - public keys of others, known beforehand.
 * For:    telling by its key whose certificate it is, whoever signed it.
 * Never:  looks at names, dates or signers.
 * Owner:  plain values.                                                     */
#ifndef IO_PIN_H
#define IO_PIN_H

#include <openssl/x509.h>

#include "s2s/base.h"

typedef struct io_pin {
    unsigned char
        sha256[32]; /* of the SubjectPublicKeyInfo, as in TLSA records "3 1 1" (RFC 6698) */
} io_pin;

#define IO_PIN_TEXT 53 /* "sha256//", 44 letters of base64, NUL */

/* False: not "sha256//" and 44 letters of base64. */
bool io_pin_parse(s2s_span text, io_pin *out);
const char *io_pin_print(const io_pin *pin, char out[IO_PIN_TEXT]);
/* False: no memory. */
bool io_pin_of(X509 *certificate, io_pin *out);
bool io_pin_is_among(const io_pin *pin, const io_pin *list, size_t n);

#endif
