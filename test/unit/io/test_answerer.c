/* test_answerer.c - the answerer over loopback: UDP and TCP clients, strangers, a resolver behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <ldns/ldns.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dnsd.h"
#include "io/answerer.h"

/* One client socket; what it reads is kept as frames (length and packet), by UDP as by TCP. */
typedef struct client {
    uv_poll_t poll;
    int fd;
    bool stream;
    unsigned datagrams;
    uint8_t bytes[16384];
    size_t len; /* not taken yet */
    bool ended;
} client;

typedef struct scene {
    uv_loop_t loop;
    io_answerer_settings settings;
    io_cidr clients[2];
    io_addr inside;
    io_answerer *answerer;
    dnsd upstream;
    client clients_of_ours[8];
    unsigned n_clients;
} scene;

static io_addr addr_of(const char *text)
{
    io_addr a;
    assert_int_equal(io_addr_parse(s2s_span_of(text), &a), S2S_E_OK);
    return a;
}

static int begin(void **state)
{
    scene *s = calloc(1, sizeof *s);
    uv_loop_init(&s->loop);
    dnsd_start(&s->upstream, &s->loop);
    io_answerer_settings_init(&s->settings);
    s->inside = addr_of("10.0.0.5");
    s->settings.listen = addr_of("127.0.0.1");
    assert_int_equal(io_cidr_parse(S2S_LIT("127.0.0.0/24"), &s->clients[0]), S2S_E_OK);
    s->settings.clients = s->clients;
    s->settings.n_clients = 1;
    s->settings.says.target = "causeway.inside";
    s->settings.says.port = 5269;
    s->settings.says.addrs = &s->inside;
    s->settings.says.n_addrs = 1;
    *state = s;
    return 0;
}

static void start(scene *s)
{
    const char *reason;
    /* Any free port will do, but one that is free by UDP may be somebody's by TCP: then the next one. */
    for (int tries = 0; tries < 32; tries++) {
        s->answerer = io_answerer_new(&s->loop, &s->settings, &reason);
        if (s->answerer != NULL || errno != EADDRINUSE) break;
    }
    if (s->answerer == NULL) fail_msg("%s: %s", reason, strerror(errno));
}

static void start_with_upstream(scene *s)
{
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", s->upstream.port);
    s->settings.upstream = addr_of(text);
    start(s);
}

static void drop_client(client *c)
{
    uv_close((uv_handle_t *)&c->poll, NULL);
    close(c->fd);
    c->fd = -1;
}

static int finish(void **state)
{
    scene *s = *state;
    for (unsigned i = 0; i < s->n_clients; i++)
        if (s->clients_of_ours[i].fd >= 0) drop_client(&s->clients_of_ours[i]);
    io_answerer_free(s->answerer);
    dnsd_stop(&s->upstream);
    while (uv_loop_alive(&s->loop))
        uv_run(&s->loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&s->loop);
    free(s);
    return left;
}

static io_answerer_counts counts(const scene *s)
{
    io_answerer_counts c;
    io_answerer_count(s->answerer, &c);
    return c;
}

/* ---- clients ---- */

static void on_client(uv_poll_t *poll, int status, int events)
{
    client *c = poll->data;
    (void)events;
    assert_int_equal(status, 0);
    uv_stop(poll->loop);
    size_t head = c->stream ? 0 : 2;
    ssize_t n = recv(c->fd, c->bytes + c->len + head, sizeof c->bytes - c->len - head, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        c->ended = true;
        uv_poll_stop(poll);
        return;
    }
    if (!c->stream) {
        c->bytes[c->len] = (uint8_t)(n >> 8);
        c->bytes[c->len + 1] = (uint8_t)n;
        c->datagrams++;
    }
    c->len += (size_t)n + head;
}

/* From that source address (127.0.0.0/8 is all ours). */
static client *client_new(scene *s, const char *from, bool stream)
{
    client *c = &s->clients_of_ours[s->n_clients++];
    struct sockaddr_storage ss;
    io_addr own = addr_of(from), where = io_answerer_where(s->answerer);
    int kind = stream ? SOCK_STREAM : SOCK_DGRAM;
    c->stream = stream;
    c->fd = socket(own.family == 4 ? AF_INET : AF_INET6, kind | SOCK_CLOEXEC, 0);
    assert_true(c->fd >= 0);
    socklen_t len = io_addr_to_sockaddr(&own, false, &ss);
    assert_int_equal(bind(c->fd, (struct sockaddr *)&ss, len), 0);
    len = io_addr_to_sockaddr(&where, false, &ss);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&ss, len), 0);
    assert_int_equal(uv_poll_init(&s->loop, &c->poll, c->fd), 0); /* makes it non-blocking */
    c->poll.data = c;
    assert_int_equal(uv_poll_start(&c->poll, UV_READABLE, on_client), 0);
    return c;
}

