/* play.h - who sends what, and what was seen: the numbers behind the demo.
 * For:    numbered, stamped messages for every pair, both ways; checking loss, duplicates, order and content.
 * Never:  prints (show.c does).                                             */
#ifndef PEERS_PLAY_H
#define PEERS_PLAY_H

#include "actor.h"

enum { PLAY_MAX_PAIRS = 1024, PLAY_MAX_STANZAS = 64 };

typedef struct play_pair {
    s2s_domain from, to;
    bool inbound; /* from a remote */
    char endpoint[ACTOR_ADDR];
    s2s_proof proof; /* of the outside leg, as the remote saw it */
    char tls[16];
    unsigned sent, arrived, wrong; /* wrong: doubled, out of order or changed */
    uint32_t latency_us[PLAY_MAX_STANZAS];
} play_pair;

typedef struct play {
    actors *actors;
    play_pair pairs[PLAY_MAX_PAIRS];
    size_t n_pairs;
    unsigned sent, arrived, wrong, proved, broke;
    char trouble[1024]; /* the last thing that broke, for people */
    void (*progress)(const struct play *p);
    void (*told)(const struct play *p, const play_pair *pair); /* it was proved just now */
} play;

void play_init(play *p, void (*progress)(const play *p),
               void (*told)(const play *p, const play_pair *pair));
extern const actor_story play_story; /* ctx is the play */
play_pair *play_add_pair(play *p, const char *from, const char *to, bool inbound,
                         const char *endpoint);
bool play_send_all(play *p, unsigned rounds); /* false: a pair could not be sent for */
bool play_done(void *p);                      /* everything sent has arrived */
uint32_t play_median_us(const play_pair *pair);

#endif
