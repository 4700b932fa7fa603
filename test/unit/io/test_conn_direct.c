/* test_conn_direct.c - TLS that comes first (XEP-0368): told from XML by one octet, and the protocol both sides name. */
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "bare_tls.h"
#include "certs.h"
#include "io/tls.h"
#include "party.h"

static cert root, a_cert, b_cert;
static io_tls *tls;

static void add(const cert *c, const char *domain)
{
    s2s_domain d = cert_domain(domain);
    io_identity *id = cert_identity(c, &root);
    assert_int_equal(io_tls_add(tls, domain[0] == 'a' ? NULL : &d, id), S2S_E_OK);
    io_identity_free(id);
}

/* a.example's is the default. */
static int make_tls(void **state)
{
    (void)state;
    root = cert_make(&(cert_ask){.cn = "Root", .ca = true}, NULL);
    a_cert = cert_make(&(cert_ask){.cn = "a"}, &root);
    b_cert = cert_make(&(cert_ask){.cn = "b"}, &root);
    tls = io_tls_new();
    assert_non_null(tls);
    add(&a_cert, "a.example");
    add(&b_cert, "b.example");
    return 0;
}

static int drop_tls(void **state)
{
    (void)state;
    io_tls_free(tls);
    cert_free(&a_cert);
    cert_free(&b_cert);
    cert_free(&root);
    return 0;
}

static void begin_client(party *p)
{
    const io_conn_tls how = {.role = S2S_INITIATING,
                             .ctx = io_tls_client(tls, NULL),
                             .sni = "b.example",
                             .direct = true};
    io_conn_start_tls(p->c, &how);
}

static void begin_server(party *p)
{
    const io_conn_tls how = {.role = S2S_RECEIVING,
                             .ctx = io_tls_server(tls, NULL),
                             .ask_client_cert = true,
                             .direct = true};
    io_conn_start_tls(p->c, &how);
}

/* ---- the first octet ---- */

static void tls_first_in_both_roles(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a, b;
    party_init(&a, l);
    party_init(&b, l);
    a.on_connected = begin_client;
    b.on_hello = begin_server;
    parties_join(&a, &b);
    UNTIL(l, a.secured && b.secured);
    assert_int_equal(b.hellos, 1);
    assert_int_equal(a.hellos, 0); /* whoever dials knows without looking */
    assert_true(io_conn_direct(a.c) && io_conn_direct(b.c));
    assert_string_equal(a.tls.subject, "CN=b"); /* as the name asked for says */
    assert_string_equal(b.tls.subject, "CN=a");
    party_say(&a, S2S_LIT("<stream>"));
    party_say(&b, S2S_LIT("<features/>"));
    UNTIL(l, s2s_buf_span(&b.got).len == 8 && s2s_buf_span(&a.got).len == 11);
    UNTIL(l, io_conn_acked(a.c) == 8 && io_conn_acked(b.c) == 11); /* from the first octet on */
    party_fini(&a);
    party_fini(&b);
    io_loop_free(l);
}

static void xml_is_left_alone(void **state)
{
    (void)state;
    static const char *const FIRST[] = {"<?xml", " <", "\xef\xbb\xbf<", "\x15\x03", "\x17"};
    for (size_t i = 0; i < sizeof FIRST / sizeof *FIRST; i++) {
        io_loop *l = loop_new();
        party a;
        party_init(&a, l);
        int fd = party_join_bare(&a, false);
        for (int turns = 0; turns < 10; turns++)
            io_loop_turn(l, false); /* nothing to see yet */
        size_t n = strlen(FIRST[i]);
        assert_int_equal(send(fd, FIRST[i], n, 0), n);
        UNTIL(l, s2s_buf_span(&a.got).len == n);
        assert_memory_equal(s2s_buf_span(&a.got).ptr, FIRST[i], n);
        assert_int_equal(send(fd, "\x16\x03", 2, 0), 2); /* no longer the first */
        UNTIL(l, s2s_buf_span(&a.got).len == n + 2);
        assert_int_equal(a.hellos, 0);
        assert_false(io_conn_direct(a.c));
        close(fd);
        party_fini(&a);
        io_loop_free(l);
    }
}

