/* test_fetch.c - documents over HTTPS from a server played here: whom it must prove to be, how much is taken, where nobody connects. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "bare_tls.h"
#include "certs.h"
#include "io/fetch.h"

enum { MOST = 1000, TIMEOUT_MS = 20000 };

typedef struct scene {
    io_loop *loop;
    io_fetches *all;
    cert root, leaf;
    X509_STORE *store;
    int listener;
    io_addr at;
    bool refuses; /* may_connect does */
    unsigned looked, told;
    unsigned status;
    char body[MOST + 1], location[256], detail[128];
} scene;

static bool may_connect(void *ctx, const io_addr *to)
{
    scene *s = ctx;
    s->looked++;
    assert_true(io_addr_eq(to, &s->at));
    return !s->refuses;
}

static void done(void *ctx, const io_fetch_result *r)
{
    scene *s = ctx;
    s->told++;
    s->status = r->status;
    assert_true(r->body.len <= MOST);
    snprintf(s->body, sizeof s->body, "%.*s", (int)r->body.len, r->body.len ? r->body.ptr : "");
    snprintf(s->location, sizeof s->location, "%s", r->location ? r->location : "");
    snprintf(s->detail, sizeof s->detail, "%s", r->detail ? r->detail : "");
}

static void make_all(scene *s, uint32_t timeout_ms)
{
    const io_fetch_settings how = {s->store, may_connect, s, MOST, timeout_ms};
    s->all = io_fetches_new(io_loop_uv(s->loop), &how);
    assert_non_null(s->all);
}

static int begin(void **state)
{
    scene *s = calloc(1, sizeof *s);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_non_null(s);
    hang_guard(state);
    s->loop = loop_new();
    s->root = cert_make(&(cert_ask){.cn = "Root", .ca = true}, NULL);
    s->leaf = cert_make(&(cert_ask){.cn = "x", .names = {{CERT_DNS, "far.example", 0}}}, &s->root);
    s->store = cert_store(&s->root);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(io_addr_of_sockaddr((struct sockaddr *)&a, &s->at), S2S_E_OK);
    make_all(s, TIMEOUT_MS);
    *state = s;
    return 0;
}

static int finish(void **state)
{
    scene *s = *state;
    io_fetches_free(s->all);
    io_loop_turn(s->loop, false);
    io_loop_free(s->loop);
    close(s->listener);
    X509_STORE_free(s->store);
    cert_free(&s->leaf);
    cert_free(&s->root);
    free(s);
    return 0;
}

static io_fetch *ask_for(scene *s, const char *host)
{
    char url[128];
    snprintf(url, sizeof url, "https://%s:%u/a/b.json", host, (unsigned)s->at.port);
    const io_fetch_ask ask = {url, host, s->at.port, &s->at, 1};
    io_fetch *f = io_fetch_begin(s->all, &ask, done, s);
    assert_non_null(f);
    return f;
}

/* The other side of the next connection. -1: it is over before there was one. */
static int next_connection(scene *s)
{
    for (;;) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd >= 0 || s->told > 0) return fd;
        assert_true(errno == EAGAIN);
        io_loop_turn(s->loop, false);
    }
}