static size_t query_bytes(const char *name, ldns_rr_type type, uint16_t id, uint8_t *out)
{
    ldns_pkt *pkt =
        ldns_pkt_query_new(ldns_dname_new_frm_str(name), type, LDNS_RR_CLASS_IN, LDNS_RD);
    uint8_t *wire = NULL;
    size_t len = 0;
    ldns_pkt_set_id(pkt, id);
    assert_int_equal(ldns_pkt2wire(&wire, pkt, &len), LDNS_STATUS_OK);
    memcpy(out, wire, len);
    LDNS_FREE(wire);
    ldns_pkt_free(pkt);
    return len;
}

static void say_bytes(client *c, const void *bytes, size_t len)
{
    assert_int_equal(send(c->fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void say(client *c, const char *name, ldns_rr_type type, uint16_t id)
{
    uint8_t bytes[2 + 512];
    size_t len = query_bytes(name, type, id, bytes + 2);
    bytes[0] = (uint8_t)(len >> 8);
    bytes[1] = (uint8_t)len;
    if (c->stream)
        say_bytes(c, bytes, len + 2);
    else
        say_bytes(c, bytes + 2, len);
}

/* Takes one frame out into a packet; NULL: not whole yet. */
static ldns_pkt *take_frame(client *c)
{
    ldns_pkt *pkt = NULL;
    size_t len = c->len >= 2 ? (size_t)(c->bytes[0] << 8 | c->bytes[1]) : 0;
    if (c->len < 2 || c->len < len + 2) return NULL;
    assert_int_equal(ldns_wire2pkt(&pkt, c->bytes + 2, len), LDNS_STATUS_OK);
    c->len -= len + 2;
    memmove(c->bytes, c->bytes + len + 2, c->len);
    return pkt;
}

/* The next reply, to be freed. */
static ldns_pkt *hear(scene *s, client *c)
{
    ldns_pkt *pkt;
    while ((pkt = take_frame(c)) == NULL) {
        assert_false(c->ended);
        uv_run(&s->loop, UV_RUN_DEFAULT);
    }
    return pkt;
}

/* The reply has that id, code and number of answers. */
static void expect(scene *s, client *c, uint16_t id, unsigned rcode, unsigned answers)
{
    ldns_pkt *pkt = hear(s, c);
    assert_int_equal(ldns_pkt_id(pkt), id);
    assert_int_equal(ldns_pkt_get_rcode(pkt), rcode);
    assert_int_equal(ldns_pkt_ancount(pkt), answers);
    ldns_pkt_free(pkt);
}

static void run_until_ended(scene *s, client *c)
{
    while (!c->ended)
        uv_run(&s->loop, UV_RUN_DEFAULT);
}

#define SRV "_xmpp-server._tcp.far.example."

/* ---- UDP ---- */

static void a_client_is_sent_to_us(void **state)
{
    scene *s = *state;
    start(s);
    client *c = client_new(s, "127.0.0.1", false);
    say(c, SRV, LDNS_RR_TYPE_SRV, 7);
    ldns_pkt *pkt = hear(s, c);
    char *text = ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(ldns_pkt_answer(pkt), 0), 3));
    assert_string_equal(text, "causeway.inside.");
    free(text);
    ldns_pkt_free(pkt);
    say(c, "far.example.", LDNS_RR_TYPE_A, 8);
    expect(s, c, 8, LDNS_RCODE_NXDOMAIN, 0); /* no resolver behind */
    assert_int_equal(counts(s).answered, 2);
}

static void two_families(void **state)
{
    scene *s = *state;
    s->settings.listen = addr_of("::1");
    assert_int_equal(io_cidr_parse(S2S_LIT("::1"), &s->clients[0]), S2S_E_OK);
    start(s);
    client *udp = client_new(s, "::1", false);
    say(udp, SRV, LDNS_RR_TYPE_SRV, 1);
    expect(s, udp, 1, 0, 1);
    client *tcp = client_new(s, "::1", true);
    say(tcp, SRV, LDNS_RR_TYPE_SRV, 2);
    expect(s, tcp, 2, 0, 1);
}

static void malformed_is_dropped_and_counted(void **state)
{
    scene *s = *state;
    start(s);
    client *c = client_new(s, "127.0.0.1", false);
    say_bytes(c, "", 0);
    say_bytes(c, "nonsense", 8);
    say_bytes(c, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\300\14\x00\x21\x00\x01", 18);
    say(c, SRV, LDNS_RR_TYPE_SRV, 9);
    expect(s, c, 9, 0, 1); /* the first thing it hears */
    assert_int_equal(c->datagrams, 1);
    assert_int_equal(counts(s).malformed, 3);
}

/* A few are told, so that an operator finds the missing setting; no flood is answered. */
static void strangers_are_refused_at_a_low_rate(void **state)
{
    scene *s = *state;
    s->settings.refusals = 2;
    start(s);
    client *stranger = client_new(s, "127.0.9.1", false);
    client *good = client_new(s, "127.0.0.1", false);
    for (uint16_t i = 0; i < 20; i++)
        say(stranger, SRV, LDNS_RR_TYPE_SRV, i);
    say(good, SRV, LDNS_RR_TYPE_SRV, 99);
    expect(s, stranger, 0, LDNS_RCODE_REFUSED, 0);
    expect(s, good, 99, 0, 1);
    io_answerer_counts n = counts(s);
    assert_int_equal(n.strangers, 20);
    assert_in_range(n.refused, 2, 10); /* a slow machine lets whole seconds pass meanwhile */
    assert_int_equal(n.questions, 1);
}

static void a_client_that_asks_too_fast_is_held_back_alone(void **state)
{
    scene *s = *state;
    s->settings.rate = 5;
    start(s);
    client *fast = client_new(s, "127.0.0.1", false);
    client *other = client_new(s, "127.0.0.2", false);
    for (uint16_t i = 0; i < 30; i++)
        say(fast, SRV, LDNS_RR_TYPE_SRV, i);
    say(other, SRV, LDNS_RR_TYPE_SRV, 77);
    expect(s, other, 77, 0, 1);
    io_answerer_counts n = counts(s);
    assert_int_equal(n.questions, 31);
    assert_int_equal(n.answered + n.too_fast, 31);
    assert_true(n.too_fast >= 10);
}

/* ---- behind it ---- */

static void other_questions_are_relayed(void **state)
{
    scene *s = *state;
    dnsd_add(&s->upstream, "www.example. IN A 192.0.2.80");
    start_with_upstream(s);
    client *c = client_new(s, "127.0.0.1", false);
    say(c, "www.example.", LDNS_RR_TYPE_A, 0xbeef);
    expect(s, c, 0xbeef, 0, 1);
    say(c, "absent.example.", LDNS_RR_TYPE_A, 0xbef0);
    expect(s, c, 0xbef0, LDNS_RCODE_NXDOMAIN, 0);
    say(c, SRV, LDNS_RR_TYPE_SRV, 1); /* ours stay ours */
    expect(s, c, 1, 0, 1);
    assert_int_equal(s->upstream.asked, 2);
    io_answerer_counts n = counts(s);
    assert_int_equal(n.relayed, 2);
    assert_int_equal(n.returned, 2);
    assert_int_equal(n.relaying, 0);
}

static void answers_that_fit_no_question_are_passed_over(void **state)
{
    scene *s = *state;
    dnsd_add(&s->upstream, "www.example. IN A 192.0.2.80");
    s->upstream.mood = DNSD_FORGES;
    start_with_upstream(s);
    client *c = client_new(s, "127.0.0.1", false);
    say(c, "www.example.", LDNS_RR_TYPE_A, 5);
    expect(s, c, 5, 0, 1);
    assert_int_equal(counts(s).forged, 2);
    assert_int_equal(c->datagrams, 1);
}

static void a_silent_resolver_is_servfail(void **state)
{
    scene *s = *state;
    s->upstream.mood = DNSD_MUTE;
    s->settings.relay_ms = 30;
    start_with_upstream(s);
    client *udp = client_new(s, "127.0.0.1", false);
    client *tcp = client_new(s, "127.0.0.1", true);
    say(udp, "www.example.", LDNS_RR_TYPE_A, 5);
    say(tcp, "www.example.", LDNS_RR_TYPE_A, 6);
    expect(s, udp, 5, LDNS_RCODE_SERVFAIL, 0);
    expect(s, tcp, 6, LDNS_RCODE_SERVFAIL, 0);
    assert_int_equal(counts(s).timeouts, 2);
    assert_int_equal(counts(s).relaying, 0);
}

static void a_resolver_that_is_down_is_servfail_and_comes_back(void **state)
{
    scene *s = *state;
    s->settings.relay_ms = 30;
    s->settings.upstream = addr_of("127.0.0.1:1"); /* nobody there: ICMP says so */
    start(s);
    client *c = client_new(s, "127.0.0.1", false);
    for (uint16_t i = 0; i < 3; i++) {
        say(c, "www.example.", LDNS_RR_TYPE_A, i);
        expect(s, c, i, LDNS_RCODE_SERVFAIL, 0);
    }
    say(c, SRV, LDNS_RR_TYPE_SRV, 9);
    expect(s, c, 9, 0, 1);
}

static void a_full_table_is_servfail_at_once(void **state)
{
    scene *s = *state;
    s->upstream.mood = DNSD_MUTE;
    s->settings.relayed = 3;
    start_with_upstream(s);
    client *c = client_new(s, "127.0.0.1", false);
    for (uint16_t i = 0; i < 4; i++)
        say(c, "www.example.", LDNS_RR_TYPE_A, i);
    expect(s, c, 3, LDNS_RCODE_SERVFAIL, 0);
    io_answerer_counts n = counts(s);
    assert_int_equal(n.relaying, 3);
    assert_int_equal(n.too_many, 1);
    assert_int_equal(n.timeouts, 0);
}

/* ---- TCP ---- */

static void many_questions_on_one_connection(void **state)
{
    scene *s = *state;
    dnsd_add(&s->upstream, "www.example. IN A 192.0.2.80");
    start_with_upstream(s);
    client *c = client_new(s, "127.0.0.1", true);
    /* All at once; the relayed ones in the middle hold back those behind them. */
    for (uint16_t i = 0; i < 12; i++)
        say(c, i % 4 == 1 ? "www.example." : SRV, i % 4 == 1 ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_SRV,
            i);
    for (uint16_t i = 0; i < 12; i++)
        expect(s, c, i, 0, 1);
    assert_int_equal(counts(s).relayed, 3);
    assert_int_equal(counts(s).connected, 1);
}

static void a_question_byte_by_byte(void **state)
{
    scene *s = *state;
    uint8_t bytes[2 + 512];
    start(s);
    client *c = client_new(s, "127.0.0.1", true);
    size_t len = query_bytes(SRV, LDNS_RR_TYPE_SRV, 3, bytes + 2);
    bytes[0] = (uint8_t)(len >> 8);
    bytes[1] = (uint8_t)len;
    for (size_t i = 0; i < len + 2; i++) {
        say_bytes(c, bytes + i, 1);
        uv_run(&s->loop, UV_RUN_NOWAIT);
    }
    expect(s, c, 3, 0, 1);
}

static void a_cut_answer_is_servfail_by_tcp(void **state)
{
    scene *s = *state;
    s->upstream.mood = DNSD_CUTS;
    start_with_upstream(s);
    client *udp = client_new(s, "127.0.0.1", false);
    say(udp, "big.example.", LDNS_RR_TYPE_TXT, 1);
    ldns_pkt *pkt = hear(s, udp);
    assert_true(ldns_pkt_tc(pkt));
    ldns_pkt_free(pkt);
    client *tcp = client_new(s, "127.0.0.1", true);
    say(tcp, "big.example.", LDNS_RR_TYPE_TXT, 2);
    expect(s, tcp, 2, LDNS_RCODE_SERVFAIL, 0);
}

static void bad_frames_end_the_connection(void **state)
{
    scene *s = *state;
    start(s);
    client *nonsense = client_new(s, "127.0.0.1", true);
    say_bytes(nonsense, "\0\10nonsense", 10);
    run_until_ended(s, nonsense);
    client *huge = client_new(s, "127.0.0.1", true);
    say_bytes(huge, "\377\377", 2);
    run_until_ended(s, huge);
    assert_int_equal(counts(s).malformed, 2);
    assert_int_equal(counts(s).connected, 0);
}

static void idle_connections_end(void **state)
{
    scene *s = *state;
    s->settings.tcp_ms = 30;
    start(s);
    client *idle = client_new(s, "127.0.0.1", true);
    client *half = client_new(s, "127.0.0.1", true);
    say_bytes(half, "\0", 1);
    run_until_ended(s, idle);
    run_until_ended(s, half);
    assert_int_equal(counts(s).connected, 0);
}

static void strangers_are_closed_by_tcp(void **state)
{
    scene *s = *state;
    start(s);
    client *c = client_new(s, "127.0.9.1", true);
    run_until_ended(s, c);
    assert_int_equal(counts(s).connections, 0);
    assert_int_equal(counts(s).strangers, 1);
}

static void beyond_the_cap_they_wait_their_turn(void **state)
{
    scene *s = *state;
    s->settings.connections = 2;
    start(s);
    client *a = client_new(s, "127.0.0.1", true);
    client *b = client_new(s, "127.0.0.1", true);
    say(a, SRV, LDNS_RR_TYPE_SRV, 1);
    say(b, SRV, LDNS_RR_TYPE_SRV, 2);
    expect(s, a, 1, 0, 1);
    expect(s, b, 2, 0, 1);
    client *c = client_new(s, "127.0.0.1", true);
    say(c, SRV, LDNS_RR_TYPE_SRV, 3);
    say(a, SRV, LDNS_RR_TYPE_SRV, 4);
    expect(s, a, 4, 0, 1);
    assert_int_equal(counts(s).connections, 2);
    drop_client(a);
    expect(s, c, 3, 0, 1);
    assert_int_equal(counts(s).connections, 3);
}

/* Its relayed question is forgotten with it, and the answer that comes later goes nowhere. */
static void a_client_may_leave_while_it_waits(void **state)
{
    scene *s = *state;
    s->upstream.mood = DNSD_MUTE;
    start_with_upstream(s);
    client *gone = client_new(s, "127.0.0.1", true);
    say(gone, "www.example.", LDNS_RR_TYPE_A, 1);
    while (s->upstream.asked == 0)
        uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(counts(s).relaying, 1);
    drop_client(gone);
    while (counts(s).connected > 0)
        uv_run(&s->loop, UV_RUN_NOWAIT);
    assert_int_equal(counts(s).relaying, 0);
}

/* ---- start ---- */

static void what_cannot_be_bound_is_said(void **state)
{
    scene *s = *state;
    const char *reason;
    start(s);
    io_answerer_settings second = s->settings;
    second.listen = io_answerer_where(s->answerer);
    assert_null(io_answerer_new(&s->loop, &second, &reason));
    assert_string_equal(reason, "the address cannot be bound by UDP");
    assert_int_equal(errno, EADDRINUSE);
    second = s->settings;
    second.says.target = "a..b";
    assert_null(io_answerer_new(&s->loop, &second, &reason));
    assert_string_equal(reason, "the target is not a name");
    /* A loop of one. */
    second = s->settings;
    char text[32];
    snprintf(text, sizeof text, "127.0.0.2:%u", io_answerer_where(s->answerer).port);
    second.listen = second.upstream = addr_of(text);
    assert_null(io_answerer_new(&s->loop, &second, &reason));
    assert_string_equal(reason, "the resolver is this very answerer");
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(a_client_is_sent_to_us),
        SCENE(two_families),
        SCENE(malformed_is_dropped_and_counted),
        SCENE(strangers_are_refused_at_a_low_rate),
        SCENE(a_client_that_asks_too_fast_is_held_back_alone),
        SCENE(other_questions_are_relayed),
        SCENE(answers_that_fit_no_question_are_passed_over),
        SCENE(a_silent_resolver_is_servfail),
        SCENE(a_resolver_that_is_down_is_servfail_and_comes_back),
        SCENE(a_full_table_is_servfail_at_once),
        SCENE(many_questions_on_one_connection),
        SCENE(a_question_byte_by_byte),
        SCENE(a_cut_answer_is_servfail_by_tcp),
        SCENE(bad_frames_end_the_connection),
        SCENE(idle_connections_end),
        SCENE(strangers_are_closed_by_tcp),
        SCENE(beyond_the_cap_they_wait_their_turn),
        SCENE(a_client_may_leave_while_it_waits),
        SCENE(what_cannot_be_bound_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
