/* test_session.c - sessions of connections we made: resumed where they came from, nowhere else, once, not for long, not too
 * many; and what comes of servers that cannot resume. */
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "bare_tls.h"
#include "certs.h"
#include "io/conn_priv.h"
#include "io/judge.h"
#include "io/session.h"
#include "io/tls.h"
#include "party.h"

enum { DAY = 86400000, HOUR = 3600000 };

static cert root, far_cert, old_cert, our_cert;
static io_tls *tls, *other_tls;
static io_loop *l;
static io_sessions *all;
static SSL_CTX *server; /* one for a test: it takes the tickets it gave */

static io_tls *tls_of(const cert *c)
{
    io_tls *t = io_tls_new();
    io_identity *id = cert_identity(c, &root);
    assert_int_equal(io_tls_add(t, NULL, id), S2S_E_OK);
    io_identity_free(id);
    return t;
}

static int make_certs(void **state)
{
    (void)state;
    cert_ask far = {.cn = "far", .names = {{CERT_DNS, "far.example", 0}}};
    cert_ask old = {
        .cn = "old", .names = {{CERT_DNS, "far.example", 0}}, .from = -7200, .until = -60};
    root = cert_make(&(cert_ask){.cn = "Root", .ca = true}, NULL);
    far_cert = cert_make(&far, &root);
    old_cert = cert_make(&old, &root);
    our_cert = cert_make(&(cert_ask){.cn = "ours"}, &root);
    tls = tls_of(&our_cert);
    other_tls = tls_of(&our_cert);
    return 0;
}

static int drop_certs(void **state)
{
    (void)state;
    io_tls_free(tls);
    io_tls_free(other_tls);
    cert_free(&our_cert);
    cert_free(&old_cert);
    cert_free(&far_cert);
    cert_free(&root);
    return 0;
}

static SSL_CTX *server_of(const cert *c, int version, const char *session_context)
{
    bare_tls b;
    bare_tls_init(&b, l, true);
    SSL_CTX_use_certificate(b.ctx, c->x);
    SSL_CTX_use_PrivateKey(b.ctx, c->key);
    SSL_CTX_set_max_proto_version(b.ctx, version);
    SSL_CTX_set_session_id_context(b.ctx, (const unsigned char *)session_context,
                                   (unsigned)strlen(session_context));
    return b.ctx;
}

static void serve_as(const cert *c, int version)
{
    SSL_CTX_free(server);
    server = server_of(c, version, "far");
}

static int open_world(void **state)
{
    io_sessions_limits limits;
    io_sessions_limits_init(&limits);
    l = loop_new();
    all = io_sessions_new(&limits, 1);
    assert_non_null(all);
    server = NULL;
    serve_as(&far_cert, TLS1_3_VERSION);
    return hang_guard(state);
}

static int close_world(void **state)
{
    (void)state;
    SSL_CTX_free(server);
    io_sessions_free(all);
    io_loop_free(l);
    ERR_clear_error();
    return 0;
}

static io_session_way way_of(const char *ours, const char *theirs, uint16_t port)
{
    io_session_way way = {.ctx = io_tls_client(tls, NULL), .theirs = cert_domain(theirs)};
    if (ours) way.ours = cert_domain(ours);
    assert_int_equal(io_addr_parse(S2S_LIT("192.0.2.1"), &way.endpoint), S2S_E_OK);
    way.endpoint.port = port;
    return way;
}

/* A connection of ours to the server, at a place that has nothing to do with the socket's address. */
typedef struct meeting {
    party p;
    bare_tls peer;
    int fd, end; /* what the server's handshake came to */
    bool offered;
} meeting;

static void meet(meeting *m, const io_session_way *way)
{
    party_init(&m->p, l);
    m->peer = (bare_tls){.ctx = server, .loop = l};
    SSL_CTX_up_ref(server);
    m->peer.ssl = SSL_new(server);
    SSL_set_accept_state(m->peer.ssl);
    m->fd = party_join_bare(&m->p, true);
    io_conn_tls how = {
        .role = S2S_INITIATING, .ctx = io_tls_client(tls, NULL), .sni = "far.example"};
    if (way) {
        how.ctx = way->ctx;
        how.place = io_session_hold(all, way);
    }
    io_conn_start_tls(m->p.c, &how);
    m->offered = m->p.c->offered;
    m->end = bare_tls_shake(&m->peer, m->fd);
    UNTIL(l, m->p.secured || m->p.lost);
}

