/* main.c - causeway-relay: the yardstick of `./dev bench`.
 *
 *   causeway-relay --ca FILE --cert FILE --key FILE [--bytes] --door LISTEN,NEXT ...
 * What comes to LISTEN as streams leaves as a stream to NEXT; with --bytes nothing is parsed behind the handshakes. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "relay.h"

enum { MAX_DOORS = 8, ADDR = 64 };

typedef struct options {
    relay_plan plan;
    char listen[MAX_DOORS][ADDR], next[MAX_DOORS][ADDR];
    size_t n_doors;
} options;

static volatile int stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static bool take_door(options *o, const char *value)
{
    const char *comma = strchr(value, ',');
    if (!comma || o->n_doors == MAX_DOORS || comma - value >= ADDR || strlen(comma + 1) >= ADDR)
        return false;
    snprintf(o->listen[o->n_doors], ADDR, "%.*s", (int)(comma - value), value);
    snprintf(o->next[o->n_doors++], ADDR, "%s", comma + 1);
    return true;
}

static bool take(options *o, const char *name, const char *value)
{
    if (!strcmp(name, "--ca"))
        o->plan.ca = value;
    else if (!strcmp(name, "--cert"))
        o->plan.cert = value;
    else if (!strcmp(name, "--key"))
        o->plan.key = value;
    else
        return !strcmp(name, "--door") && take_door(o, value);
    return true;
}

static bool read_options(options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--bytes"))
            o->plan.bytes = true;
        else if (i + 1 == argc || !take(o, argv[i], argv[i + 1]))
            return false;
        else
            i++;
    }
    return o->plan.ca && o->plan.cert && o->plan.key && o->n_doors > 0;
}

int main(int argc, char **argv)
{
    static options o;
    if (!read_options(&o, argc, argv)) {
        fprintf(stderr, "usage: causeway-relay --ca FILE --cert FILE --key FILE [--bytes] "
                        "--door LISTEN,NEXT...\n");
        return 2;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    relay *r = relay_new(&o.plan);
    for (size_t i = 0; r && i < o.n_doors; i++)
        if (!relay_door(r, o.listen[i], o.next[i])) {
            relay_free(r);
            r = NULL;
        }
    if (!r) return 2;
    printf("ready\n");
    fflush(stdout);
    relay_run(r, &stopped);
    relay_free(r);
    return 0;
}
