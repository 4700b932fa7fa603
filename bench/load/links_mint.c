/* links_mint.c - see links_mint.h. */
#include "links_mint.h"

#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERIAL_BITS = 120, BEFORE_S = 3600, AFTER_S = 30 * 86400 };

/* ---- files ---- */

static EVP_PKEY *read_key(const char *file)
{
    BIO *in = BIO_new_file(file, "r");
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    if (!key) fprintf(stderr, "%s: no private key can be read\n", file);
    return key;
}

static X509 *read_cert(const char *file)
{
    BIO *in = BIO_new_file(file, "r");
    X509 *x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    if (!x) fprintf(stderr, "%s: no certificate can be read\n", file);
    return x;
}

/* What was written, as a string of its own; frees the BIO. */
static char *text_of(BIO *bio, bool ok)
{
    char *bytes, *text = NULL;
    long n = bio ? BIO_get_mem_data(bio, &bytes) : 0;
    if (ok && n > 0) text = malloc((size_t)n + 1);
    if (text) {
        memcpy(text, bytes, (size_t)n);
        text[n] = '\0';
    }
    BIO_free(bio);
    return text;
}

static char *key_text(EVP_PKEY *key)
{
    BIO *out = BIO_new(BIO_s_mem());
    return text_of(out, out && PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1);
}

bool mint_init(mint *m, const char *issuer, const char *issuer_key, const char *key)
{
    m->issuer = read_cert(issuer);
    m->issuer_key = read_key(issuer_key);
    m->key = read_key(key);
    m->key_pem = m->key ? key_text(m->key) : NULL;
    return m->issuer && m->issuer_key && m->key_pem;
}

void mint_fini(mint *m)
{
    X509_free(m->issuer);
    EVP_PKEY_free(m->issuer_key);
    EVP_PKEY_free(m->key);
    free(m->key_pem);
    memset(m, 0, sizeof *m);
}

/* ---- certificates ---- */

static bool set_serial(X509 *x)
{
    BIGNUM *n = BN_new();
    bool ok = n && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
    BN_free(n);
    return ok;
}

static bool set_name(X509 *x, const char *domain)
{
    char names[300];
    X509_NAME *subject = X509_get_subject_name(x);
    int n = snprintf(names, sizeof names, "DNS:%s", domain);
    X509_EXTENSION *alt = n > 0 && (size_t)n < sizeof names
                              ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names)
                              : NULL;
    bool ok = alt && X509_add_ext(x, alt, -1) == 1 &&
              X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, /* a CN is short */
                                         (const unsigned char *)"remote", -1, -1, 0) == 1;
    X509_EXTENSION_free(alt);
    return ok;
}

char *mint_make(const mint *m, const char *domain)
{
    X509 *x = X509_new();
    BIO *out = BIO_new(BIO_s_mem());
    bool ok = x && out && X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
              set_name(x, domain) &&
              X509_set_issuer_name(x, X509_get_subject_name(m->issuer)) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(x), -BEFORE_S) &&
              X509_gmtime_adj(X509_getm_notAfter(x), AFTER_S) && X509_set_pubkey(x, m->key) == 1 &&
              X509_sign(x, m->issuer_key, EVP_sha256()) > 0 && PEM_write_bio_X509(out, x) == 1;
    X509_free(x);
    return text_of(out, ok);
}
