/* certs.h - certificates made in memory, as good or as bad as a test wants them. Everything asserts. */
#ifndef TEST_CERTS_H
#define TEST_CERTS_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "io/tls.h"

typedef enum cert_name_kind {
    CERT_NAME_NONE, /* ends a list */
    CERT_DNS,
    CERT_SRV,      /* otherName id-on-dnsSRV, IA5String */
    CERT_XMPP,     /* otherName id-on-xmppAddr, UTF8String */
    CERT_SRV_UTF8, /* with the wrong string type */
    CERT_XMPP_IA5,
    CERT_EMAIL
} cert_name_kind;

typedef struct cert_name {
    cert_name_kind kind;
    const char *text;
    int len; /* 0: up to the NUL */
} cert_name;

typedef struct cert_ask {
    const char *cn;
    cert_name names[8];
    const char *usage;     /* extended key usage, "clientAuth"; NULL: none */
    const char *permitted; /* name constraints, "permitted;DNS:rem.example" */
    bool ca;
    int rsa;              /* bits; 0: P-256 */
    const EVP_MD *digest; /* NULL: SHA-256 */
    long from, until;     /* s from now; both 0: an hour ago, in an hour */
} cert_ask;

typedef struct cert {
    X509 *x;
    EVP_PKEY *key;
} cert;

cert cert_make(const cert_ask *ask, const cert *issuer); /* NULL: signs itself */
void cert_free(cert *c);

/* PEM texts; freed by the caller with free. */
char *cert_pem(const cert *c);
char *cert_key_pem(const cert *c);

io_identity *cert_identity(const cert *c, const cert *issuer); /* issuer NULL: no chain behind it */
X509_STORE *cert_store(const cert *root);
s2s_domain cert_domain(const char *text);

#endif
