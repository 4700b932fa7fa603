/* reserve.c - descriptors kept back for everything but accepting.
 *
 * At the limit a listener that goes on accepting takes what a dial, a DNS question or a file needs. So the loop holds a
 * few descriptors in reserve. When the first call fails for want of one, they are given out and the listeners pause:
 * whoever waits in the backlog waits there, served later, not dropped. They go on once the reserve is whole again. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/listener.h"
#include "io/loop_priv.h"

/* Descriptors may also be freed where we do not see it: by libunbound, by another process (ENFILE). */
enum { RETRY_MS = 500 };

bool io_reserve_is_shortage(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

bool io_reserve_take(io_loop *l)
{
    while (l->reserved < l->set.reserve) {
        int fd = fcntl(uv_backend_fd(&l->uv), F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            io_reserve_drop(l);
            return false;
        }
        l->reserve[l->reserved++] = fd;
    }
    return true;
}

void io_reserve_drop(io_loop *l)
{
    while (l->reserved > 0)
        close(l->reserve[--l->reserved]);
}

static void tell_listeners(io_loop *l)
{
    for (io_task *t = l->listeners.next; t != &l->listeners; t = t->next)
        t->run(t->ctx);
}

static void recover(void *ctx)
{
    io_loop *l = ctx;
    if (!l->starved) return;
    if (!io_reserve_take(l)) {
        if (!l->retry.armed) io_timer_set(l, &l->retry, io_loop_now(l) + RETRY_MS, recover, l);
        return;
    }
    io_timer_clear(l, &l->retry);
    l->starved = false;
    tell_listeners(l);
}

void io_reserve_starve(io_loop *l)
{
    if (l->starved) return;
    l->starved = true;
    io_reserve_drop(l);
    tell_listeners(l);
    io_timer_set(l, &l->retry, io_loop_now(l) + RETRY_MS, recover, l);
}

void io_reserve_freed(io_loop *l)
{
    if (!l->starved) return;
    io_task_init(&l->recover, recover, l);
    io_task_put(&l->flush, &l->recover);
}

uint64_t io_descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

void io_descriptors_widen(uint64_t n)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    if (n > limit.rlim_cur) n = limit.rlim_cur;
    if (n == 0 || n > INT_MAX) return;
    int low = eventfd(0, EFD_CLOEXEC);
    int high =
        low >= 0 ? fcntl(low, F_DUPFD_CLOEXEC, (int)n - 1) : -1; /* else it grows when it must */
    if (high >= 0) close(high);
    if (low >= 0) close(low);
}
