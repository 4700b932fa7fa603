/* answerer_tcp.c - the answerer's TCP side (RFC 7766): two bytes of length before each packet, one question at a time. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/answerer_priv.h"

struct answerer_conn {
    uv_poll_t poll;
    io_answerer *owner;
    answerer_conn *next;
    int fd;
    io_addr peer;
    uint64_t ends; /* ms */
    bool waiting;  /* for a relayed answer: nothing is read meanwhile */
    bool closed;
    size_t in_len;
    uint8_t in[2 + IO_DNS_QUERY_MAX];
    uint8_t *out; /* malloc; NULL: nothing to send */
    size_t out_len;
    size_t out_sent;
};

static void on_ready(uv_poll_t *poll, int status, int events);
static void on_connection(uv_poll_t *poll, int status, int events);

/* ---- life of one connection ---- */

static void on_conn_closed(uv_handle_t *handle)
{
    answerer_conn *c = handle->data;
    free(c->out);
    free(c);
}

static void conn_close(answerer_conn *c)
{
    io_answerer *a = c->owner;
    if (c->closed) return;
    c->closed = true;
    answerer_conn **at = &a->conns;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    a->counts.connected--;
    answerer_relay_forget(a, c);
    uv_close((uv_handle_t *)&c->poll, on_conn_closed);
    close(c->fd);
    c->fd = -1;
}

/* Watches for what it waits for. */
static void conn_watch(answerer_conn *c)
{
    int events = UV_DISCONNECT;
    if (c->out != NULL)
        events |= UV_WRITABLE;
    else if (!c->waiting)
        events |= UV_READABLE;
    if (uv_poll_start(&c->poll, events, on_ready) != 0) conn_close(c);
}

static void conn_new(io_answerer *a, int fd, const io_addr *peer)
{
    answerer_conn *c = calloc(1, sizeof *c);
    if (c == NULL || uv_poll_init(a->loop, &c->poll, fd) != 0) {
        free(c);
        close(fd);
        return;
    }
    c->owner = a;
    c->poll.data = c;
    c->fd = fd;
    c->peer = *peer;
    c->ends = uv_now(a->loop) + a->settings->tcp_ms;
    c->next = a->conns;
    a->conns = c;
    a->counts.connections++;
    a->counts.connected++;
    answerer_arm(a);
    conn_watch(c);
}

/* ---- sending ---- */

static void conn_flush(answerer_conn *c)
{
    while (c->out_sent < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) {
            conn_close(c);
            return;
        }
        c->out_sent += (size_t)n;
    }
    free(c->out);
    c->out = NULL;
}

static void conn_put(answerer_conn *c, const uint8_t *bytes, size_t len)
{
    S2S_ASSERT(c->out == NULL && len <= UINT16_MAX);
    c->out = malloc(len + 2);
    if (c->out == NULL) {
        conn_close(c);
        return;
    }
    c->out[0] = (uint8_t)(len >> 8);
    c->out[1] = (uint8_t)len;
    memcpy(c->out + 2, bytes, len);
    c->out_len = len + 2;
    c->out_sent = 0;
    conn_flush(c);
}

/* ---- questions ---- */

static void conn_answer(answerer_conn *c, s2s_span query)
{
    io_answerer *a = c->owner;
    size_t len = 0;
    if (!answerer_may_ask(a, &c->peer)) {
        conn_close(c);
        return;
    }
    switch (io_replier_answer(a->replier, query, true, a->reply, &len)) {
    case IO_REPLY_SEND:
        a->counts.answered++;
        conn_put(c, a->reply, len);
        return;
    case IO_REPLY_FORWARD:
        c->waiting = answerer_relay_ask(a, query, &c->peer, c);
        if (c->waiting) return;
        len = io_dns_fail(query, IO_RCODE_SERVFAIL, a->reply);
        conn_put(c, a->reply, len);
        return;
    case IO_REPLY_DROP:
        a->counts.malformed++;
        conn_close(c);
        return;
    }
}

