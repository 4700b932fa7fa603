/* Listening addresses: all or none, and which side a connection came in by. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/doors.h"
#include "fixture.h"

typedef struct hall {
    io_loop *loop;
    app_settings *s;
    uint16_t port;
    unsigned came[2]; /* by fed_side */
    unsigned direct;  /* of them, where TLS comes first */
} hall;

static struct sockaddr_in address(const char *host, uint16_t port)
{
    io_addr a;
    struct sockaddr_storage sa;
    struct sockaddr_in in;
    assert_int_equal(io_addr_parse(s2s_span_of(host), &a), S2S_E_OK);
    a.port = port;
    io_addr_to_sockaddr(&a, false, &sa);
    memcpy(&in, &sa, sizeof in);
    return in;
}

static void came(void *ctx, fed_side side, bool direct, int fd, const io_addr *peer)
{
    hall *h = ctx;
    assert_int_equal(peer->family, 4); /* unmapped */
    h->came[side]++;
    h->direct += direct ? 1 : 0;
    close(fd);
}

static app_settings *load(const char *outside, const char *inside, const char *direct)
{
    char text[512];
    int n = snprintf(text, sizeof text,
                     "listen: {outside: [%s], inside: [%s]%s%s}\n"
                     "domains: {example.org: {server: hq, certificate: org.pem}}\n"
                     "servers: {hq: {address: \"10.0.0.10:5270\", trust: 10.0.0.10}}\n",
                     outside, inside, direct[0] ? ", direct_tls: " : "", direct);
    fixture_write("doors.yaml", text, (size_t)n, 0644);
    app_problems *problems = app_problems_new("doors.yaml");
    app_settings *s = app_settings_load("doors.yaml", problems);
    app_problems_print(problems, stderr);
    app_problems_free(problems);
    assert_non_null(s);
    return s;
}

static hall *open_hall(const char *outside, const char *inside)
{
    io_loop_settings how;
    char a[64], b[64];
    hall *h = calloc(1, sizeof *h);
    assert_non_null(h);
    io_loop_settings_init(&how);
    h->loop = io_loop_new(&how);
    assert_non_null(h->loop);
    h->port = fixture_port();
    snprintf(a, sizeof a, "\"%s:%u\"", outside, h->port);
    snprintf(b, sizeof b, "\"%s:%u\"", inside, h->port);
    h->s = load(a, b, "");
    return h;
}

static void close_hall(hall *h)
{
    io_loop_free(h->loop);
    app_settings_free(h->s);
    free(h);
}

static void knock_at(hall *h, const char *host, uint16_t port)
{
    struct sockaddr_in in = address(host, port);
    unsigned before = h->came[0] + h->came[1];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    while (h->came[0] + h->came[1] == before)
        io_loop_turn(h->loop, false);
    close(fd);
}

static void knock(hall *h, const char *host)
{
    knock_at(h, host, h->port);
}

static bool is_own(const app_doors *d, const char *text, uint16_t port)
{
    size_t n = 0;
    const fed_addr *own = app_doors_own(d, &n);
    for (size_t i = 0; i < n; i++) {
        char out[IO_ADDR_TEXT];
        io_addr a = {.family = own[i].family};
        memcpy(a.bytes, own[i].bytes, sizeof a.bytes);
        if (own[i].port == port && !strcmp(io_addr_print(&a, out), text)) return true;
    }
    return false;
}

static void both_sides_on_one_port(void **state)
{
    (void)state;
    const char *why = NULL;
    hall *h = open_hall("*", "127.0.0.5");
    app_doors *d = app_doors_open(h->loop, h->s, came, h, &why);
    if (!d) fail_msg("%s", why);
    knock(h, "127.0.0.1");
    assert_int_equal(h->came[FED_OUTSIDE], 1);
    assert_int_equal(h->came[FED_INSIDE], 0);
    knock(h, "127.0.0.5");
    knock(h, "127.0.0.6");
    assert_int_equal(h->came[FED_OUTSIDE], 2);
    assert_int_equal(h->came[FED_INSIDE], 1);
    assert_true(is_own(d, "127.0.0.1", h->port)); /* of an interface */
    assert_true(is_own(d, "127.0.0.5", h->port));
    assert_false(is_own(d, "127.0.0.1", (uint16_t)(h->port + 1)));
    app_doors_close(d);
    close_hall(h);
}

