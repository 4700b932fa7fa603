/* conn.c - see conn.h: a connection's life, reading and writing. */
#include "io/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/conn_priv.h"
#include "io/tcpinfo.h"

enum { KEEPALIVE_PROBES = 3, KEEPALIVE_EVERY = 10 /* s */ };

/* ---- the kernel's count ---- */

uint64_t io_conn_acked(io_conn *c)
{
    uint64_t counted = io_tcp_acked(c->fd);
    uint64_t wire = counted > c->acked_before ? counted - c->acked_before : 0;
    if (wire <= c->sent_clear) return wire;
    uint64_t plain = io_marks_acked(&c->marks, wire);
    return plain > c->sent_clear ? plain
                                 : c->sent_clear; /* beyond it: handshake bytes, or our FIN */
}

uint64_t io_conn_sent(const io_conn *c)
{
    return c->sent;
}

/* ---- events ---- */

void conn_enter(io_conn *c, conn_state state)
{
    c->state = state;
    conn_watch(c);
}

static int wanted(const io_conn *c)
{
    int events = 0;
    if (c->read_wants_write || c->write_blocked) events |= UV_WRITABLE;
    if (c->write_wants_read) events |= UV_READABLE;
    switch (c->state) {
    case CONN_CONNECTING: return c->fault == S2S_E_OK ? UV_WRITABLE : 0;
    case CONN_CLEAR:
    case CONN_TLS: return c->paused || c->ended ? events : events | UV_READABLE;
    case CONN_TLS_WAITS:
    case CONN_TLS_SHAKES:
    case CONN_CLOSING: return events;
    case CONN_LINGERS: return UV_READABLE;
    case CONN_DEAD: break;
    }
    return 0;
}

static void serve(io_conn *c, int events);

