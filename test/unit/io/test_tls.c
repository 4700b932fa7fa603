/* test_tls.c - contexts and certificates of ours: what is negotiated, what is never, which certificate is shown, and what is
 * wrong with a file. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bare_tls.h"
#include "certs.h"
#include "io/judge.h"
#include "io/tls.h"
#include "party.h"

static cert root, a_cert, b_cert, default_cert;
static io_tls *tls;

static void add(const char *domain, const cert *c)
{
    io_identity *id = cert_identity(c, &root);
    s2s_domain d;
    if (domain) d = cert_domain(domain);
    assert_int_equal(io_tls_add(tls, domain ? &d : NULL, id), S2S_E_OK);
    io_identity_free(id);
}

static int make_tls(void **state)
{
    (void)state;
    root = cert_make(&(cert_ask){.cn = "Root", .ca = true}, NULL);
    a_cert = cert_make(&(cert_ask){.cn = "a", .names = {{CERT_DNS, "a.example", 0}}}, &root);
    b_cert = cert_make(&(cert_ask){.cn = "b", .names = {{CERT_DNS, "b.example", 0}}}, &root);
    default_cert = cert_make(&(cert_ask){.cn = "default"}, &root);
    tls = io_tls_new();
    assert_non_null(tls);
    add("b.example", &b_cert);
    add(NULL, &default_cert);
    add("a.example", &a_cert);
    return 0;
}

static int drop_tls(void **state)
{
    (void)state;
    io_tls_free(tls);
    cert_free(&a_cert);
    cert_free(&b_cert);
    cert_free(&default_cert);
    cert_free(&root);
    return 0;
}

/* One handshake of a bare client with a server of ours. */
typedef struct scene {
    io_loop *l;
    party p;
    bare_tls peer;
    int fd, end; /* what the client's handshake came to */
} scene;

static void scene_init(scene *s)
{
    s->l = loop_new();
    party_init(&s->p, s->l);
    bare_tls_init(&s->peer, s->l, false);
}

static void scene_shake(scene *s, const char *domain, bool ask)
{
    s2s_domain d;
    if (domain) d = cert_domain(domain);
    s->fd = party_join_bare(&s->p, false);
    io_conn_tls how = {.role = S2S_RECEIVING,
                       .ctx = io_tls_server(tls, domain ? &d : NULL),
                       .ask_client_cert = ask};
    io_conn_start_tls(s->p.c, &how);
    s->end = bare_tls_shake(&s->peer, s->fd);
    UNTIL(s->l, s->p.secured || s->p.lost);
}

static void scene_fini(scene *s)
{
    bare_tls_fini(&s->peer);
    close(s->fd);
    party_fini(&s->p);
    io_loop_free(s->l);
    ERR_clear_error();
}

/* The common name of what a client is shown. */
static void shown_is(const char *domain, const char *sni, const char *cn)
{
    scene s;
    char seen[64] = "";
    scene_init(&s);
    s.peer.ssl = SSL_new(s.peer.ctx);
    if (sni) SSL_set_tlsext_host_name(s.peer.ssl, sni);
    scene_shake(&s, domain, true);
    assert_int_equal(s.end, 1);
    X509 *x = SSL_get0_peer_certificate(s.peer.ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, seen, sizeof seen);
    assert_string_equal(seen, cn);
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(s.peer.ssl)), 2); /* the whole chain */
    scene_fini(&s);
}

/* rows: R6120-5.4.3.1-a */
static void certificate_by_domain_and_by_sni(void **state)
{
    (void)state;
    shown_is("a.example", NULL, "a");
    shown_is("b.example", NULL, "b");
    shown_is("a.example", "a.example", "a");
    shown_is("other.example", NULL, "default");
    shown_is(NULL, NULL, "default");
    shown_is(NULL, "a.example", "a");
    shown_is(NULL, "B.Example", "b");
    shown_is(NULL, "other.example", "default");
    shown_is("a.example", "b.example", "a"); /* the stream's `to` has said it */
}

