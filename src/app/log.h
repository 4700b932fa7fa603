/* log.h - one line per event on stderr: time=... level=... event=... key=value ...
 * For:    stable event names; values of strangers escaped; floods of one kind counted instead of written.
 * Never:  waits for the reader: what a full pipe does not take is kept (bounded), then dropped and counted, and the
 *         count is told when there is room again.
 * Owner:  app, one thread. The descriptor stays the caller's.               */
#ifndef APP_LOG_H
#define APP_LOG_H

#include "fed/world.h"

typedef struct app_log app_log;

enum {
    APP_LOG_LINE = 4096, /* bytes at most, LF included: what a pipe takes in one piece (PIPE_BUF) */
    APP_LOG_KEPT = 256 * 1024, /* bytes kept for a slow reader */
    APP_LOG_KIND_RATE = 10,    /* lines a second of one event with one why, or for one domain */
    APP_LOG_EVENT_RATE = 200   /* lines a second of one event */
};

/* Pipes and terminals are opened anew without blocking, so that others who hold the descriptor notice nothing. */
app_log *app_log_new(int fd, fed_level least);
void app_log_free(app_log *l); /* tries to write what is kept, once; NULL is fine */
void app_log_least(app_log *l, fed_level least);

void app_log_write(app_log *l, fed_level level, const char *event, const fed_field *fields,
                   size_t n);
/* The same from "key", "value", ... pairs of C strings, ended by NULL. */
void app_log_say(app_log *l, fed_level level, const char *event, ...) __attribute__((sentinel));

/* Once a second: tells what was held back, and writes what is kept. */
void app_log_tick(app_log *l);

uint64_t app_log_dropped(const app_log *l); /* lines lost to a slow reader */
uint64_t app_log_held_back(
    const app_log *l); /* lines not written because there were too many of their kind */

/* For tests: both clocks in ms, the first since 1970. */
typedef struct app_log_clock {
    uint64_t (*wall)(void);
    uint64_t (*steady)(void);
} app_log_clock;
void app_log_use_clock(app_log *l, const app_log_clock *clock);

/* One value as it stands in a line; how many bytes. Cut at 512 bytes of input. */
size_t app_log_value(s2s_span value, char *out, size_t size);

#endif