static void on_event(uv_poll_t *poll, int status, int events)
{
    io_conn *c = poll->data;
    if (status < 0) { /* libuv has stopped watching; the next call on the socket says what it is */
        c->watched = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if (conn_waits_its_turn(c, events)) return;
    serve(c, events);
    conn_watch(c);
}

static void take_turn(void *ctx)
{
    io_conn *c = ctx;
    int events = c->due;
    c->due = 0;
    serve(c, events);
    conn_watch(c);
}

bool conn_waits_its_turn(io_conn *c, int events)
{
    io_list *list = io_rank_list(c->loop, c->rank);
    if (!list) return false;
    if (c->turn.next) { /* the loop need not hear of it in every turn until then */
        uv_poll_stop(&c->poll);
        c->watched = 0;
    }
    c->due |= events;
    io_task_put(list, &c->turn);
    return true;
}

void io_conn_rank(io_conn *c, io_rank rank)
{
    c->rank = rank;
}

void conn_watch(io_conn *c)
{
    if (c->state == CONN_DEAD) return;
    int events = wanted(c);
    if (events == c->watched) return;
    c->watched = events;
    if (events == 0)
        uv_poll_stop(&c->poll);
    else
        uv_poll_start(&c->poll, events, on_event);
}

/* ---- reading ---- */

static bool may_read(const io_conn *c)
{
    return (c->state == CONN_CLEAR || c->state == CONN_TLS) && !c->paused && !c->ended;
}

static conn_step clear_get(io_conn *c, char *into, size_t size, size_t *n, s2s_err *err,
                           const char **text)
{
    ssize_t got;
    do
        got = recv(c->fd, into, size, 0);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        *n = (size_t)got;
        return STEP_DONE;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return STEP_WANTS_READ;
    *err = got == 0 ? S2S_E_TCP_EOF : conn_err_of(errno, text);
    return STEP_FAILED;
}

/* Fills the slab. Under TLS records are gathered until the socket is empty, since what is left inside OpenSSL raises no
 * event; in clear once is enough, since it does. */
static conn_step fill(io_conn *c, size_t *n, s2s_err *err, const char **text)
{
    char *slab = c->loop->slab;
    *n = 0;
    if (c->state == CONN_CLEAR) return clear_get(c, slab, IO_SLAB, n, err, text);
    conn_step step = STEP_DONE;
    while (step == STEP_DONE && *n < IO_SLAB) {
        size_t more = 0;
        step = conn_tls_get(c, slab + *n, IO_SLAB - *n, &more, err, text);
        *n += more;
    }
    return step;
}

enum { TLS_HANDSHAKE = 0x16 }; /* content type of a record (RFC 8446 5.1); no XML begins so */

/* Tells direct TLS from XML. Nothing is taken, kept or waited for. False: nothing has come yet. */
static bool look_first(io_conn *c)
{
    char first = 0;
    ssize_t got = recv(c->fd, &first, 1, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return false;
    c->fresh = false;
    if (got == 1 && first == TLS_HANDSHAKE) c->calls->hello(c->owner);
    return true;
}

void conn_read(io_conn *c)
{
    size_t taken = 0;
    while (may_read(c)) {
        if (c->fresh) {
            if (!look_first(c)) break;
            if (!c->calls) return;
            continue;
        }
        if (taken >= c->loop->set.read_budget) {
            io_task_put(&c->loop->again, &c->again);
            return;
        }
        size_t n;
        s2s_err err = S2S_E_OK;
        const char *text = NULL;
        conn_step step = fill(c, &n, &err, &text);
        c->read_wants_write = step == STEP_WANTS_WRITE;
        taken += n;
        if (n > 0) c->calls->bytes(c->owner, (s2s_span){c->loop->slab, n});
        if (!c->calls) return;
        if (step == STEP_FAILED) conn_read_ended(c, err, text);
        if (step != STEP_DONE) break;
    }
    if (c->calls && c->fault != S2S_E_OK) conn_lost(c, c->fault, c->fault_text);
}

/* ---- writing ---- */

static conn_step clear_put(io_conn *c, s2s_span bytes, size_t *n)
{
    ssize_t put;
    do
        put = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    *n = put > 0 ? (size_t)put : 0;
    if (put >= 0) return STEP_DONE;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return STEP_WANTS_WRITE;
    c->fault = conn_err_of(errno, &c->fault_text);
    return STEP_FAILED;
}

conn_step conn_put(io_conn *c, s2s_span bytes, size_t *n)
{
    conn_step step;
    if (c->ssl && c->state != CONN_TLS_WAITS) {
        step = conn_tls_put(c, bytes, n);
        c->sent += *n;
        if (*n > 0) io_marks_add(&c->marks, c->sent, c->sent_clear + conn_tls_written(c));
        if (io_marks_full(&c->marks)) (void)io_conn_acked(c);
    } else {
        step = clear_put(c, bytes, n);
        c->sent += *n;
        c->sent_clear += *n;
    }
    c->write_blocked = step == STEP_WANTS_WRITE;
    c->write_wants_read = step == STEP_WANTS_READ;
    return step;
}

/* STEP_DONE: out is empty. */
static conn_step write_out(io_conn *c)
{
    size_t taken = 0;
    for (;;) {
        s2s_span out = c->calls->out(c->owner);
        if (out.len == 0) return STEP_DONE;
        if (taken >= c->loop->set.write_budget) {
            c->write_blocked = true; /* the next turn's event goes on */
            return STEP_WANTS_WRITE;
        }
        size_t n;
        conn_step step = conn_put(c, out, &n);
        if (step != STEP_DONE) return step;
        taken += n;
        c->calls->sent(c->owner, n);
        if (!c->calls) return STEP_FAILED;
    }
}

static void write_failed(io_conn *c)
{
    /* A peer that closed on us has perhaps said why: read that first. */
    if (may_read(c))
        conn_read(c);
    else
        conn_lost(c, c->fault, c->fault_text);
}

static void start_shaking(io_conn *c)
{
    c->state = CONN_TLS_SHAKES;
    if (!conn_waits_its_turn(c, 0)) conn_tls_shake(c);
}

static void flush(void *ctx)
{
    io_conn *c = ctx;
    if (c->state == CONN_CLOSING) {
        conn_closing_step(c);
        return;
    }
    if (c->state != CONN_CLEAR && c->state != CONN_TLS && c->state != CONN_TLS_WAITS) return;
    if (c->fault != S2S_E_OK) return;
    conn_step step = write_out(c);
    if (!c->calls) return;
    if (step == STEP_FAILED)
        write_failed(c);
    else if (step == STEP_DONE && c->ended)
        conn_lost(c, S2S_E_TCP_EOF, NULL);
    else if (step == STEP_DONE && c->state == CONN_TLS_WAITS)
        start_shaking(c);
    conn_watch(c);
}

void io_conn_flush(io_conn *c)
{
    io_task_put(&c->loop->flush, &c->flush);
}

/* ---- serving an event ---- */

static void connected(io_conn *c)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0) err = errno;
    if (err != 0) {
        const char *text = NULL;
        s2s_err why = conn_err_of(err, &text);
        conn_lost(c, why, text);
        return;
    }
    struct sockaddr_storage sa;
    io_addr ours;
    len = sizeof sa;
    if (getsockname(c->fd, (struct sockaddr *)&sa, &len) != 0 ||
        io_addr_of_sockaddr((const struct sockaddr *)&sa, &ours) != S2S_E_OK)
        ours.family = 0;
    c->acked_before = io_tcp_acked(c->fd);
    conn_enter(c, CONN_CLEAR);
    c->calls->connected(c->owner, &ours);
}

