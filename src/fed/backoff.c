/* backoff.c - see backoff.h. */
#include "fed/backoff.h"

#include "s2s/base.h"

void fed_backoff_init(fed_backoff *b, uint32_t first_ms, uint32_t max_ms)
{
    S2S_ASSERT(first_ms > 0 && first_ms <= max_ms);
    *b = (fed_backoff){.first_ms = first_ms, .max_ms = max_ms};
}

/* first * 2^(failures - 1), at most max. */
static uint64_t ceiling(const fed_backoff *b)
{
    uint64_t wait = b->first_ms;
    for (unsigned i = 1; i < b->failures && wait < b->max_ms; i++)
        wait *= 2;
    return wait < b->max_ms ? wait : b->max_ms;
}

uint64_t fed_backoff_fail(fed_backoff *b, uint64_t now, uint32_t random)
{
    if (b->failures < UINT32_MAX) b->failures++;
    uint64_t most = ceiling(b);
    uint64_t sure = most - most / 2;
    b->until = now + sure + random % (most / 2 + 1);
    return b->until;
}

void fed_backoff_reset(fed_backoff *b)
{
    b->failures = 0;
    b->until = 0;
}

void fed_backoff_cut(fed_backoff *b)
{
    b->until = 0;
}

uint64_t fed_backoff_left(const fed_backoff *b, uint64_t now)
{
    return b->until > now ? b->until - now : 0;
}

bool fed_backoff_holds(const fed_backoff *b, uint64_t now)
{
    return fed_backoff_left(b, now) > 0;
}
