/* queue.c - see queue.h. */
#include "fed/queue.h"

#include <stdlib.h>
#include <string.h>

#include "fed/tally.h"

/* ---- items ---- */

/* Copies text behind *at, terminated; an absent span stays absent. */
static s2s_span keep(char **at, s2s_span text)
{
    if (text.ptr == NULL) return (s2s_span){NULL, 0};
    s2s_span kept = {*at, text.len};
    memcpy(*at, text.ptr, text.len);
    (*at)[text.len] = '\0';
    *at += text.len + 1;
    return kept;
}

fed_item *fed_item_new(const s2s_stanza *st, fed_way way, uint64_t now)
{
    size_t size = sizeof(fed_item) + st->from.len + st->to.len + st->from_domain.len +
                  st->to_domain.len + st->id.len + st->type.len + st->lang.len + st->bytes.len +
                  8; /* eight terminators */
    fed_item *item = malloc(size);
    if (item == NULL) return NULL;
    *item = (fed_item){
        .accepted_at = now,
        .size = size,
        .way = way,
        .kind = st->kind,
        .address = st->address,
        .may_bounce = s2s_stanza_may_bounce(st),
    };
    char *at = (char *)(item + 1);
    item->from = keep(&at, st->from);
    item->to = keep(&at, st->to);
    item->from_domain = keep(&at, s2s_domain_span(&st->from_domain));
    item->to_domain = keep(&at, s2s_domain_span(&st->to_domain));
    item->id = keep(&at, st->id);
    item->type = keep(&at, st->type);
    item->lang = keep(&at, st->lang);
    item->bytes = keep(&at, st->bytes);
    return item;
}

static void release(fed_item *item)
{
    if (item->ticket != NULL) fed_tally_settle(item->ticket);
    free(item);
}

void fed_item_free(fed_item *item)
{
    if (item == NULL) return;
    S2S_ASSERT(!item->accepted || item->fate != FED_FATE_NONE);
    release(item);
}

bool fed_item_counts(const fed_item *item)
{
    return !item->own && !item->resent;
}

/* The text came from an s2s_domain, so it is canonical already. */
static s2s_domain domain_of(s2s_span text)
{
    s2s_domain d = {.len = (uint8_t)text.len};
    memcpy(d.text, text.ptr, text.len);
    return d;
}

void fed_item_view(const fed_item *item, s2s_stanza *out)
{
    *out = (s2s_stanza){
        .kind = item->kind,
        .from = item->from,
        .to = item->to,
        .from_domain = domain_of(item->from_domain),
        .to_domain = domain_of(item->to_domain),
        .address = item->address,
        .id = item->id,
        .type = item->type,
        .lang = item->lang,
        .bytes = item->bytes,
    };
}

/* ---- queues ---- */

void fed_queue_init(fed_queue *q, size_t cap, fed_queue_total *total)
{
    *q = (fed_queue){.cap = cap, .total = total};
}

static void count(fed_queue *q, const fed_item *item)
{
    q->bytes += item->size;
    q->stanzas++;
    if (q->total == NULL) return;
    q->total->bytes += item->size;
    q->total->stanzas++;
}

static void uncount(fed_queue *q, const fed_item *item)
{
    S2S_ASSERT(q->bytes >= item->size && q->stanzas > 0);
    q->bytes -= item->size;
    q->stanzas--;
    if (q->total == NULL) return;
    S2S_ASSERT(q->total->bytes >= item->size && q->total->stanzas > 0);
    q->total->bytes -= item->size;
    q->total->stanzas--;
}

static void link_last(fed_queue *q, fed_item *item)
{
    item->next = NULL;
    if (q->tail != NULL)
        q->tail->next = item;
    else
        q->head = item;
    q->tail = item;
    count(q, item);
}

void fed_queue_fini(fed_queue *q)
{
    for (fed_item *item = fed_queue_take(q); item != NULL; item = fed_queue_take(q))
        release(item);
}

static bool fits(size_t held, size_t more, size_t cap)
{
    return cap == 0 || (held <= cap && more <= cap - held);
}

s2s_err fed_queue_put(fed_queue *q, fed_item *item)
{
    if (!fits(q->bytes, item->size, q->cap)) return S2S_E_FULL;
    if (q->total != NULL && !fits(q->total->bytes, item->size, q->total->cap)) return S2S_E_FULL;
    link_last(q, item);
    return S2S_E_OK;
}

void fed_queue_put_front(fed_queue *q, fed_item *item)
{
    item->next = q->head;
    q->head = item;
    if (q->tail == NULL) q->tail = item;
    count(q, item);
}

void fed_queue_append(fed_queue *q, fed_queue *last)
{
    S2S_ASSERT(q != last);
    for (fed_item *item = fed_queue_take(last); item != NULL; item = fed_queue_take(last))
        link_last(q, item);
}

void fed_queue_prepend(fed_queue *q, fed_queue *first)
{
    S2S_ASSERT(q != first);
    fed_queue rest = *q; /* its items stay counted in q's total while they wait here */
    q->head = NULL;
    q->tail = NULL;
    q->bytes = 0;
    q->stanzas = 0;
    fed_queue_append(q, first);
    if (rest.head == NULL) return;
    if (q->tail != NULL)
        q->tail->next = rest.head;
    else
        q->head = rest.head;
    q->tail = rest.tail;
    q->bytes += rest.bytes;
    q->stanzas += rest.stanzas;
}

fed_item *fed_queue_peek(const fed_queue *q)
{
    return q->head;
}

fed_item *fed_queue_take(fed_queue *q)
{
    fed_item *item = q->head;
    if (item == NULL) return NULL;
    q->head = item->next;
    if (q->head == NULL) q->tail = NULL;
    item->next = NULL;
    uncount(q, item);
    return item;
}

uint64_t fed_queue_deadline(const fed_queue *q, uint32_t age_ms)
{
    return q->head != NULL ? q->head->accepted_at + age_ms : UINT64_MAX;
}

fed_item *fed_queue_expire(fed_queue *q, uint64_t now, uint32_t age_ms)
{
    return fed_queue_deadline(q, age_ms) <= now ? fed_queue_take(q) : NULL;
}

uint64_t fed_queue_counted(const fed_queue *q)
{
    uint64_t n = 0;
    for (const fed_item *item = q->head; item != NULL; item = item->next)
        n += fed_item_counts(item) ? 1 : 0;
    return n;
}
