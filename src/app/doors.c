#include "app/doors.h"

#include <stdio.h>
#include <string.h>

#include "app/fedconf.h"

typedef struct door {
    app_doors *doors;
    io_listener *listener;
    fed_side side;
} door;

struct app_doors {
    const app_settings *s;
    app_doors_fn *accepted;
    void *ctx;
    door *list;
    size_t n;
    fed_addr *own;
    size_t n_own;
};

/* The port of an outside "*" that an inside address has as well. */
static bool is_shared(const app_endpoint *a, const app_endpoints *others)
{
    for (size_t i = 0; i < others->n; i++)
        if (others->item[i].any != a->any && others->item[i].addr.port == a->addr.port) return true;
    return false;
}

static io_port port_of(const app_settings *s, const app_endpoint *e, fed_side side)
{
    if (!is_shared(e, side == FED_INSIDE ? &s->outside : &s->inside)) return IO_PORT_ALONE;
    return side == FED_INSIDE ? IO_PORT_BESIDE : IO_PORT_FIRST;
}

static void came(void *ctx, int fd, const io_addr *peer)
{
    const door *x = ctx;
    x->doors->accepted(x->doors->ctx, x->side, fd, peer);
}

/* ---- our own addresses ---- */

static void add_own(app_doors *d, const app_settings *s, io_addr addr, uint16_t port)
{
    addr.port = port;
    d->own = app_arena_more(s->arena, d->own, d->n_own, sizeof *d->own);
    d->own[d->n_own++] = app_addr_to_fed(&addr);
}

static void add_interfaces(app_doors *d, const app_settings *s, uint16_t port)
{
    uv_interface_address_t *list = NULL;
    int n = 0;
    if (uv_interface_addresses(&list, &n) != 0) return;
    for (int i = 0; i < n; i++) {
        io_addr addr;
        if (io_addr_of_sockaddr((const struct sockaddr *)&list[i].address, &addr) == S2S_E_OK)
            add_own(d, s, addr, port);
    }
    uv_free_interface_addresses(list, n);
}

/* ---- opening ---- */

static const char *fault(const app_settings *s, const app_endpoint *e, const char *what, int err)
{
    char text[IO_ADDR_TEXT];
    if (e->any)
        snprintf(text, sizeof text, "*:%u", e->addr.port);
    else
        io_addr_print(&e->addr, text);
    return app_arena_print(s->arena, "%s:%zu:%zu: %s: cannot listen on %s: %s", s->file, e->at.line,
                           e->at.column, what, text, uv_strerror(err));
}

static int open_door(app_doors *d, io_loop *loop, const app_endpoint *e, fed_side side)
{
    int err = 0;
    door *x = &d->list[d->n];
    const io_listen how = {
        .addr = e->addr, .port = port_of(d->s, e, side), .accepted = came, .ctx = x};
    x->doors = d;
    x->side = side;
    x->listener = io_listener_new(loop, &how, &err);
    if (!x->listener) return err;
    d->n++;
    return 0;
}

static const char *open_all(app_doors *d, io_loop *loop, const app_settings *s,
                            const app_endpoints *list, fed_side side)
{
    for (size_t i = 0; i < list->n; i++) {
        const app_endpoint *e = &list->item[i];
        int err = open_door(d, loop, e, side);
        if (err) return fault(s, e, side == FED_INSIDE ? "listen.inside" : "listen.outside", err);
        if (e->any)
            add_interfaces(d, s, e->addr.port);
        else
            add_own(d, s, e->addr, e->addr.port);
    }
    return NULL;
}

app_doors *app_doors_open(io_loop *loop, app_settings *s, app_doors_fn *accepted, void *ctx,
                          const char **why)
{
    app_doors *d = app_arena_take(s->arena, sizeof *d);
    *d = (app_doors){.s = s, .accepted = accepted, .ctx = ctx};
    d->list = app_arena_take(s->arena, (s->outside.n + s->inside.n) * sizeof *d->list);
    *why = open_all(d, loop, s, &s->outside, FED_OUTSIDE);
    if (!*why) *why = open_all(d, loop, s, &s->inside, FED_INSIDE);
    if (!*why) return d;
    app_doors_close(d);
    return NULL;
}

void app_doors_close(app_doors *d)
{
    if (!d) return;
    for (size_t i = 0; i < d->n; i++)
        io_listener_close(d->list[i].listener);
    d->n = 0;
}

const fed_addr *app_doors_own(const app_doors *d, size_t *n)
{
    *n = d->n_own;
    return d->own;
}
