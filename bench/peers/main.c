/* main.c - causeway-peers: plays the servers around Causeway and says what happens, for `./dev demo`.
 *
 *   causeway-peers --ca FILE --outside ADDR --inside ADDR --rounds N [--stay]
 *                  --local NAME,ADDR ... --remote NAME,ADDR[,CERT,KEY] ...
 * A remote with a certificate is proved by it, the others by dialback (their certificate is of no known CA).
 * Exit status 0: every message arrived once, in order, unchanged. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "play.h"

enum { MAX_NAMES = 64, WAIT_MS = 60000 };

typedef struct played {
    char name[128], address[ACTOR_ADDR], cert[256], key[256];
} played;

typedef struct options {
    const char *ca, *outside, *inside;
    unsigned rounds;
    bool stay;
    played locals[MAX_NAMES], remotes[MAX_NAMES];
    size_t n_locals, n_remotes;
} options;

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static bool was_stopped(void *ctx)
{
    (void)ctx;
    return stopped;
}

static void show_progress(const play *p)
{
    if (!isatty(STDOUT_FILENO)) return;
    printf("\r  pairs proved %u of %zu, messages delivered %u of %u ", p->proved, p->n_pairs,
           p->arrived, p->sent);
    fflush(stdout);
}

/* One line each way for the first local domain; the others are in the table. */
static void show_proof(const play *p, const play_pair *pair)
{
    const s2s_domain *local = pair->inbound ? &pair->to : &pair->from;
    if (!s2s_domain_eq(local, &p->pairs[0].to)) return;
    const char *how = pair->proof == S2S_PROOF_CERTIFICATE
                          ? "a certificate (SASL EXTERNAL)"
                          : "dialback, asked back over a connection of its own";
    printf("%s  %-16s is believed by %-16s by %s, over %s\n", isatty(STDOUT_FILENO) ? "\r" : "",
           pair->from.text, pair->inbound ? "Causeway" : pair->to.text, how, pair->tls);
}

static bool split(const char *text, played *out)
{
    char *fields[4] = {out->name, out->address, out->cert, out->key};
    const size_t sizes[4] = {sizeof out->name, sizeof out->address, sizeof out->cert,
                             sizeof out->key};
    for (size_t i = 0; i < 4 && *text; i++) {
        size_t n = strcspn(text, ",");
        if (n >= sizes[i]) return false;
        memcpy(fields[i], text, n);
        fields[i][n] = '\0';
        text += n + (text[n] == ',');
    }
    return out->name[0] && out->address[0] && !*text;
}

static bool take_option(options *o, const char *name, const char *value)
{
    if (!strcmp(name, "--ca"))
        o->ca = value;
    else if (!strcmp(name, "--outside"))
        o->outside = value;
    else if (!strcmp(name, "--inside"))
        o->inside = value;
    else if (!strcmp(name, "--rounds"))
        o->rounds = (unsigned)strtoul(value, NULL, 10);
    else if (!strcmp(name, "--local") && o->n_locals < MAX_NAMES)
        return split(value, &o->locals[o->n_locals++]);
    else if (!strcmp(name, "--remote") && o->n_remotes < MAX_NAMES)
        return split(value, &o->remotes[o->n_remotes++]);
    else
        return false;
    return true;
}

static bool read_options(options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--stay"))
            o->stay = true;
        else if (i + 1 == argc || !take_option(o, argv[i], argv[i + 1])) {
            fprintf(stderr, "causeway-peers: what is %s?\n", argv[i]);
            return false;
        } else
            i++;
    }
    if (!o->ca || !o->outside || !o->inside || !o->n_locals || !o->n_remotes || !o->rounds ||
        o->rounds > PLAY_MAX_STANZAS) {
        fprintf(stderr,
                "usage: causeway-peers --ca FILE --outside ADDR --inside ADDR --rounds 1..%d "
                "--local NAME,ADDR... --remote NAME,ADDR[,CERT,KEY]...\n",
                PLAY_MAX_STANZAS);
        return false;
    }
    return true;
}

static bool set_stage(const options *o, play *p)
{
    for (size_t i = 0; i < o->n_locals; i++)
        if (!actors_add(p->actors, o->locals[i].name, false, NULL, o->locals[i].address))
            return false;
    for (size_t i = 0; i < o->n_remotes; i++) {
        const played *r = &o->remotes[i];
        const net_cert *cert = r->cert[0] ? actors_load(p->actors, r->cert, r->key) : NULL;
        if (!actors_add(p->actors, r->name, true, cert, r->address)) return false;
        for (size_t k = 0; k < o->n_locals; k++)
            if (!play_add_pair(p, r->name, o->locals[k].name, true, r->address) ||
                !play_add_pair(p, o->locals[k].name, r->name, false, r->address))
                return false;
    }
    return true;
}

static void show_table(const play *p)
{
    printf("  %-24s %-24s %-19s %-8s %-12s %8s %10s\n", "from", "to", "endpoint", "TLS", "proof",
           "stanzas", "median");
    for (size_t i = 0; i < p->n_pairs; i++) {
        const play_pair *r = &p->pairs[i];
        printf("  %-24s %-24s %-19s %-8s %-12s %4u/%-3u %7.2f ms\n", r->from.text, r->to.text,
               r->endpoint, r->tls[0] ? r->tls : "-", s2s_proof_name(r->proof), r->arrived, r->sent,
               (double)play_median_us(r) / 1000.0);
    }
}

static int perform(const options *o, play *p)
{
    if (!play_send_all(p, 1)) {
        fprintf(stderr, "could not begin: %s\n", p->trouble);
        return 1;
    }
    printf(
        "Each pair sends its first message: Causeway looks up the other side, connects, proves.\n");
    bool ok = net_run(actors_net(p->actors), play_done, p, WAIT_MS);
    if (ok) {
        printf("%sAll %u first messages are there; %u more on each pair, over the links that are "
               "up now.\n",
               isatty(STDOUT_FILENO) ? "\r\n" : "", p->sent, o->rounds - 1);
        ok = play_send_all(p, o->rounds - 1) &&
             net_run(actors_net(p->actors), play_done, p, WAIT_MS);
    }
    printf("%s", isatty(STDOUT_FILENO) ? "\r\n\n" : "\n");
    show_table(p);
    printf("\n  %u messages sent, %u delivered, %u wrong (doubled, out of order, changed)\n",
           p->sent, p->arrived, p->wrong);
    if (!ok || p->wrong || p->trouble[0])
        printf("  last trouble: %s\n",
               p->trouble[0] ? p->trouble : "not everything arrived in time");
    return ok && !p->wrong ? 0 : 1;
}

int main(int argc, char **argv)
{
    static options o;
    static play p;
    if (!read_options(&o, argc, argv)) return 2;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    play_init(&p, show_progress, show_proof);
    p.actors = actors_new(o.ca, o.outside, o.inside, &play_story, &p);
    if (!p.actors || !set_stage(&o, &p)) {
        fprintf(stderr, "causeway-peers: could not set the stage (address in use, or a bad name or "
                        "certificate)\n");
        return 2;
    }
    int status = perform(&o, &p);
    fflush(stdout);
    if (o.stay && status == 0) net_run(actors_net(p.actors), was_stopped, NULL, UINT32_MAX);
    actors_close_all(p.actors);
    net_run(actors_net(p.actors), was_stopped, NULL, 300);
    actors_free(p.actors);
    return status;
}