static void directory(void **state)
{
    (void)state;
    s2s_domain a = cert_domain("a.example"), c = cert_domain("c.example");
    assert_true(io_tls_has(tls, &a));
    assert_false(io_tls_has(tls, &c));
    assert_ptr_equal(io_tls_server(tls, &c), io_tls_server(tls, NULL));
    io_tls *empty = io_tls_new();
    assert_null(io_tls_server(empty, &a));
    assert_non_null(io_tls_client(empty, &a)); /* whoever has no certificate can still dial */
    io_identity *id = cert_identity(&a_cert, &root);
    assert_int_equal(io_tls_add(empty, &a, id), S2S_E_OK);
    assert_int_equal(io_tls_add(empty, &c, id), S2S_E_OK);
    assert_ptr_equal(io_tls_server(empty, &a), io_tls_server(empty, &c)); /* one for both */
    assert_int_equal(io_tls_add(empty, &c, id), S2S_E_OK);                /* again */
    io_identity *other = cert_identity(&b_cert, NULL);
    assert_int_equal(io_tls_add(empty, &c, other), S2S_E_OK);
    assert_ptr_not_equal(io_tls_server(empty, &a), io_tls_server(empty, &c));
    io_identity_free(id);
    io_identity_free(other);
    io_tls_free(empty);
}

static void negotiates(int version, const char *suites, int expected)
{
    scene s;
    scene_init(&s);
    SSL_CTX_set_max_proto_version(s.peer.ctx, version);
    if (suites) assert_int_equal(SSL_CTX_set_cipher_list(s.peer.ctx, suites), 1);
    scene_shake(&s, "a.example", true);
    assert_int_equal(s.end, expected);
    assert_int_equal(s.p.secured, expected == 1);
    if (expected != 1) assert_int_equal(s.p.why, S2S_E_TLS_HANDSHAKE);
    scene_fini(&s);
}