/* Wherever it stands among the others: a port of its own, or one address of a port that the rest speaks otherwise. */
static void addresses_for_direct_tls(void **state)
{
    (void)state;
    const char *why = NULL;
    char direct[64];
    hall *h = open_hall("*", "127.0.0.5");
    uint16_t other = fixture_port();
    app_settings_free(h->s);
    char outside[32], inside[32];
    snprintf(outside, sizeof outside, "\"*:%u\"", h->port);
    snprintf(inside, sizeof inside, "\"127.0.0.5:%u\"", h->port);
    snprintf(direct, sizeof direct, "[\"127.0.0.7:%u\", \"*:%u\"]", h->port, other);
    h->s = load(outside, inside, direct);
    app_doors *d = app_doors_open(h->loop, h->s, came, h, &why);
    if (!d) fail_msg("%s", why);
    knock(h, "127.0.0.1");
    knock(h, "127.0.0.5");
    assert_int_equal(h->direct, 0);
    knock(h, "127.0.0.7");
    assert_int_equal(h->direct, 1);
    knock_at(h, "127.0.0.1", other);
    assert_int_equal(h->direct, 2);
    assert_int_equal(h->came[FED_OUTSIDE], 3);
    assert_int_equal(h->came[FED_INSIDE], 1);
    assert_true(is_own(d, "127.0.0.7", h->port));
    assert_true(is_own(d, "127.0.0.1", other));
    app_doors_close(d);
    close_hall(h);
}

/* Sharing the port among ourselves must not let another daemon of the same user take half of the connections. */
static void a_second_daemon_is_refused(void **state)
{
    (void)state;
    const char *why = NULL;
    hall *h = open_hall("*", "127.0.0.5");
    app_doors *d = app_doors_open(h->loop, h->s, came, h, &why);
    if (!d) fail_msg("%s", why);
    assert_null(app_doors_open(h->loop, h->s, came, h, &why));
    assert_non_null(strstr(why, "listen.outside: cannot listen on *:"));
    assert_non_null(strstr(why, "address already in use"));
    app_doors_close(d);
    close_hall(h);
}

static void two_sockets(void **state)
{
    (void)state;
    const char *why = NULL;
    hall *h = open_hall("127.0.0.1", "127.0.0.5");
    app_doors *d = app_doors_open(h->loop, h->s, came, h, &why);
    if (!d) fail_msg("%s", why);
    knock(h, "127.0.0.5");
    knock(h, "127.0.0.1");
    assert_int_equal(h->came[FED_OUTSIDE], 1);
    assert_int_equal(h->came[FED_INSIDE], 1);
    app_doors_close(d);
    close_hall(h);
}

/* The inside address is taken: the outside one must be free again afterwards. */
static void all_or_none(void **state)
{
    (void)state;
    const char *why = NULL;
    char wanted[256];
    hall *h = open_hall("127.0.0.1", "127.0.0.5");
    struct sockaddr_in in = address("127.0.0.5", h->port), out = address("127.0.0.1", h->port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_null(app_doors_open(h->loop, h->s, came, h, &why));
    snprintf(
        wanted, sizeof wanted,
        "doors.yaml:1:49: listen.inside: cannot listen on 127.0.0.5:%u: address already in use",
        h->port);
    assert_string_equal(why, wanted);
    int again = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(again, (struct sockaddr *)&out, sizeof out), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(again);
    close(fd);
    close_hall(h);
}

static void an_address_of_another_machine(void **state)
{
    (void)state;
    const char *why = NULL;
    hall *h = open_hall("*", "192.0.2.77");
    assert_null(app_doors_open(h->loop, h->s, came, h, &why));
    assert_non_null(strstr(why, "listen.inside: cannot listen on 192.0.2.77"));
    assert_non_null(strstr(why, "address not available"));
    close_hall(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_on_one_port),
        cmocka_unit_test(addresses_for_direct_tls),
        cmocka_unit_test(a_second_daemon_is_refused),
        cmocka_unit_test(two_sockets),
        cmocka_unit_test(all_or_none),
        cmocka_unit_test(an_address_of_another_machine),
    };
    return cmocka_run_group_tests_name("doors", tests, fixture_make, fixture_remove);
}
