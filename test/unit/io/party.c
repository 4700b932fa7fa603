/* party.c - see party.h. */
#include "party.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void on_connected(void *owner, const io_addr *ours)
{
    party *p = owner;
    assert_false(p->connected);
    p->connected = true;
    p->ours = *ours;
    if (p->on_connected) p->on_connected(p);
}

static void on_bytes(void *owner, s2s_span bytes)
{
    party *p = owner;
    assert_true(bytes.len > 0 && bytes.len <= IO_SLAB);
    assert_int_equal(s2s_buf_put(&p->got, bytes), S2S_E_OK);
    p->reads++;
    if (p->on_bytes) p->on_bytes(p, bytes);
}

static void on_tls(void *owner, const io_tls_info *info)
{
    party *p = owner;
    assert_false(p->secured);
    p->secured = true;
    p->tls = *info;
    if (p->on_tls) p->on_tls(p);
}

static void on_lost(void *owner, s2s_err why, s2s_span detail)
{
    party *p = owner;
    assert_false(p->lost);
    p->lost = true;
    p->why = why;
    p->acked_at_end = io_conn_acked(p->c);
    (void)snprintf(p->detail, sizeof p->detail, "%.*s", (int)detail.len,
                   detail.ptr ? detail.ptr : "");
    p->c = NULL;
}

static s2s_span on_out(void *owner)
{
    party *p = owner;
    return s2s_buf_span(&p->out);
}

static void on_sent(void *owner, size_t n)
{
    party *p = owner;
    assert_true(n > 0);
    s2s_buf_consume(&p->out, n);
}

static void on_hello(void *owner)
{
    party *p = owner;
    assert_int_equal(p->hellos++, 0);
    assert_int_equal(p->reads, 0);
    if (p->on_hello) p->on_hello(p);
}

const io_conn_calls PARTY_CALLS = {.connected = on_connected,
                                   .bytes = on_bytes,
                                   .tls = on_tls,
                                   .lost = on_lost,
                                   .out = on_out,
                                   .sent = on_sent,
                                   .hello = on_hello};

void party_init(party *p, io_loop *l)
{
    memset(p, 0, sizeof *p);
    p->loop = l;
    s2s_buf_init(&p->out, 0);
    s2s_buf_init(&p->got, 0);
}

void party_fini(party *p)
{
    if (p->c) io_conn_close(p->c, IO_CLOSE_ABRUPT, (s2s_span){NULL, 0});
    p->c = NULL;
    s2s_buf_fini(&p->out);
    s2s_buf_fini(&p->got);
}

void party_say(party *p, s2s_span bytes)
{
    assert_int_equal(s2s_buf_put(&p->out, bytes), S2S_E_OK);
    io_conn_flush(p->c);
}

void party_close(party *p, io_close how)
{
    io_conn_close(p->c, how, s2s_buf_span(&p->out));
    p->c = NULL;
}

io_loop *loop_new_with(void (*change)(io_loop_settings *s))
{
    io_loop_settings s;
    io_loop_settings_init(&s);
    if (change) change(&s);
    io_loop *l = io_loop_new(&s);
    assert_non_null(l);
    return l;
}

io_loop *loop_new(void)
{
    return loop_new_with(NULL);
}

static void accept_for(void *ctx, int fd, const io_addr *peer)
{
    party *p = ctx;
    assert_null(p->c);
    p->c = io_conn_adopt(p->loop, fd, peer, &PARTY_CALLS, p);
    assert_non_null(p->c);
}

static io_listener *listen_for(party *p, io_addr *at)
{
    int err;
    io_listen how = {.accepted = accept_for, .ctx = p};
    assert_int_equal(io_addr_parse(S2S_LIT("127.0.0.1"), &how.addr), S2S_E_OK);
    io_listener *s = io_listener_new(p->loop, &how, &err);
    assert_non_null(s);
    *at = *io_listener_addr(s);
    return s;
}

void parties_join(party *dialled, party *accepted)
{
    io_addr at;
    s2s_err err;
    io_listener *s = listen_for(accepted, &at);
    dialled->c = io_conn_dial(dialled->loop, &at, &PARTY_CALLS, dialled, &err);
    assert_non_null(dialled->c);
    UNTIL(dialled->loop, dialled->connected && accepted->c);
    io_listener_close(s);
}

static int bare_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

static int bare_dials(party *p)
{
    io_addr at;
    struct sockaddr_storage sa;
    io_listener *s = listen_for(p, &at);
    socklen_t len = io_addr_to_sockaddr(&at, false, &sa);
    int fd = bare_socket();
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
    UNTIL(p->loop, p->c);
    io_listener_close(s);
    return fd;
}

static int bare_accepts(party *p)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof in;
    io_addr at;
    s2s_err err;
    int listening = bare_socket();
    assert_int_equal(bind(listening, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&in, &len), 0);
    assert_int_equal(io_addr_of_sockaddr((struct sockaddr *)&in, &at), S2S_E_OK);
    p->c = io_conn_dial(p->loop, &at, &PARTY_CALLS, p, &err);
    assert_non_null(p->c);
    int fd = accept(listening, NULL, NULL);
    assert_true(fd >= 0);
    close(listening);
    UNTIL(p->loop, p->connected);
    return fd;
}

int party_join_bare(party *p, bool dials)
{
    int fd = dials ? bare_accepts(p) : bare_dials(p), on = 1;
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

char *pattern_new(size_t n, unsigned seed)
{
    char *text = malloc(n);
    uint32_t x = seed * 2654435761U + 1U;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525U + 1013904223U;
        text[i] = (char)(x >> 24);
    }
    return text;
}

int hang_guard(void **state)
{
    (void)state;
    alarm(60);
    return 0;
}
