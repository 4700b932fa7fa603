/* run.c - the two roles from begin to end; see shake.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shake.h"

enum { BACKLOG = 4096, TURN_MS = 1000, STALL_S = 20, SETTLE_MS = 2000 };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool address(const char *text, struct sockaddr_in *out)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    unsigned port = 0;
    if (!colon || (size_t)(colon - text) >= sizeof host || sscanf(colon + 1, "%u", &port) != 1 ||
        port == 0 || port > 65535)
        return false;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, host, &out->sin_addr) == 1;
}

static int open_socket(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

bool shake_serve(shake *s)
{
    struct sockaddr_in where;
    struct epoll_event event = {.events = EPOLLIN};
    int one = 1, fd = open_socket();
    bool ok = fd >= 0 && address(s->plan->addr, &where) &&
              setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
              bind(fd, (const struct sockaddr *)&where, sizeof where) == 0 &&
              listen(fd, BACKLOG) == 0 && epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
    if (ok) {
        printf("ready\n");
        fflush(stdout);
        while (!*s->stopped)
            shake_turn(s, fd, TURN_MS);
    } else
        fprintf(stderr, "causeway-handshake: cannot listen at %s: %s\n", s->plan->addr,
                strerror(errno));
    if (fd >= 0) close(fd);
    return ok;
}

static bool dial_one(shake *s, const struct sockaddr_in *to)
{
    int fd = open_socket();
    if (fd < 0) return false;
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0 && errno != EINPROGRESS) {
        close(fd);
        return false;
    }
    return shake_begin(s, fd, true);
}

/* Some at a time until `count` more are up. */
static bool dial_many(shake *s, const struct sockaddr_in *to, unsigned count)
{
    unsigned until = s->up + count, begun = s->up;
    double moved = now_s();
    while (s->up < until) {
        unsigned up = s->up;
        for (; begun < until && begun - s->up < s->plan->at_once; begun++)
            if (!dial_one(s, to)) return false;
        shake_turn(s, -1, TURN_MS);
        if (s->up > up) moved = now_s();
        if (s->failed || s->gone || *s->stopped || now_s() - moved > STALL_S) return false;
    }
    return true;
}

static void wait_a_little(void *ctx)
{
    shake_turn(ctx, -1, 10);
}

static bool measure(shake *s, const struct sockaddr_in *to, shake_result *into)
{
    int self = (int)getpid();
    used server[2], client[2];
    const usage_pids pids = {.pid = {s->plan->pid}, .n = 1};
    if (!usage_settle(&pids, &server[0], SETTLE_MS, wait_a_little, s)) return false;
    unsigned resumed = s->resumed;
    double begun = now_s();
    if (!usage_read(self, &client[0]) || !dial_many(s, to, s->plan->count) ||
        !usage_read(self, &client[1]))
        return false;
    into->seconds = now_s() - begun;
    if (!usage_settle(&pids, &server[1], SETTLE_MS, wait_a_little, s)) return false;
    into->count = s->plan->count;
    into->resumed = s->resumed - resumed;
    into->client_cpu = client[1].cpu - client[0].cpu;
    into->server_cpu = server[1].cpu - server[0].cpu;
    into->server_rss_kb = server[1].rss_kb - server[0].rss_kb;
    const SSL *last = s->all.prev->ssl;
    snprintf(into->version, sizeof into->version, "%s", SSL_get_version(last));
    snprintf(into->cipher, sizeof into->cipher, "%s", SSL_get_cipher_name(last));
    return true;
}

bool shake_dial(shake *s, shake_result *into)
{
    struct sockaddr_in to;
    memset(into, 0, sizeof *into);
    bool ok =
        address(s->plan->addr, &to) && dial_many(s, &to, s->plan->warm) && measure(s, &to, into);
    if (!ok)
        fprintf(stderr, "causeway-handshake: %u up, %u failed, %u ended\n", s->up, s->failed,
                s->gone);
    return ok;
}
