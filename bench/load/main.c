/* main.c - causeway-load: loads an S2S server with numbered stanzas and says what they cost and what became of them.
 *
 * It plays N remote servers (rI.far.example) and one local server (lJ.near.example) around the server under test: inbound over
 * a link for each remote, outbound over one link of the local server, or over a component for each local domain. Exit status 0:
 * everything arrived once, in order, unchanged. causeway-load.1 is its manual. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "links.h"
#include "links_storm.h"
#include "report.h"

static volatile int stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static const char usage[] =
    "usage: causeway-load links ...   (links set up and held: see there)\n"
    "       causeway-load storm ...   (stanzas while links are set up: see there)\n"
    "       causeway-load --ca FILE --outside ADDR --inside ADDR --remotes ADDR --locals ADDR\n"
    "           --remote-cert FILE --remote-key FILE [--local-cert FILE --local-key FILE] "
    "[OPTION...]\n"
    "  --outside, --inside     where the server under test listens for remote and local servers\n"
    "  --remotes, --locals     where the played servers listen\n"
    "  --local-cert, -key      TLS on the local side too\n"
    "  --attach s2s|component|tunnel   what the local side is (s2s); component: XEP-0114 at the\n"
    "                          address --inside, with --secret WORD; tunnel: TLS and no streams,\n"
    "                          for relays which move bytes\n"
    "  --way in|out|both       (in)       --proof external|dialback|unchecked (external)\n"
    "  --links N               (1)        --pairs M                  (as many as links)\n"
    "  --window W              closed loop: stanzas in flight on each link (256)\n"
    "  --rate R                open loop: stanzas a second in all\n"
    "  --count N, --seconds S  how many stanzas, or how long (10 s)\n"
    "  --warm N                stanzas before those measured (1000)\n"
    "  --flush each|record|full  a send for each stanza; a record for each stanza, sent together;\n"
    "                          full records (record)\n"
    "  --large-every N, --large-size OCTETS  one template of N is a large message\n"
    "  --seed N  --json FILE   --pid PID[,PID...]  whose CPU and memory is read\n"
    "  --rearranged count|fail children of a stanza in another order (fail)\n";

static bool word(const char *value, const char *const *words, int *out)
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(words[i], value)) {
            *out = i;
            return true;
        }
    return false;
}

static bool number(const char *value, double least, double most, double *out)
{
    char *end;
    *out = strtod(value, &end);
    return *value && !*end && *out >= least && *out <= most;
}

static bool take_files(load_plan *p, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **into;
    } files[] = {{"--ca", &p->ca},
                 {"--outside", &p->outside},
                 {"--inside", &p->inside},
                 {"--remotes", &p->remotes},
                 {"--locals", &p->locals},
                 {"--secret", &p->secret},
                 {"--remote-cert", &p->remote_cert},
                 {"--remote-key", &p->remote_key},
                 {"--local-cert", &p->local_cert},
                 {"--local-key", &p->local_key}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (!strcmp(files[i].name, name)) {
            *files[i].into = value;
            return true;
        }
    return false;
}

static bool take_words(load_plan *p, const char *name, const char *value)
{
    static const char *const modes[] = {"each", "record", "full", NULL};
    static const char *const ways[] = {"in", "out", "both", NULL};
    static const char *const proofs[] = {"external", "dialback", "unchecked", NULL};
    static const char *const attaches[] = {"s2s", "component", "tunnel", NULL};
    static const char *const rearranged[] = {"fail", "count", NULL};
    int which = 0;
    bool ok = true;
    if (!strcmp(name, "--flush")) {
        ok = word(value, modes, &which);
        p->mode = (flush_mode)which;
    } else if (!strcmp(name, "--way")) {
        ok = word(value, ways, &which);
        p->way = (load_way)(which + 1);
    } else if (!strcmp(name, "--proof")) {
        ok = word(value, proofs, &which);
        p->dialback = which >= 1;
        p->unchecked = which == 2;
    } else if (!strcmp(name, "--attach")) {
        ok = word(value, attaches, &which);
        p->attach = (load_attach)which;
    } else if (!strcmp(name, "--rearranged")) {
        ok = word(value, rearranged, &which);
        p->may_rearrange = which == 1;
    } else
        return false;
    return ok;
}

static bool take_numbers(load_plan *p, const char *name, const char *value)
{
    double n = 0;
    if (!number(value, 0, 1e15, &n)) return false;
    if (!strcmp(name, "--links"))
        p->links = (unsigned)n;
    else if (!strcmp(name, "--pairs"))
        p->pairs = (unsigned)n;
    else if (!strcmp(name, "--window"))
        p->window = (unsigned)n;
    else if (!strcmp(name, "--rate"))
        p->rate = n;
    else if (!strcmp(name, "--count"))
        p->count = (uint64_t)n;
    else if (!strcmp(name, "--seconds"))
        p->seconds = n;
    else if (!strcmp(name, "--warm"))
        p->warm = (uint64_t)n;
    else if (!strcmp(name, "--large-every"))
        p->mix.large_every = (unsigned)n;
    else if (!strcmp(name, "--large-size"))
        p->mix.large_size = (size_t)n;
    else if (!strcmp(name, "--seed"))
        p->mix.seed = (uint64_t)n;
    else
        return false;
    return true;
}

static bool take_pids(load_plan *p, const char *name, const char *value)
{
    return !strcmp(name, "--pid") && usage_parse(&p->pids, value);
}

static bool is_whole(const load_plan *p)
{
    bool locals = p->attach == ATTACH_COMPONENT || p->locals;
    bool certs = p->remote_cert && p->remote_key && !p->local_cert == !p->local_key;
    return p->ca && p->outside && p->inside && p->remotes && locals && certs &&
           (p->attach != ATTACH_TUNNEL || p->local_cert);
}

static bool read_options(load_plan *p, const char **json, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (value && !strcmp(name, "--json"))
            *json = value;
        else if (!value || (!take_files(p, name, value) && !take_words(p, name, value) &&
                            !take_pids(p, name, value) && !take_numbers(p, name, value))) {
            fprintf(stderr, "causeway-load: what is %s %s?\n%s", name, value ? value : "", usage);
            return false;
        }
    }
    if (!p->pairs) p->pairs = p->links;
    bool sane = p->links >= 1 && p->links <= 100000 && p->pairs >= p->links &&
                p->pairs <= 1000000 && p->window >= 1 && p->seconds <= 3600 &&
                p->mix.large_size <= 1u << 24;
    if (is_whole(p) && sane) return true;
    fputs(usage, stderr);
    return false;
}

int main(int argc, char **argv)
{
    static load l;
    const char *json = NULL;
    load_plan plan = {.way = WAY_IN,
                      .links = 1,
                      .window = 256,
                      .warm = 1000,
                      .seconds = 10,
                      .mode = FLUSH_RECORD,
                      .secret = "secret",
                      .mix = {.seed = 1, .large_size = 65536}};
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if (argc > 1 && !strcmp(argv[1], "links")) return links_main(argc - 1, argv + 1, &stopped);
    if (argc > 1 && !strcmp(argv[1], "storm")) return storm_main(argc - 1, argv + 1, &stopped);
    if (!read_options(&plan, &json, argc, argv)) return 2;
    l.progress = report_progress;
    l.stopped = &stopped;
    if (!load_prepare(&l, &plan)) {
        fprintf(stderr, "causeway-load: could not set the stage (an address in use, a bad "
                        "certificate, or no memory)\n");
        load_free(&l);
        return 2;
    }
    bool ok = load_run(&l);
    report_print(&l, ok);
    if (json && !report_write(&l, ok, json)) {
        fprintf(stderr, "causeway-load: %s could not be written\n", json);
        ok = false;
    }
    load_free(&l);
    return ok ? 0 : 1;
}
