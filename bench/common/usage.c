/* usage.c - see usage.h. From /proc and the process's CPU clock. */
#include "usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Ticks of /proc/PID/stat are 10 ms; the CPU clock is the same sum in ns. */
static bool read_times(int pid, used *u)
{
    char path[64], line[1024];
    unsigned long user, system;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(line, 1, sizeof line - 1, f) : 0;
    if (f) fclose(f);
    line[n] = '\0';
    const char *p = strrchr(line, ')'); /* the name may hold anything */
    if (!p ||
        sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return false;
    double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
    u->user = (double)user * tick;
    u->system = (double)system * tick;
    u->cpu = u->user + u->system;
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &t) == 0)
        u->cpu = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
    return true;
}

static void read_memory(int pid, used *u)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        (void)sscanf(line, "VmRSS: %lf", &u->rss_kb);
        (void)sscanf(line, "VmHWM: %lf", &u->rss_peak_kb);
        (void)sscanf(line, "RssAnon: %lf", &u->rss_own_kb);
    }
    if (f) fclose(f);
}

static double wakes_of(const char *folder, const char *task)
{
    char path[512], line[256];
    double n = 0;
    snprintf(path, sizeof path, "%s/%s/status", folder, task);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        (void)sscanf(line, "voluntary_ctxt_switches: %lf", &n);
    if (f) fclose(f);
    return n;
}

static void read_wakes(int pid, used *u)
{
    char path[64];
    const struct dirent *task;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *folder = opendir(path);
    while (folder && (task = readdir(folder)) != NULL)
        if (task->d_name[0] != '.') u->wakes += wakes_of(path, task->d_name);
    if (folder) closedir(folder);
}

bool usage_read(int pid, used *u)
{
    memset(u, 0, sizeof *u);
    if (!read_times(pid, u)) return false;
    read_memory(pid, u);
    read_wakes(pid, u);
    return true;
}

bool usage_sum(const usage_pids *pids, used *u)
{
    memset(u, 0, sizeof *u);
    for (unsigned i = 0; i < pids->n; i++) {
        used one;
        if (!usage_read(pids->pid[i], &one)) return false;
        u->cpu += one.cpu;
        u->user += one.user;
        u->system += one.system;
        u->rss_kb += one.rss_kb;
        u->rss_peak_kb += one.rss_peak_kb;
        u->rss_own_kb += one.rss_own_kb;
        u->wakes += one.wakes;
    }
    return true;
}

bool usage_parse(usage_pids *pids, const char *text)
{
    pids->n = 0;
    while (pids->n < sizeof pids->pid / sizeof pids->pid[0]) {
        char *end;
        long pid = strtol(text, &end, 10);
        if (end == text || pid < 1 || pid > 1L << 30) return false;
        pids->pid[pids->n++] = (int)pid;
        if (!*end) return true;
        if (*end != ',') return false;
        text = end + 1;
    }
    return false;
}

bool usage_settle(const usage_pids *pids, used *u, unsigned limit_ms, void (*wait)(void *ctx),
                  void *ctx)
{
    enum { QUIET_MS = 60 };
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    double begun = (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6, since = begun, now = begun;
    if (!usage_sum(pids, u)) return false;
    while (now - since < QUIET_MS && now - begun < limit_ms) {
        used later;
        wait(ctx);
        if (!usage_sum(pids, &later)) return false;
        clock_gettime(CLOCK_MONOTONIC, &t);
        now = (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
        if (later.cpu > u->cpu) since = now;
        *u = later;
    }
    return true;
}
