/* test_conn_tls.c - connections under TLS: the upgrade in both roles, bytes both ways, records, errors by name, the end. */
#include <errno.h>
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "bare_tls.h"
#include "certs.h"
#include "io/conn_priv.h"
#include "io/tls.h"
#include "party.h"

static cert root, far_cert, local_cert;
static io_tls *far_tls, *local_tls;

static io_tls *tls_of(const cert *c)
{
    io_tls *t = io_tls_new();
    io_identity *id = cert_identity(c, &root);
    assert_non_null(t);
    assert_int_equal(io_tls_add(t, NULL, id), S2S_E_OK);
    io_identity_free(id);
    return t;
}

static int make_tls(void **state)
{
    (void)state;
    root = cert_make(&(cert_ask){.cn = "Root", .ca = true}, NULL);
    far_cert = cert_make(&(cert_ask){.cn = "far.example"}, &root);
    local_cert = cert_make(&(cert_ask){.cn = "loc\nal.example"}, &root);
    far_tls = tls_of(&far_cert);
    local_tls = tls_of(&local_cert);
    return 0;
}

static int drop_tls(void **state)
{
    (void)state;
    io_tls_free(far_tls);
    io_tls_free(local_tls);
    cert_free(&far_cert);
    cert_free(&local_cert);
    cert_free(&root);
    return 0;
}

static void start_client(party *p)
{
    io_conn_tls how = {
        .role = S2S_INITIATING, .ctx = io_tls_client(far_tls, NULL), .sni = "local.example"};
    io_conn_start_tls(p->c, &how);
}

static void start_server(party *p, bool ask)
{
    io_conn_tls how = {
        .role = S2S_RECEIVING, .ctx = io_tls_server(local_tls, NULL), .ask_client_cert = ask};
    io_conn_start_tls(p->c, &how);
}

static void got_is(const party *p, const char *text, size_t n)
{
    s2s_span got = s2s_buf_span(&p->got);
    assert_int_equal(got.len, n);
    assert_true(n == 0 || memcmp(got.ptr, text, n) == 0);
}

/* ---- the upgrade ---- */

static void answer_proceed(party *p, s2s_span bytes)
{
    (void)bytes;
    p->on_bytes = NULL;
    party_say(p, S2S_LIT("<proceed/>"));
    start_server(p, true);
}

static void act_on_proceed(party *p, s2s_span bytes)
{
    (void)bytes;
    p->on_bytes = NULL;
    start_client(p);
}

/* Clear text first, each side's upgrade from inside its call back, as it is done for real. */
static void upgrade(io_loop *l, party *a, party *b)
{
    parties_join(a, b);
    a->on_bytes = act_on_proceed;
    b->on_bytes = answer_proceed;
    party_say(a, S2S_LIT("<starttls/>"));
    UNTIL(l, a->secured && b->secured);
    got_is(a, "<proceed/>", 10);
    got_is(b, "<starttls/>", 11);
    s2s_buf_clear(&a->got);
    s2s_buf_clear(&b->got);
}

static void upgrade_in_both_roles(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a, b;
    party_init(&a, l);
    party_init(&b, l);
    upgrade(l, &a, &b);
    assert_string_equal(a.tls.version, "TLSv1.3");
    assert_string_equal(b.tls.version, "TLSv1.3");
    assert_true(strncmp(a.tls.cipher, "TLS_", 4) == 0);
    assert_true(a.tls.has_cert && b.tls.has_cert);
    assert_in_range(a.tls.ends_in, 3000, 3600); /* as certs.c makes them */
    assert_string_equal(b.tls.subject, "CN=far.example");
    assert_string_equal(a.tls.subject, "CN=loc\\0Aal.example"); /* safe in a log */
    assert_non_null(io_conn_ssl(a.c));
    party_fini(&a);
    party_fini(&b);
    io_loop_free(l);
}

