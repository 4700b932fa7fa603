/* The played servers' sockets, with OpenSSL alone on the other side: sessions are resumed where tickets are given and told so,
 * who is spared is not asked for a certificate, and who dials from an address is seen there. */
#include "cmocka_all.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

enum { LIMIT_S = 60 };

typedef struct party { /* the played server, and who dials it */
    net *n;
    net_cert *cert;
    net_conn *conn;
    char folder[64], addr[64];
    bool spares, resumed, up;
    size_t to_send;
    SSL_CTX *ctx;
    SSL_SESSION *session; /* the newest */
    bool asked;           /* for a certificate */
} party;

/* ---- the played server: sends one octet when TLS is up ---- */

static void on_accepted(void *owner, net_conn *c)
{
    party *p = owner;
    p->conn = c;
    net_adopt(c, p);
    if (p->spares) net_spare(c);
}

static void on_connected(void *user)
{
    (void)user;
    fail();
}

static void on_bytes(void *user, s2s_span bytes)
{
    (void)user;
    (void)bytes;
}

static void on_tls(void *user, const char *version)
{
    party *p = user;
    assert_string_equal(version, "TLSv1.3");
    p->resumed = net_resumed(p->conn);
    p->up = true;
    p->to_send = 1;
    net_flush(p->conn);
}

static void on_lost(void *user, s2s_err why)
{
    party *p = user;
    (void)why;
    p->conn = NULL;
}

static s2s_span on_out(void *user)
{
    const party *p = user;
    return (s2s_span){"x", p->to_send};
}

static void on_sent(void *user, size_t n)
{
    party *p = user;
    p->to_send -= n;
}

static const net_handler handler = {on_accepted, on_connected, on_bytes, on_tls,
                                    on_lost,     on_out,       on_sent,  NULL};

/* ---- the stage ---- */

static void write_pem(const char *cert_file, const char *key_file)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    FILE *cert = fopen(cert_file, "w"), *out = fopen(key_file, "w");
    assert_true(key && x && cert && out);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(cert, x), 1);
    assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(cert);
    fclose(out);
    X509_free(x);
    EVP_PKEY_free(key);
}

static net_cert *load(const party *p)
{
    char cert[80], key[80];
    snprintf(cert, sizeof cert, "%s/cert", p->folder);
    snprintf(key, sizeof key, "%s/key", p->folder);
    write_pem(cert, key);
    net_cert *c = net_load(p->n, cert, key);
    unlink(cert);
    unlink(key);
    return c;
}

/* An address nobody else has: others who run beside look for theirs in the same way. */
static void listen_somewhere(party *p)
{
    for (unsigned i = 0; i < 200; i++) {
        snprintf(p->addr, sizeof p->addr, "127.40.%u.%u:25270", (unsigned)getpid() % 250, i + 1);
        net_door_plan plan = {.addr = p->addr, .handler = &handler, .owner = p, .cert = p->cert};
        if (net_listen_as(p->n, &plan)) return;
    }
    fail();
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    party *p = SSL_get_app_data(ssl);
    SSL_SESSION_free(p->session);
    p->session = session;
    return 1;
}

static int on_asked(SSL *ssl, void *arg)
{
    party *p = arg;
    (void)ssl;
    p->asked = true;
    return 1;
}

