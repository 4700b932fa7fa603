/* report.c - see report.h. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

typedef struct figures {
    uint64_t stanzas;
    double seconds, per_second, mb_per_second, cpu, cpu_per_million, user, system;
    double p50, p99, p999, most, mean; /* us */
} figures;

static figures figures_of(const load *l)
{
    const hdr *h = &l->meter.latency;
    figures f = {.stanzas = l->meter.sent - l->sent_before,
                 .seconds = (double)(l->drained - l->begun) / 1e9,
                 .cpu = l->after.cpu - l->before.cpu,
                 .user = l->after.user - l->before.user,
                 .system = l->after.system - l->before.system,
                 .p50 = (double)hdr_at(h, 0.5) / 1e3,
                 .p99 = (double)hdr_at(h, 0.99) / 1e3,
                 .p999 = (double)hdr_at(h, 0.999) / 1e3,
                 .most = (double)h->most / 1e3,
                 .mean = hdr_mean(h) / 1e3};
    if (f.seconds > 0) {
        f.per_second = (double)f.stanzas / f.seconds;
        f.mb_per_second = (double)(l->meter.octets - l->octets_before) / f.seconds / 1e6;
    }
    if (f.stanzas) f.cpu_per_million = f.cpu * 1e6 / (double)f.stanzas;
    return f;
}

void report_progress(const load *l)
{
    static const char *const phases[] = {"links", "warming", "measuring", "drained"};
    if (!isatty(STDERR_FILENO)) return;
    double seconds = (double)(net_now_ns() - l->begun) / 1e9;
    if (l->phase == PHASE_SETUP)
        fprintf(stderr, "\r\033[K%-9s pairs proved %" PRIu64 " of %zu", phases[l->phase], l->proved,
                l->meter.n_pairs);
    else
        fprintf(stderr,
                "\r\033[K%-9s %5.1f s  sent %" PRIu64 "  on the way %" PRIu64
                "  %.0f/s  p50 %.0f us  p99 %.0f us",
                phases[l->phase], seconds, l->meter.sent - l->sent_before, meter_lost(&l->meter),
                (double)l->meter.latency.count / (seconds > 0 ? seconds : 1),
                (double)hdr_at(&l->meter.latency, 0.5) / 1e3,
                (double)hdr_at(&l->meter.latency, 0.99) / 1e3);
}

void report_print(const load *l, bool ok)
{
    figures f = figures_of(l);
    const meter *m = &l->meter;
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r\033[K");
    printf("%" PRIu64 " stanzas in %.3f s: %.0f/s, %.1f MB/s\n", f.stanzas, f.seconds, f.per_second,
           f.mb_per_second);
    if (l->plan->pids.n)
        printf("CPU %.3f s (user %.2f, system %.2f): %.3f s per million stanzas; RSS %.0f KB\n",
               f.cpu, f.user, f.system, f.cpu_per_million, l->after.rss_kb);
    printf("latency us: p50 %.0f  p99 %.0f  p999 %.0f  max %.0f\n", f.p50, f.p99, f.p999, f.most);
    printf("lost %" PRIu64 ", doubled %" PRIu64 ", out of order %" PRIu64 ", changed %" PRIu64
           ", foreign %" PRIu64 "; respelled %" PRIu64 ", rearranged %" PRIu64 "\n",
           meter_lost(m), m->doubled, m->swapped, m->changed, m->foreign, m->respelled,
           m->rearranged);
    if (m->trouble[0]) printf("first trouble: %s\n", m->trouble);
    if (!ok) printf("FAILED%s%s\n", l->broke[0] ? ": " : "", l->broke);
}

/* The latencies which all but one stanza of N do not exceed, for a drawing. */
static void write_shares(FILE *out, const hdr *h)
{
    static const double rests[] = {1,    0.8,   0.5,   0.3,   0.2,    0.1,    0.05,   0.02,
                                   0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001, 0};
    fprintf(out, " \"latency_rest_us\": [");
    for (size_t i = 0; i < sizeof rests / sizeof rests[0]; i++)
        fprintf(out, "%s[%g, %.1f]", i ? ", " : "", rests[i],
                (double)hdr_at(h, 1 - rests[i]) / 1e3);
    fprintf(out, "],\n");
}

bool report_write(const load *l, bool ok, const char *file)
{
    static const char *const modes[] = {"each", "record", "full"};
    static const char *const ways[] = {"", "in", "out", "both"};
    static const char *const attaches[] = {"s2s", "component", "tunnel"};
    const load_plan *p = l->plan;
    const meter *m = &l->meter;
    figures f = figures_of(l);
    bool to_stdout = file[0] == '-' && !file[1];
    FILE *out = to_stdout ? stdout : fopen(file, "w");
    if (!out) return false;
    fprintf(out,
            "{\"ok\": %s, \"attach\": \"%s\", \"way\": \"%s\", \"links\": %u, \"pairs\": %u, "
            "\"window\": %u, "
            "\"rate\": %.1f, \"flush\": \"%s\", \"proof\": \"%s\", \"seed\": %" PRIu64 ",\n",
            ok ? "true" : "false", attaches[p->attach], ways[p->way], p->links, p->pairs, p->window,
            p->rate, modes[p->mode],
            p->unchecked  ? "unchecked"
            : p->dialback ? "dialback"
                          : "external",
            p->mix.seed);
    fprintf(out,
            " \"stanzas\": %" PRIu64 ", \"seconds\": %.6f, \"per_second\": %.1f, "
            "\"mb_per_second\": %.2f, \"mean_octets\": %.1f,\n",
            f.stanzas, f.seconds, f.per_second, f.mb_per_second,
            f.stanzas ? (double)(m->octets - l->octets_before) / (double)f.stanzas : 0.0);
    fprintf(out,
            " \"cpu_s\": %.6f, \"user_s\": %.2f, \"system_s\": %.2f, \"cpu_per_million\": %.4f, "
            "\"rss_idle_kb\": %.0f, \"rss_kb\": %.0f, \"rss_peak_kb\": %.0f,\n",
            f.cpu, f.user, f.system, f.cpu_per_million, l->idle.rss_kb, l->after.rss_kb,
            l->after.rss_peak_kb);
    fprintf(out,
            " \"latency_us\": {\"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f, "
            "\"mean\": %.1f}, \"setup_s\": %.6f,\n",
            f.p50, f.p99, f.p999, f.most, f.mean, (double)l->setup_ns / 1e9);
    write_shares(out, &m->latency);
    fprintf(out,
            " \"lost\": %" PRIu64 ", \"doubled\": %" PRIu64 ", \"swapped\": %" PRIu64
            ", \"changed\": %" PRIu64 ", \"foreign\": %" PRIu64 ", \"respelled\": %" PRIu64
            ", \"rearranged\": %" PRIu64 "}\n",
            meter_lost(m), m->doubled, m->swapped, m->changed, m->foreign, m->respelled,
            m->rearranged);
    return (to_stdout ? fflush(out) : fclose(out)) == 0;
}
