/* test_conn.c - connections in clear: bytes both ways, errors, pauses, the end, what is acknowledged. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/conn_priv.h"
#include "io/loop_priv.h"
#include "party.h"

static void got_is(const party *p, const char *text, size_t n)
{
    s2s_span got = s2s_buf_span(&p->got);
    assert_int_equal(got.len, n);
    assert_true(n == 0 || memcmp(got.ptr, text, n) == 0);
}

/* Reads what the bare socket has until `n` octets came, or its end (then fewer, *err says which). */
static size_t bare_read(io_loop *l, int fd, char *into, size_t n, int *err)
{
    size_t have = 0;
    *err = 0;
    while (have < n) {
        ssize_t got = recv(fd, into + have, n - have, 0);
        if (got > 0) {
            have += (size_t)got;
        } else if (got == 0 || errno != EAGAIN) {
            *err = got == 0 ? 0 : errno;
            return have;
        }
        io_loop_turn(l, false);
    }
    return have;
}

static void bare_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void reset_at_close(int fd)
{
    struct linger at_once = {1, 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
}

/* ---- bytes ---- */

static void five_megabytes_both_ways(void **state)
{
    (void)state;
    enum { N = 5 * 1024 * 1024 };
    io_loop *l = loop_new();
    party a, b;
    party_init(&a, l);
    party_init(&b, l);
    parties_join(&a, &b);
    assert_int_equal(a.ours.family, 4);
    char *to_b = pattern_new(N, 1), *to_a = pattern_new(N, 2);
    party_say(&a, (s2s_span){to_b, N});
    party_say(&b, (s2s_span){to_a, N});
    UNTIL(l, s2s_buf_span(&a.got).len == N && s2s_buf_span(&b.got).len == N);
    got_is(&a, to_a, N);
    got_is(&b, to_b, N);
    assert_int_equal(io_conn_sent(a.c), N);
    UNTIL(l, io_conn_acked(a.c) == N && io_conn_acked(b.c) == N);
    free(to_a);
    free(to_b);
    party_fini(&a);
    party_fini(&b);
    io_loop_free(l);
}

static void tiny_buffers(io_loop_settings *s)
{
    s->send_buffer = 1; /* the kernel makes some 4 KiB of it */
    s->write_budget = 1;
    s->read_budget = 1;
}

static void partial_writes(void **state)
{
    (void)state;
    enum { N = 300000 };
    io_loop *l = loop_new_with(tiny_buffers);
    party a, b;
    party_init(&a, l);
    party_init(&b, l);
    parties_join(&a, &b);
    char *text = pattern_new(N, 3);
    party_say(&a, (s2s_span){text, N});
    UNTIL(l, s2s_buf_span(&b.got).len == N);
    got_is(&b, text, N);
    free(text);
    party_fini(&a);
    party_fini(&b);
    io_loop_free(l);
}

static void what_a_turn_says_goes_out_at_once(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, true);
    for (int i = 0; i < 100; i++)
        party_say(&a, S2S_LIT("<message/>"));
    assert_int_equal(io_conn_sent(a.c), 0); /* not before the turn is over */
    io_loop_turn(l, false);
    assert_int_equal(io_conn_sent(a.c), 1000);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

/* ---- pauses ---- */

static void pause_now(party *p, s2s_span bytes)
{
    (void)bytes;
    io_conn_pause(p->c, true);
}

static void paused_reads_nothing(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, false);
    io_conn_pause(a.c, true);
    bare_send(fd, "one");
    for (int i = 0; i < 20; i++)
        io_loop_turn(l, false);
    got_is(&a, "", 0);
    a.on_bytes = pause_now;
    io_conn_pause(a.c, false);
    assert_int_equal(s2s_buf_span(&a.got).len, 0); /* never from inside the call */
    UNTIL(l, a.reads == 1);
    bare_send(fd, "two");
    for (int i = 0; i < 20; i++)
        io_loop_turn(l, false);
    got_is(&a, "one", 3);
    io_conn_pause(a.c, false);
    UNTIL(l, a.reads == 2);
    got_is(&a, "onetwo", 6);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

/* ---- how it ends ---- */

static void orderly_end(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, true);
    bare_send(fd, "bye");
    close(fd);
    UNTIL(l, a.lost);
    got_is(&a, "bye", 3);
    assert_int_equal(a.why, S2S_E_TCP_EOF);
    assert_string_equal(a.detail, "");
    party_fini(&a);
    io_loop_free(l);
}

