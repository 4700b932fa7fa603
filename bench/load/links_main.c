/* links_main.c - causeway-load links: the options of links.h. */
#include <stdio.h>

#include "links_options.h"

static const char usage[] =
    "usage: causeway-load links --ca FILE --outside ADDR --inside ADDR --remotes ADDR --locals "
    "ADDR\n"
    "           --remote-key FILE --remote-cert FILE | --issuer FILE --issuer-key FILE\n"
    "           [--local-cert FILE --local-key FILE] [OPTION...]\n"
    "  --issuer, --issuer-key  who signs a certificate for each remote (without: all show one)\n"
    "  --remotes               address of the first remote server (rI.far.example); each has one\n"
    "                          of its own, the next of the one before, and dials from it\n"
    "  --way in|out            the remotes dial, or the server under test does (in)\n"
    "  --proof external|dialback  (external)\n"
    "  --peer-cert yes|no      dialback: whether the remotes show a certificate when they dial,\n"
    "                          and ask for one (yes)\n"
    "  --tls starttls|direct   how the remotes dial (starttls)\n"
    "  --resume yes|no         out: what is measured are second links, whose TLS sessions the\n"
    "                          server may resume (no)\n"
    "  --count N  --warm N     links measured (1000), and set up before those (50)\n"
    "  --at-once N             how many are under way (16)\n"
    "  --rest S  --hold S      then they are left alone, and after that watched so long (0 s)\n"
    "  --stall S               given up when so long none came up (20 s)\n"
    "  --pid PID[,PID...]      whose CPU and memory is read\n"
    "  --json FILE\n";

typedef struct numbers {
    double count, warm, at_once, rest, hold, stall;
} numbers;

static bool read_options(links_plan *p, int argc, char **argv)
{
    numbers n = {.count = 1000, .warm = 50, .at_once = 16, .stall = 20};
    bool out = false, shows = true;
    links_option options[] = {
        [LINKS_COMMON] = {.name = "--way", .yes = "out", .no = "in", .flag = &out},
        {.name = "--resume", .yes = "yes", .no = "no", .flag = &p->resume},
        {.name = "--count", .number = &n.count, .at_most = 100000},
        {.name = "--warm", .number = &n.warm, .at_most = 100000},
        {.name = "--at-once", .number = &n.at_once, .at_most = 100000},
        {.name = "--rest", .number = &n.rest, .at_most = 86400},
        {.name = "--hold", .number = &n.hold, .at_most = 86400},
        {.name = "--stall", .number = &n.stall, .at_most = 3600},
    };
    links_common_options(p, &shows, options);
    if (!links_read(options, sizeof options / sizeof options[0], argc, argv)) return false;
    p->way = out ? LINKS_OUT : LINKS_IN;
    p->bare = !shows;
    p->count = (unsigned)n.count;
    p->warm = (unsigned)n.warm;
    p->at_once = (unsigned)n.at_once;
    p->rest_s = n.rest;
    p->hold_s = n.hold;
    p->stall_s = (unsigned)n.stall;
    return links_whole(p);
}

int links_main(int argc, char **argv, const volatile int *stopped)
{
    static links l;
    static links_plan plan;
    if (!read_options(&plan, argc, argv)) {
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
    if (plan.json && !links_write(&l, ok, plan.json)) {
        fprintf(stderr, "causeway-load: %s could not be written\n", plan.json);
        ok = false;
    }
    links_free(&l);
    return ok ? 0 : 1;
}
