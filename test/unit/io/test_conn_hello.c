/* test_conn_hello.c - half a ClientHello costs no more than the connection it came on. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "certs.h"
#include "io/conn_priv.h"
#include "io/tls.h"
#include "party.h"

enum { HELLO_MAX = 4096 };

typedef struct scene {
    cert root, cert;
    io_tls *tls;
    io_loop *loop;
    party a; /* it serves */
    int fd;  /* the other end */
    char hello[HELLO_MAX];
    size_t len;
} scene;

static size_t hello_of_a_client(char *out)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *wire = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, wire);
    SSL_set_connect_state(ssl);
    assert_int_equal(SSL_do_handshake(ssl), -1); /* it waits for an answer */
    int n = BIO_read(wire, out, HELLO_MAX);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    assert_in_range(n, 100, HELLO_MAX - 1);
    return (size_t)n;
}

static int begin(void **state)
{
    scene *s = calloc(1, sizeof *s);
    s->root = cert_make(&(cert_ask){.cn = "Root", .ca = true}, NULL);
    s->cert = cert_make(&(cert_ask){.cn = "local.example"}, &s->root);
    io_identity *id = cert_identity(&s->cert, &s->root);
    s->tls = io_tls_new();
    assert_int_equal(io_tls_add(s->tls, NULL, id), S2S_E_OK);
    io_identity_free(id);
    s->loop = loop_new();
    party_init(&s->a, s->loop);
    s->fd = party_join_bare(&s->a, false);
    s->len = hello_of_a_client(s->hello);
    io_conn_tls how = {.role = S2S_RECEIVING, .ctx = io_tls_server(s->tls, NULL)};
    io_conn_start_tls(s->a.c, &how);
    *state = s;
    return hang_guard(state);
}

static int finish(void **state)
{
    scene *s = *state;
    close(s->fd);
    party_fini(&s->a);
    io_loop_free(s->loop);
    io_tls_free(s->tls);
    cert_free(&s->cert);
    cert_free(&s->root);
    free(s);
    return 0;
}

static void say(const scene *s, size_t from, size_t n)
{
    assert_int_equal(send(s->fd, s->hello + from, n, 0), n);
}

static bool has_begun(const scene *s)
{
    return s->a.lost || SSL_in_before(s->a.c->ssl) == 0;
}

/* What waits is no news: a loop that is woken for it would never sleep. */
static bool wakes(const scene *s)
{
    struct pollfd p = {.fd = s->a.c->fd, .events = POLLIN};
    return poll(&p, 1, 0) != 0;
}

static void settle(scene *s)
{
    do
        io_loop_turn(s->loop, false);
    while (wakes(s));
}

static void octet_by_octet(void **state)
{
    scene *s = *state;
    settle(s);
    assert_false(has_begun(s)); /* silence */
    for (size_t i = 0; i + 1 < s->len; i++) {
        say(s, i, 1);
        settle(s);
        assert_false(has_begun(s));
    }
    say(s, s->len - 1, 1);
    UNTIL(s->loop, has_begun(s));
    assert_false(s->a.lost);
    settle(s); /* and its answer is waited for as usual */
}

static void all_at_once(void **state)
{
    scene *s = *state;
    say(s, 0, s->len);
    UNTIL(s->loop, has_begun(s));
    assert_false(s->a.lost);
}

static void it_ends_in_the_middle(void **state)
{
    scene *s = *state;
    say(s, 0, s->len / 2);
    settle(s);
    assert_int_equal(shutdown(s->fd, SHUT_WR), 0);
    UNTIL(s->loop, s->a.lost);
    assert_int_equal(s->a.why, S2S_E_TLS_HANDSHAKE);
}

static void it_ends_before_it_begins(void **state)
{
    scene *s = *state;
    settle(s);
    assert_int_equal(shutdown(s->fd, SHUT_WR), 0);
    UNTIL(s->loop, s->a.lost);
    assert_int_equal(s->a.why, S2S_E_TLS_HANDSHAKE);
}

/* No ClientHello: not waited for, whatever length it seems to have. */
static void what_is_none(void **state)
{
    scene *s = *state;
    memcpy(s->hello, "\x16\x07\x01\x01\x00", 5);
    say(s, 0, 5);
    UNTIL(s->loop, has_begun(s));
}

#define SCENE(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(octet_by_octet),           SCENE(all_at_once),  SCENE(it_ends_in_the_middle),
        SCENE(it_ends_before_it_begins), SCENE(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
