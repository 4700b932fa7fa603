#include "app/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "app/arena.h"

enum { SOON = 14 * 24 * 3600 }; /* s */

struct app_certificate {
    X509 *leaf;
};

/* A service has nobody to ask: an encrypted key is an error, not a prompt. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)ctx = true;
    return -1;
}

app_certificate *app_certificate_load(const char *file, const char **why)
{
    BIO *bio = BIO_new_file(file, "r");
    X509 *leaf = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    *why = leaf ? NULL : bio ? "there is no certificate in it (PEM)" : "it cannot be read";
    BIO_free(bio);
    ERR_clear_error();
    if (!leaf) return NULL;
    app_certificate *c = app_take(sizeof *c);
    c->leaf = leaf;
    return c;
}

void app_certificate_free(app_certificate *c)
{
    if (!c) return;
    X509_free(c->leaf);
    free(c);
}

const char *app_certificate_check_key(const app_certificate *c, const char *key_file)
{
    bool encrypted = false;
    BIO *bio = BIO_new_file(key_file, "r");
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted) : NULL;
    const char *why = key ? NULL
                      : encrypted
                          ? "the key is encrypted, and there is nobody to ask for the password"
                      : bio ? "there is no private key in it (PEM)"
                            : "it cannot be read";
    if (key && X509_check_private_key(c->leaf, key) != 1)
        why = "the key does not belong to the certificate";
    BIO_free(bio);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return why;
}

const char *app_certificate_check_dates(const app_certificate *c, bool *expired)
{
    time_t soon = time(NULL) + SOON;
    int end_now = X509_cmp_current_time(X509_get0_notAfter(c->leaf));
    int begin_now = X509_cmp_current_time(X509_get0_notBefore(c->leaf));
    *expired = end_now < 0 || begin_now > 0;
    if (end_now < 0) return "has expired";
    if (begin_now > 0) return "is not valid yet";
    if (X509_cmp_time(X509_get0_notAfter(c->leaf), &soon) < 0) return "expires within 14 days";
    return NULL;
}

bool app_certificate_covers(const app_certificate *c, const s2s_domain *domain)
{
    const unsigned flags =
        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    return X509_check_host(c->leaf, domain->text, domain->len, flags, NULL) == 1;
}

size_t app_certificate_count(const char *file)
{
    size_t n = 0;
    BIO *bio = BIO_new_file(file, "r");
    for (X509 *x; bio && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL; n++)
        X509_free(x);
    BIO_free(bio);
    ERR_clear_error();
    return n;
}
