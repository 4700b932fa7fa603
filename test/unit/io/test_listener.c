/* test_listener.c - listening sockets: addresses, one socket for both families, and the descriptor limit (attack 175). */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop_priv.h"
#include "party.h"

enum { MANY = 64 };

typedef struct hall {
    io_listener *s;
    int fd[MANY];
    io_addr peer[MANY];
    unsigned n;
    bool greets; /* says a byte to each and closes it */
    bool leaves; /* closes the listener at the first */
    int decoy;   /* a listening socket to put in its place then, under its number */
} hall;

static io_rank rank; /* of the halls that are opened */

static void let_in(void *ctx, int fd, const io_addr *peer)
{
    hall *h = ctx;
    assert_true(h->n < MANY);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    h->peer[h->n] = *peer;
    h->fd[h->n++] = fd;
    if (h->greets) assert_int_equal(send(fd, "!", 1, MSG_NOSIGNAL), 1);
    if (h->leaves) {
        io_listener_close(h->s);
        h->s = NULL;
        h->decoy = dup(h->decoy);
    }
}

static void open_hall(hall *h, io_loop *l, const char *address)
{
    int err;
    memset(h, 0, sizeof *h);
    io_listen how = {.rank = rank, .accepted = let_in, .ctx = h};
    if (address) assert_int_equal(io_addr_parse(s2s_span_of(address), &how.addr), S2S_E_OK);
    h->s = io_listener_new(l, &how, &err);
    assert_non_null(h->s);
    assert_int_equal(err, 0);
    assert_true(io_listener_addr(h->s)->port > 0);
}

static void close_hall(hall *h)
{
    while (h->n > 0)
        close(h->fd[--h->n]);
    io_listener_close(h->s);
}

/* Gives a non-blocking socket that is connecting, or -errno. */
static int knock(const char *host, uint16_t port)
{
    io_addr to;
    struct sockaddr_storage sa;
    assert_int_equal(io_addr_parse(s2s_span_of(host), &to), S2S_E_OK);
    to.port = port;
    socklen_t len = io_addr_to_sockaddr(&to, false, &sa);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&sa, len) == 0 || errno == EINPROGRESS) return fd;
    int err = errno;
    close(fd);
    return -err;
}

static bool has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&in6, sizeof in6) == 0;
    if (fd >= 0) close(fd);
    return has;
}

static void peer_is(const hall *h, unsigned i, const char *host)
{
    char text[IO_ADDR_TEXT];
    io_addr a = h->peer[i];
    a.port = 0;
    assert_string_equal(io_addr_print(&a, text), host);
}

static void one_socket_for_all_addresses(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    hall h;
    open_hall(&h, l, NULL);
    int fd4 = knock("127.0.0.1", io_listener_addr(h.s)->port);
    assert_true(fd4 >= 0);
    UNTIL(l, h.n == 1);
    peer_is(&h, 0, "127.0.0.1"); /* not ::ffff:127.0.0.1 */
    assert_int_equal(h.peer[0].family, 4);
    if (has_ipv6()) {
        int fd6 = knock("::1", io_listener_addr(h.s)->port);
        assert_true(fd6 >= 0);
        UNTIL(l, h.n == 2);
        peer_is(&h, 1, "::1");
        close(fd6);
    }
    close(fd4);
    close_hall(&h);
    io_loop_free(l);
}

static void ipv6_address_means_ipv6_alone(void **state)
{
    (void)state;
    if (!has_ipv6()) {
        skip();
        return;
    }
    io_loop *l = loop_new();
    hall h;
    open_hall(&h, l, "::");
    int fd = knock("127.0.0.1", io_listener_addr(h.s)->port), err = 0;
    if (fd >= 0) {
        socklen_t len = sizeof err;
        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
        close(fd);
    } else {
        err = -fd;
    }
    assert_int_equal(err, ECONNREFUSED);
    close_hall(&h);
    io_loop_free(l);
}

static void a_port_in_use(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    hall h;
    int err;
    open_hall(&h, l, "127.0.0.1");
    io_listen how = {.addr = *io_listener_addr(h.s), .accepted = let_in, .ctx = &h};
    assert_null(io_listener_new(l, &how, &err));
    assert_int_equal(err, -EADDRINUSE);
    assert_int_equal(io_addr_parse(S2S_LIT("192.0.2.1:5269"), &how.addr), S2S_E_OK);
    assert_null(io_listener_new(l, &how, &err));
    assert_int_equal(err, -EADDRNOTAVAIL);
    close_hall(&h);
    io_loop_free(l);
}