/* The server's word comes behind its tickets. */
static void hear(meeting *m)
{
    assert_int_equal(m->end, 1);
    bare_tls_write(&m->peer, "word", 4);
    UNTIL(l, m->p.got.end > 0);
}

static void part(meeting *m)
{
    party_fini(&m->p);
    SSL_set_shutdown(m->peer.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    bare_tls_fini(&m->peer);
    close(m->fd);
    ERR_clear_error();
}

/* One connection from begin to end. Was it resumed? Both sides say the same. */
static bool resumes(const io_session_way *way)
{
    meeting m;
    meet(&m, way);
    hear(&m);
    bool resumed = m.p.tls.resumed;
    assert_int_equal(SSL_session_reused(m.peer.ssl), resumed);
    assert_true(m.p.tls.has_cert);
    part(&m);
    return resumed;
}

static bool offers(const io_session_way *way)
{
    meeting m;
    meet(&m, way);
    hear(&m);
    bool offered = m.offered;
    part(&m);
    return offered;
}

/* ---- where ---- */

static void resumed_where_it_came_from(void **state)
{
    (void)state;
    static const int VERSIONS[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    for (size_t i = 0; i < 2; i++) {
        io_session_way way = way_of("ours.example", "far.example", (uint16_t)(5269 + i));
        serve_as(&far_cert, VERSIONS[i]);
        assert_false(resumes(&way));
        for (int again = 0; again < 3; again++) /* each time a new ticket, in TLS 1.2 the old one */
            assert_true(resumes(&way));
    }
    assert_int_equal(io_sessions_counted(all).places, 2);
}

static void by_session_id_too(void **state)
{
    (void)state;
    io_session_way way = way_of("ours.example", "far.example", 5269);
    serve_as(&far_cert, TLS1_2_VERSION);
    SSL_CTX_set_options(server, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_SERVER);
    assert_false(resumes(&way));
    assert_true(resumes(&way));
}

/* rows: prac-resume-id */
static void never_elsewhere(void **state)
{
    (void)state;
    io_session_way way = way_of("ours.example", "far.example", 5269),
                   others[] = {way, way, way, way, way, way};
    others[0].ours = cert_domain("also.ours.example");
    others[1].ours.len = 0;
    others[2].theirs = cert_domain("b.example");
    others[3].endpoint.port = 5270;
    others[4].endpoint.bytes[3]++;
    others[5].ctx = io_tls_client(other_tls, NULL); /* the same certificate even */
    assert_false(offers(&way));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(offers(&others[i]));
    assert_true(offers(&way));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(offers(&others[i])); /* their own */
    assert_int_equal(io_sessions_counted(all).places, 7);
}

static void a_way_without_a_place_keeps_nothing(void **state)
{
    (void)state;
    assert_false(offers(NULL));
    assert_false(offers(NULL));
    assert_int_equal(io_sessions_counted(all).sessions, 0);
}

static void none_is_kept_when_the_setting_says_so(void **state)
{
    (void)state;
    io_sessions_limits limits = {.places = 0, .octets = 1000000, .age_ms = DAY, .bar_ms = HOUR};
    io_sessions *none = io_sessions_new(&limits, 1);
    io_session_way way = way_of("ours.example", "far.example", 5269);
    assert_null(io_session_hold(none, &way));
    io_sessions_free(none);
}

/* ---- how often ---- */

static void a_ticket_is_used_once(void **state)
{
    (void)state;
    io_session_way way = way_of("ours.example", "far.example", 5269);
    meeting first, second, third;
    SSL_CTX_set_num_tickets(server, 1);
    meet(&first, &way);
    hear(&first);
    SSL_CTX_set_num_tickets(server, 0);
    meet(&second, &way);
    meet(&third, &way);
    assert_true(second.p.tls.resumed);
    assert_false(third.offered);
    part(&first);
    part(&second);
    part(&third);
    assert_int_equal(io_sessions_counted(all).sessions, 0);
    assert_int_equal(io_sessions_counted(all).octets, 0);
    assert_int_equal(io_sessions_counted(all).places, 0);
}

/* ---- the certificate, judged again ---- */

/* rows: prac-resume-id */
static void what_was_shown_is_still_there_and_judged(void **state)
{
    (void)state;
    io_session_way way = way_of("ours.example", "far.example", 5269);
    s2s_domain far = cert_domain("far.example"), b = cert_domain("b.example");
    X509_STORE *store = cert_store(&root), *nobody = X509_STORE_new();
    meeting m;
    assert_false(resumes(&way));
    meet(&m, &way);
    hear(&m);
    SSL *ssl = io_conn_ssl(m.p.c);
    assert_true(m.p.tls.resumed);
    assert_string_equal(m.p.tls.subject, "CN=far");
    assert_int_equal(io_judge_ssl(ssl, store, &far, NULL), S2S_E_OK);
    assert_int_equal(io_judge_ssl(ssl, store, &b, NULL), S2S_E_CERT_NAME);
    assert_int_equal(io_judge_ssl(ssl, nobody, &far, NULL), S2S_E_CERT_UNTRUSTED);
    io_judge_ask later = {.leaf = SSL_get0_peer_certificate(ssl),
                          .untrusted = SSL_get_peer_cert_chain(ssl),
                          .store = store,
                          .peer = S2S_RECEIVING,
                          .name = &far,
                          .at = time(NULL) + 7200};
    assert_int_equal(io_judge(&later, NULL), S2S_E_CERT_EXPIRED);
    part(&m);
    X509_STORE_free(store);
    X509_STORE_free(nobody);
}

static void an_expired_certificate_stays_expired(void **state)
{
    (void)state;
    static const int VERSIONS[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    s2s_domain far = cert_domain("far.example");
    X509_STORE *store = cert_store(&root);
    for (size_t i = 0; i < 2; i++) {
        io_session_way way = way_of("ours.example", "far.example", (uint16_t)(5269 + i));
        meeting m;
        serve_as(&old_cert, VERSIONS[i]);
        assert_false(resumes(&way));
        meet(&m, &way);
        hear(&m);
        assert_true(m.p.tls.resumed);
        assert_int_equal(io_judge_ssl(io_conn_ssl(m.p.c), store, &far, NULL), S2S_E_CERT_EXPIRED);
        part(&m);
    }
    X509_STORE_free(store);
}

/* ---- servers that do not resume ---- */

static void a_server_with_new_keys_shakes_hands_in_full(void **state)
{
    (void)state;
    static const int VERSIONS[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    for (size_t i = 0; i < 2; i++) {
        io_session_way way = way_of("ours.example", "far.example", (uint16_t)(5269 + i));
        serve_as(&far_cert, VERSIONS[i]);
        assert_false(resumes(&way));
        serve_as(&far_cert, VERSIONS[i]);
        meeting m;
        meet(&m, &way);
        hear(&m);
        assert_true(m.offered);
        assert_false(m.p.tls.resumed);
        part(&m);
        assert_true(resumes(&way)); /* by what it gave then */
    }
}

/* It asks for certificates and has no session id context: OpenSSL breaks off when its own ticket comes back. */
static void a_server_that_breaks_off_is_dialled_in_full(void **state)
{
    (void)state;
    io_session_way way = way_of("ours.example", "far.example", 5269);
    meeting m;
    SSL_CTX_free(server);
    server = server_of(&far_cert, TLS1_3_VERSION, "");
    assert_false(resumes(&way));
    meet(&m, &way);
    assert_true(m.offered && m.p.lost);
    assert_int_equal(m.p.why, S2S_E_TLS_NOT_RESUMED);
    assert_string_equal(m.p.detail, "the peer sent alert: internal error");
    part(&m);
    for (int i = 0; i < 2; i++)
        assert_false(offers(&way));
    assert_int_equal(io_sessions_counted(all).sessions, 0);
}

static void a_handshake_that_fails_in_full_is_called_so(void **state)
{
    (void)state;
    io_session_way way = way_of("ours.example", "far.example", 5269);
    meeting m;
    serve_as(&far_cert, TLS1_1_VERSION);
    meet(&m, &way);
    assert_int_equal(m.p.why, S2S_E_TLS_HANDSHAKE);
    part(&m);
}

/* Programs that are killed say no goodbye: what they gave before is as good as ever. */
static void an_end_without_close_notify_spoils_nothing(void **state)
{
    (void)state;
    static const int VERSIONS[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    for (size_t i = 0; i < 2; i++) {
        io_session_way way = way_of("ours.example", "far.example", (uint16_t)(5269 + i));
        meeting m;
        serve_as(&far_cert, VERSIONS[i]);
        SSL_CTX_set_num_tickets(server, 1);
        meet(&m, &way);
        hear(&m);
        assert_int_equal(write(m.fd, "\x17\x03\x03\x00\x20half", 9), 9);
        assert_int_equal(shutdown(m.fd, SHUT_WR), 0);
        UNTIL(l, m.p.lost);
        assert_int_equal(m.p.why, S2S_E_TCP_EOF);
        assert_string_equal(m.p.detail, "truncated");
        part(&m);
        assert_true(resumes(&way));
    }
}

static void without_extended_master_secret_none_is_kept(void **state)
{
    (void)state;
    io_session_way way = way_of("ours.example", "far.example", 5269);
    serve_as(&far_cert, TLS1_2_VERSION);
    SSL_CTX_set_options(server, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    assert_false(offers(&way));
    assert_false(offers(&way));
}

/* A fatal alert, here because of a record that is none, ends the session with the connection. */
static void a_fatal_alert_spoils_a_session(void **state)
{
    (void)state;
    static const int VERSIONS[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    for (size_t i = 0; i < 2; i++) {
        io_session_way way = way_of("ours.example", "far.example", (uint16_t)(5269 + i));
        meeting m;
        serve_as(&far_cert, VERSIONS[i]);
        SSL_CTX_set_num_tickets(server, 1);
        meet(&m, &way);
        hear(&m);
        assert_int_equal(write(m.fd, "\x17\x03\x03\x00\x20nonsense nonsense nonsense abcde", 37),
                         37);
        UNTIL(l, m.p.lost);
        assert_int_equal(m.p.why, S2S_E_TLS_BROKEN);
        part(&m);
        assert_false(offers(&way));
    }
}

/* ---- how many, and for how long ---- */

/* A live connection at a place of the table under test, with a session to put anywhere. */
typedef struct source {
    meeting m;
    io_session_new given;
} source;

static void source_init(source *s)
{
    static unsigned port = 1;
    io_session_way way = way_of("source.example", "far.example", (uint16_t)port++);
    meet(&s->m, &way);
    hear(&s->m);
    s->given = (io_session_new){.ssl = io_conn_ssl(s->m.p.c)};
    s->given.session = SSL_get0_session(s->given.ssl);
}

/* Each time a session of its own. */
static bool keep(io_session_place *p, const source *s, uint64_t now)
{
    io_session_new given = s->given;
    given.session = SSL_SESSION_dup(s->given.session);
    bool kept = io_session_keep(p, &given, now);
    SSL_SESSION_free(given.session);
    return kept;
}

static bool has(io_session_place *p, uint64_t now)
{
    uint64_t full_at;
    SSL_SESSION *session = io_session_take(p, now, &full_at);
    SSL_SESSION_free(session);
    return session != NULL;
}

static void the_one_longest_without_a_new_session_gives_way(void **state)
{
    (void)state;
    io_sessions_limits limits = {.places = 2, .octets = 1000000, .age_ms = DAY, .bar_ms = HOUR};
    io_sessions *few = io_sessions_new(&limits, 1);
    io_session_place *p[3];
    source s;
    source_init(&s);
    for (uint16_t i = 0; i < 3; i++) {
        io_session_way way = way_of("ours.example", "far.example", i);
        p[i] = io_session_hold(few, &way);
    }
    assert_true(keep(p[0], &s, 1));
    assert_true(keep(p[1], &s, 2));
    assert_true(keep(p[0], &s, 3));
    assert_true(keep(p[2], &s, 4));
    assert_int_equal(io_sessions_counted(few).places, 2);
    assert_int_equal(io_sessions_counted(few).sessions, 3);
    assert_true(has(p[0], 5));
    assert_false(has(p[1], 5));
    assert_true(has(p[2], 5));
    io_session_let_go(p[1]); /* held by nobody, empty */
    io_session_let_go(p[0]); /* held by nobody: what it has is still there when it is wanted */
    io_session_way way = way_of("ours.example", "far.example", 0);
    p[0] = io_session_hold(few, &way);
    assert_true(has(p[0], 6));
    io_sessions_free(few);
    assert_false(keep(p[0], &s, 7)); /* whoever still holds one */
    io_session_bar(p[0], 7);
    io_session_let_go(p[0]);
    io_session_let_go(p[2]);
    part(&s.m);
}

/* How many sessions a table of so many octets holds after ten were put into five places. */
static size_t sessions_in(size_t octets, const source *s)
{
    io_sessions_limits limits = {.places = 100, .octets = octets, .age_ms = DAY, .bar_ms = HOUR};
    io_sessions *few = io_sessions_new(&limits, 1);
    for (uint16_t i = 0; i < 10; i++) {
        io_session_way way = way_of("ours.example", "far.example", (uint16_t)(i / 2));
        io_session_place *p = io_session_hold(few, &way);
        (void)keep(p, s, 1);
        assert_true(io_sessions_counted(few).octets <= octets);
        io_session_let_go(p);
    }
    size_t left = io_sessions_counted(few).sessions;
    io_sessions_free(few);
    return left;
}

static void octets_are_bounded(void **state)
{
    (void)state;
    source s;
    source_init(&s);
    io_sessions_count before = io_sessions_counted(all);
    size_t one = before.octets / before.sessions;
    assert_int_equal(sessions_in(one - 1, &s), 0); /* too large for itself */
    assert_int_equal(sessions_in(one, &s), 1);
    assert_int_equal(sessions_in(2 * one, &s), 2);
    assert_int_equal(sessions_in(5 * one, &s), 4); /* a place gives way as a whole */
    assert_int_equal(sessions_in(100 * one, &s), 10);
    part(&s.m);
}

static void not_for_longer_than_either_side_says(void **state)
{
    (void)state;
    io_session_way way = way_of("ours.example", "far.example", 1);
    io_session_place *p = io_session_hold(all, &way);
    SSL_CTX_set_timeout(server, 600); /* what it promises, in s */
    source s;
    source_init(&s);
    s.given.full_at = 1000;
    assert_true(keep(p, &s, 1000));
    assert_true(keep(p, &s, 1000));
    assert_true(has(p, 600999));
    assert_false(has(p, 601000));
    /* Descended from a handshake of yesterday: resuming again and again does not make it younger. */
    assert_true(keep(p, &s, DAY));
    assert_true(keep(p, &s, DAY));
    assert_true(has(p, DAY + 999));
    assert_false(has(p, DAY + 1000));
    assert_false(keep(p, &s, DAY + 1000));
    io_session_let_go(p);
    part(&s.m);
}

static void only_the_last_full_handshake_counts(void **state)
{
    (void)state;
    io_session_way way = way_of("ours.example", "far.example", 1);
    io_session_place *p = io_session_hold(all, &way);
    size_t before;
    uint64_t full_at;
    source s;
    source_init(&s);
    before = io_sessions_counted(all).sessions;
    for (uint64_t full = 1; full < 5; full++) {
        s.given.full_at = full;
        for (int tickets = 0; tickets < 5; tickets++)
            assert_true(keep(p, &s, full));
        assert_int_equal(io_sessions_counted(all).sessions, before + 2);
    }
    SSL_SESSION_free(io_session_take(p, 5, &full_at));
    assert_int_equal(full_at, 4);
    io_session_let_go(p);
    part(&s.m);
}

static void a_bar_lasts_its_time(void **state)
{
    (void)state;
    io_session_way way = way_of("ours.example", "far.example", 1);
    io_session_place *p = io_session_hold(all, &way);
    source s;
    source_init(&s);
    size_t before = io_sessions_counted(all).sessions;
    assert_true(keep(p, &s, 10));
    assert_true(io_session_keep(p, &s.given, 10));
    assert_true(io_session_keep(p, &s.given, 10)); /* the same once more is no other one */
    assert_int_equal(io_sessions_counted(all).sessions, before + 2);
    io_session_bar(p, 10);
    assert_false(has(p, 10));
    io_session_let_go(p); /* it outlasts its connection */
    p = io_session_hold(all, &way);
    assert_false(keep(p, &s, HOUR + 9));
    assert_true(keep(p, &s, HOUR + 10));
    assert_true(has(p, HOUR + 10));
    io_session_let_go(p);
    part(&s.m);
}

int main(void)
{
#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
    const struct CMUnitTest tests[] = {
        WORLD_TEST(resumed_where_it_came_from),
        WORLD_TEST(by_session_id_too),
        WORLD_TEST(never_elsewhere),
        WORLD_TEST(a_way_without_a_place_keeps_nothing),
        WORLD_TEST(none_is_kept_when_the_setting_says_so),
        WORLD_TEST(a_ticket_is_used_once),
        WORLD_TEST(what_was_shown_is_still_there_and_judged),
        WORLD_TEST(an_expired_certificate_stays_expired),
        WORLD_TEST(a_server_with_new_keys_shakes_hands_in_full),
        WORLD_TEST(a_server_that_breaks_off_is_dialled_in_full),
        WORLD_TEST(a_handshake_that_fails_in_full_is_called_so),
        WORLD_TEST(without_extended_master_secret_none_is_kept),
        WORLD_TEST(an_end_without_close_notify_spoils_nothing),
        WORLD_TEST(a_fatal_alert_spoils_a_session),
        WORLD_TEST(the_one_longest_without_a_new_session_gives_way),
        WORLD_TEST(octets_are_bounded),
        WORLD_TEST(not_for_longer_than_either_side_says),
        WORLD_TEST(only_the_last_full_handshake_counts),
        WORLD_TEST(a_bar_lasts_its_time),
    };
    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