/* Takes whole questions out of what was read, as long as none of them has to wait. */
static void conn_take(answerer_conn *c)
{
    while (!c->closed && !c->waiting && c->out == NULL && c->in_len >= 2) {
        size_t len = (size_t)(c->in[0] << 8 | c->in[1]);
        if (len > IO_DNS_QUERY_MAX) {
            c->owner->counts.malformed++;
            conn_close(c);
            return;
        }
        if (c->in_len < len + 2) return;
        conn_answer(c, (s2s_span){(const char *)c->in + 2, len});
        if (c->closed) return;
        c->in_len -= len + 2;
        memmove(c->in, c->in + len + 2, c->in_len);
        c->ends = uv_now(c->owner->loop) + c->owner->settings->tcp_ms;
    }
}

static void conn_read(answerer_conn *c)
{
    ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        conn_close(c);
        return;
    }
    c->in_len += (size_t)n;
    conn_take(c);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    answerer_conn *c = poll->data;
    if (status != 0) {
        conn_close(c);
        return;
    }
    if ((events & UV_WRITABLE) != 0) {
        conn_flush(c);
        conn_take(c); /* what came meanwhile */
    } else if ((events & UV_READABLE) != 0) {
        conn_read(c);
    } else {
        conn_close(c); /* it is gone while we waited */
    }
    if (!c->closed) conn_watch(c);
}

void answerer_tcp_say(io_answerer *a, answerer_conn *c, const uint8_t *bytes, size_t len)
{
    c->waiting = false;
    c->ends = uv_now(a->loop) + a->settings->tcp_ms;
    conn_put(c, bytes, len);
    if (c->closed) return;
    conn_take(c);
    if (!c->closed) conn_watch(c);
}

/* ---- listening ---- */

static void set_accepting(io_answerer *a, bool accepting)
{
    if (a->accepting == accepting) return;
    a->accepting = accepting;
    if (!accepting)
        uv_poll_stop(&a->tcp_poll);
    else if (uv_poll_start(&a->tcp_poll, UV_READABLE, on_connection) != 0)
        a->accepting = false;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    io_answerer *a = poll->data;
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    io_addr peer;
    int on = 1;
    (void)status;
    (void)events;
    if (a->counts.connected >= a->settings->connections) {
        set_accepting(
            a, false); /* the others wait in the kernel's queue; the sweep goes on with them */
        return;
    }
    int fd = accept4(a->tcp, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        /* Without a descriptor the listener would be readable for ever. */
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) set_accepting(a, false);
        answerer_arm(a);
        return;
    }
    if (io_addr_of_sockaddr((const struct sockaddr *)&ss, &peer) != S2S_E_OK ||
        !answerer_is_client(a, &peer)) {
        a->counts.strangers++;
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn_new(a, fd, &peer);
}

bool answerer_tcp_open(io_answerer *a, io_addr *where)
{
    struct sockaddr_storage ss;
    int on = 1, off = 0;
    socklen_t len = io_addr_to_sockaddr(where, false, &ss);
    a->tcp = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->tcp < 0) return false;
    setsockopt(a->tcp, SOL_SOCKET, SO_REUSEADDR, &on,
               sizeof on); /* a restart finds old connections in TIME_WAIT */
    if (where->family == 6) setsockopt(a->tcp, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(a->tcp, (const struct sockaddr *)&ss, len) != 0) return false;
    if (listen(a->tcp, 64) != 0) return false;
    a->accepting = true;
    return answerer_watch(a, &a->tcp_poll, a->tcp, on_connection);
}

void answerer_tcp_expire(io_answerer *a, uint64_t now)
{
    for (answerer_conn *c = a->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (c->ends <= now && !c->waiting)
            conn_close(c); /* a relayed question has its own deadline */
    }
    if (!a->accepting && a->counts.connected < a->settings->connections) set_accepting(a, true);
}

void answerer_tcp_close_all(io_answerer *a)
{
    while (a->conns != NULL)
        conn_close(a->conns);
}
