/* admin_socket.c - the UNIX socket itself: made anew over a stale one, and the asking end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/admin.h"

static bool set_path(struct sockaddr_un *un, const char *path)
{
    memset(un, 0, sizeof *un);
    un->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof un->sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(un->sun_path, path, strlen(path));
    return true;
}

static int open_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int dial(const char *path)
{
    struct sockaddr_un un;
    if (!set_path(&un, path)) return -1;
    int fd = open_socket();
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&un, sizeof un) == 0) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* Whatever stands at the path may be replaced: nothing, or a socket without a listener. */
static const char *check_place(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0) return errno == ENOENT ? NULL : strerror(errno);
    if (!S_ISSOCK(st.st_mode)) return "something that is not a socket stands there";
    int fd = dial(path);
    if (fd >= 0) {
        close(fd);
        return "another daemon is listening there";
    }
    return errno == ECONNREFUSED ? NULL : strerror(errno);
}

/* Bound beside the path with its final permissions, then moved over it: nobody ever finds it half made. */
int app_admin_bind(const char *path, unsigned mode, const char **why)
{
    struct sockaddr_un un;
    char beside[sizeof un.sun_path + 16];
    *why = check_place(path);
    if (*why) return -1;
    snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid());
    int fd = set_path(&un, beside) ? open_socket() : -1;
    bool bound = false;
    if (fd >= 0) {
        unlink(beside);
        mode_t before = umask(0177);
        bound = bind(fd, (struct sockaddr *)&un, sizeof un) == 0;
        umask(before);
    }
    if (bound && listen(fd, APP_ADMIN_CLIENTS) == 0 && chmod(beside, mode) == 0 &&
        rename(beside, path) == 0)
        return fd;
    *why = strerror(errno);
    if (bound) unlink(beside);
    if (fd >= 0) close(fd);
    return -1;
}

static int send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return -1;
        bytes += sent;
        n -= (size_t)sent;
    }
    return 0;
}

int app_admin_ask(const char *path, const char *question,
                  void (*take)(void *ctx, const char *bytes, size_t n), void *ctx)
{
    char buffer[16384];
    int fd = dial(path), result = -1;
    if (fd < 0) return -1;
    if (send_all(fd, question, strlen(question)) == 0 && send_all(fd, "\n", 1) == 0) {
        ssize_t n;
        do {
            n = recv(fd, buffer, sizeof buffer, 0);
            if (n > 0) take(ctx, buffer, (size_t)n);
        } while (n > 0 || (n < 0 && errno == EINTR));
        result = n < 0 ? -1 : 0;
    }
    int why = errno;
    close(fd);
    errno = why;
    return result;
}
