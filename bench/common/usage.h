/* usage.h - what a process has used: CPU, memory, and how often it woke.
 * For:    the server under test, read from outside; a yardstick, read from inside.
 * Never:  keeps anything.                                                   */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdbool.h>

typedef struct used {
    double cpu, user, system;               /* s since it began; cpu is the finer figure */
    double rss_kb, rss_peak_kb, rss_own_kb; /* own: not of files */
    double wakes;                           /* times its threads slept and were woken */
} used;

typedef struct usage_pids { /* processes that are looked at as one */
    int pid[16];
    unsigned n;
} usage_pids;

bool usage_read(int pid, used *u);               /* false: there is no such process */
bool usage_sum(const usage_pids *pids, used *u); /* false: one of them is not there */
/* "PID" or "PID,PID,..."; false: it is not. */
bool usage_parse(usage_pids *pids, const char *text);
/* Reads until nothing more is used, for at most `limit_ms`; `wait` is called in between and takes some ms. */
bool usage_settle(const usage_pids *pids, used *u, unsigned limit_ms, void (*wait)(void *ctx),
                  void *ctx);

#endif
