/* links_mint.h - certificates for played remotes, one for each, as remote servers have them.
 * For:    a server under test which keeps what it found out about a certificate must find it out of each.
 * Never:  writes to a disk; makes keys.                                     */
#ifndef LOAD_LINKS_MINT_H
#define LOAD_LINKS_MINT_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

typedef struct mint {
    X509 *issuer;
    EVP_PKEY *issuer_key, *key; /* key: of all that are made */
    char *key_pem;
} mint;

/* PEM files. False: said on stderr; links_mint_fini is due either way. */
bool mint_init(mint *m, const char *issuer, const char *issuer_key, const char *key);
void mint_fini(mint *m);
/* A certificate in PEM that names the domain, good from an hour ago for a month; freed by the caller with free. NULL: no
 * memory, or the issuer's key cannot sign. */
char *mint_make(const mint *m, const char *domain);

#endif
