/* play.c - see play.h. */
#include "play.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static play_pair *pair_of(play *p, const s2s_domain *from, const s2s_domain *to)
{
    for (size_t i = 0; i < p->n_pairs; i++)
        if (s2s_domain_eq(&p->pairs[i].from, from) && s2s_domain_eq(&p->pairs[i].to, to))
            return &p->pairs[i];
    return NULL;
}

/* Only the remote's end tells the outside leg: it is the one in TLS. */
static void on_proved(void *ctx, const s2s_domain *from, const s2s_domain *to, s2s_proof proof,
                      const char *tls, bool sender)
{
    play *p = ctx;
    play_pair *pair = pair_of(p, from, to);
    (void)sender;
    if (!pair || !strcmp(tls, "clear") || pair->proof != S2S_PROOF_NONE) return;
    pair->proof = proof;
    snprintf(pair->tls, sizeof pair->tls, "%s", tls);
    p->proved++;
    p->told(p, pair);
    p->progress(p);
}

static void on_arrived(void *ctx, const s2s_stanza *stanza, uint64_t now_us)
{
    play *p = ctx;
    play_pair *pair = pair_of(p, &stanza->from_domain, &stanza->to_domain);
    char text[128];
    unsigned number = 0;
    uint64_t stamp = 0;
    snprintf(text, sizeof text, "%.*s", (int)stanza->id.len, stanza->id.ptr ? stanza->id.ptr : "");
    if (!pair || stanza->kind != S2S_MESSAGE ||
        sscanf(text, "n%u-t%" SCNu64, &number, &stamp) != 2) {
        p->wrong++;
        snprintf(p->trouble, sizeof p->trouble, "%.*s", (int)stanza->bytes.len, stanza->bytes.ptr);
        return;
    }
    if (number != pair->arrived || pair->arrived >= PLAY_MAX_STANZAS) {
        pair->wrong++;
        p->wrong++;
    } else
        pair->latency_us[pair->arrived] = (uint32_t)(now_us - stamp);
    pair->arrived++;
    p->arrived++;
    p->progress(p);
}

static void on_broke(void *ctx, const s2s_domain *ours, const s2s_domain *theirs, s2s_err why)
{
    play *p = ctx;
    p->broke++;
    snprintf(p->trouble, sizeof p->trouble, "%s with %s: %s", ours->len ? ours->text : "?",
             theirs->len ? theirs->text : "?", s2s_err_of(why)->sentence);
}

const actor_story play_story = {.proved = on_proved, .arrived = on_arrived, .broke = on_broke};

void play_init(play *p, void (*progress)(const play *p),
               void (*told)(const play *p, const play_pair *pair))
{
    memset(p, 0, sizeof *p);
    p->progress = progress;
    p->told = told;
}

play_pair *play_add_pair(play *p, const char *from, const char *to, bool inbound,
                         const char *endpoint)
{
    if (p->n_pairs == PLAY_MAX_PAIRS) return NULL;
    play_pair *pair = &p->pairs[p->n_pairs];
    if (s2s_domain_make(s2s_span_of(from), &pair->from) != S2S_E_OK ||
        s2s_domain_make(s2s_span_of(to), &pair->to) != S2S_E_OK)
        return NULL;
    pair->inbound = inbound;
    snprintf(pair->endpoint, sizeof pair->endpoint, "%s", endpoint);
    p->n_pairs++;
    return pair;
}

static bool send_one(play *p, play_pair *pair)
{
    char text[1024];
    int n = snprintf(text, sizeof text,
                     "<message from='romeo@%s/orchard' to='juliet@%s' type='chat' id='n%u-t%" PRIu64
                     "'>"
                     "<body>number %u &amp; counting</body></message>",
                     pair->from.text, pair->to.text, pair->sent, net_now_us(), pair->sent);
    S2S_ASSERT(n > 0 && (size_t)n < sizeof text);
    if (!actors_send(p->actors, &pair->from, &pair->to, (s2s_span){text, (size_t)n})) return false;
    pair->sent++;
    p->sent++;
    return true;
}

bool play_send_all(play *p, unsigned rounds)
{
    for (unsigned r = 0; r < rounds; r++)
        for (size_t i = 0; i < p->n_pairs; i++)
            if (!send_one(p, &p->pairs[i])) return false;
    return true;
}

bool play_done(void *ctx)
{
    const play *p = ctx;
    return p->arrived >= p->sent;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

uint32_t play_median_us(const play_pair *pair)
{
    uint32_t sorted[PLAY_MAX_STANZAS];
    size_t n = pair->arrived < PLAY_MAX_STANZAS ? pair->arrived : PLAY_MAX_STANZAS;
    if (!n) return 0;
    memcpy(sorted, pair->latency_us, n * sizeof sorted[0]);
    qsort(sorted, n, sizeof sorted[0], by_size);
    return sorted[n / 2];
}
