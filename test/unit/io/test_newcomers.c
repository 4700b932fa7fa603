/* test_newcomers.c - who carries something is served in every turn; who does not yet, one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "certs.h"
#include "io/tls.h"
#include "party.h"

enum { NEW = 5, OURS = 2, ALL = NEW + OURS + 1 };

static void one_step(io_loop_settings *s)
{
    s->newcomers_us = 0;
}

typedef struct crowd {
    io_loop *l;
    party p[ALL]; /* the newcomers, then the favoured, then the settled one */
    int fd[ALL];
} crowd;

static io_rank rank_of(size_t i)
{
    return i < NEW ? IO_RANK_NEW : i < NEW + OURS ? IO_RANK_FAVOURED : IO_RANK_SETTLED;
}

static void gather(crowd *c)
{
    c->l = loop_new_with(one_step);
    for (size_t i = 0; i < ALL; i++) {
        party_init(&c->p[i], c->l);
        c->fd[i] = party_join_bare(&c->p[i], false);
        io_conn_rank(c->p[i].c, rank_of(i));
    }
}

static void disperse(crowd *c)
{
    for (size_t i = 0; i < ALL; i++) {
        party_fini(&c->p[i]);
        close(c->fd[i]);
    }
    io_loop_free(c->l);
}

static void say(const crowd *c, size_t i)
{
    assert_int_equal(send(c->fd[i], "x", 1, MSG_NOSIGNAL), 1);
}

static unsigned reads(const crowd *c, size_t from, size_t to)
{
    unsigned n = 0;
    for (size_t i = from; i < to; i++)
        n += c->p[i].reads;
    return n;
}

static void one_a_turn_and_the_settled_in_each(void **state)
{
    (void)state;
    crowd c;
    gather(&c);
    for (size_t i = 0; i + 1 < ALL; i++)
        say(&c, i);
    for (unsigned turn = 0; turn < ALL + 3; turn++) {
        say(&c, ALL - 1);
        io_loop_turn(c.l, true); /* it does not sleep while somebody waits for his turn */
        unsigned served = turn < ALL ? turn : ALL - 1;
        assert_int_equal(c.p[ALL - 1].reads, turn + 1);
        assert_int_equal(reads(&c, 0, ALL - 1), served);
        assert_int_equal(reads(&c, NEW, NEW + OURS), served < OURS ? served : OURS);
    }
    for (size_t i = 0; i + 1 < ALL; i++)
        assert_int_equal(c.p[i].reads, 1);
    disperse(&c);
}

/* Whoever came first is served first, and waits no longer because he says more. */
static void the_longest_waiting_first(void **state)
{
    (void)state;
    crowd c;
    gather(&c);
    static const size_t order[] = {3, 0, 4, 1, 2};
    for (size_t i = 0; i < NEW; i++) {
        say(&c, order[i]);
        if (i == 0) io_loop_turn(c.l, false);
        if (i > 0) say(&c, order[0]);
    }
    io_loop_turn(c.l, false);
    assert_int_equal(c.p[3].reads, 1);
    say(&c, 3); /* behind the others now */
    UNTIL(c.l, reads(&c, 0, NEW) == NEW);
    assert_int_equal(c.p[3].reads, 1);
    UNTIL(c.l, c.p[3].reads == 2);
    disperse(&c);
}

static void settled_and_closed_while_they_wait(void **state)
{
    (void)state;
    crowd c;
    gather(&c);
    for (size_t i = 0; i < NEW; i++)
        say(&c, i);
    io_loop_turn(c.l, false);
    for (size_t i = 0; i < NEW; i++)
        if (i % 2 == 0)
            io_conn_rank(c.p[i].c, IO_RANK_SETTLED);
        else
            party_close(&c.p[i], IO_CLOSE_ABRUPT);
    UNTIL(c.l, reads(&c, 0, NEW) == (NEW + 1) / 2);
    say(&c, 0);
    io_loop_turn(c.l, false); /* at once from now on */
    assert_int_equal(c.p[0].reads, 2);
    disperse(&c);
}

/* ---- handshakes ---- */

static void handshakes_one_step_a_turn(void **state)
{
    (void)state;
    cert root = cert_make(&(cert_ask){.cn = "Root", .ca = true}, NULL);
    cert own = cert_make(&(cert_ask){.cn = "x"}, &root);
    io_identity *id = cert_identity(&own, &root);
    io_tls *tls = io_tls_new();
    assert_int_equal(io_tls_add(tls, NULL, id), S2S_E_OK);
    io_loop *l = loop_new_with(one_step);
    party clients[NEW], servers[NEW];
    const io_conn_tls dials = {.role = S2S_INITIATING, .ctx = io_tls_client(tls, NULL)};
    const io_conn_tls serves = {
        .role = S2S_RECEIVING, .ctx = io_tls_server(tls, NULL), .ask_client_cert = true};
    for (size_t i = 0; i < NEW; i++) {
        party_init(&clients[i], l);
        party_init(&servers[i], l);
        parties_join(&clients[i], &servers[i]);
    }
    for (size_t i = 0; i < NEW; i++) {
        io_conn_rank(servers[i].c, IO_RANK_NEW);
        io_conn_start_tls(clients[i].c, &dials);
        io_conn_start_tls(servers[i].c, &serves);
    }
    for (unsigned before = 0, done = 0; done < NEW; before = done) {
        done = 0;
        io_loop_turn(l, true);
        for (size_t i = 0; i < NEW; i++)
            done += servers[i].secured;
        assert_true(done <= before + 1);
    }
    for (size_t i = 0; i < NEW; i++) {
        UNTIL(l, clients[i].secured);
        party_fini(&clients[i]);
        party_fini(&servers[i]);
    }
    io_loop_free(l);
    io_tls_free(tls);
    io_identity_free(id);
    cert_free(&own);
    cert_free(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_a_turn_and_the_settled_in_each, hang_guard),
        cmocka_unit_test_setup(the_longest_waiting_first, hang_guard),
        cmocka_unit_test_setup(settled_and_closed_while_they_wait, hang_guard),
        cmocka_unit_test_setup(handshakes_one_step_a_turn, hang_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
