#include "app/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/arena.h"

enum {
    KINDS = 512,
    EVENTS = 128 /* more than there are names */,
    VALUE_MAX = 512,
    FIELDS_MAX = 24,
    SECOND = 1000
};

typedef enum sink { SINK_PLAIN, SINK_COPY, SINK_SOCKET, SINK_POLLED } sink;

/* How many lines of one kind were written in the current second. */
typedef struct slot {
    uint32_t hash;
    unsigned written;
    unsigned held_back;
    uint64_t since; /* ms */
    char name[48];  /* event and why, to tell what was held back */
} slot;

struct app_log {
    int fd;
    sink sink;
    fed_level least;
    app_log_clock clock;
    uint64_t dropped, told, held_back;
    slot kinds[KINDS]; /* strangers make kinds: a new one takes the place of an old one */
    slot events[EVENTS];
    size_t start, end; /* in kept */
    char kept[APP_LOG_KEPT];
};

static uint64_t read_clock(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

static uint64_t steady(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static void open_sink(app_log *l, int fd)
{
    struct stat st;
    l->fd = fd;
    l->sink = SINK_PLAIN;
    if (fstat(fd, &st) != 0 || S_ISREG(st.st_mode)) return;
    if (S_ISSOCK(st.st_mode)) {
        l->sink = SINK_SOCKET;
        return;
    }
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int copy = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    l->sink = copy >= 0 ? SINK_COPY : SINK_POLLED;
    if (copy >= 0) l->fd = copy;
}

app_log *app_log_new(int fd, fed_level least)
{
    app_log *l = app_take(sizeof *l);
    l->least = least;
    l->clock = (app_log_clock){wall, steady};
    open_sink(l, fd);
    return l;
}

void app_log_use_clock(app_log *l, const app_log_clock *clock)
{
    l->clock = *clock;
}

void app_log_least(app_log *l, fed_level least)
{
    l->least = least;
}

uint64_t app_log_dropped(const app_log *l)
{
    return l->dropped;
}

uint64_t app_log_held_back(const app_log *l)
{
    return l->held_back;
}

/* ---- getting rid of bytes ---- */

static ssize_t put(const app_log *l, const char *bytes, size_t n)
{
    switch (l->sink) {
    case SINK_SOCKET: return send(l->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    case SINK_POLLED: {
        /* POLLOUT on a pipe promises room for PIPE_BUF bytes. */
        struct pollfd p = {.fd = l->fd, .events = POLLOUT};
        if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT)) {
            errno = EAGAIN;
            return -1;
        }
        return write(l->fd, bytes, n < APP_LOG_LINE ? n : APP_LOG_LINE);
    }
    case SINK_PLAIN:
    case SINK_COPY: return write(l->fd, bytes, n);
    }
    return -1;
}

static void drop_kept(app_log *l)
{
    for (size_t i = l->start; i < l->end; i++)
        l->dropped += l->kept[i] == '\n';
    l->start = l->end = 0;
}

static void flush(app_log *l)
{
    while (l->start < l->end) {
        ssize_t n = put(l, l->kept + l->start, l->end - l->start);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n <= 0) { /* no space left, reader gone: these lines are lost, the next may pass */
            drop_kept(l);
            return;
        }
        l->start += (size_t)n;
    }
    l->start = l->end = 0;
}

static void keep(app_log *l, const char *line, size_t n)
{
    if (l->end + n > APP_LOG_KEPT && l->start > 0) {
        memmove(l->kept, l->kept + l->start, l->end - l->start);
        l->end -= l->start;
        l->start = 0;
    }
    if (l->end + n > APP_LOG_KEPT) {
        l->dropped++;
        return;
    }
    memcpy(l->kept + l->end, line, n);
    l->end += n;
    flush(l);
}

/* ---- one line ---- */

static bool is_plain(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("._:/@+*[],%-", c) != NULL);
}

static size_t escape(unsigned char c, char out[5])
{
    if (c == '"' || c == '\\') return (size_t)snprintf(out, 5, "\\%c", c);
    if (c == '\n') return (size_t)snprintf(out, 5, "\\n");
    if (c < 0x20 || c >= 0x7f) return (size_t)snprintf(out, 5, "\\x%02x", c);
    return (size_t)snprintf(out, 5, "%c", c);
}

size_t app_log_value(s2s_span v, char *out, size_t size)
{
    size_t n = v.len < VALUE_MAX ? v.len : VALUE_MAX, at = 0;
    bool plain = v.len > 0 && v.len <= VALUE_MAX;
    for (size_t i = 0; i < n && plain; i++)
        plain = is_plain((unsigned char)v.ptr[i]);
    if (plain) return (size_t)snprintf(out, size, "%.*s", (int)n, v.ptr);
    at += (size_t)snprintf(out, size, "\"");
    for (size_t i = 0; i < n && at + 10 < size; i++) {
        char piece[5];
        size_t len = escape((unsigned char)v.ptr[i], piece);
        memcpy(out + at, piece, len);
        at += len;
    }
    return at + (size_t)snprintf(out + at, size - at, n < v.len ? "...\"" : "\"");
}

static const char *level_name(fed_level level)
{
    switch (level) {
    case FED_DEBUG: return "debug";
    case FED_INFO: return "info";
    case FED_NOTICE: return "notice";
    case FED_WARN: return "warn";
    case FED_ERROR: return "error";
    }
    return "";
}

static size_t begin_line(const app_log *l, fed_level level, const char *event, char *line)
{
    uint64_t ms = l->clock.wall();
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t at = strftime(line, APP_LOG_LINE, "time=%Y-%m-%dT%H:%M:%S", &tm);
    return at + (size_t)snprintf(line + at, APP_LOG_LINE - at, ".%03uZ level=%s event=%s",
                                 (unsigned)(ms % 1000), level_name(level), event);
}