/* rows: R9325-3.1 R9325-4.1 */
static void attack_52_versions_and_suites(void **state)
{
    (void)state;
    negotiates(TLS1_3_VERSION, NULL, 1);
    negotiates(TLS1_2_VERSION, NULL, 1);
    negotiates(TLS1_1_VERSION, NULL, -SSL_ERROR_SSL);
    negotiates(TLS1_VERSION, NULL, -SSL_ERROR_SSL);
    negotiates(TLS1_2_VERSION, "AES128-GCM-SHA256", -SSL_ERROR_SSL);         /* static RSA */
    negotiates(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", -SSL_ERROR_SSL); /* CBC */
    negotiates(TLS1_2_VERSION, "aNULL:eNULL", -SSL_ERROR_SSL);
    negotiates(TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", 1);
}

/* Attack 56: nothing to resume is ever given out. */
/* rows: R9325-3.4 R9325-3.10 */
static void no_tickets(void **state)
{
    (void)state;
    static const int VERSIONS[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        scene s;
        char got[16];
        size_t n;
        unsigned id_len;
        scene_init(&s);
        SSL_CTX_set_session_cache_mode(s.peer.ctx, SSL_SESS_CACHE_CLIENT);
        SSL_CTX_set_max_proto_version(s.peer.ctx, VERSIONS[i]);
        scene_shake(&s, "a.example", true);
        party_say(&s.p, S2S_LIT("data")); /* a ticket of TLS 1.3 would come before it */
        assert_int_equal(bare_tls_read(&s.peer, got, sizeof got, &n), 1);
        SSL_SESSION *session = SSL_get0_session(s.peer.ssl);
        assert_false(SSL_SESSION_has_ticket(session));
        (void)SSL_SESSION_get_id(session, &id_len);
        if (VERSIONS[i] == TLS1_2_VERSION) assert_int_equal(id_len, 0);
        assert_false(SSL_SESSION_is_resumable(session));
        scene_fini(&s);
    }
}

/* Attack 53. */
/* rows: R6120-5.3.5 */
static void no_renegotiation(void **state)
{
    (void)state;
    scene s;
    scene_init(&s);
    SSL_CTX_set_max_proto_version(s.peer.ctx, TLS1_2_VERSION);
    scene_shake(&s, "a.example", true);
    assert_int_equal(s.end, 1);
    SSL_renegotiate(s.peer.ssl);
    assert_int_equal(bare_tls_shake(&s.peer, s.fd), -SSL_ERROR_SSL);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    scene_fini(&s);
}

static int ask_to_shake_again(SSL *ssl)
{
    SSL_renegotiate(ssl);
    return SSL_do_handshake(ssl);
}

/* A server asks our client for it. */
static void no_renegotiation_of_our_client(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party p;
    bare_tls peer;
    char got[8];
    size_t n;
    party_init(&p, l);
    bare_tls_init(&peer, l, true);
    SSL_CTX_set_max_proto_version(peer.ctx, TLS1_2_VERSION);
    SSL_CTX_use_certificate(peer.ctx, a_cert.x);
    SSL_CTX_use_PrivateKey(peer.ctx, a_cert.key);
    peer.ssl = SSL_new(peer.ctx);
    SSL_set_accept_state(peer.ssl);
    int fd = party_join_bare(&p, true);
    io_conn_tls how = {.role = S2S_INITIATING, .ctx = io_tls_client(tls, NULL)};
    io_conn_start_tls(p.c, &how);
    assert_int_equal(bare_tls_shake(&peer, fd), 1);
    UNTIL(l, p.secured);
    assert_int_equal(ask_to_shake_again(peer.ssl), 1); /* the request is out */
    assert_int_equal(bare_tls_read(&peer, got, sizeof got, &n), -SSL_ERROR_SSL);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    ERR_clear_error();
    bare_tls_fini(&peer);
    close(fd);
    party_fini(&p);
    io_loop_free(l);
}

/* Does the server take our list, and what does it choose? */
static void alpn_is(const char *offered, unsigned len, const char *chosen)
{
    scene s;
    const unsigned char *got;
    unsigned n;
    scene_init(&s);
    assert_int_equal(SSL_CTX_set_alpn_protos(s.peer.ctx, (const unsigned char *)offered, len), 0);
    scene_shake(&s, "a.example", true);
    assert_int_equal(s.end, 1);
    SSL_get0_alpn_selected(s.peer.ssl, &got, &n);
    assert_int_equal(n, strlen(chosen));
    assert_true(n == 0 || memcmp(got, chosen, n) == 0);
    scene_fini(&s);
}

static void alpn(void **state)
{
    (void)state;
    alpn_is("\xbxmpp-server", 12, "xmpp-server");
    alpn_is("\x2h2\xbxmpp-server", 15, "xmpp-server");
    alpn_is("\x2h2", 3, "");
}

/* ---- client certificates ---- */

/* What our server learns of a client which shows `c`, and the verdict of the judge. */
static s2s_err shows(const cert *c, bool ask, bool *has_cert)
{
    scene s;
    s2s_domain name = cert_domain("a.example");
    X509_STORE *store = cert_store(&root);
    scene_init(&s);
    if (c) {
        SSL_CTX_use_certificate(s.peer.ctx, c->x);
        SSL_CTX_use_PrivateKey(s.peer.ctx, c->key);
    }
    scene_shake(&s, "b.example", ask);
    assert_int_equal(s.end, 1);
    assert_true(s.p.secured); /* whatever was shown */
    *has_cert = s.p.tls.has_cert;
    s2s_err err = io_judge_ssl(io_conn_ssl(s.p.c), store, &name, NULL);
    X509_STORE_free(store);
    scene_fini(&s);
    return err;
}

/* rows: R6120-5.4.3.1-c */
static void every_client_certificate_is_taken_and_judged_later(void **state)
{
    (void)state;
    bool has;
    cert self = cert_make(&(cert_ask){.cn = "x", .names = {{CERT_DNS, "a.example", 0}}}, NULL);
    cert_ask small = {.cn = "x", .names = {{CERT_DNS, "a.example", 0}}, .rsa = 1024};
    cert weak = cert_make(&small, &root);
    assert_int_equal(shows(&a_cert, true, &has), S2S_E_OK);
    assert_true(has);
    assert_int_equal(shows(&b_cert, true, &has), S2S_E_CERT_NAME);
    assert_int_equal(shows(&self, true, &has), S2S_E_CERT_UNTRUSTED);
    assert_int_equal(shows(&weak, true, &has), S2S_E_CERT_WEAK);
    assert_true(has);
    assert_int_equal(shows(NULL, true, &has), S2S_E_CERT_MISSING);
    assert_false(has);
    assert_int_equal(shows(&a_cert, false, &has),
                     S2S_E_CERT_MISSING); /* it was not asked for one */
    assert_false(has);
    cert_free(&self);
    cert_free(&weak);
}

/* Our client names the domain, shows its own certificate, and takes whatever the server is. */
/* rows: R6066-3 */
static void our_client(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party p;
    bare_tls peer;
    char cn[64] = "";
    cert self = cert_make(&(cert_ask){.cn = "x"}, NULL);
    party_init(&p, l);
    bare_tls_init(&peer, l, true);
    SSL_CTX_use_certificate(peer.ctx, self.x);
    SSL_CTX_use_PrivateKey(peer.ctx, self.key);
    peer.ssl = SSL_new(peer.ctx);
    SSL_set_accept_state(peer.ssl);
    int fd = party_join_bare(&p, true);
    s2s_domain from = cert_domain("b.example");
    io_conn_tls how = {
        .role = S2S_INITIATING, .ctx = io_tls_client(tls, &from), .sni = "far.example"};
    io_conn_start_tls(p.c, &how);
    assert_int_equal(bare_tls_shake(&peer, fd), 1);
    UNTIL(l, p.secured);
    assert_string_equal(SSL_get_servername(peer.ssl, TLSEXT_NAMETYPE_host_name), "far.example");
    X509 *x = SSL_get0_peer_certificate(peer.ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, cn, sizeof cn);
    assert_string_equal(cn, "b");
    X509_STORE *store = cert_store(&root);
    assert_int_equal(io_judge_ssl(io_conn_ssl(p.c), store, &from, NULL), S2S_E_CERT_UNTRUSTED);
    X509_STORE_free(store);
    bare_tls_fini(&peer);
    close(fd);
    party_fini(&p);
    io_loop_free(l);
    cert_free(&self);
}

/* ---- files ---- */

static char folder[] = "/tmp/causeway-test-XXXXXX";

static char *file_of(const char *name, const char *text)
{
    char *path = malloc(128);
    assert_non_null(path);
    (void)snprintf(path, 128, "%s/%s", folder, name);
    FILE *file = text ? fopen(path, "w") : NULL;
    if (file) {
        assert_true(fputs(text, file) >= 0);
        fclose(file);
    }
    return path;
}

static void load_is(const char *cert_file, const char *key_file, io_cert_fault expected)
{
    io_cert_fault fault;
    io_identity *id = io_identity_load(cert_file, key_file, &fault);
    assert_int_equal(fault, expected);
    assert_int_equal(id != NULL, expected == IO_CERT_OK);
    assert_int_equal(strlen(io_cert_fault_text(fault)) > 0, expected != IO_CERT_OK);
    io_identity_free(id);
}

static void what_is_wrong_with_a_file(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    cert small = cert_make(&(cert_ask){.cn = "x", .rsa = 1024}, &root);
    char *texts[] = {cert_pem(&a_cert), cert_key_pem(&a_cert), cert_key_pem(&b_cert),
                     cert_pem(&small), cert_key_pem(&small)};
    char *good = file_of("a.pem", texts[0]), *key = file_of("a.key", texts[1]);
    char *other = file_of("b.key", texts[2]), *weak = file_of("weak.pem", texts[3]);
    char *weak_key = file_of("weak.key", texts[4]), *none = file_of("none.pem", NULL);
    char *empty = file_of("empty.pem", "");
    load_is(good, key, IO_CERT_OK);
    load_is(none, key, IO_CERT_MISSING);
    load_is(folder, key, IO_CERT_UNREADABLE);
    load_is(empty, key, IO_CERT_FORMAT);
    load_is(key, key, IO_CERT_FORMAT);
    load_is(good, none, IO_CERT_KEY_MISSING);
    load_is(good, folder, IO_CERT_KEY_UNREADABLE);
    load_is(good, empty, IO_CERT_KEY_FORMAT);
    load_is(good, NULL, IO_CERT_KEY_FORMAT);
    load_is(good, other, IO_CERT_KEY_MISMATCH);
    load_is(weak, weak_key, IO_CERT_WEAK);
    char *files[] = {good, key, other, weak, weak_key, none, empty};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        unlink(files[i]);
        free(files[i]);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    assert_int_equal(rmdir(folder), 0);
    cert_free(&small);
}

static void an_encrypted_key_asks_nobody(void **state)
{
    (void)state;
    char *text = cert_pem(&a_cert), *locked;
    BIO *bio = BIO_new(BIO_s_mem());
    io_cert_fault fault;
    PEM_write_bio_PrivateKey(bio, a_cert.key, EVP_aes_128_cbc(), (unsigned char *)"pw", 2, NULL,
                             NULL);
    long n = BIO_get_mem_data(bio, &locked);
    assert_null(io_identity_of_pem(s2s_span_of(text), (s2s_span){locked, (size_t)n}, &fault));
    assert_int_equal(fault, IO_CERT_KEY_FORMAT);
    BIO_free(bio);
    free(text);
}

static void dates_and_names(void **state)
{
    (void)state;
    cert_ask how = {
        .cn = "x",
        .names = {{CERT_DNS, "*.w.example", 0}, {CERT_SRV, "_xmpp-server.s.example", 0}},
        .from = -7200,
        .until = -60};
    cert old = cert_make(&how, &root);
    io_identity *id = cert_identity(&old, NULL);
    int64_t from, until, now = (int64_t)time(NULL);
    io_identity_dates(id, &from, &until);
    assert_int_equal(until - from, 7140);
    assert_true(until < now && until > now - 600);
    s2s_domain w = cert_domain("w.example"), aw = cert_domain("a.w.example");
    s2s_domain s = cert_domain("s.example"), x = cert_domain("x.example");
    assert_true(io_identity_covers(id, &aw));
    assert_true(io_identity_covers(id, &s));
    assert_false(io_identity_covers(id, &w));
    assert_false(io_identity_covers(id, &x));
    io_identity_free(id);
    cert_free(&old);
}

static void stores(void **state)
{
    (void)state;
    char why[128], path[] = "/tmp/causeway-test-ca-XXXXXX";
    char *text = cert_pem(&root);
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    X509_STORE *store = io_store_load(path, NULL, why);
    assert_non_null(store);
    s2s_domain name = cert_domain("a.example");
    io_judge_ask ask = {.leaf = a_cert.x, .store = store, .name = &name};
    assert_int_equal(io_judge(&ask, NULL), S2S_E_OK);
    X509_STORE_free(store);
    store = io_store_load(NULL, NULL, why);
    assert_non_null(store);
    ask.store = store;
    assert_int_equal(io_judge(&ask, NULL), S2S_E_CERT_UNTRUSTED);
    X509_STORE_free(store);
    unlink(path);
    assert_null(io_store_load(path, NULL, why));
    assert_string_not_equal(why, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(certificate_by_domain_and_by_sni, hang_guard),
        cmocka_unit_test(directory),
        cmocka_unit_test_setup(attack_52_versions_and_suites, hang_guard),
        cmocka_unit_test_setup(no_tickets, hang_guard),
        cmocka_unit_test_setup(no_renegotiation, hang_guard),
        cmocka_unit_test_setup(no_renegotiation_of_our_client, hang_guard),
        cmocka_unit_test_setup(alpn, hang_guard),
        cmocka_unit_test_setup(every_client_certificate_is_taken_and_judged_later, hang_guard),
        cmocka_unit_test_setup(our_client, hang_guard),
        cmocka_unit_test(what_is_wrong_with_a_file),
        cmocka_unit_test(an_encrypted_key_asks_nobody),
        cmocka_unit_test(dates_and_names),
        cmocka_unit_test(stores),
    };
    return cmocka_run_group_tests(tests, make_tls, drop_tls);
}