static int setup(void **state)
{
    party *p = calloc(1, sizeof *p);
    assert_non_null(p);
    snprintf(p->folder, sizeof p->folder, "/tmp/test-net.XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    p->n = net_new(&handler, NULL);
    assert_non_null(p->n);
    p->cert = load(p);
    assert_non_null(p->cert);
    listen_somewhere(p);
    p->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(p->ctx);
    SSL_CTX_set_session_cache_mode(p->ctx,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(p->ctx, on_session);
    SSL_CTX_set_cert_cb(p->ctx, on_asked, p);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    party *p = *state;
    SSL_SESSION_free(p->session);
    SSL_CTX_free(p->ctx);
    net_free(p->n);
    rmdir(p->folder);
    free(p);
    return 0;
}

static int socket_at(const char *addr, struct sockaddr_in *where)
{
    char host[64];
    unsigned port;
    assert_int_equal(sscanf(addr, "%63[^:]:%u", host, &port), 2);
    *where = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    assert_int_equal(inet_pton(AF_INET, host, &where->sin_addr), 1);
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void one_turn(party *p, uint64_t until)
{
    assert_true(net_now_ns() < until);
    net_turn(p->n, false);
}

/* Dials with the session at hand, and is gone again when the server's octet is there: its tickets come before. */
static void shake(party *p)
{
    struct sockaddr_in where;
    uint64_t until = net_now_ns() + LIMIT_S * 1000000000ULL;
    int fd = socket_at(p->addr, &where);
    assert_int_equal(connect(fd, (const struct sockaddr *)&where, sizeof where), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    SSL *ssl = SSL_new(p->ctx);
    assert_true(ssl && SSL_set_fd(ssl, fd) == 1);
    SSL_set_app_data(ssl, p);
    SSL_set_connect_state(ssl);
    if (p->session) assert_int_equal(SSL_set_session(ssl, p->session), 1);
    p->asked = p->up = p->resumed = false;
    char octet = 0;
    while (SSL_read(ssl, &octet, 1) != 1)
        one_turn(p, until);
    assert_true(p->up && octet == 'x');
    assert_int_equal(p->resumed, SSL_session_reused(ssl));
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
    close(fd);
    while (p->conn)
        one_turn(p, until);
}

/* ---- the tests ---- */

static void without_tickets_nothing_is_resumed(void **state)
{
    party *p = *state;
    for (int i = 0; i < 3; i++) {
        shake(p);
        assert_false(p->resumed);
        assert_null(p->session);
    }
}

static void a_ticket_is_good_for_the_next_link(void **state)
{
    party *p = *state;
    net_give_tickets(p->cert);
    shake(p);
    assert_false(p->resumed);
    for (int i = 0; i < 3; i++) {
        assert_non_null(p->session);
        shake(p);
        assert_true(p->resumed);
    }
}

static void who_is_spared_is_not_asked(void **state)
{
    party *p = *state;
    shake(p);
    assert_true(p->asked);
    p->spares = true;
    shake(p);
    assert_false(p->asked);
}

static void who_dials_is_seen_at_its_address(void **state)
{
    party *p = *state;
    struct sockaddr_in where, seen;
    char addr[64], text[INET_ADDRSTRLEN], octet = 0;
    socklen_t len = sizeof seen;
    int fd = socket_at("127.40.0.1:0", &where);
    assert_int_equal(bind(fd, (const struct sockaddr *)&where, sizeof where), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&seen, &len), 0);
    snprintf(addr, sizeof addr, "127.40.0.1:%u", (unsigned)ntohs(seen.sin_port));
    p->to_send = 1;
    p->conn = net_dial_from(p->n, addr, "127.40.7.9:5269", p);
    assert_non_null(p->conn);
    uint64_t until = net_now_ns() + LIMIT_S * 1000000000ULL;
    while (p->to_send)
        one_turn(p, until);
    len = sizeof seen;
    int taken = accept(fd, (struct sockaddr *)&seen, &len);
    assert_true(taken >= 0);
    assert_string_equal(inet_ntop(AF_INET, &seen.sin_addr, text, sizeof text), "127.40.7.9");
    assert_int_not_equal(ntohs(seen.sin_port), 5269);
    assert_int_equal(recv(taken, &octet, 1, 0), 1);
    assert_int_equal(octet, 'x');
    net_close(p->conn);
    close(taken);
    close(fd);
}

static void an_address_of_no_sense_is_not_dialled(void **state)
{
    const party *p = *state;
    assert_null(net_dial_from(p->n, "127.40.0.1", "127.40.7.9:1", NULL));
    assert_null(net_dial_from(p->n, "127.40.0.1:99999", "127.40.7.9:1", NULL));
    assert_null(net_dial_from(p->n, "127.40.0.1:5269", "nowhere:1", NULL));
    assert_null(net_dial_from(p->n, "127.40.0.1:5269", "192.0.2.1:1", NULL)); /* not ours */
}

int main(void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        STAGED(without_tickets_nothing_is_resumed),
        STAGED(a_ticket_is_good_for_the_next_link),
        STAGED(who_is_spared_is_not_asked),
        STAGED(who_dials_is_seen_at_its_address),
        STAGED(an_address_of_no_sense_is_not_dialled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