static void reset_by_peer(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, true);
    party_say(&a, S2S_LIT("some text"));
    UNTIL(l, io_conn_acked(a.c) == 9);
    reset_at_close(fd);
    close(fd);
    UNTIL(l, a.lost);
    assert_int_equal(a.why, S2S_E_TCP_RESET);
    assert_string_equal(a.detail, "connection reset by peer");
    assert_int_equal(a.acked_at_end, 9); /* the count outlives the connection */
    party_fini(&a);
    io_loop_free(l);
}

/* Attack 24: it says it will send no more, and still reads what we have for it. */
static void half_closed_peer_gets_the_rest(void **state)
{
    (void)state;
    enum { N = 1024 * 1024 };
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, false), err;
    char *text = pattern_new(N, 4), *copy = malloc(N + 1);
    party_say(&a, (s2s_span){text, N});
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 20; i++)
        io_loop_turn(l, false);
    assert_false(a.lost);
    assert_int_equal(bare_read(l, fd, copy, N + 1, &err), N);
    assert_int_equal(err, 0);
    assert_memory_equal(copy, text, N);
    UNTIL(l, a.lost);
    assert_int_equal(a.why, S2S_E_TCP_EOF);
    assert_int_equal(a.out.end - a.out.start, 0);
    free(text);
    free(copy);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

static void hasty(io_loop_settings *s)
{
    s->close_ms = 1;
}

static void half_closed_peer_which_reads_nothing(void **state)
{
    (void)state;
    enum { N = 8 * 1024 * 1024 };
    io_loop *l = loop_new_with(hasty);
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, false);
    char *text = pattern_new(N, 5);
    party_say(&a, (s2s_span){text, N});
    shutdown(fd, SHUT_WR);
    UNTIL(l, a.lost);
    assert_int_equal(a.why, S2S_E_TCP_EOF);
    assert_true(a.out.end - a.out.start > 0);
    free(text);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

static void watchful(io_loop_settings *s)
{
    s->keepalive_s = 77;
    s->user_timeout_ms = 55000;
}

/* A machine that is gone is noticed: by the kernel's own questions, and by what it does not acknowledge. rows: prac-tcp */
static void the_kernel_watches(void **state)
{
    (void)state;
    static const struct {
        int level, name, value;
    } wanted[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                  {IPPROTO_TCP, TCP_NODELAY, 1},
                  {IPPROTO_TCP, TCP_KEEPIDLE, 77},
                  {IPPROTO_TCP, TCP_USER_TIMEOUT, 55000}};
    io_loop *l = loop_new_with(watchful);
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, false);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int value = -1;
        socklen_t len = sizeof value;
        assert_int_equal(getsockopt(a.c->fd, wanted[i].level, wanted[i].name, &value, &len), 0);
        assert_int_equal(value, wanted[i].value);
    }
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

/* The write finds out first that the peer is gone; what it said before is read all the same. */
static void last_words_are_read(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, true);
    party_say(&a, S2S_LIT("never read"));
    UNTIL(l, io_conn_acked(a.c) == 10);
    bare_send(fd, "<stream:error/>");
    close(fd); /* with something unread: a reset */
    party_say(&a, S2S_LIT("more"));
    io_loop_turn(l, false);
    UNTIL(l, a.lost);
    got_is(&a, "<stream:error/>", 15);
    assert_int_equal(a.why, S2S_E_TCP_RESET);
    party_fini(&a);
    io_loop_free(l);
}