static void make_line(app_log *l, fed_level level, const char *event, const fed_field *fields,
                      size_t n)
{
    char line[APP_LOG_LINE];
    size_t at = begin_line(l, level, event, line);
    for (size_t i = 0; i < n; i++) {
        char value[4 * VALUE_MAX + 16];
        size_t len = app_log_value(fields[i].value, value, sizeof value);
        if (at + 2 + strlen(fields[i].key) + len + 2 > sizeof line) break;
        at += (size_t)snprintf(line + at, sizeof line - at, " %s=%s", fields[i].key, value);
    }
    line[at++] = '\n';
    keep(l, line, at);
}

/* ---- floods ---- */

static uint32_t hash(uint32_t h, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)bytes[i]) * 16777619U;
    return (h ^ 0x1f) * 16777619U;
}

/* What the line is about: its why, or else the domains it names. */
static uint32_t hash_kind(uint32_t h, const fed_field *fields, size_t n, s2s_span *why)
{
    static const char *const DOMAINS[] = {"domain", "from", "to", "server"};
    *why = (s2s_span){NULL, 0};
    for (size_t i = 0; i < n; i++)
        if (!strcmp(fields[i].key, "why")) *why = fields[i].value;
    if (why->len) return hash(h, why->ptr, why->len);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof DOMAINS / sizeof *DOMAINS; k++)
            if (!strcmp(fields[i].key, DOMAINS[k]))
                h = hash(h, fields[i].value.ptr, fields[i].value.len);
    return h;
}

static void tell_held_back(app_log *l, slot *s)
{
    if (s->held_back == 0) return;
    char lines[16];
    snprintf(lines, sizeof lines, "%u", s->held_back);
    s->held_back = 0;
    const fed_field fields[] = {{"of", s2s_span_of(s->name)}, {"lines", s2s_span_of(lines)}};
    make_line(l, FED_NOTICE, "log_held_back", fields, 2);
}

static slot *event_slot(app_log *l, uint32_t h)
{
    size_t i = h % EVENTS;
    for (size_t n = 0; n < EVENTS && l->events[i].hash && l->events[i].hash != h; n++)
        i = (i + 1) % EVENTS;
    return &l->events[i];
}

static bool count_line(app_log *l, slot *s, uint32_t h, unsigned most, const char *event,
                       s2s_span why)
{
    uint64_t now = l->clock.steady();
    if (s->hash != h || now - s->since >= SECOND) {
        tell_held_back(l, s);
        *s = (slot){.hash = h, .since = now};
        snprintf(s->name, sizeof s->name, "%s%s%.*s", event, why.len ? ":" : "",
                 (int)(why.len < 32 ? why.len : 32), why.len ? why.ptr : "");
    }
    if (s->written < most) {
        s->written++;
        return true;
    }
    s->held_back++;
    l->held_back++;
    return false;
}

static bool passes(app_log *l, fed_level level, const char *event, const fed_field *fields,
                   size_t n)
{
    if (level == FED_DEBUG) return true; /* asked for */
    s2s_span why;
    uint32_t of_event = hash(2166136261U, event, strlen(event));
    uint32_t of_kind = hash_kind(of_event, fields, n, &why);
    slot *kind = &l->kinds[of_kind % KINDS];
    if (!count_line(l, kind, of_kind, APP_LOG_KIND_RATE, event, why)) return false;
    return count_line(l, event_slot(l, of_event), of_event, APP_LOG_EVENT_RATE, event,
                      (s2s_span){NULL, 0});
}

/* ---- for everybody ---- */

static void tell_dropped(app_log *l)
{
    if (l->dropped == l->told || l->end - l->start > APP_LOG_KEPT / 2) return;
    char lines[24];
    snprintf(lines, sizeof lines, "%llu", (unsigned long long)(l->dropped - l->told));
    l->told = l->dropped;
    const fed_field field = {"lines", s2s_span_of(lines)};
    make_line(l, FED_WARN, "log_dropped", &field, 1);
}

void app_log_write(app_log *l, fed_level level, const char *event, const fed_field *fields,
                   size_t n)
{
    if (level < l->least || !passes(l, level, event, fields, n)) return;
    flush(l);
    tell_dropped(l);
    make_line(l, level, event, fields, n);
}

void app_log_say(app_log *l, fed_level level, const char *event, ...)
{
    fed_field fields[FIELDS_MAX];
    size_t n = 0;
    va_list args;
    va_start(args, event);
    for (const char *key; n < FIELDS_MAX && (key = va_arg(args, const char *)) != NULL; n++)
        fields[n] = (fed_field){key, s2s_span_of(va_arg(args, const char *))};
    va_end(args);
    app_log_write(l, level, event, fields, n);
}

/* Of the seconds that are over, or of all. */
static void tell_all_held_back(app_log *l, bool all)
{
    uint64_t now = l->clock.steady();
    for (size_t i = 0; i < KINDS; i++)
        if (all || now - l->kinds[i].since >= SECOND) tell_held_back(l, &l->kinds[i]);
    for (size_t i = 0; i < EVENTS; i++)
        if (all || now - l->events[i].since >= SECOND) tell_held_back(l, &l->events[i]);
}

void app_log_tick(app_log *l)
{
    tell_all_held_back(l, false);
    flush(l);
    tell_dropped(l);
}

void app_log_free(app_log *l)
{
    if (!l) return;
    tell_all_held_back(l, true);
    flush(l);
    tell_dropped(l);
    flush(l);
    if (l->sink == SINK_COPY) close(l->fd);
    free(l);
}