/* A socket listening on 127.0.0.1 for which only the kernel answers. */
static int bare_listener(io_addr *at)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    assert_int_equal(io_addr_of_sockaddr((struct sockaddr *)&in, at), S2S_E_OK);
    return fd;
}

static void a_listener_closed_from_inside(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    hall h;
    io_addr at;
    int other = bare_listener(&at);
    open_hall(&h, l, "127.0.0.1");
    h.leaves = true;
    h.decoy = other;
    int a = knock("127.0.0.1", io_listener_addr(h.s)->port);
    int b = knock("127.0.0.1", at.port); /* not for us, though the number will be ours */
    UNTIL(l, h.n == 1);
    io_loop_turn(l, false);
    assert_int_equal(h.n, 1);
    close(a);
    close(b);
    close(other);
    close(h.decoy);
    close_hall(&h);
    io_loop_free(l);
}

static void two_a_turn(io_loop_settings *s)
{
    s->accepts = 2;
    s->newcomers_us = 0;
}

static void a_turn_accepts_only_so_many(void **state)
{
    (void)state;
    io_loop *l = loop_new_with(two_a_turn);
    hall h;
    int fd[6];
    open_hall(&h, l, "127.0.0.1");
    for (int i = 0; i < 6; i++)
        fd[i] = knock("127.0.0.1", io_listener_addr(h.s)->port);
    if (rank != IO_RANK_SETTLED)
        io_loop_turn(l, false); /* it comes to know of them; its turn is the next */
    for (unsigned turn = 1; turn <= 3; turn++) {
        io_loop_turn(l, false);
        assert_int_equal(h.n, 2 * turn);
    }
    for (int i = 0; i < 6; i++)
        close(fd[i]);
    close_hall(&h);
    io_loop_free(l);
}

/* ---- the descriptor limit ---- */

/* Only n more than are open now: the limit is on their numbers, and the lowest free one is always taken. Gives the old
 * limit. */
