/* listener.c - see listener.h. */
#include "io/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop_priv.h"

enum { BACKLOG = 4096 }; /* the kernel lowers it to net.core.somaxconn */

struct io_listener {
    io_loop *loop;
    io_listen how;
    io_addr addr;
    uv_poll_t poll;
    int fd;
    bool closed, watching;
    uint64_t pauses;
    io_task listed; /* on the loop's list of listeners */
    io_task turn;
};

static int set_flag(int fd, int level, int name, int on)
{
    return setsockopt(fd, level, name, &on, sizeof on);
}

/* Gives a listening descriptor or a negative errno. */
static int listen_on(int family, const struct sockaddr_storage *sa, socklen_t len, bool v6only,
                     io_port port)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    bool ok = set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 &&
              (family != AF_INET6 || set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only) == 0) &&
              (port != IO_PORT_BESIDE || set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1) == 0) &&
              bind(fd, (const struct sockaddr *)sa, len) == 0 && listen(fd, BACKLOG) == 0 &&
              (port != IO_PORT_FIRST || set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1) == 0);
    if (ok) return fd;
    int err = errno;
    close(fd);
    return -err;
}

static int listen_on_addr(const io_addr *a, io_port port)
{
    struct sockaddr_storage sa;
    socklen_t len = io_addr_to_sockaddr(a, false, &sa);
    return listen_on(sa.ss_family, &sa, len, true, port);
}

/* One dual-stack socket; where the machine has no IPv6, IPv4 alone. */
static int listen_on_all(uint16_t number, io_port port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(number)};
    struct sockaddr_storage sa;
    memset(&sa, 0, sizeof sa);
    memcpy(&sa, &in6, sizeof in6);
    int fd = listen_on(AF_INET6, &sa, sizeof in6, false, port);
    if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL) return fd;
    io_addr any4 = {.family = 4, .port = number};
    return listen_on_addr(&any4, port);
}

static void learn_port(io_listener *s)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    io_addr bound;
    s->addr = s->how.addr;
    if (getsockname(s->fd, (struct sockaddr *)&sa, &len) == 0 &&
        io_addr_of_sockaddr((const struct sockaddr *)&sa, &bound) == S2S_E_OK)
        s->addr.port = bound.port;
}

/* False: nothing more is to be had now. */
static bool accept_one(io_listener *s)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    int fd = accept4(s->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (io_reserve_is_shortage(errno)) io_reserve_starve(s->loop);
        /* Any other error belongs to one connection which died in the backlog. */
        return errno != EAGAIN && errno != EWOULDBLOCK && !s->loop->starved;
    }
    io_addr peer;
    if (io_addr_of_sockaddr((const struct sockaddr *)&sa, &peer) != S2S_E_OK) {
        close(fd); /* gone between handshake and accept: the kernel has no address for it */
        return true;
    }
    s->how.accepted(s->how.ctx, fd, &peer);
    return true;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void watch(io_listener *s, bool on)
{
    if (s->watching == on) return;
    s->watching = on;
    if (on)
        uv_poll_start(&s->poll, UV_READABLE, on_readable);
    else
        uv_poll_stop(&s->poll);
}

/* So many; true: there may be more. */
static bool accept_some(io_listener *s)
{
    for (unsigned n = 0; n < s->loop->set.accepts && !s->closed && !s->loop->starved; n++)
        if (!accept_one(s)) return false;
    return !s->closed && !s->loop->starved;
}

static void take_turn(void *ctx)
{
    io_listener *s = ctx;
    if (accept_some(s))
        io_task_put(io_rank_list(s->loop, s->how.rank), &s->turn);
    else if (!s->closed && !s->loop->starved)
        watch(s, true);
}

/* While it waits for its turn the loop need not hear of it. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    io_listener *s = poll->data;
    io_list *list = io_rank_list(s->loop, s->how.rank);
    (void)status;
    (void)events;
    if (!list) {
        (void)accept_some(s);
        return;
    }
    watch(s, false);
    io_task_put(list, &s->turn);
}

static void starved_or_not(void *ctx)
{
    io_listener *s = ctx;
    s->pauses += s->loop->starved;
    if (s->loop->starved) io_task_drop(&s->turn);
    watch(s, !s->loop->starved);
}

io_listener *io_listener_new(io_loop *l, const io_listen *how, int *err)
{
    io_listener *s = calloc(1, sizeof *s);
    *err = s ? 0 : -ENOMEM;
    if (!s) return NULL;
    s->loop = l;
    s->how = *how;
    s->fd = how->addr.family == 0 ? listen_on_all(how->addr.port, how->port)
                                  : listen_on_addr(&how->addr, how->port);
    *err = s->fd < 0 ? s->fd : uv_poll_init(&l->uv, &s->poll, s->fd);
    if (*err != 0) {
        if (s->fd >= 0) close(s->fd);
        free(s);
        return NULL;
    }
    s->poll.data = s;
    learn_port(s);
    io_task_init(&s->turn, take_turn, s);
    io_task_init(&s->listed, starved_or_not, s);
    io_task_put(&l->listeners, &s->listed);
    watch(s, !l->starved);
    return s;
}

const io_addr *io_listener_addr(const io_listener *s)
{
    return &s->addr;
}

bool io_listener_paused(const io_listener *s)
{
    return s->loop->starved;
}

uint64_t io_listener_pauses(const io_listener *s)
{
    return s->pauses;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void io_listener_close(io_listener *s)
{
    if (!s) return;
    s->closed = true;
    io_task_drop(&s->listed);
    io_task_drop(&s->turn);
    uv_close((uv_handle_t *)&s->poll, on_closed);
    close(s->fd);
    io_reserve_freed(s->loop);
}
