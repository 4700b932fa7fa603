/* raw.c - see raw.h. */
#include "raw.h"

#include <stdlib.h>

void raw_init(raw *r)
{
    *r = (raw){.count = 0};
    s2s_buf_init(&r->bytes, 0);
}

void raw_fini(raw *r)
{
    s2s_buf_fini(&r->bytes);
    free(r->lengths);
}

static void grow(raw *r)
{
    size_t size = r->size ? 2 * r->size : 64;
    uint32_t *lengths = malloc(size * sizeof *lengths);
    S2S_ASSERT(lengths);
    for (size_t i = 0; i < r->count; i++)
        lengths[i] = r->lengths[(r->first + i) % r->size];
    free(r->lengths);
    r->lengths = lengths;
    r->size = size;
    r->first = 0;
}

void raw_put(raw *r, s2s_span stanza)
{
    S2S_ASSERT(stanza.len > 0);
    s2s_err err = s2s_buf_put(&r->bytes, stanza);
    S2S_ASSERT(err == S2S_E_OK);
    if (r->count == r->size) grow(r);
    r->lengths[(r->first + r->count++) % r->size] = (uint32_t)stanza.len;
}

s2s_span raw_out(const raw *r, flush_mode mode)
{
    s2s_span all = s2s_buf_span(&r->bytes);
    if (mode != FLUSH_FULL && r->count > 0) all.len = r->lengths[r->first] - r->gone;
    return all;
}

void raw_sent(raw *r, size_t n)
{
    s2s_buf_consume(&r->bytes, n);
    n += r->gone;
    while (r->count > 0 && n >= r->lengths[r->first]) {
        n -= r->lengths[r->first];
        r->first = (r->first + 1) % r->size;
        r->count--;
    }
    r->gone = n;
}
