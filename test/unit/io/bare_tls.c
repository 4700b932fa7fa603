/* bare_tls.c - see bare_tls.h. */
#include "bare_tls.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int accept_chain(X509_STORE_CTX *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 1;
}

void bare_tls_init(bare_tls *b, io_loop *l, bool server)
{
    *b = (bare_tls){.loop = l};
    b->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    assert_non_null(b->ctx);
    SSL_CTX_set_security_level(b->ctx, 0);
    SSL_CTX_set_min_proto_version(b->ctx, TLS1_VERSION);
    SSL_CTX_set_verify(b->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(b->ctx, accept_chain, NULL);
}

void bare_tls_fini(bare_tls *b)
{
    SSL_free(b->ssl);
    SSL_CTX_free(b->ctx);
}

/* 0: go on. */
static int ended(bare_tls *b, int result)
{
    int what = SSL_get_error(b->ssl, result);
    if (what == SSL_ERROR_NONE) return 1;
    if (what != SSL_ERROR_WANT_READ && what != SSL_ERROR_WANT_WRITE) return -what;
    io_loop_turn(b->loop, false);
    return 0;
}

int bare_tls_shake(bare_tls *b, int fd)
{
    int end = 0;
    b->fd = fd;
    if (!b->ssl) b->ssl = SSL_new(b->ctx);
    SSL_set_fd(b->ssl, fd);
    while (end == 0) {
        ERR_clear_error();
        int result = SSL_is_server(b->ssl) ? SSL_accept(b->ssl) : SSL_connect(b->ssl);
        end = ended(b, result);
    }
    return end;
}

int bare_tls_read(bare_tls *b, char *into, size_t size, size_t *n)
{
    int end = 0;
    *n = 0;
    while (end == 0) {
        ERR_clear_error();
        end = ended(b, SSL_read_ex(b->ssl, into, size, n));
    }
    return end;
}

void bare_tls_write(bare_tls *b, const char *text, size_t n)
{
    size_t put = 0;
    int end = 0;
    while (end == 0) {
        ERR_clear_error();
        end = ended(b, SSL_write_ex(b->ssl, text, n, &put));
    }
    assert_int_equal(end, 1);
    assert_int_equal(put, n);
}
