/* conn_end.c - how a connection ends: errors, an orderly close, the last octets. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/conn_priv.h"

enum {
    LINGER_MS = 1000,           /* how long the peer may take to answer our FIN */
    LINGER_OCTETS = 1024 * 1024 /* and how much it may go on sending */
};

s2s_err conn_err_of(int sys, const char **text)
{
    *text = uv_strerror(uv_translate_sys_error(sys));
    switch (sys) {
    case ECONNREFUSED: return S2S_E_TCP_REFUSED;
    case ETIMEDOUT: return S2S_E_TCP_TIMEOUT;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EACCES:
    case EPERM:
    case EINVAL: return S2S_E_TCP_UNREACHABLE;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return S2S_E_RESOURCE;
    default: return S2S_E_TCP_RESET;
    }
}

/* ---- the one way out to the owner ---- */

static s2s_span detail_of(const io_conn *c, s2s_err why, const char *text, char *out, size_t size)
{
    bool tls =
        why == S2S_E_TLS_HANDSHAKE || why == S2S_E_TLS_NOT_RESUMED || why == S2S_E_TLS_BROKEN;
    if (!tls || c->alert < 0) return s2s_span_of(text);
    const char *alert = SSL_alert_desc_string_long(c->alert);
    if (c->alert_sent)
        (void)snprintf(out, size, "we sent alert: %s (%s)", alert, text ? text : "TLS error");
    else
        (void)snprintf(out, size, "the peer sent alert: %s", alert);
    return s2s_span_of(out);
}

static void overdue(void *ctx)
{
    io_conn *c = ctx;
    if (c->calls)
        conn_lost(c, S2S_E_TCP_EOF, "it did not take what was left to write");
    else
        conn_die(c);
}

static void set_deadline(io_conn *c, uint32_t ms)
{
    io_timer_set(c->loop, &c->deadline, io_loop_now(c->loop) + ms, overdue, c);
}

static void kill_now(void *ctx)
{
    conn_die(ctx);
}

static void orphan(io_conn *c)
{
    c->calls = NULL;
    c->owner = NULL;
    io_task_drop(&c->again);
    io_task_init(&c->closing, kill_now, c);
    io_task_put(&c->loop->closing, &c->closing);
}

/* Nothing more is written. */
static void start_linger(io_conn *c)
{
    (void)shutdown(c->fd, SHUT_WR);
    c->write_blocked = c->write_wants_read = c->read_wants_write = false;
    set_deadline(c, LINGER_MS);
    conn_enter(c, CONN_LINGERS);
    conn_linger_step(c);
}

void conn_lost(io_conn *c, s2s_err why, const char *text)
{
    const io_conn_calls *calls = c->calls;
    void *owner = c->owner;
    char out[128];
    if (!calls) return;
    orphan(c);
    calls->lost(owner, why, detail_of(c, why, text, out, sizeof out));
    if (why == S2S_E_TCP_EOF && !text && c->ssl) (void)conn_tls_notify(c);
    if (c->alert_sent)
        start_linger(c); /* or a reset would overtake the alert */
    else
        conn_die(c);
}

void conn_read_ended(io_conn *c, s2s_err why, const char *text)
{
    bool may_write = why == S2S_E_TCP_EOF && text == NULL && c->fault == S2S_E_OK;
    if (c->fault != S2S_E_OK) {
        conn_lost(c, c->fault, c->fault_text);
    } else if (may_write && c->calls->out(c->owner).len > 0) {
        c->ended = true;
        set_deadline(c, c->loop->set.close_ms);
        io_conn_flush(c);
    } else {
        conn_lost(c, why, text);
    }
}

void conn_fail_later(io_conn *c, s2s_err why, const char *text)
{
    c->fault = why;
    c->fault_text = text;
    io_task_put(&c->loop->again, &c->again);
}

/* ---- closing ---- */

void conn_closing_step(io_conn *c)
{
    for (s2s_span left = s2s_buf_span(&c->rest); left.len > 0; left = s2s_buf_span(&c->rest)) {
        size_t n;
        conn_step step = conn_put(c, left, &n);
        s2s_buf_consume(&c->rest, n);
        if (step == STEP_FAILED) {
            conn_die(c);
            return;
        }
        if (step != STEP_DONE) {
            conn_watch(c);
            return;
        }
    }
    if (c->ssl && conn_tls_notify(c) == STEP_WANTS_WRITE)
        conn_watch(c);
    else
        start_linger(c);
}

void conn_linger_step(io_conn *c)
{
    while (c->lingered < LINGER_OCTETS) {
        ssize_t got = recv(c->fd, c->loop->slab, IO_SLAB, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (got <= 0) break;
        c->lingered += (size_t)got;
    }
    conn_die(c);
}

/* False: there is nothing that could be ended in order. */
static bool start_closing(io_conn *c, s2s_span rest)
{
    bool up = c->state == CONN_CLEAR || c->state == CONN_TLS || c->state == CONN_TLS_WAITS;
    if (!up || c->fault != S2S_E_OK) return false;
    if (c->state == CONN_TLS_WAITS) { /* still in clear, and so it ends */
        conn_tls_drop(c);
    }
    if (rest.len > 0 && s2s_buf_put(&c->rest, rest) != S2S_E_OK) return false;
    c->read_wants_write = false;
    set_deadline(c, c->loop->set.close_ms);
    conn_enter(c, CONN_CLOSING);
    io_conn_flush(c);
    return true;
}

void io_conn_close(io_conn *c, io_close how, s2s_span rest)
{
    if (!c->calls) return; /* from inside lost */
    orphan(c);
    if (how == IO_CLOSE_GRACEFUL && start_closing(c, rest)) return;
    if (how == IO_CLOSE_RESET) {
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    conn_die(c);
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    io_conn *c = handle->data;
    free(c);
}

void conn_die(io_conn *c)
{
    if (c->state == CONN_DEAD) return;
    c->state = CONN_DEAD;
    io_task_drop(&c->flush);
    io_task_drop(&c->again);
    io_task_drop(&c->turn);
    io_task_drop(&c->closing);
    io_timer_clear(c->loop, &c->deadline);
    io_marks_fini(&c->marks);
    s2s_buf_fini(&c->rest);
    conn_tls_drop(c);
    uv_close((uv_handle_t *)&c->poll, on_closed); /* freed when the turn is over */
    close(c->fd);
    io_reserve_freed(c->loop);
}