/* One octet tells; nothing waits for a second. It is not taken either. */
static void one_octet_is_enough(void **state)
{
    (void)state;
    int held = 0;
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, false);
    assert_int_equal(send(fd, "\x16", 1, 0), 1);
    UNTIL(l, a.hellos == 1);
    UNTIL(l, a.reads == 1); /* its owner did nothing: it comes as it is */
    assert_int_equal(s2s_buf_span(&a.got).len, 1);
    assert_int_equal(ioctl(fd, FIONREAD, &held), 0);
    assert_int_equal(held, 0); /* nothing was said */
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

static void close_now(party *p)
{
    party_close(p, IO_CLOSE_ABRUPT);
}

static void hello_may_close(void **state)
{
    (void)state;
    char c;
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    a.on_hello = close_now;
    int fd = party_join_bare(&a, false);
    assert_int_equal(send(fd, "\x16\x03\x01", 3, 0), 3);
    UNTIL(l, a.hellos == 1);
    io_loop_turn(l, false);
    assert_true(recv(fd, &c, 1, 0) <= 0);
    assert_int_equal(a.reads, 0);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

static void what_is_no_handshake_after_all(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    a.on_hello = begin_server;
    int fd = party_join_bare(&a, false);
    const s2s_span junk = S2S_LIT("\x16 is no XML, nor TLS");
    assert_int_equal(send(fd, junk.ptr, junk.len, 0), junk.len);
    UNTIL(l, a.lost);
    assert_int_equal(a.why, S2S_E_TLS_HANDSHAKE);
    assert_int_equal(a.reads, 0);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

/* A port for direct TLS alone: the handshake is begun without looking, and XML has no chance. */
static void xml_where_only_tls_is_spoken(void **state)
{
    (void)state;
    char answer[64];
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, false);
    begin_server(&a);
    assert_int_equal(send(fd, "<?xml version='1.0'?>", 21, 0), 21);
    UNTIL(l, a.lost);
    assert_int_equal(a.why, S2S_E_TLS_HANDSHAKE);
    assert_int_equal(a.hellos + a.reads, 0);
    ssize_t n = recv(fd, answer, sizeof answer, 0);
    assert_true(n <= 0 || answer[0] == 0x15); /* an alert at most, never XML */
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

static void begin_without_certificate(party *p)
{
    const io_conn_tls how = {.role = S2S_RECEIVING, .direct = true};
    io_conn_start_tls(p->c, &how);
}

static void no_certificate(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    a.on_hello = begin_without_certificate;
    int fd = party_join_bare(&a, false);
    assert_int_equal(send(fd, "\x16\x03\x01", 3, 0), 3);
    UNTIL(l, a.lost);
    assert_int_equal(a.why, S2S_E_TLS_NO_CERTIFICATE);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

/* ---- ALPN ---- */

/* What our server does with a client that offers this list. */
static void server_meets(const char *offered, unsigned len, const char *chosen)
{
    io_loop *l = loop_new();
    party a;
    bare_tls peer;
    const unsigned char *got;
    unsigned n;
    party_init(&a, l);
    a.on_hello = begin_server;
    bare_tls_init(&peer, l, false);
    if (len > 0)
        assert_int_equal(SSL_CTX_set_alpn_protos(peer.ctx, (const unsigned char *)offered, len), 0);
    int fd = party_join_bare(&a, false);
    int end = bare_tls_shake(&peer, fd);
    UNTIL(l, a.secured || a.lost);
    assert_int_equal(a.lost, chosen == NULL);
    if (chosen) {
        assert_int_equal(end, 1);
        SSL_get0_alpn_selected(peer.ssl, &got, &n);
        assert_int_equal(n, strlen(chosen));
        assert_true(n == 0 || memcmp(got, chosen, n) == 0);
    } else {
        assert_int_equal(end, -SSL_ERROR_SSL);
        assert_int_equal(ERR_GET_REASON(ERR_peek_error()),
                         SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL);
        assert_int_equal(a.why, S2S_E_TLS_HANDSHAKE);
        assert_non_null(strstr(a.detail, "we sent alert: no application protocol"));
    }
    bare_tls_fini(&peer);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
    ERR_clear_error();
}

/* Attack 58, RFC 7301 3.2. */
static void server_wants_its_own_protocol(void **state)
{
    (void)state;
    server_meets("", 0, "");
    server_meets("\xbxmpp-server", 12, "xmpp-server");
    server_meets("\x2h2\xbxmpp-server", 15, "xmpp-server");
    server_meets("\xbxmpp-client", 12, NULL);
    server_meets("\x2h2\x8http/1.1", 12, NULL);
    server_meets("\xaxmpp-serve", 11, NULL);
    server_meets("\xcxmpp-server2", 13, NULL);
}

typedef struct chooser {
    char offered[64];
    const char *chosen; /* NULL: none of the list */
} chooser;

static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                  const unsigned char *in, unsigned in_len, void *arg)
{
    chooser *c = arg;
    (void)ssl;
    assert_true(in_len < sizeof c->offered);
    memcpy(c->offered, in, in_len);
    if (!c->chosen) return SSL_TLSEXT_ERR_NOACK;
    *out = (const unsigned char *)c->chosen;
    *out_len = (unsigned char)strlen(c->chosen);
    return SSL_TLSEXT_ERR_OK;
}

/* Our client and a server that answers `chosen`. */
static void client_meets(const char *chosen, bool direct, const char *offered, bool fits)
{
    io_loop *l = loop_new();
    party a;
    bare_tls peer;
    chooser c = {.chosen = chosen};
    party_init(&a, l);
    bare_tls_init(&peer, l, true);
    SSL_CTX_use_certificate(peer.ctx, a_cert.x);
    SSL_CTX_use_PrivateKey(peer.ctx, a_cert.key);
    SSL_CTX_set_alpn_select_cb(peer.ctx, choose, &c);
    peer.ssl = SSL_new(peer.ctx);
    SSL_set_accept_state(peer.ssl);
    int fd = party_join_bare(&a, true);
    const io_conn_tls how = {.role = S2S_INITIATING,
                             .ctx = io_tls_client(tls, NULL),
                             .sni = "a.example",
                             .direct = direct};
    io_conn_start_tls(a.c, &how);
    bare_tls_shake(&peer, fd);
    UNTIL(l, a.secured || a.lost);
    assert_string_equal(c.offered, offered);
    assert_int_equal(a.secured, fits);
    assert_int_equal(a.lost, !fits);
    if (!fits) {
        assert_int_equal(a.why, S2S_E_TLS_HANDSHAKE);
        /* OpenSSL finds out since 3.0.14, we do on older ones. */
        assert_true(strstr(a.detail, "ALPN") || strstr(a.detail, "we sent alert"));
    }
    bare_tls_fini(&peer);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
    ERR_clear_error();
}

static void client_takes_its_own_or_none(void **state)
{
    (void)state;
    client_meets("xmpp-server", true, "\xbxmpp-server", true);
    client_meets(NULL, true, "\xbxmpp-server", true);
    client_meets("xmpp-client", true, "\xbxmpp-server", false);
    client_meets("h2", true, "\xbxmpp-server", false);
    client_meets("xmpp-server2", true, "\xbxmpp-server", false);
    client_meets("h2", false, "", true); /* agreed in clear: nothing is offered */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tls_first_in_both_roles, hang_guard),
        cmocka_unit_test_setup(xml_is_left_alone, hang_guard),
        cmocka_unit_test_setup(one_octet_is_enough, hang_guard),
        cmocka_unit_test_setup(hello_may_close, hang_guard),
        cmocka_unit_test_setup(what_is_no_handshake_after_all, hang_guard),
        cmocka_unit_test_setup(xml_where_only_tls_is_spoken, hang_guard),
        cmocka_unit_test_setup(no_certificate, hang_guard),
        cmocka_unit_test_setup(server_wants_its_own_protocol, hang_guard),
        cmocka_unit_test_setup(client_takes_its_own_or_none, hang_guard),
    };
    return cmocka_run_group_tests(tests, make_tls, drop_tls);
}