static void serve(io_conn *c, int events)
{
    switch (c->state) {
    case CONN_CONNECTING: connected(c); return;
    case CONN_TLS_SHAKES: conn_tls_shake(c); return;
    case CONN_CLOSING: conn_closing_step(c); return;
    case CONN_LINGERS: conn_linger_step(c); return;
    case CONN_DEAD: return;
    case CONN_CLEAR:
    case CONN_TLS:
    case CONN_TLS_WAITS: break;
    }
    if (events & UV_WRITABLE || c->write_wants_read) io_conn_flush(c);
    if (events & UV_READABLE || c->read_wants_write) conn_read(c);
}

static void again(void *ctx)
{
    io_conn *c = ctx;
    if (c->fault != S2S_E_OK)
        conn_lost(c, c->fault, c->fault_text);
    else
        conn_read(c);
    conn_watch(c);
}

/* ---- life ---- */

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof value); /* each is a help, none a need */
}

static void set_options(const io_loop_settings *set, int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)set->keepalive_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)set->user_timeout_ms);
    if (set->send_buffer > 0) set_option(fd, SOL_SOCKET, SO_SNDBUF, set->send_buffer);
}

/* Takes fd on success. */
static io_conn *conn_new(io_loop *l, int fd, const io_addr *peer, const io_conn_calls *calls,
                         void *owner)
{
    io_conn *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    if (uv_poll_init(&l->uv, &c->poll, fd) != 0) {
        free(c);
        return NULL;
    }
    c->poll.data = c;
    c->loop = l;
    c->fd = fd;
    c->peer = *peer;
    c->calls = calls;
    c->owner = owner;
    c->alert = -1;
    s2s_buf_init(&c->rest, 0);
    io_marks_init(&c->marks, 0);
    io_task_init(&c->flush, flush, c);
    io_task_init(&c->again, again, c);
    io_task_init(&c->turn, take_turn, c);
    set_options(&l->set, fd);
    return c;
}

io_conn *io_conn_adopt(io_loop *l, int fd, const io_addr *peer, const io_conn_calls *calls,
                       void *owner)
{
    io_conn *c = conn_new(l, fd, peer, calls, owner);
    if (!c) {
        close(fd);
        io_reserve_freed(l);
        return NULL;
    }
    c->acked_before = io_tcp_acked(c->fd);
    c->fresh = calls->hello != NULL;
    conn_enter(c, CONN_CLEAR);
    return c;
}

static int open_socket(io_loop *l, int family)
{
    const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(family, type, 0);
    if (fd < 0 && io_reserve_is_shortage(errno)) { /* this is what the reserve is for */
        io_reserve_starve(l);
        fd = socket(family, type, 0);
    }
    return fd;
}

io_conn *io_conn_dial(io_loop *l, const io_addr *to, const io_conn_calls *calls, void *owner,
                      s2s_err *err)
{
    struct sockaddr_storage sa;
    socklen_t len = io_addr_to_sockaddr(to, false, &sa);
    int fd = open_socket(l, sa.ss_family);
    *err = fd < 0 ? S2S_E_RESOURCE : S2S_E_OK;
    if (fd < 0) return NULL;
    io_conn *c = conn_new(l, fd, to, calls, owner);
    if (!c) {
        close(fd);
        io_reserve_freed(l);
        *err = S2S_E_NOMEM;
        return NULL;
    }
    c->state = CONN_CONNECTING;
    if (connect(fd, (const struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS) {
        const char *text = NULL;
        s2s_err why = conn_err_of(errno, &text);
        conn_fail_later(c, why, text);
    } else {
        conn_watch(c);
    }
    return c;
}

const io_addr *io_conn_peer(const io_conn *c)
{
    return &c->peer;
}

SSL *io_conn_ssl(const io_conn *c)
{
    return c->state == CONN_TLS ? c->ssl : NULL;
}

bool io_conn_direct(const io_conn *c)
{
    return c->direct;
}

void io_conn_pause(io_conn *c, bool paused)
{
    if (c->paused == paused) return;
    c->paused = paused;
    /* What waits inside OpenSSL raises no event. */
    if (!paused && c->state == CONN_TLS) io_task_put(&c->loop->again, &c->again);
    conn_watch(c);
}