static void dial_errors(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a, b;
    io_addr at;
    s2s_err err;
    party_init(&a, l);
    int fd = party_join_bare(&a, false);
    at = *io_conn_peer(a.c); /* a port on which nobody listens */
    party_init(&b, l);
    b.c = io_conn_dial(l, &at, &PARTY_CALLS, &b, &err);
    assert_non_null(b.c);
    assert_false(b.lost); /* never from inside the call */
    UNTIL(l, b.lost);
    assert_int_equal(b.why, S2S_E_TCP_REFUSED);
    assert_false(b.connected);
    party_fini(&b);

    party_init(&b, l);
    assert_int_equal(io_addr_parse(S2S_LIT("255.255.255.255:5269"), &at), S2S_E_OK);
    b.c = io_conn_dial(l, &at, &PARTY_CALLS, &b, &err);
    assert_non_null(b.c);
    io_conn_pause(b.c, true);
    assert_false(b.lost);
    UNTIL(l, b.lost);
    assert_int_equal(b.why, S2S_E_TCP_UNREACHABLE);
    assert_false(b.connected);
    party_fini(&b);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

/* ---- closing ---- */

static void graceful_close_writes_the_rest(void **state)
{
    (void)state;
    enum { N = 1024 * 1024 };
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, true), err;
    char *text = pattern_new(N, 6), *copy = malloc(N + 1);
    bare_send(fd, "unread by its owner: must not turn our FIN into a reset");
    party_say(&a, (s2s_span){text, N});
    party_close(&a, IO_CLOSE_GRACEFUL);
    party_fini(&a); /* what it held may go at once */
    assert_int_equal(bare_read(l, fd, copy, N + 1, &err), N);
    assert_int_equal(err, 0);
    assert_memory_equal(copy, text, N);
    assert_ptr_not_equal(l->closing.next, &l->closing); /* still there for our FIN's answer */
    close(fd);
    UNTIL(l, l->closing.next == &l->closing);
    free(text);
    free(copy);
    io_loop_free(l);
}

static void graceful_close_is_bounded(void **state)
{
    (void)state;
    enum { N = 8 * 1024 * 1024 };
    io_loop *l = loop_new_with(hasty);
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, true);
    char *text = pattern_new(N, 7);
    party_say(&a, (s2s_span){text, N});
    party_close(&a, IO_CLOSE_GRACEFUL);
    UNTIL(l, l->closing.next == &l->closing); /* though nobody reads */
    free(text);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

/* Whoever goes on sending after our FIN is read for a while, not for ever. */
static void lingering_is_bounded_in_bytes(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, true);
    char *text = pattern_new(65536, 8);
    party_close(&a, IO_CLOSE_GRACEFUL);
    size_t put = 0;
    while (l->closing.next != &l->closing) {
        ssize_t n = send(fd, text, 65536, MSG_NOSIGNAL);
        if (n > 0) put += (size_t)n;
        io_loop_turn(l, false);
        assert_true(put < 32 * 1024 * 1024);
    }
    free(text);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

static void reset_close(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    char c;
    int err;
    party_init(&a, l);
    int fd = party_join_bare(&a, true);
    party_close(&a, IO_CLOSE_RESET);
    assert_int_equal(bare_read(l, fd, &c, 1, &err), 0);
    assert_int_equal(err, ECONNRESET);
    close(fd);
    party_fini(&a);
    io_loop_free(l);
}

static void close_now(party *p, s2s_span bytes)
{
    (void)bytes;
    party_close(p, IO_CLOSE_GRACEFUL);
}

static void close_at_once(party *p)
{
    party_close(p, IO_CLOSE_ABRUPT);
}