static void five_megabytes_both_ways(void **state)
{
    (void)state;
    enum { N = 5 * 1024 * 1024 };
    io_loop *l = loop_new();
    party a, b;
    party_init(&a, l);
    party_init(&b, l);
    upgrade(l, &a, &b);
    char *to_b = pattern_new(N, 1), *to_a = pattern_new(N, 2);
    party_say(&a, (s2s_span){to_b, N});
    party_say(&b, (s2s_span){to_a, N});
    UNTIL(l, s2s_buf_span(&a.got).len == N && s2s_buf_span(&b.got).len == N);
    got_is(&a, to_a, N);
    got_is(&b, to_b, N);
    assert_int_equal(io_conn_sent(a.c), N + 11);
    UNTIL(l, io_conn_acked(a.c) == N + 11 && io_conn_acked(b.c) == N + 10);
    assert_null(a.c->marks.item); /* nothing is kept for an idle connection */
    free(to_a);
    free(to_b);
    party_fini(&a);
    party_fini(&b);
    io_loop_free(l);
}

static void tiny_buffers(io_loop_settings *s)
{
    s->send_buffer = 1;
    s->write_budget = 1;
    s->read_budget = 1;
}

static void partial_writes_and_tiny_budgets(void **state)
{
    (void)state;
    enum { N = 300000 };
    io_loop *l = loop_new_with(tiny_buffers);
    party a, b;
    party_init(&a, l);
    party_init(&b, l);
    upgrade(l, &a, &b);
    char *text = pattern_new(N, 3);
    /* In pieces to a peer that does not read yet: what waits inside OpenSSL is offered again from another place, longer
     * than before. */
    io_conn_pause(b.c, true);
    for (size_t at = 0; at < N; at += 1000) {
        party_say(&a, (s2s_span){text + at, 1000});
        io_loop_turn(l, false);
    }
    assert_true(io_conn_sent(a.c) < N);
    io_conn_pause(b.c, false);
    UNTIL(l, s2s_buf_span(&b.got).len == N);
    got_is(&b, text, N);
    free(text);
    party_fini(&a);
    party_fini(&b);
    io_loop_free(l);
}

