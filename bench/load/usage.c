/* usage.c - what a process has used, from /proc and its CPU clock. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

/* Ticks of /proc/PID/stat are 10 ms; the CPU clock is the same sum in ns. */
static bool read_times(int pid, load_usage *u)
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

static void read_memory(int pid, load_usage *u)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        (void)sscanf(line, "VmRSS: %lf", &u->rss_kb);
        (void)sscanf(line, "VmHWM: %lf", &u->rss_peak_kb);
    }
    if (f) fclose(f);
}

bool usage_read(int pid, load_usage *u)
{
    memset(u, 0, sizeof *u);
    if (!read_times(pid, u)) return false;
    read_memory(pid, u);
    return true;
}
