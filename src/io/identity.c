/* identity.c - certificates of ours: loading, and what is wrong with them; see tls.h. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/identity.h"
#include "io/judge.h"

enum { FILE_MAX = 1024 * 1024 }; /* octets; a chain with its key has some ten thousand */

const char *io_cert_fault_text(io_cert_fault fault)
{
    switch (fault) {
    case IO_CERT_OK: return "";
    case IO_CERT_MISSING: return "the certificate's file does not exist";
    case IO_CERT_UNREADABLE: return "the certificate's file cannot be read";
    case IO_CERT_FORMAT: return "there is no certificate in it (PEM)";
    case IO_CERT_KEY_MISSING: return "the key's file does not exist";
    case IO_CERT_KEY_UNREADABLE: return "the key's file cannot be read";
    case IO_CERT_KEY_FORMAT: return "there is no private key in it (PEM), or it is encrypted";
    case IO_CERT_KEY_MISMATCH: return "the key does not belong to the certificate";
    case IO_CERT_WEAK: return "its key or signature is too weak (RSA from 2048 bits, no SHA-1)";
    case IO_CERT_MEMORY: return "out of memory";
    }
    return "";
}

/* ---- from memory ---- */

/* There is nobody to ask for a password. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static BIO *bio_of(s2s_span text)
{
    return text.len <= FILE_MAX ? BIO_new_mem_buf(text.ptr, (int)text.len) : NULL;
}

static bool read_certs(io_identity *id, BIO *bio)
{
    id->leaf = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    id->chain = sk_X509_new_null();
    if (!id->leaf || !id->chain) return false;
    for (;;) {
        X509 *next = PEM_read_bio_X509(bio, NULL, no_password, NULL);
        if (!next) return true;
        if (sk_X509_push(id->chain, next) <= 0) {
            X509_free(next);
            return false;
        }
    }
}

io_identity *io_identity_of_pem(s2s_span cert, s2s_span key, io_cert_fault *fault)
{
    io_identity *id = calloc(1, sizeof *id);
    BIO *certs = bio_of(cert), *keys = bio_of(key.ptr ? key : cert);
    *fault = id ? IO_CERT_OK : IO_CERT_MEMORY;
    if (id) {
        id->refs = 1;
        if (!certs || !read_certs(id, certs))
            *fault = IO_CERT_FORMAT;
        else if (!keys || !(id->key = PEM_read_bio_PrivateKey(keys, NULL, no_password, NULL)))
            *fault = IO_CERT_KEY_FORMAT;
        else if (X509_check_private_key(id->leaf, id->key) != 1)
            *fault = IO_CERT_KEY_MISMATCH;
        else if (!io_identity_serves(id))
            *fault = IO_CERT_WEAK;
    }
    BIO_free(certs);
    BIO_free(keys);
    ERR_clear_error();
    if (*fault == IO_CERT_OK) return id;
    io_identity_free(id);
    return NULL;
}

/* ---- from files ---- */

/* Gives an allocated text, or NULL with errno. */
static char *slurp(const char *name, size_t *len)
{
    FILE *file = fopen(name, "re");
    char *text = file ? malloc(FILE_MAX) : NULL;
    *len = text ? fread(text, 1, FILE_MAX, file) : 0;
    int err = file && ferror(file) ? errno : text ? 0 : errno;
    if (err != 0) {
        free(text);
        text = NULL;
    }
    if (file) fclose(file);
    errno = err;
    return text;
}

static void wipe(char *text, size_t len)
{
    if (text) OPENSSL_cleanse(text, len);
    free(text);
}

static io_cert_fault fault_of(io_cert_fault missing, io_cert_fault unreadable)
{
    if (errno == ENOMEM) return IO_CERT_MEMORY;
    return errno == ENOENT || errno == ENOTDIR ? missing : unreadable;
}

io_identity *io_identity_load(const char *cert_file, const char *key_file, io_cert_fault *fault)
{
    size_t cert_len, key_len = 0;
    char *key = NULL, *cert = slurp(cert_file, &cert_len);
    io_identity *id = NULL;
    if (!cert) {
        *fault = fault_of(IO_CERT_MISSING, IO_CERT_UNREADABLE);
    } else if (key_file && !(key = slurp(key_file, &key_len))) {
        *fault = fault_of(IO_CERT_KEY_MISSING, IO_CERT_KEY_UNREADABLE);
    } else {
        id = io_identity_of_pem((s2s_span){cert, cert_len}, (s2s_span){key, key_len}, fault);
    }
    wipe(cert, cert_len);
    wipe(key, key_len);
    return id;
}

/* ---- what it is ---- */

void io_identity_free(io_identity *id)
{
    if (!id || --id->refs > 0) return;
    X509_free(id->leaf);
    sk_X509_pop_free(id->chain, X509_free);
    EVP_PKEY_free(id->key);
    free(id);
}

bool io_identity_covers(const io_identity *id, const s2s_domain *domain)
{
    return io_cert_names(id->leaf, domain, false);
}

static int64_t seconds_of(const ASN1_TIME *at)
{
    struct tm tm;
    return ASN1_TIME_to_tm(at, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

void io_identity_dates(const io_identity *id, int64_t *from, int64_t *until)
{
    *from = seconds_of(X509_get0_notBefore(id->leaf));
    *until = seconds_of(X509_get0_notAfter(id->leaf));
}

/* ---- trust ---- */

static X509_STORE *store_fail(X509_STORE *store, char why[128], const char *text)
{
    (void)snprintf(why, 128, "%s", text);
    X509_STORE_free(store);
    ERR_clear_error();
    return NULL;
}

X509_STORE *io_store_load(const char *file, const char *folder, char why[128])
{
    X509_STORE *store = X509_STORE_new();
    why[0] = '\0';
    if (!store) return store_fail(store, why, "out of memory");
    if (!file && !folder && X509_STORE_set_default_paths(store) != 1)
        return store_fail(store, why, "the system's authorities cannot be loaded");
    if (file && X509_STORE_load_file(store, file) != 1)
        return store_fail(store, why, "the file cannot be read or holds no certificate (PEM)");
    if (folder && X509_STORE_load_path(store, folder) != 1)
        return store_fail(store, why, "the folder cannot be used");
    ERR_clear_error();
    return store;
}