static void a_turn_is_one_record(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    bare_tls peer;
    char got[16384];
    size_t n;
    party_init(&a, l);
    bare_tls_init(&peer, l, false);
    int fd = party_join_bare(&a, false);
    start_server(&a, false);
    assert_int_equal(bare_tls_shake(&peer, fd), 1);
    UNTIL(l, a.secured);
    for (int i = 0; i < 100; i++)
        party_say(&a, S2S_LIT("<message/>"));
    assert_int_equal(bare_tls_read(&peer, got, sizeof got, &n), 1);
    assert_int_equal(n, 1000);
    bare_tls_fini(&peer);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

static void pause_now(party *p, s2s_span bytes)
{
    (void)bytes;
    io_conn_pause(p->c, true);
}

static void one_slab(io_loop_settings *s)
{
    s->read_budget = 1;
}

/* Small records, more than a slab of them, the last of which OpenSSL reads ahead of its own accord: the socket is empty
 * then and makes no event, be it after a pause or after the budget of a turn. */
static void records_read_ahead_are_not_forgotten(void **state)
{
    (void)state;
    enum { RECORDS = 670, SIZE = 100, N = RECORDS * SIZE };
    char *text = pattern_new(N, 4);
    for (int pauses = 0; pauses < 2; pauses++) {
        io_loop *l = loop_new_with(one_slab);
        party a;
        bare_tls peer;
        party_init(&a, l);
        bare_tls_init(&peer, l, false);
        int fd = party_join_bare(&a, false);
        start_server(&a, false);
        assert_int_equal(bare_tls_shake(&peer, fd), 1);
        UNTIL(l, a.secured);
        io_conn_pause(a.c, true);
        for (size_t at = 0; at < N; at += SIZE)
            bare_tls_write(&peer, text + at, SIZE);
        if (pauses) a.on_bytes = pause_now;
        io_conn_pause(a.c, false);
        UNTIL(l, a.reads == 1);
        got_is(&a, text, IO_SLAB);
        for (int i = 0; pauses && i < 5; i++)
            io_loop_turn(l, false);
        assert_int_equal(a.reads, 1);
        io_conn_pause(a.c, false);
        UNTIL(l, a.reads == 2);
        got_is(&a, text, N);
        bare_tls_fini(&peer);
        close(fd);
        party_fini(&a);
        io_loop_free(l);
    }
    free(text);
}

static void what_comes_with_the_handshake_is_read(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    bare_tls peer;
    party_init(&a, l);
    bare_tls_init(&peer, l, false);
    int fd = party_join_bare(&a, false);
    start_server(&a, false);
    assert_int_equal(bare_tls_shake(&peer, fd), 1);
    assert_false(a.secured); /* its last message is still to be read, and this behind it */
    bare_tls_write(&peer, "<stream>", 8);
    UNTIL(l, a.reads == 1);
    got_is(&a, "<stream>", 8);
    bare_tls_fini(&peer);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

/* Under TLS the count goes by records: half of one is nothing the peer could read. Here the peer's kernel holds R bytes
 * of records which its program has not read. */
static void acked_goes_by_records(void **state)
{
    (void)state;
    enum { N = 8 * 1024 * 1024, CLEAR = 20000, RECORD = 16384, ON_WIRE = RECORD + 5 + 1 + 16 };
    io_loop *l = loop_new();
    party a;
    bare_tls peer;
    char *text = pattern_new(N, 5), *copy = malloc(N);
    party_init(&a, l);
    bare_tls_init(&peer, l, false);
    int fd = party_join_bare(&a, false), held;
    party_say(&a, (s2s_span){text, CLEAR});
    UNTIL(l, io_conn_acked(a.c) == CLEAR);
    assert_int_equal(recv(fd, copy, CLEAR, MSG_WAITALL), CLEAR);
    start_server(&a, false);
    assert_int_equal(bare_tls_shake(&peer, fd), 1);
    UNTIL(l, a.secured);
    assert_int_equal(io_conn_acked(a.c), CLEAR); /* the handshake was no plaintext */
    party_say(&a, (s2s_span){text, N});
    for (int i = 0; i < 1000; i++)
        io_loop_turn(l, false);
    assert_int_equal(ioctl(fd, FIONREAD, &held), 0);
    assert_true(held > ON_WIRE && held < N);
    UNTIL(l, io_conn_acked(a.c) == (uint64_t)(CLEAR + held / ON_WIRE * RECORD));
    for (size_t have = 0, n; have < N; have += n)
        assert_int_equal(bare_tls_read(&peer, copy + have, N - have, &n), 1);
    assert_memory_equal(copy, text, N);
    UNTIL(l, io_conn_acked(a.c) == N + CLEAR);
    free(text);
    free(copy);
    bare_tls_fini(&peer);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

/* ---- clear text where TLS must begin (attacks 47, 48) ---- */

/* rows: R6120-5.4.2.3 */
static void clear_text_behind_starttls(void **state)
{
    (void)state;
    for (int server = 0; server < 2; server++) {
        io_loop *l = loop_new();
        party a;
        party_init(&a, l);
        int fd = party_join_bare(&a, server == 0);
        a.on_bytes = server ? answer_proceed : act_on_proceed;
        assert_int_equal(send(fd, "<go/>", 5, 0), 5);
        UNTIL(l, a.got.end > 0);
        assert_int_equal(send(fd, "<message/><message/>", 20, 0), 20);
        UNTIL(l, a.lost);
        got_is(&a, "<go/>", 5);
        assert_int_equal(a.why, S2S_E_TLS_HANDSHAKE);
        assert_false(a.secured);
        assert_string_not_equal(a.detail, "");
        close(fd);
        party_fini(&a);
        io_loop_free(l);
    }
}

/* ---- ends ---- */

/* rows: R6120-4.4-d */
static void close_notify_is_an_orderly_end(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a, b;
    party_init(&a, l);
    party_init(&b, l);
    upgrade(l, &a, &b);
    party_say(&a, S2S_LIT("</stream:stream>"));
    party_close(&a, IO_CLOSE_GRACEFUL);
    UNTIL(l, b.lost);
    got_is(&b, "</stream:stream>", 16);
    assert_int_equal(b.why, S2S_E_TCP_EOF);
    assert_string_equal(b.detail, "");
    party_fini(&a);
    party_fini(&b);
    io_loop_free(l);
}

/* rows: R6120-4.4-d */
static void a_bare_fin_is_a_truncation(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a, b;
    party_init(&a, l);
    party_init(&b, l);
    upgrade(l, &a, &b);
    party_say(&a, S2S_LIT("<message>half a"));
    UNTIL(l, s2s_buf_span(&b.got).len == 15);
    party_close(&a, IO_CLOSE_ABRUPT);
    UNTIL(l, b.lost);
    assert_int_equal(b.why, S2S_E_TCP_EOF);
    assert_string_equal(b.detail, "truncated");
    party_fini(&a);
    party_fini(&b);
    io_loop_free(l);
}

static void reset_under_tls(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a, b;
    party_init(&a, l);
    party_init(&b, l);
    upgrade(l, &a, &b);
    party_say(&b, S2S_LIT("0123456789"));
    UNTIL(l, io_conn_acked(b.c) == 20);
    party_close(&a, IO_CLOSE_RESET);
    UNTIL(l, b.lost);
    assert_int_equal(b.why, S2S_E_TCP_RESET);
    assert_int_equal(b.acked_at_end, 20);
    party_fini(&a);
    party_fini(&b);
    io_loop_free(l);
}

static void graceful_close_writes_the_rest(void **state)
{
    (void)state;
    enum { N = 1024 * 1024 };
    io_loop *l = loop_new();
    party a, b;
    party_init(&a, l);
    party_init(&b, l);
    upgrade(l, &a, &b);
    char *text = pattern_new(N, 6);
    io_conn_pause(b.c, true);
    party_say(&a, (s2s_span){text, N});
    for (int i = 0; i < 100; i++)
        io_loop_turn(l, false);
    assert_true(io_conn_sent(a.c) < N); /* a record waits inside OpenSSL */
    party_close(&a, IO_CLOSE_GRACEFUL);
    party_fini(&a);
    io_conn_pause(b.c, false);
    UNTIL(l, b.lost);
    got_is(&b, text, N);
    assert_string_equal(b.detail, "");
    free(text);
    party_fini(&b);
    io_loop_free(l);
}

static void close_at_once(party *p)
{
    party_close(p, IO_CLOSE_GRACEFUL);
}

static void owners_close_from_inside(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a, b;
    party_init(&a, l);
    party_init(&b, l);
    parties_join(&a, &b);
    a.on_tls = close_at_once;
    start_client(&a);
    start_server(&b, true);
    UNTIL(l, b.lost);
    assert_true(b.secured);
    party_fini(&a);
    party_fini(&b);
    party_init(&a, l);
    party_init(&b, l);
    parties_join(&a, &b);
    start_client(&a);
    party_close(&a, IO_CLOSE_GRACEFUL); /* before anything of TLS was said: ends in clear */
    UNTIL(l, b.lost);
    assert_int_equal(b.why, S2S_E_TCP_EOF);
    party_fini(&a);
    party_fini(&b);
    io_loop_free(l);
}

static void end_during_the_handshake(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, true);
    start_client(&a);
    io_loop_turn(l, false);
    shutdown(fd, SHUT_WR);
    UNTIL(l, a.lost);
    assert_int_equal(a.why, S2S_E_TLS_HANDSHAKE);
    assert_string_equal(a.detail, "the connection ended during the handshake");
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

/* ---- alerts have names ---- */

/* Attack 61: the peer takes our handshake and then refuses our certificate. */
static void peers_alert_is_named(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    bare_tls peer;
    party_init(&a, l);
    bare_tls_init(&peer, l, true);
    SSL_CTX_use_certificate(peer.ctx, local_cert.x);
    SSL_CTX_use_PrivateKey(peer.ctx, local_cert.key);
    SSL_CTX_set_cert_verify_callback(peer.ctx, NULL, NULL); /* trusts nobody */
    int fd = party_join_bare(&a, true);
    start_client(&a);
    peer.ssl = SSL_new(peer.ctx);
    SSL_set_accept_state(peer.ssl);
    assert_int_equal(bare_tls_shake(&peer, fd), -SSL_ERROR_SSL);
    UNTIL(l, a.lost);
    assert_true(a.secured); /* in TLS 1.3 the refusal comes behind our handshake */
    assert_int_equal(a.why, S2S_E_TLS_BROKEN);
    assert_string_equal(a.detail, "the peer sent alert: unknown CA");
    bare_tls_fini(&peer);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

/* Attack 52, and that our alert arrives: though much is unread on our side, no reset overtakes it. */
static void our_alert_is_named_and_arrives(void **state)
{
    (void)state;
    enum { N = 100000 };
    static const int OLD[] = {TLS1_VERSION, TLS1_1_VERSION};
    char *rest = pattern_new(N, 8);
    for (size_t i = 0; i < 2; i++) {
        io_loop *l = loop_new();
        party a;
        bare_tls peer;
        char c;
        party_init(&a, l);
        bare_tls_init(&peer, l, false);
        SSL_CTX_set_max_proto_version(peer.ctx, OLD[i]);
        int fd = party_join_bare(&a, false);
        start_server(&a, true);
        peer.ssl = SSL_new(peer.ctx);
        SSL_set_fd(peer.ssl, fd);
        assert_int_equal(SSL_connect(peer.ssl), -1); /* the hello is out */
        assert_int_equal(send(fd, rest, N, 0), N);
        assert_int_equal(bare_tls_shake(&peer, fd), -SSL_ERROR_SSL);
        assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
        ERR_clear_error();
        UNTIL(l, a.lost);
        assert_int_equal(a.why, S2S_E_TLS_HANDSHAKE);
        assert_string_equal(a.detail, "we sent alert: protocol version (unsupported protocol)");
        assert_int_equal(recv(fd, &c, 1, 0), 0);
        bare_tls_fini(&peer);
        close(fd);
        UNTIL(l, l->closing.next == &l->closing);
        party_fini(&a);
        io_loop_free(l);
    }
    free(rest);
}

/* Attack 60: one bit of a record is turned over on its way. */
static void a_broken_record(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    bare_tls peer;
    char record[256];
    party_init(&a, l);
    bare_tls_init(&peer, l, false);
    int fd = party_join_bare(&a, false);
    start_server(&a, false);
    assert_int_equal(bare_tls_shake(&peer, fd), 1);
    UNTIL(l, a.secured);
    BIO *wire = BIO_new(BIO_s_mem());
    SSL_set0_wbio(peer.ssl, wire);
    bare_tls_write(&peer, "<message/>", 10);
    int n = BIO_read(wire, record, sizeof record);
    record[n - 1] ^= 1;
    assert_int_equal(send(fd, record, (size_t)n, 0), n);
    UNTIL(l, a.lost);
    got_is(&a, "", 0);
    assert_int_equal(a.why, S2S_E_TLS_BROKEN);
    assert_string_equal(a.detail,
                        "we sent alert: bad record mac (decryption failed or bad record mac)");
    bare_tls_fini(&peer);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(upgrade_in_both_roles, hang_guard),
        cmocka_unit_test_setup(five_megabytes_both_ways, hang_guard),
        cmocka_unit_test_setup(partial_writes_and_tiny_budgets, hang_guard),
        cmocka_unit_test_setup(a_turn_is_one_record, hang_guard),
        cmocka_unit_test_setup(records_read_ahead_are_not_forgotten, hang_guard),
        cmocka_unit_test_setup(what_comes_with_the_handshake_is_read, hang_guard),
        cmocka_unit_test_setup(acked_goes_by_records, hang_guard),
        cmocka_unit_test_setup(clear_text_behind_starttls, hang_guard),
        cmocka_unit_test_setup(close_notify_is_an_orderly_end, hang_guard),
        cmocka_unit_test_setup(a_bare_fin_is_a_truncation, hang_guard),
        cmocka_unit_test_setup(reset_under_tls, hang_guard),
        cmocka_unit_test_setup(graceful_close_writes_the_rest, hang_guard),
        cmocka_unit_test_setup(owners_close_from_inside, hang_guard),
        cmocka_unit_test_setup(end_during_the_handshake, hang_guard),
        cmocka_unit_test_setup(peers_alert_is_named, hang_guard),
        cmocka_unit_test_setup(our_alert_is_named_and_arrives, hang_guard),
        cmocka_unit_test_setup(a_broken_record, hang_guard),
    };
    return cmocka_run_group_tests(tests, make_tls, drop_tls);
}
