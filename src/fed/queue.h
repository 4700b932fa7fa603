/* queue.h - one stanza kept (item), and stanzas kept in order (queue).
 * For:    what was routed too early, or handed to a link and not yet known to have arrived; oldest first, within a cap.
 * Never:  parses a stanza, sends, counts fates (ledger.c) or decides to bounce (bounce.c).
 * Owner:  one pair or one link, one worker; no locks.                       */
#ifndef FED_QUEUE_H
#define FED_QUEUE_H

#include "fed/fed.h"

/* How an item ended; set by the ledger's functions only, once. */
typedef enum fed_fate {
    FED_FATE_NONE, /* still on its way */
    FED_FATE_ACKED,
    FED_FATE_WRITTEN,
    FED_FATE_BOUNCED,
    FED_FATE_DROPPED,
    FED_FATE_IN_DOUBT
} fed_fate;

typedef struct fed_ticket fed_ticket; /* tally.h */

/* One block of memory: this struct and all texts behind it. Texts are terminated, for debuggers. */
typedef struct fed_item {
    struct fed_item *next; /* belongs to the queue that holds the item */
    uint64_t accepted_at;  /* ms */
    uint64_t
        end;     /* for the link that carries it: stream offset behind its last byte, 0: not sent */
    size_t size; /* bytes of memory, what queues count */
    fed_way way;
    s2s_kind kind;
    s2s_err address; /* as in s2s_stanza */
    fed_fate fate;
    bool may_bounce;    /* s2s_stanza_may_bounce when it was made */
    bool accepted;      /* counted by fed_ledger_accepted: it must end with exactly one fate */
    bool own;           /* an error of our own making: not part of the ledger's sum */
    bool resent;        /* a copy of what is already counted in doubt: not part of the sum either */
    uint32_t session;   /* 0, or: sent on a stream that may be gone on with (session.h), */
    uint32_t number;    /* the so-maniest that was not acknowledged, from 1 */
    fed_ticket *ticket; /* NULL, or whom to tell when the item is gone (XEP-0198) */
    s2s_span from;
    s2s_span to;
    s2s_span from_domain;
    s2s_span to_domain;
    s2s_span id;   /* absent when there is none */
    s2s_span type; /* absent when there is none */
    s2s_span lang;
    s2s_span bytes; /* canonical text */
} fed_item;

/* Copies all that `st` lends. Gives an item, owned by the caller; NULL: no memory. */
fed_item *fed_item_new(const s2s_stanza *st, fed_way way, uint64_t now);

/* Asserts that an accepted item has its fate: nothing vanishes. Accepts NULL. */
void fed_item_free(fed_item *item);

/* Is it part of the sum accepted = ... + queued? No for our own errors and re-sent copies. */
bool fed_item_counts(const fed_item *item);

/* The item as the core shows stanzas; lent while the item lives. */
void fed_item_view(const fed_item *item, s2s_stanza *out);

/* Bytes and stanzas of all queues that share it. */
typedef struct fed_queue_total {
    size_t cap;   /* bytes, 0: no cap */
    size_t bytes; /* held now */
    size_t stanzas;
} fed_queue_total;

typedef struct fed_queue {
    fed_item *head; /* oldest; may be walked by item->next, read-only */
    fed_item *tail;
    size_t cap; /* bytes, 0: no cap */
    size_t bytes;
    size_t stanzas;
    fed_queue_total *total; /* borrowed; NULL: none */
} fed_queue;

void fed_queue_init(fed_queue *q, size_t cap, fed_queue_total *total);

/* End of life: frees what is left without asking for a fate (fed_free only). */
void fed_queue_fini(fed_queue *q);

/* Takes the item to the end; on error the caller keeps it.
 * S2S_E_FULL  it does not fit in the queue's cap or the total's */
S2S_MUST_CHECK s2s_err fed_queue_put(fed_queue *q, fed_item *item);

/* Takes the item back to the front; caps do not apply, for it was accepted long ago. */
void fed_queue_put_front(fed_queue *q, fed_item *item);

/* Moves all of `first` in front of q, order kept; caps do not apply. For what a broken link gives back. */
void fed_queue_prepend(fed_queue *q, fed_queue *first);

/* Moves all of `last` behind q, order kept; caps do not apply. */
void fed_queue_append(fed_queue *q, fed_queue *last);

fed_item *fed_queue_peek(const fed_queue *q); /* oldest, stays in the queue; NULL: empty */
fed_item *fed_queue_take(fed_queue *q);       /* gives the oldest; NULL: empty */

/* Gives the oldest if it was accepted `age_ms` or longer ago, else NULL. Call until NULL. */
fed_item *fed_queue_expire(fed_queue *q, uint64_t now, uint32_t age_ms);

/* When the oldest will be that old; UINT64_MAX: empty. */
uint64_t fed_queue_deadline(const fed_queue *q, uint32_t age_ms);

/* Items that count in the ledger (fed_item_counts), by walking: what `queued` is made of. */
uint64_t fed_queue_counted(const fed_queue *q);

#endif
