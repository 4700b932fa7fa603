/* links_report.c - what links.h measured, for people and as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "links.h"

typedef struct figures {
    double seconds, per_second, cpu, ms_per_link, kb, kb_per_link;
    double p50, p99, most, mean; /* ms */
    double held_cpu, held_share, held_wakes;
} figures;

static figures figures_of(const links *l)
{
    const hdr *h = &l->latency;
    figures f = {.seconds = (double)(l->last - l->begun) / 1e9,
                 .cpu = l->after.cpu - l->before.cpu,
                 .kb = (l->held_s > 0 ? l->held_from : l->after).rss_own_kb - l->before.rss_own_kb,
                 .p50 = (double)hdr_at(h, 0.5) / 1e6,
                 .p99 = (double)hdr_at(h, 0.99) / 1e6,
                 .most = (double)h->most / 1e6,
                 .mean = hdr_mean(h) / 1e6,
                 .held_cpu = l->held_to.cpu - l->held_from.cpu,
                 .held_wakes = l->held_to.wakes - l->held_from.wakes};
    if (f.seconds > 0) f.per_second = l->up / f.seconds;
    if (l->up) f.ms_per_link = f.cpu * 1e3 / l->up;
    if (l->up) f.kb_per_link = f.kb / l->up;
    if (l->held_s > 0) f.held_share = f.held_cpu / l->held_s;
    return f;
}

void links_progress(const links *l)
{
    if (!isatty(STDERR_FILENO)) return;
    fprintf(stderr, "\r\033[K%5.1f s  under way %u  up %u  failed %u  p50 %.1f ms  p99 %.1f ms",
            (double)(net_now_ns() - l->begun) / 1e9, l->coming, l->up, l->failed,
            (double)hdr_at(&l->latency, 0.5) / 1e6, (double)hdr_at(&l->latency, 0.99) / 1e6);
}

void links_print(const links *l, bool ok)
{
    figures f = figures_of(l);
    const links_shakes *s = &l->shakes;
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r\033[K");
    printf("%u links in %.3f s: %.0f/s; failed %u, lost %u, held %u\n", l->up, f.seconds,
           f.per_second, l->failed, l->lost, l->held);
    printf("set-up ms: p50 %.2f  p99 %.2f  max %.2f\n", f.p50, f.p99, f.most);
    printf("TLS handshakes: dialled by the remotes %u (%u resumed), by the server %u (%u resumed); "
           "direct %u\n",
           s->dialled, s->dialled_resumed, s->accepted, s->accepted_resumed, s->direct);
    if (l->plan->pids.n)
        printf("CPU %.3f s: %.3f s per 1,000 links; memory %.1f KB for each link\n", f.cpu,
               f.ms_per_link, f.kb_per_link);
    if (l->plan->pids.n && l->held_s > 0)
        printf("held %.1f s: CPU %.3f %%, woken %.0f times\n", l->held_s, f.held_share * 100,
               f.held_wakes);
    if (l->trouble[0]) printf("first trouble: %s\n", l->trouble);
    if (!ok) printf("FAILED\n");
}

static void write_plan(const links *l, bool ok, FILE *out)
{
    const links_plan *p = l->plan;
    fprintf(out,
            "{\"ok\": %s, \"way\": \"%s\", \"proof\": \"%s\", \"peer_cert\": %s, \"resume\": %s, "
            "\"count\": %u, \"warm\": %u, \"at_once\": %u,\n",
            ok ? "true" : "false", p->way == LINKS_IN ? "in" : "out",
            p->dialback ? "dialback" : "external", p->bare ? "false" : "true",
            p->resume ? "true" : "false", p->count, p->warm, p->at_once);
}

bool links_write(const links *l, bool ok, const char *file)
{
    const links_shakes *s = &l->shakes;
    figures f = figures_of(l);
    bool to_stdout = file[0] == '-' && !file[1];
    FILE *out = to_stdout ? stdout : fopen(file, "w");
    if (!out) return false;
    write_plan(l, ok, out);
    fprintf(out,
            " \"up\": %u, \"failed\": %u, \"lost\": %u, \"held\": %u, \"seconds\": %.6f, "
            "\"per_second\": %.1f,\n",
            l->up, l->failed, l->lost, l->held, f.seconds, f.per_second);
    fprintf(out, " \"setup_ms\": {\"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f, \"mean\": %.3f},\n",
            f.p50, f.p99, f.most, f.mean);
    fprintf(out,
            " \"handshakes\": {\"by_remotes\": %u, \"by_remotes_resumed\": %u, \"by_server\": %u, "
            "\"by_server_resumed\": %u, \"direct\": %u},\n",
            s->dialled, s->dialled_resumed, s->accepted, s->accepted_resumed, s->direct);
    fprintf(
        out,
        " \"cpu_s\": %.6f, \"cpu_per_thousand\": %.6f, \"rss_idle_kb\": %.0f, \"rss_kb\": %.0f, "
        "\"own_kb\": %.0f, \"kb_per_link\": %.3f,\n",
        f.cpu, f.ms_per_link, l->idle.rss_kb, l->after.rss_kb, f.kb, f.kb_per_link);
    fprintf(out,
            " \"held_s\": %.3f, \"held_cpu_s\": %.6f, \"held_cpu_share\": %.6f, "
            "\"held_wakes\": %.0f}\n",
            l->held_s, f.held_cpu, f.held_share, f.held_wakes);
    return (to_stdout ? fflush(out) : fclose(out)) == 0;
}
