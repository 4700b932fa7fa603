/* links_main.c - causeway-load links: the options of links.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "links.h"

static const char usage[] =
    "usage: causeway-load links --ca FILE --outside ADDR --inside ADDR --remotes ADDR --locals "
    "ADDR\n"
    "           --remote-cert FILE --remote-key FILE [--local-cert FILE --local-key FILE] "
    "[OPTION...]\n"
    "  --remotes               address of the first remote server (rI.far.example); each has one\n"
    "                          of its own, the next of the one before, and dials from it\n"
    "  --way in|out            the remotes dial, or the server under test does (in)\n"
    "  --proof external|dialback  (external)\n"
    "  --peer-cert yes|no      dialback: whether the remotes show a certificate when they dial,\n"
    "                          and ask for one (yes)\n"
    "  --resume yes|no         out: what is measured are second links, whose TLS sessions the\n"
    "                          server may resume (no)\n"
    "  --count N  --warm N     links measured (1000), and set up before those (50)\n"
    "  --at-once N             how many are under way (16)\n"
    "  --rest S  --hold S      then they are left alone, and after that watched so long (0 s)\n"
    "  --stall S               given up when so long none came up (20 s)\n"
    "  --pid PID               whose CPU and memory is read\n"
    "  --json FILE\n";

typedef struct option {
    const char *name;
    const char **text;       /* a file or address, or */
    const char *yes, *no;    /* one of two words, or */
    bool *flag;              /*   yes sets it */
    double *number, at_most; /* a number */
} option;

static bool take(const option *o, const char *value)
{
    if (o->text) {
        *o->text = value;
        return true;
    }
    if (o->flag) {
        *o->flag = !strcmp(value, o->yes);
        return *o->flag || !strcmp(value, o->no);
    }
    char *end;
    *o->number = strtod(value, &end);
    return *value && !*end && *o->number >= 0 && *o->number <= o->at_most;
}

typedef struct numbers {
    double count, warm, at_once, rest, hold, stall, pid;
} numbers;

static bool read_all(const option *options, size_t n, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const option *o = options;
        while (o < options + n && strcmp(o->name, argv[i]) != 0)
            o++;
        if (o == options + n || i + 1 == argc || !take(o, argv[i + 1])) {
            fprintf(stderr, "causeway-load links: what is %s %s?\n", argv[i],
                    i + 1 < argc ? argv[i + 1] : "");
            return false;
        }
    }
    return true;
}

static bool read_options(links_plan *p, const char **json, int argc, char **argv)
{
    numbers n = {.count = 1000, .warm = 50, .at_once = 16, .stall = 20};
    bool out = false, shows = true;
    const option options[] = {
        {.name = "--ca", .text = &p->ca},
        {.name = "--outside", .text = &p->outside},
        {.name = "--inside", .text = &p->inside},
        {.name = "--remotes", .text = &p->remotes},
        {.name = "--locals", .text = &p->locals},
        {.name = "--remote-cert", .text = &p->remote_cert},
        {.name = "--remote-key", .text = &p->remote_key},
        {.name = "--local-cert", .text = &p->local_cert},
        {.name = "--local-key", .text = &p->local_key},
        {.name = "--json", .text = json},
        {.name = "--way", .yes = "out", .no = "in", .flag = &out},
        {.name = "--proof", .yes = "dialback", .no = "external", .flag = &p->dialback},
        {.name = "--peer-cert", .yes = "yes", .no = "no", .flag = &shows},
        {.name = "--resume", .yes = "yes", .no = "no", .flag = &p->resume},
        {.name = "--count", .number = &n.count, .at_most = 100000},
        {.name = "--warm", .number = &n.warm, .at_most = 100000},
        {.name = "--at-once", .number = &n.at_once, .at_most = 100000},
        {.name = "--rest", .number = &n.rest, .at_most = 86400},
        {.name = "--hold", .number = &n.hold, .at_most = 86400},
        {.name = "--stall", .number = &n.stall, .at_most = 3600},
        {.name = "--pid", .number = &n.pid, .at_most = 1u << 30},
    };
    if (!read_all(options, sizeof options / sizeof options[0], argc, argv)) return false;
    p->way = out ? LINKS_OUT : LINKS_IN;
    p->bare = !shows;
    p->count = (unsigned)n.count;
    p->warm = (unsigned)n.warm;
    p->at_once = (unsigned)n.at_once;
    p->rest_s = n.rest;
    p->hold_s = n.hold;
    p->stall_s = (unsigned)n.stall;
    p->pid = (int)n.pid;
    bool whole = p->ca && p->outside && p->inside && p->remotes && p->locals && p->remote_cert &&
                 p->remote_key && !p->local_cert == !p->local_key;
    bool sane = p->count > 0 && p->at_once > 0 && p->stall_s > 0 && (p->dialback || !p->bare) &&
                (out || !p->resume);
    return whole && sane;
}

int links_main(int argc, char **argv, const volatile int *stopped)
{
    static links l;
    static links_plan plan;
    const char *json = NULL;
    if (!read_options(&plan, &json, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    l.progress = links_progress;
    l.stopped = stopped;
    if (!links_prepare(&l, &plan)) {
        fprintf(stderr, "causeway-load: could not set the stage (an address in use, a bad "
                        "certificate, or no memory)\n");
        links_free(&l);
        return 2;
    }
    bool ok = links_run(&l);
    links_print(&l, ok);
    if (json && !links_write(&l, ok, json)) {
        fprintf(stderr, "causeway-load: %s could not be written\n", json);
        ok = false;
    }
    links_free(&l);
    return ok ? 0 : 1;
}
