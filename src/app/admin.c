#include "app/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/arena.h"

typedef struct client {
    uv_pipe_t pipe;
    uv_timer_t patience;
    uv_write_t write;
    app_admin *admin;
    char line[APP_ADMIN_LINE];
    size_t n;
    bool asked, closing;
    unsigned open_handles;
    app_status *picture; /* being written, or NULL */
    app_status_form form;
    bool more; /* of the picture */
    s2s_buf out;
} client;

struct app_admin {
    uv_pipe_t pipe;
    uv_loop_t *loop;
    app_admin_desk desk;
    char *path;
    ino_t inode;
    client *clients[APP_ADMIN_CLIENTS];
    bool waiting; /* somebody is to be accepted when there is room */
    bool gone;
    unsigned open; /* handles and clients still closing */
};

/* ---- ends ---- */

static void admin_part_gone(app_admin *a)
{
    if (--a->open > 0 || !a->gone) return;
    free(a->path);
    free(a);
}

static void accept_waiting(app_admin *a);

static void client_handle_closed(uv_handle_t *h)
{
    client *c = h->data;
    app_admin *a = c->admin;
    if (--c->open_handles > 0) return;
    for (size_t i = 0; i < APP_ADMIN_CLIENTS; i++)
        if (a->clients[i] == c) a->clients[i] = NULL;
    app_status_free(c->picture);
    s2s_buf_fini(&c->out);
    free(c);
    if (!a->gone && a->waiting) accept_waiting(a);
    admin_part_gone(a);
}

static void client_close(client *c)
{
    if (c->closing) return;
    c->closing = true;
    uv_close((uv_handle_t *)&c->pipe, client_handle_closed);
    uv_close((uv_handle_t *)&c->patience, client_handle_closed);
}

static void patience_ended(uv_timer_t *t)
{
    client_close(t->data);
}

/* ---- answers ---- */

static void write_more(client *c);

static void written(uv_write_t *w, int status)
{
    client *c = w->data;
    if (c->closing) return;
    s2s_buf_clear(&c->out);
    if (status < 0)
        client_close(c);
    else
        write_more(c);
}

static void write_more(client *c)
{
    if (c->picture && c->more) c->more = app_status_next(c->picture, c->form, &c->out);
    s2s_span bytes = s2s_buf_span(&c->out);
    if (bytes.len == 0) {
        client_close(c);
        return;
    }
    uv_timer_again(&c->patience);
    uv_buf_t buf = uv_buf_init((char *)bytes.ptr, (unsigned)bytes.len);
    c->write.data = c;
    if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, written) != 0) client_close(c);
}

static void say(client *c, const char *text)
{
    S2S_ASSERT(s2s_buf_puts(&c->out, text) == S2S_E_OK);
    write_more(c);
}

static void show(client *c, app_status_form form)
{
    const app_admin_desk *desk = &c->admin->desk;
    c->form = form;
    c->picture = desk->picture(desk->ctx);
    c->more = true;
    write_more(c);
}

static void flush(client *c, const char *name)
{
    const app_admin_desk *desk = &c->admin->desk;
    s2s_domain domain;
    if (s2s_domain_make(s2s_span_of(name), &domain) != S2S_E_OK) {
        say(c, "error: that is not a domain\n");
        return;
    }
    desk->flush(desk->ctx, &domain);
    say(c, "ok\n");
}

static void answer(client *c)
{
    const char *q = c->line;
    c->asked = true;
    if (!strcmp(q, "status json"))
        show(c, APP_STATUS_JSON);
    else if (!strcmp(q, "status text"))
        show(c, APP_STATUS_TEXT);
    else if (!strcmp(q, "ledger"))
        show(c, APP_STATUS_LEDGER);
    else if (!strncmp(q, "flush ", 6))
        flush(c, q + 6);
    else
        say(c, "error: the questions are: status json, status text, ledger, flush DOMAIN\n");
}

/* ---- questions ---- */

static void give_room(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    client *c = h->data;
    (void)suggested;
    /* What comes after the question is read into the same place and forgotten. */
    size_t from = c->asked ? 0 : c->n;
    *buf = uv_buf_init(c->line + from, (unsigned)(sizeof c->line - from));
}

static void got_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    client *c = stream->data;
    (void)buf;
    if (n < 0) {
        /* Half closed after the question is fine; before it there is nothing to wait for. */
        if (c->asked && n == UV_EOF)
            uv_read_stop(stream);
        else
            client_close(c);
        return;
    }
    if (c->asked || n == 0) return;
    c->n += (size_t)n;
    char *end = memchr(c->line, '\n', c->n);
    if (end) {
        if (end > c->line && end[-1] == '\r') end--;
        *end = '\0';
        answer(c);
    } else if (c->n == sizeof c->line) {
        c->asked = true;
        say(c, "error: the question is too long\n");
    }
}

static void accept_one(app_admin *a, size_t place)
{
    client *c = app_take(sizeof *c);
    c->admin = a;
    c->open_handles = 2;
    s2s_buf_init(&c->out, 0);
    a->clients[place] = c;
    a->open++;
    S2S_ASSERT(uv_pipe_init(a->loop, &c->pipe, 0) == 0);
    S2S_ASSERT(uv_timer_init(a->loop, &c->patience) == 0);
    c->pipe.data = c->patience.data = c;
    if (uv_accept((uv_stream_t *)&a->pipe, (uv_stream_t *)&c->pipe) != 0 ||
        uv_timer_start(&c->patience, patience_ended, APP_ADMIN_PATIENCE, APP_ADMIN_PATIENCE) != 0 ||
        uv_read_start((uv_stream_t *)&c->pipe, give_room, got_bytes) != 0)
        client_close(c);
}

/* libuv takes one connection at a time and stops until it is accepted: so the rest waits in the kernel. */
static void accept_waiting(app_admin *a)
{
    for (size_t i = 0; i < APP_ADMIN_CLIENTS; i++) {
        if (a->clients[i]) continue;
        a->waiting = false;
        accept_one(a, i);
        return;
    }
}

static void somebody_came(uv_stream_t *stream, int status)
{
    app_admin *a = stream->data;
    if (status < 0) return;
    a->waiting = true;
    accept_waiting(a);
}

/* ---- life ---- */

app_admin *app_admin_new(uv_loop_t *loop, int fd, const char *path, const app_admin_desk *desk)
{
    app_admin *a = app_take(sizeof *a);
    struct stat st;
    a->loop = loop;
    a->desk = *desk;
    a->open = 1;
    a->path = app_take(strlen(path) + 1);
    memcpy(a->path, path, strlen(path));
    if (lstat(path, &st) == 0) a->inode = st.st_ino;
    S2S_ASSERT(uv_pipe_init(loop, &a->pipe, 0) == 0);
    a->pipe.data = a;
    S2S_ASSERT(uv_pipe_open(&a->pipe, fd) == 0);
    S2S_ASSERT(uv_listen((uv_stream_t *)&a->pipe, APP_ADMIN_CLIENTS, somebody_came) == 0);
    return a;
}

static void pipe_closed(uv_handle_t *h)
{
    admin_part_gone(h->data);
}

void app_admin_free(app_admin *a)
{
    if (!a) return;
    struct stat st;
    a->gone = true;
    if (lstat(a->path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == a->inode) unlink(a->path);
    for (size_t i = 0; i < APP_ADMIN_CLIENTS; i++)
        if (a->clients[i]) client_close(a->clients[i]);
    uv_close((uv_handle_t *)&a->pipe, pipe_closed);
}