static struct rlimit leave_only(unsigned n)
{
    struct rlimit old, low;
    unsigned limit = 0;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    for (unsigned free_ones = 0; free_ones < n || fcntl((int)limit, F_GETFD) >= 0; limit++)
        free_ones += fcntl((int)limit, F_GETFD) < 0;
    low = (struct rlimit){limit, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    return old;
}

static unsigned served(int fd[], unsigned n)
{
    unsigned yes = 0;
    char c;
    for (unsigned i = 0; i < n; i++) {
        ssize_t got = recv(fd[i], &c, 1, MSG_PEEK);
        assert_true(got == 1 ||
                    (got < 0 && errno == EAGAIN)); /* waits or is served: never dropped */
        yes += got == 1;
    }
    return yes;
}

static void hang_up(io_loop *l, hall *h, unsigned n)
{
    while (n-- > 0) {
        close(h->fd[--h->n]);
        io_reserve_freed(l);
    }
}

static void at_the_limit_it_pauses_and_goes_on(void **state)
{
    (void)state;
    enum { GUESTS = 20, ROOM = 12 };
    io_loop *l = loop_new();
    hall h;
    int fd[GUESTS];
    open_hall(&h, l, "127.0.0.1");
    h.greets = true;
    for (int i = 0; i < GUESTS; i++)
        fd[i] = knock("127.0.0.1", io_listener_addr(h.s)->port);
    struct rlimit old = leave_only(ROOM);
    UNTIL(l, io_listener_paused(h.s));
    assert_int_equal(h.n, ROOM);
    assert_int_equal(served(fd, GUESTS), ROOM);
    assert_int_equal(io_listener_pauses(h.s), 1);
    for (int i = 0; i < 50; i++)
        io_loop_turn(l, false);
    assert_int_equal(h.n, ROOM); /* the rest waits; and nobody spins: */
    assert_int_equal(io_listener_pauses(h.s), 1);

    /* What was kept back is there for everything else: a dial, a file. */
    party p;
    s2s_err err;
    io_addr at = *io_listener_addr(h.s);
    party_init(&p, l);
    p.c = io_conn_dial(l, &at, &PARTY_CALLS, &p, &err);
    assert_non_null(p.c);
    UNTIL(l, p.connected);
    party_fini(&p);
    int file[8];
    for (int i = 0; i < 8; i++)
        file[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(file[7] >= 0);
    for (int i = 0; i < 3; i++)
        close(file[i]);
    io_reserve_freed(l);
    io_loop_turn(l, false); /* three are not enough to go on, and stay free */
    assert_int_equal(h.n, ROOM);
    for (int i = 0; i < 3; i++)
        file[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(file[2] >= 0);
    for (int i = 0; i < 8; i++)
        close(file[i]);

    hang_up(l, &h, 5);
    UNTIL(l, h.n == ROOM);
    assert_int_equal(served(fd, GUESTS), ROOM + 5);
    hang_up(l, &h, 5);
    UNTIL(l, served(fd, GUESTS) == GUESTS);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (int i = 0; i < GUESTS; i++)
        close(fd[i]);
    close_hall(&h);
    io_loop_free(l);
}

/* Descriptors freed where the loop does not see it: it looks again by itself. */
static void goes_on_by_itself(void **state)
{
    (void)state;
    enum { GUESTS = 4, ROOM = 2 };
    io_loop *l = loop_new();
    hall h;
    int fd[GUESTS];
    open_hall(&h, l, "127.0.0.1");
    for (int i = 0; i < GUESTS; i++)
        fd[i] = knock("127.0.0.1", io_listener_addr(h.s)->port);
    struct rlimit old = leave_only(ROOM);
    UNTIL(l, io_listener_paused(h.s));
    assert_int_equal(h.n, ROOM);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    while (h.n < GUESTS)
        io_loop_turn(l, io_listener_paused(h.s)); /* sleeps until its own timer: no spin */
    assert_false(io_listener_paused(h.s));
    for (int i = 0; i < GUESTS; i++)
        close(fd[i]);
    close_hall(&h);
    io_loop_free(l);
}

static void a_dial_at_the_limit_uses_the_reserve(void **state)
{
    (void)state;
    io_loop *l = loop_new();
    hall h;
    party p;
    s2s_err err;
    open_hall(&h, l, "127.0.0.1");
    io_addr at;
    int other = bare_listener(&at);
    struct rlimit old = leave_only(0);
    party_init(&p, l);
    p.c = io_conn_dial(l, &at, &PARTY_CALLS, &p, &err);
    assert_non_null(p.c);
    assert_true(io_listener_paused(h.s)); /* until the reserve is whole */
    UNTIL(l, p.connected);
    party_fini(&p);
    UNTIL(l, !io_listener_paused(h.s));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    close(other);
    close_hall(&h);
    io_loop_free(l);
}

static void raised_to_the_hard_limit(void **state)
{
    (void)state;
    struct rlimit old, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit low = {256, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(io_descriptors_raise(), old.rlim_max);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(now.rlim_cur, old.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static unsigned long table_size(void)
{
    char line[128];
    unsigned long size = 0;
    FILE *status = fopen("/proc/self/status", "re");
    assert_non_null(status);
    while (fgets(line, sizeof line, status))
        if (strncmp(line, "FDSize:", 7) == 0) size = strtoul(line + 7, NULL, 10);
    fclose(status);
    return size;
}

static void the_table_is_wide_enough_at_once(void **state)
{
    (void)state;
    struct rlimit old, limit;
    unsigned long wide = 2 * table_size();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = (struct rlimit){2 * wide, old.rlim_max};
    assert_true(limit.rlim_cur < old.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int before = dup(0);
    close(before);
    io_descriptors_widen(wide);
    assert_true(table_size() >= wide && table_size() < 2 * wide);
    io_descriptors_widen(UINT64_MAX); /* as far as the limit allows */
    assert_true(table_size() >= 2 * wide);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    int after = dup(0);
    close(after);
    assert_int_equal(after, before); /* none is left open */
}

static int newcomer_guard(void **state)
{
    rank = IO_RANK_NEW;
    return hang_guard(state);
}

static int settle(void **state)
{
    (void)state;
    rank = IO_RANK_SETTLED;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_socket_for_all_addresses, hang_guard),
        cmocka_unit_test_setup(ipv6_address_means_ipv6_alone, hang_guard),
        cmocka_unit_test_setup(a_port_in_use, hang_guard),
        cmocka_unit_test_setup(a_listener_closed_from_inside, hang_guard),
        cmocka_unit_test_setup(a_turn_accepts_only_so_many, hang_guard),
        cmocka_unit_test_setup(at_the_limit_it_pauses_and_goes_on, hang_guard),
        cmocka_unit_test_setup(goes_on_by_itself, hang_guard),
        cmocka_unit_test_setup(a_dial_at_the_limit_uses_the_reserve, hang_guard),
        cmocka_unit_test(raised_to_the_hard_limit),
        cmocka_unit_test(the_table_is_wide_enough_at_once),
        cmocka_unit_test_setup_teardown(a_turn_accepts_only_so_many, newcomer_guard, settle),
        cmocka_unit_test_setup_teardown(at_the_limit_it_pauses_and_goes_on, newcomer_guard, settle),
        cmocka_unit_test_setup_teardown(goes_on_by_itself, newcomer_guard, settle),
        cmocka_unit_test_setup_teardown(a_dial_at_the_limit_uses_the_reserve, newcomer_guard,
                                        settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
