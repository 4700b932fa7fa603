/* bare_tls.h - OpenSSL at the other end of a bare socket, as badly behaved as a test wants it. */
#ifndef TEST_BARE_TLS_H
#define TEST_BARE_TLS_H

#include <openssl/ssl.h>

#include "party.h"

typedef struct bare_tls {
    SSL_CTX *ctx;
    SSL *ssl;
    io_loop *loop;
    int fd;
} bare_tls;

/* At any security level, accepting any chain; the protocol versions may be set on ctx before shaking. */
void bare_tls_init(bare_tls *b, io_loop *l, bool server);
void bare_tls_fini(bare_tls *b);

/* Runs the loop in between; 1 or the SSL_ERROR_ it ended with, as a negative number. */
int bare_tls_shake(bare_tls *b, int fd);
int bare_tls_read(bare_tls *b, char *into, size_t size, size_t *n); /* one record, or its end */
void bare_tls_write(bare_tls *b, const char *text, size_t n);

#endif
