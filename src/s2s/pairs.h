/* pairs.h - the pairs of one stream: (from, to) and how far each has come.
 * For:    finding a pair by hash; the events pairs owe the caller, oldest first.
 * Never:  writes to the stream, or decides what a proof is worth.
 * Owner:  one stream. Bounded by `max`.                                            */
#ifndef S2S_PAIRS_H
#define S2S_PAIRS_H

#include "s2s/base.h"
#include "s2s/domain.h"
#include "s2s/stream.h"

typedef enum s2s_pair_state {
    S2S_PAIR_GONE,   /* nobody asks; kept only while an answer is owed or an event is due */
    S2S_PAIR_WANTED, /* initiating: to be asked when the handshake allows */
    S2S_PAIR_KEY,    /* initiating: our caller makes the key */
    S2S_PAIR_SASL,   /* initiating: SASL EXTERNAL is in flight for it */
    S2S_PAIR_ASKED,  /* initiating: db:result sent; receiving: our caller checks the proof */
    S2S_PAIR_OPEN
} s2s_pair_state;

typedef struct s2s_pair {
    s2s_domain from;
    s2s_domain to;
    uint32_t hash;
    s2s_pair_state state;
    s2s_proof proof;
    unsigned owed;         /* initiating: db:result sent and not answered yet */
    s2s_event_kind due;    /* the event to tell: MAKE_KEY, PAIR_OPEN, PAIR_REFUSED; else NONE */
    s2s_err err;           /* of PAIR_REFUSED */
    const char *cond;      /* of PAIR_REFUSED; constant, or NULL */
    struct s2s_pair *same; /* next in its bucket */
    struct s2s_pair *prev; /* order of coming */
    struct s2s_pair *next;
    struct s2s_pair *due_next;
} s2s_pair;

typedef struct s2s_pairs {
    s2s_pair **buckets;
    unsigned n_buckets; /* 0 or a power of two */
    unsigned count;
    unsigned max;
    uint32_t seed;
    unsigned states[S2S_PAIR_OPEN + 1]; /* how many are in each state */
    s2s_pair *first;
    s2s_pair *last;
    s2s_pair *due_first;
    s2s_pair *due_last;
} s2s_pairs;

void s2s_pairs_init(s2s_pairs *p, unsigned max, uint32_t seed);
void s2s_pairs_fini(s2s_pairs *p); /* empties it; it may be used again */

/* How many are in that state, and in all. NULL: there are none, here and for finding, proving and events due. */
unsigned s2s_pairs_in(const s2s_pairs *p, s2s_pair_state state);
unsigned s2s_pairs_count(const s2s_pairs *p);

s2s_pair *s2s_pairs_find(const s2s_pairs *p, const s2s_domain *from, const s2s_domain *to);
/* Lends the pair, made in state GONE when it is not there. S2S_E_PAIR_LIMIT, S2S_E_NOMEM */
S2S_MUST_CHECK s2s_err s2s_pairs_get(s2s_pairs *p, const s2s_domain *from, const s2s_domain *to,
                                     s2s_pair **out);
bool s2s_pairs_prove(const s2s_pairs *p, const s2s_domain *from); /* part of any open pair */

void s2s_pair_enter(s2s_pairs *p, s2s_pair *pair, s2s_pair_state state);
void s2s_pair_owe(s2s_pairs *p, s2s_pair *pair, s2s_event_kind due);
/* Removes it if nobody asks, nothing is owed and no event is due. */
void s2s_pair_release(s2s_pairs *p, s2s_pair *pair);
s2s_pair *s2s_pairs_take_due(s2s_pairs *p); /* the oldest with an event due, or NULL */
void s2s_pairs_drop_due(s2s_pairs *p);      /* forgets all events due */
void s2s_pair_drop_due(s2s_pairs *p, s2s_pair *pair);

#endif
