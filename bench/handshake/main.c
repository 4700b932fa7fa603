/* main.c - causeway-handshake: bare TLS handshakes, the yardstick of links in `./dev bench`.
 *
 *   causeway-handshake --serve ADDR --ca FILE --cert FILE --key FILE [--mutual] [--resume]
 *   causeway-handshake --dial ADDR --ca FILE --name NAME --pid PID [--cert FILE --key FILE --mutual] [--resume]
 *                      [--count N] [--warm N] [--at-once N]
 * Who dials prints both sides' CPU as JSON; PID is who serves. Exit status 0: all were up. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shake.h"

static volatile int stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static bool take_number(shake_plan *p, const char *name, const char *value)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);
    if (!*value || *end || n > 10000000) return false;
    if (!strcmp(name, "--count"))
        p->count = (unsigned)n;
    else if (!strcmp(name, "--warm"))
        p->warm = (unsigned)n;
    else if (!strcmp(name, "--at-once") && n > 0)
        p->at_once = (unsigned)n;
    else if (!strcmp(name, "--pid"))
        p->pid = (int)n;
    else
        return false;
    return true;
}

static bool take(shake_plan *p, bool *serves, const char *name, const char *value)
{
    if (!strcmp(name, "--serve") || !strcmp(name, "--dial")) {
        *serves = !strcmp(name, "--serve");
        p->addr = value;
    } else if (!strcmp(name, "--ca"))
        p->ca = value;
    else if (!strcmp(name, "--cert"))
        p->cert = value;
    else if (!strcmp(name, "--key"))
        p->key = value;
    else if (!strcmp(name, "--name"))
        p->name = value;
    else
        return take_number(p, name, value);
    return true;
}

static bool read_options(shake_plan *p, int argc, char **argv)
{
    bool serves = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--mutual"))
            p->mutual = true;
        else if (!strcmp(argv[i], "--resume"))
            p->resume = true;
        else if (i + 1 == argc || !take(p, &serves, argv[i], argv[i + 1]))
            return false;
        else
            i++;
    }
    bool certified = p->cert && p->key;
    if (!p->addr || !p->ca || serves != !p->name || !p->cert != !p->key) return false;
    return serves ? certified : p->pid > 0 && p->count > 0 && (certified || !p->mutual);
}

static void show(const shake_result *r)
{
    printf("{\"count\": %u, \"resumed\": %u, \"seconds\": %.6f, \"client_cpu_s\": %.6f, "
           "\"server_cpu_s\": %.6f, \"client_us\": %.2f, \"server_us\": %.2f, "
           "\"server_rss_kb\": %.1f, \"version\": \"%s\", \"cipher\": \"%s\"}\n",
           r->count, r->resumed, r->seconds, r->client_cpu, r->server_cpu,
           r->client_cpu * 1e6 / r->count, r->server_cpu * 1e6 / r->count,
           r->server_rss_kb / r->count, r->version, r->cipher);
}

int main(int argc, char **argv)
{
    shake s = {.stopped = &stopped};
    shake_result result;
    shake_plan plan = {.count = 1000, .warm = 50, .at_once = 16};
    struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART: waiting ends */
    if (!read_options(&plan, argc, argv)) {
        fprintf(stderr, "usage: causeway-handshake --serve ADDR --ca FILE --cert FILE --key FILE "
                        "[--mutual] [--resume]\n"
                        "       causeway-handshake --dial ADDR --ca FILE --name NAME --pid PID "
                        "[--cert FILE --key FILE --mutual]\n"
                        "           [--resume] [--count N] [--warm N] [--at-once N]\n");
        return 2;
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    bool ok = shake_init(&s, &plan) && (plan.name ? shake_dial(&s, &result) : shake_serve(&s));
    if (ok && plan.name) show(&result);
    shake_fini(&s);
    return ok ? 0 : 1;
}
