/* dane.c - see dane.h. */
#include "io/dane.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

enum { KEY_BITS = 112 /* as level 2 of OpenSSL, which judge.c demands */, DIGEST_MAX = 64 };

static s2s_err say(char detail[128], s2s_err err, const char *text)
{
    if (detail) (void)snprintf(detail, 128, "%s", text);
    return err;
}

/* ---- one record and one certificate ---- */

/* In full it always counts; of digests, those of the strongest kind among their like. */
static bool counts(const io_dane_ask *dane, const io_tlsa *t)
{
    if (t->matching == IO_TLSA_FULL) return true;
    for (size_t i = 0; i < dane->n_tlsa; i++) {
        const io_tlsa *other = &dane->tlsa[i];
        if (other->usage == t->usage && other->selector == t->selector &&
            other->matching > t->matching)
            return false;
    }
    return true;
}

/* What the selector selects, as DER; to be freed with OPENSSL_free. <= 0: no memory. */
static int selected(X509 *x, uint8_t selector, unsigned char **der)
{
    *der = NULL;
    return selector == IO_TLSA_CERT ? i2d_X509(x, der)
                                    : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), der);
}

static bool fits(X509 *x, const io_tlsa *t)
{
    unsigned char *der, digest[DIGEST_MAX];
    unsigned n = 0;
    int len = selected(x, t->selector, &der);
    bool same = false;
    if (len > 0 && t->matching == IO_TLSA_FULL)
        same = t->data.len == (size_t)len && memcmp(t->data.ptr, der, t->data.len) == 0;
    else if (len > 0)
        same = EVP_Digest(der, (size_t)len, digest, &n,
                          t->matching == IO_TLSA_SHA256 ? EVP_sha256() : EVP_sha512(), NULL) == 1 &&
               t->data.len == n && memcmp(t->data.ptr, digest, n) == 0;
    OPENSSL_free(der);
    return same;
}

static bool fits_any(X509 *x, const io_dane_ask *dane, uint8_t usage)
{
    for (size_t i = 0; i < dane->n_tlsa; i++) {
        const io_tlsa *t = &dane->tlsa[i];
        if (t->usage == usage && counts(dane, t) && fits(x, t)) return true;
    }
    return false;
}

/* ---- DANE-EE ---- */

static s2s_err judge_leaf(X509 *leaf, char detail[128])
{
    const EVP_PKEY *key = X509_get0_pubkey(leaf);
    if (!key || EVP_PKEY_get_security_bits(key) < KEY_BITS)
        return say(detail, S2S_E_CERT_WEAK, "its key is too weak");
    return say(detail, S2S_E_OK, "");
}

/* ---- DANE-TA ---- */

static s2s_err judge_names(const io_judge_ask *ask, const io_dane_ask *dane, const io_chain *chain,
                           char detail[128])
{
    io_judge_ask again = *ask;
    s2s_err err = io_judge_leaf(&again, chain, detail);
    for (size_t i = 0; i < dane->n_hosts && err == S2S_E_CERT_NAME; i++) {
        again.name = &dane->hosts[i];
        err = io_judge_leaf(&again, chain, detail);
    }
    return err;
}

/* With that one certificate as the whole of whom we trust. */
static s2s_err judge_below(const io_judge_ask *ask, const io_dane_ask *dane, X509 *anchor,
                           char detail[128])
{
    io_judge_ask below = *ask;
    io_chain chain;
    X509_STORE *store = X509_STORE_new();
    s2s_err err = say(detail, S2S_E_NOMEM, "out of memory");
    below.store = store;
    if (store && X509_STORE_add_cert(store, anchor) == 1 &&
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1)
        err = io_judge_chain(&below, &chain, detail);
    if (err == S2S_E_OK) err = judge_names(ask, dane, &chain, detail);
    X509_STORE_free(store);
    return err;
}

static bool is_leaf(const io_judge_ask *ask, const X509 *x)
{
    return X509_cmp(x, ask->leaf) == 0;
}

enum { ANCHORS_MAX = 8 }; /* that are tried: a peer may show many, a domain may name many */

/* Those that were shown, and those that stand in the records themselves. */
static s2s_err judge_anchors(const io_judge_ask *ask, const io_dane_ask *dane, char detail[128])
{
    s2s_err err = say(detail, S2S_E_CERT_TLSA, "no record fits");
    unsigned tried = 0;
    int shown = sk_X509_num(ask->untrusted);
    for (int i = 0; i < shown && err != S2S_E_OK && tried < ANCHORS_MAX; i++) {
        X509 *x = sk_X509_value(ask->untrusted, i);
        if (is_leaf(ask, x) || !fits_any(x, dane, IO_TLSA_DANE_TA)) continue;
        err = judge_below(ask, dane, x, detail);
        tried++;
    }
    for (size_t i = 0; i < dane->n_tlsa && err != S2S_E_OK && tried < ANCHORS_MAX; i++) {
        const io_tlsa *t = &dane->tlsa[i];
        const unsigned char *der = (const unsigned char *)t->data.ptr;
        if (t->usage != IO_TLSA_DANE_TA || t->selector != IO_TLSA_CERT ||
            t->matching != IO_TLSA_FULL)
            continue;
        X509 *x = d2i_X509(NULL, &der, (long)t->data.len);
        s2s_err own = x && !is_leaf(ask, x) ? judge_below(ask, dane, x, detail) : err;
        /* That nobody leads there says less than what was wrong with one that leads somewhere. */
        if (own == S2S_E_OK || err == S2S_E_CERT_TLSA)
            err = own == S2S_E_CERT_UNTRUSTED ? S2S_E_CERT_TLSA : own;
        X509_free(x);
        tried++;
    }
    return err;
}

s2s_err io_dane_judge(const io_judge_ask *ask, const io_dane_ask *dane, char detail[128])
{
    if (!ask->leaf) return say(detail, S2S_E_CERT_MISSING, "it showed none");
    s2s_err err = fits_any(ask->leaf, dane, IO_TLSA_DANE_EE) ? judge_leaf(ask->leaf, detail)
                                                             : judge_anchors(ask, dane, detail);
    ERR_clear_error();
    return err;
}