static void owners_close_from_inside(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a, b;
    party_init(&a, l);
    party_init(&b, l);
    b.on_bytes = close_now;
    parties_join(&a, &b);
    party_say(&a, S2S_LIT("text"));
    party_say(&b, S2S_LIT("answer"));
    UNTIL(l, a.lost);
    got_is(&a, "answer", 6);
    assert_null(b.c);
    party_fini(&a);
    party_fini(&b);
    party_init(&a, l);
    party_init(&b, l);
    a.on_connected = close_at_once;
    parties_join(&a, &b);
    UNTIL(l, b.lost);
    party_fini(&a);
    party_fini(&b);
    io_loop_free(l);
}

/* A loop that goes takes with it what still waits for its last octets. */
static void loop_ends_with_closing_connections(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    party a;
    party_init(&a, l);
    int fd = party_join_bare(&a, true);
    party_say(&a, S2S_LIT("text"));
    party_close(&a, IO_CLOSE_GRACEFUL);
    io_loop_turn(l, false);
    io_loop_free(l);
    close(fd);
    party_fini(&a);
}

/* ---- what is acknowledged ---- */

/* What the peer's kernel holds and its program has not read. */
static uint64_t held(int fd)
{
    int n;
    assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
    return (uint64_t)n;
}

static void acked_is_what_the_peers_kernel_holds(void **state)
{
    (void)state;
    enum { N = 16 * 1024 * 1024 };
    char *text = pattern_new(N, 9), *copy = malloc(N);
    for (int dials = 0; dials < 2; dials++) {
        io_loop *l = loop_new();
        party a;
        int err;
        party_init(&a, l);
        int fd = party_join_bare(&a, dials);
        party_say(&a, S2S_LIT("hello"));
        UNTIL(l, io_conn_acked(a.c) == 5);
        assert_int_equal(held(fd), 5);
        party_say(&a, (s2s_span){text, N});
        for (int i = 0; i < 1000; i++)
            io_loop_turn(l, false);
        UNTIL(l, io_conn_acked(a.c) == held(fd));
        assert_true(io_conn_acked(a.c) < io_conn_sent(a.c));
        assert_int_equal(bare_read(l, fd, copy, 5, &err), 5);
        assert_int_equal(bare_read(l, fd, copy, N, &err), N);
        assert_memory_equal(copy, text, N);
        UNTIL(l, io_conn_acked(a.c) == N + 5);
        close(fd);
        party_fini(&a);
        io_loop_free(l);
    }
    free(text);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(five_megabytes_both_ways, hang_guard),
        cmocka_unit_test_setup(partial_writes, hang_guard),
        cmocka_unit_test_setup(what_a_turn_says_goes_out_at_once, hang_guard),
        cmocka_unit_test_setup(paused_reads_nothing, hang_guard),
        cmocka_unit_test_setup(orderly_end, hang_guard),
        cmocka_unit_test_setup(reset_by_peer, hang_guard),
        cmocka_unit_test_setup(half_closed_peer_gets_the_rest, hang_guard),
        cmocka_unit_test_setup(half_closed_peer_which_reads_nothing, hang_guard),
        cmocka_unit_test_setup(the_kernel_watches, hang_guard),
        cmocka_unit_test_setup(last_words_are_read, hang_guard),
        cmocka_unit_test_setup(dial_errors, hang_guard),
        cmocka_unit_test_setup(graceful_close_writes_the_rest, hang_guard),
        cmocka_unit_test_setup(graceful_close_is_bounded, hang_guard),
        cmocka_unit_test_setup(lingering_is_bounded_in_bytes, hang_guard),
        cmocka_unit_test_setup(reset_close, hang_guard),
        cmocka_unit_test_setup(owners_close_from_inside, hang_guard),
        cmocka_unit_test_setup(loop_ends_with_closing_connections, hang_guard),
        cmocka_unit_test_setup(acked_is_what_the_peers_kernel_holds, hang_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
