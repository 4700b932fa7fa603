/* posh.c - see posh.h. */
#include "io/posh.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { KEY_BITS = 112 /* as judge.c has it */ };

static s2s_err say(char detail[128], s2s_err err, const char *text)
{
    if (detail) (void)snprintf(detail, 128, "%s", text);
    return err;
}

static bool is_among(X509 *leaf, const io_posh_print *prints, size_t n)
{
    unsigned char sha256[64], sha512[64];
    if (X509_digest(leaf, EVP_sha256(), sha256, NULL) != 1) return false;
    if (X509_digest(leaf, EVP_sha512(), sha512, NULL) != 1) return false;
    for (size_t i = 0; i < n; i++)
        if (memcmp(prints[i].digest, prints[i].len == 32 ? sha256 : sha512, prints[i].len) == 0)
            return true;
    return false;
}

static s2s_err judge(X509 *leaf, const io_posh_print *prints, size_t n, time_t at, char detail[128])
{
    time_t *when = at != 0 ? &at : NULL;
    const EVP_PKEY *key = X509_get0_pubkey(leaf);
    if (!is_among(leaf, prints, n)) return say(detail, S2S_E_CERT_POSH, "no fingerprint is its");
    if (X509_cmp_time(X509_get0_notBefore(leaf), when) >= 0 ||
        X509_cmp_time(X509_get0_notAfter(leaf), when) <= 0)
        return say(detail, S2S_E_CERT_EXPIRED, "it is not valid now");
    if (!key || EVP_PKEY_get_security_bits(key) < KEY_BITS)
        return say(detail, S2S_E_CERT_WEAK, "its key is too weak");
    return say(detail, S2S_E_OK, "");
}

s2s_err io_posh_judge(X509 *leaf, const io_posh_print *prints, size_t n, time_t at,
                      char detail[128])
{
    s2s_err err = leaf ? judge(leaf, prints, n, at, detail)
                       : say(detail, S2S_E_CERT_MISSING, "it showed none");
    ERR_clear_error();
    return err;
}