/* Serves one request with these octets, showing that certificate. */
static void serve(scene *s, const cert *shown, const char *text, size_t len)
{
    char request[4096];
    size_t n = 0;
    bare_tls peer;
    int fd = next_connection(s);
    assert_true(fd >= 0);
    bare_tls_init(&peer, s->loop, true);
    SSL_CTX_set_verify(peer.ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_use_certificate(peer.ctx, shown->x);
    SSL_CTX_use_PrivateKey(peer.ctx, shown->key);
    if (bare_tls_shake(&peer, fd) == 1 &&
        bare_tls_read(&peer, request, sizeof request - 1, &n) == 1) {
        request[n] = '\0';
        assert_true(strncmp(request, "GET /a/b.json HTTP/1.1\r\n", 24) == 0);
        if (len > 0) bare_tls_write(&peer, text, len);
        SSL_shutdown(peer.ssl);
    }
    close(fd);
    bare_tls_fini(&peer);
    while (s->told == 0)
        io_loop_turn(s->loop, false);
    assert_int_equal(s->told, 1);
}

static void a_document(void **state)
{
    scene *s = *state;
    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    ask_for(s, "far.example");
    assert_int_equal(s->told, 0); /* never from inside */
    serve(s, &s->leaf, text, strlen(text));
    assert_int_equal(s->status, 200);
    assert_string_equal(s->body, "hello");
    assert_int_equal(s->looked, 1);
}

static void chunks_and_other_statuses(void **state)
{
    scene *s = *state;
    static const struct {
        const char *text;
        unsigned status;
        const char *body, *location;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200,
         "abc", ""},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, "", ""},
        {"HTTP/1.1 302 Found\r\nLocation: https://other.example/x\r\nContent-Length: 0\r\n\r\n",
         302, "", "https://other.example/x"},
        {"HTTP/1.0 200 OK\r\n\r\nto the end", 200, "to the end", ""},
        {"no HTTP at all\r\n\r\n", 0, "", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", 0, "half", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s->told = 0;
        ask_for(s, "far.example");
        serve(s, &s->leaf, rows[i].text, strlen(rows[i].text));
        assert_int_equal(s->status, rows[i].status);
        assert_string_equal(s->body, rows[i].body);
        if (strncmp(rows[i].location, s->location, strlen(rows[i].location)) != 0)
            fail_msg("leads to %s", s->location);
        assert_true(s->status != 0 || s->detail[0] != '\0');
    }
}

/* rows: R7711-3-a */
static void the_server_must_prove_its_name(void **state)
{
    scene *s = *state;
    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const cert_ask name = {.cn = "x", .names = {{CERT_DNS, "far.example", 0}}};
    const cert_ask other = {.cn = "far.example", .names = {{CERT_DNS, "other.example", 0}}};
    const cert_ask old = {
        .cn = "x", .names = {{CERT_DNS, "far.example", 0}}, .from = -7200, .until = -3600};
    const cert_ask weak = {.cn = "x", .names = {{CERT_DNS, "far.example", 0}}, .rsa = 1024};
    cert bad[] = {cert_make(&name, NULL), cert_make(&other, &s->root), cert_make(&old, &s->root),
                  cert_make(&weak, &s->root)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        s->told = 0;
        ask_for(s, "far.example");
        serve(s, &bad[i], text, strlen(text));
        assert_int_equal(s->status, 0);
        assert_string_equal(s->body, "");
        cert_free(&bad[i]);
    }
}

static void no_more_than_so_much(void **state)
{
    scene *s = *state;
    for (int chunked = 0; chunked < 2; chunked++) {
        char text[MOST + 200];
        int head = snprintf(text, sizeof text,
                            chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n"
                                    : "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n",
                            (unsigned)MOST + 1);
        memset(text + head, 'x', MOST + 1);
        s->told = 0;
        ask_for(s, "far.example");
        serve(s, &s->leaf, text, (size_t)head + MOST + 1);
        assert_int_equal(s->status, 0);
    }
}

/* Where it may not connect there is no packet at all. */
static void not_everywhere(void **state)
{
    scene *s = *state;
    s->refuses = true;
    ask_for(s, "far.example");
    assert_int_equal(next_connection(s), -1);
    assert_int_equal(s->told, 1);
    assert_int_equal(s->status, 0);
    assert_int_equal(s->looked, 1);
}

/* A server that is silent; and fetches that nobody wants any more. */
static void time_and_dropping(void **state)
{
    scene *s = *state;
    io_fetch_drop(ask_for(s, "far.example"));
    io_fetch *f = ask_for(s, "far.example");
    int fd = next_connection(s);
    io_fetch_drop(f);
    close(fd);
    io_fetches_free(s->all);
    make_all(s, 50);
    ask_for(s, "far.example");
    fd = next_connection(s);
    while (s->told == 0)
        io_loop_turn(s->loop, true);
    assert_int_equal(s->status, 0);
    close(fd);
    ask_for(s, "far.example"); /* still under way when all is freed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_document, begin, finish),
        cmocka_unit_test_setup_teardown(chunks_and_other_statuses, begin, finish),
        cmocka_unit_test_setup_teardown(the_server_must_prove_its_name, begin, finish),
        cmocka_unit_test_setup_teardown(no_more_than_so_much, begin, finish),
        cmocka_unit_test_setup_teardown(not_everywhere, begin, finish),
        cmocka_unit_test_setup_teardown(time_and_dropping, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
