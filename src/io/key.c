/* key.c - see key.h. */
#include "io/key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

enum { DIGEST = 32 };

static void hex_of(const unsigned char in[DIGEST], char out[2 * DIGEST + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < DIGEST; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * DIGEST] = '\0';
}

void io_key_init(io_key *k, s2s_span secret)
{
    unsigned char digest[DIGEST];
    int ok = EVP_Digest(secret.ptr, secret.len, digest, NULL, EVP_sha256(), NULL);
    S2S_ASSERT(ok == 1);
    hex_of(digest, k->hex);
    OPENSSL_cleanse(digest, sizeof digest);
}

/* HMAC over the pieces, keyed with the hex text of the key, not with the digest it stands for. */
static void sign(const io_key *k, const s2s_span *pieces, size_t n, char out[2 * DIGEST + 1])
{
    unsigned char mac[DIGEST];
    size_t len = 0;
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    int ok = ctx && EVP_MAC_init(ctx, (const unsigned char *)k->hex, strlen(k->hex), params);
    for (size_t i = 0; ok && i < n; i++)
        ok = EVP_MAC_update(ctx, (const unsigned char *)pieces[i].ptr, pieces[i].len);
    ok = ok && EVP_MAC_final(ctx, mac, &len, sizeof mac);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(hmac);
    S2S_ASSERT(ok && len == DIGEST);
    hex_of(mac, out);
}

void io_key_init_for(io_key *k, s2s_span secret, const char *use)
{
    io_key whole;
    s2s_span piece = s2s_span_of(use);
    io_key_init(&whole, secret);
    sign(&whole, &piece, 1, k->hex);
    io_key_forget(&whole);
}

void io_key_forget(io_key *k)
{
    OPENSSL_cleanse(k, sizeof *k);
}

void io_key_dialback(const io_key *k, const s2s_domain *receiving, const s2s_domain *originating,
                     s2s_span id, char out[IO_DIALBACK_KEY])
{
    const s2s_span pieces[] = {s2s_domain_span(receiving), S2S_LIT(" "),
                               s2s_domain_span(originating), S2S_LIT(" "), id};
    sign(k, pieces, sizeof pieces / sizeof *pieces, out);
}

void io_random(void *out, size_t n)
{
    S2S_ASSERT(n <= INT32_MAX);
    int ok = RAND_bytes(out, (int)n);
    S2S_ASSERT(ok == 1);
}

bool io_random_ready(void)
{
    unsigned char probe[16];
    return RAND_status() == 1 && RAND_bytes(probe, sizeof probe) == 1;
}
