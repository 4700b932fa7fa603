/* pin.c - see pin.h. */
#include "io/pin.h"

#include <openssl/evp.h>
#include <string.h>

static const char PREFIX[] = "sha256//";

enum { LETTERS = 44, DIGEST = sizeof((io_pin){{0}}).sha256 };

const char *io_pin_print(const io_pin *pin, char out[IO_PIN_TEXT])
{
    _Static_assert(sizeof PREFIX + LETTERS == IO_PIN_TEXT, "what is printed");
    memcpy(out, PREFIX, sizeof PREFIX - 1);
    EVP_EncodeBlock((unsigned char *)out + sizeof PREFIX - 1, pin->sha256, DIGEST);
    return out;
}

/* What does not print as it was written (padding, stray bits, white space) is none. */
bool io_pin_parse(s2s_span text, io_pin *out)
{
    const size_t prefix = sizeof PREFIX - 1;
    unsigned char octets[LETTERS / 4 * 3];
    char again[IO_PIN_TEXT];
    if (text.len != prefix + LETTERS || memcmp(text.ptr, PREFIX, prefix) != 0) return false;
    const unsigned char *letters = (const unsigned char *)text.ptr + prefix;
    if (EVP_DecodeBlock(octets, letters, LETTERS) != sizeof octets) return false;
    memcpy(out->sha256, octets, DIGEST);
    return memcmp(io_pin_print(out, again), text.ptr, text.len) == 0;
}

bool io_pin_of(X509 *certificate, io_pin *out)
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (len <= 0) return false;
    unsigned n = 0;
    bool ok = EVP_Digest(der, (size_t)len, out->sha256, &n, EVP_sha256(), NULL) == 1 && n == DIGEST;
    OPENSSL_free(der);
    return ok;
}

bool io_pin_is_among(const io_pin *pin, const io_pin *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(pin->sha256, list[i].sha256, DIGEST) == 0) return true;
    return false;
}
