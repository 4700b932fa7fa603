/* links_storm_main.c - causeway-load storm: the options of links_storm.h, and what it tells. */
#include <inttypes.h>
#include <stdio.h>

#include "links_options.h"
#include "links_storm.h"

static const char usage[] =
    "usage: causeway-load storm --ca FILE --outside ADDR --inside ADDR --remotes ADDR --locals "
    "ADDR\n"
    "           --remote-key FILE --remote-cert FILE | --issuer FILE --issuer-key FILE\n"
    "           [--local-cert FILE --local-key FILE] [OPTION...]\n"
    "  --issuer, --issuer-key  who signs a certificate for each remote (without: all show one)\n"
    "  --remotes               address of r0.far.example, who sends stanzas; the next ones are\n"
    "                          those of r1.far.example and so on, who make the storm\n"
    "  --proof, --peer-cert, --tls   as of causeway-load links\n"
    "  --links N  --at-once N  links of the storm (1000), and how many are under way (all)\n"
    "  --rate R                stanzas a second (1000)\n"
    "  --quiet S               how long they are watched before the storm (5 s)\n"
    "  --stall S               the storm is given up when so long no link came up (20 s)\n"
    "  --seed N  --pid PID[,PID...]  --json FILE\n";

/* ---- options ---- */

static bool read_options(storm_plan *p, int argc, char **argv)
{
    double count = 1000, at_once = 0, stall = 20, seed = 1;
    bool shows = true;
    links_option options[] = {
        [LINKS_COMMON] = {.name = "--links", .number = &count, .at_most = 100000},
        {.name = "--at-once", .number = &at_once, .at_most = 100000},
        {.name = "--rate", .number = &p->rate, .at_most = 1e6},
        {.name = "--quiet", .number = &p->quiet_s, .at_most = 3600},
        {.name = "--stall", .number = &stall, .at_most = 3600},
        {.name = "--seed", .number = &seed, .at_most = 1e15},
    };
    links_common_options(&p->links, &shows, options);
    if (!links_read(options, sizeof options / sizeof options[0], argc, argv)) return false;
    p->links.bare = !shows;
    p->links.visits = true;
    p->links.warm = 1; /* r0.far.example */
    p->links.count = (unsigned)count;
    p->links.at_once = (unsigned)(at_once > 0 ? at_once : count);
    p->links.stall_s = (unsigned)stall;
    p->mix.seed = (uint64_t)seed;
    return links_whole(&p->links) && p->rate >= 1 && p->quiet_s > 0;
}

/* ---- figures ---- */

static double us(const hdr *h, double share)
{
    return (double)hdr_at(h, share) / 1e3;
}

static double worse(const storm *s)
{
    double quiet = us(&s->quiet, 0.99);
    return quiet > 0 ? us(&s->stormy, 0.99) / quiet : 0;
}

static void print_latency(const char *when, const hdr *h)
{
    printf("%-6s %7" PRIu64 " stanzas, latency us: p50 %.0f  p99 %.0f  p999 %.0f  max %.0f\n", when,
           h->count, us(h, 0.5), us(h, 0.99), us(h, 0.999), (double)h->most / 1e3);
}

static void print(const storm *s, bool ok)
{
    const meter *m = &s->meter;
    print_latency("quiet", &s->quiet);
    print_latency("storm", &s->stormy);
    printf("p99 in the storm is %.2f times the quiet one; sent late by us: p99 %.0f us%s\n",
           worse(s), us(&s->late, 0.99), s->yields ? "" : " (no right to go first: root has it)");
    printf("%u links in %.3f s; failed %u, lost %u; set-up ms: p50 %.1f  p99 %.1f\n", s->told.up,
           s->told.seconds, s->told.failed, s->told.lost, s->told.setup_p50, s->told.setup_p99);
    if (s->plan->links.pids.n) printf("CPU in the storm %.3f s\n", s->after.cpu - s->before.cpu);
    printf("lost %" PRIu64 ", doubled %" PRIu64 ", out of order %" PRIu64 ", changed %" PRIu64
           ", foreign %" PRIu64 "\n",
           meter_lost(m), m->doubled, m->swapped, m->changed, m->foreign);
    if (m->trouble[0]) printf("first trouble: %s\n", m->trouble);
    if (!ok) printf("FAILED%s%s\n", s->trouble[0] ? ": " : "", s->trouble);
}

static void write_latency(FILE *out, const char *when, const hdr *h)
{
    fprintf(out,
            " \"%s\": {\"stanzas\": %" PRIu64 ", \"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f, "
            "\"max\": %.1f},\n",
            when, h->count, us(h, 0.5), us(h, 0.99), us(h, 0.999), (double)h->most / 1e3);
}

static bool write_json(const storm *s, bool ok)
{
    const meter *m = &s->meter;
    const char *file = s->plan->links.json;
    bool to_stdout = file[0] == '-' && !file[1];
    FILE *out = to_stdout ? stdout : fopen(file, "w");
    if (!out) return false;
    fprintf(out, "{\"ok\": %s, \"rate\": %.1f, \"count\": %u, \"proof\": \"%s\",\n",
            ok ? "true" : "false", s->plan->rate, s->plan->links.count,
            s->plan->links.dialback ? "dialback" : "external");
    write_latency(out, "quiet_us", &s->quiet);
    write_latency(out, "storm_us", &s->stormy);
    fprintf(out, " \"p99_ratio\": %.4f, \"late_us_p99\": %.1f, \"goes_first\": %s,\n", worse(s),
            us(&s->late, 0.99), s->yields ? "true" : "false");
    fprintf(out,
            " \"up\": %u, \"failed\": %u, \"links_lost\": %u, \"seconds\": %.6f, "
            "\"setup_ms\": {\"p50\": %.3f, \"p99\": %.3f}, \"cpu_s\": %.6f,\n",
            s->told.up, s->told.failed, s->told.lost, s->told.seconds, s->told.setup_p50,
            s->told.setup_p99, s->after.cpu - s->before.cpu);
    fprintf(out,
            " \"lost\": %" PRIu64 ", \"doubled\": %" PRIu64 ", \"swapped\": %" PRIu64
            ", \"changed\": %" PRIu64 ", \"foreign\": %" PRIu64 "}\n",
            meter_lost(m), m->doubled, m->swapped, m->changed, m->foreign);
    return (to_stdout ? fflush(out) : fclose(out)) == 0;
}

int storm_main(int argc, char **argv, const volatile int *stopped)
{
    static storm s;
    static storm_plan plan = {.rate = 1000, .quiet_s = 5};
    if (!read_options(&plan, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    s.stopped = stopped;
    if (!storm_prepare(&s, &plan)) {
        fprintf(stderr, "causeway-load: could not set the stage (an address in use, a bad "
                        "certificate, or no memory)\n");
        storm_free(&s);
        return 2;
    }
    bool ok = storm_run(&s);
    print(&s, ok);
    if (plan.links.json && !write_json(&s, ok)) {
        fprintf(stderr, "causeway-load: %s could not be written\n", plan.links.json);
        ok = false;
    }
    storm_free(&s);
    return ok ? 0 : 1;
}
