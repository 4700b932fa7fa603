#include "app/doors.h"

#include <stdio.h>
#include <string.h>

#include "app/fedconf.h"

typedef struct door {
    app_doors *doors;
    io_listener *listener;
    fed_side side;
    bool direct;
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

/* One list of the settings. */
typedef struct hall {
    const char *name;
    const app_endpoints *list;
    fed_side side;
    bool direct;
} hall;

enum { HALLS = 3 };

static void halls_of(const app_settings *s, hall out[HALLS])
{
    out[0] = (hall){"listen.outside", &s->outside, FED_OUTSIDE, false};
    out[1] = (hall){"listen.direct_tls", &s->direct_tls, FED_OUTSIDE, true};
    out[2] = (hall){"listen.inside", &s->inside, FED_INSIDE, false};
}

/* "*" and a single address on one port: the wider one is bound first (listener.h). */
static io_port port_of(const app_settings *s, const app_endpoint *e)
{
    hall halls[HALLS];
    halls_of(s, halls);
    for (size_t k = 0; k < HALLS; k++)
        for (size_t i = 0; i < halls[k].list->n; i++) {
            const app_endpoint *other = &halls[k].list->item[i];
            if (other->any != e->any && other->addr.port == e->addr.port)
                return e->any ? IO_PORT_FIRST : IO_PORT_BESIDE;
        }
    return IO_PORT_ALONE;
}

static void came(void *ctx, int fd, const io_addr *peer)
{
    const door *x = ctx;
    x->doors->accepted(x->doors->ctx, x->side, x->direct, fd, peer);
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

static int open_door(app_doors *d, io_loop *loop, const app_endpoint *e, const hall *h)
{
    int err = 0;
    door *x = &d->list[d->n];
    const io_listen how = {.addr = e->addr,
                           .port = port_of(d->s, e),
                           .rank = h->side == FED_INSIDE ? IO_RANK_FAVOURED : IO_RANK_NEW,
                           .accepted = came,
                           .ctx = x};
    *x = (door){.doors = d, .side = h->side, .direct = h->direct};
    x->listener = io_listener_new(loop, &how, &err);
    if (!x->listener) return err;
    d->n++;
    return 0;
}

static const char *open_hall(app_doors *d, io_loop *loop, const hall *h, bool any)
{
    for (size_t i = 0; i < h->list->n; i++) {
        const app_endpoint *e = &h->list->item[i];
        if (e->any != any) continue;
        int err = open_door(d, loop, e, h);
        if (err) return fault(d->s, e, h->name, err);
        if (e->any)
            add_interfaces(d, d->s, e->addr.port);
        else
            add_own(d, d->s, e->addr, e->addr.port);
    }
    return NULL;
}

static const char *open_all(app_doors *d, io_loop *loop)
{
    hall halls[HALLS];
    halls_of(d->s, halls);
    const char *why = NULL;
    for (int narrow = 0; narrow < 2; narrow++)
        for (size_t k = 0; k < HALLS && !why; k++)
            why = open_hall(d, loop, &halls[k], narrow == 0);
    return why;
}

app_doors *app_doors_open(io_loop *loop, app_settings *s, app_doors_fn *accepted, void *ctx,
                          const char **why)
{
    app_doors *d = app_arena_take(s->arena, sizeof *d);
    *d = (app_doors){.s = s, .accepted = accepted, .ctx = ctx};
    size_t n = s->outside.n + s->direct_tls.n + s->inside.n;
    d->list = app_arena_take(s->arena, n * sizeof *d->list);
    *why = open_all(d, loop);
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
