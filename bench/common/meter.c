/* meter.c - see meter.h. */
#include "meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alike.h"
#include "canon.h"

void meter_init(meter *m, const mix *of)
{
    memset(m, 0, sizeof *m);
    m->mix = of;
}

void meter_fini(meter *m)
{
    for (size_t i = 0; i < m->n_pairs; i++)
        free(m->pairs[i].seen);
    free(m->pairs);
    free(m->scratch);
}

uint32_t meter_add(meter *m, const s2s_domain *from, const s2s_domain *to, uint32_t lane)
{
    if (m->n_pairs == m->size) {
        size_t size = m->size ? 2 * m->size : 16;
        meter_pair *pairs = realloc(m->pairs, size * sizeof *pairs);
        if (!pairs) return UINT32_MAX;
        m->pairs = pairs;
        m->size = size;
    }
    size_t need = mix_longest(m->mix, from->len, to->len);
    if (need > m->scratch_len) {
        char *scratch = realloc(m->scratch, need);
        if (!scratch) return UINT32_MAX;
        m->scratch = scratch;
        m->scratch_len = need;
    }
    m->pairs[m->n_pairs] = (meter_pair){.from = *from, .to = *to, .lane = lane};
    return (uint32_t)m->n_pairs++;
}

static s2s_span write(meter *m, const mix_mark *mark)
{
    const meter_pair *p = &m->pairs[mark->pair];
    size_t n =
        mix_write(m->mix, mark, s2s_domain_span(&p->from), s2s_domain_span(&p->to), m->scratch);
    return (s2s_span){m->scratch, n};
}

s2s_span meter_send(meter *m, uint32_t pair, uint64_t stamp)
{
    mix_mark mark = {pair, m->pairs[pair].sent++, stamp};
    m->sent++;
    return write(m, &mark);
}

/* ---- arrivals ---- */

static void complain(meter *m, const char *what, s2s_span stanza)
{
    if (m->trouble[0]) return;
    snprintf(m->trouble, sizeof m->trouble, "%s: %.*s", what,
             (int)(stanza.len < 400 ? stanza.len : 400), stanza.ptr);
}

/* Shows both from a little before the place where they part. */
static void complain_of_change(meter *m, s2s_span got, s2s_span want)
{
    enum { BEFORE = 40, SHOWN = 160 };
    size_t at = 0;
    if (m->trouble[0]) return;
    while (at < got.len && at < want.len && got.ptr[at] == want.ptr[at])
        at++;
    at = at > BEFORE ? at - BEFORE : 0;
    size_t got_len = got.len - at < SHOWN ? got.len - at : SHOWN;
    size_t want_len = want.len - at < SHOWN ? want.len - at : SHOWN;
    snprintf(m->trouble, sizeof m->trouble, "changed at %zu: got ...%.*s..., sent ...%.*s...", at,
             (int)got_len, got.ptr + at, (int)want_len, want.ptr + at);
}

/* Marks a number as seen; false: it was before. */
static bool see(meter_pair *p, uint64_t number)
{
    size_t word = (size_t)(number / 64);
    if (word >= p->seen_len) {
        size_t len = p->seen_len ? 2 * p->seen_len : 16;
        while (len <= word)
            len *= 2;
        p->seen = realloc(p->seen, len * sizeof *p->seen);
        S2S_ASSERT(p->seen);
        memset(p->seen + p->seen_len, 0, (len - p->seen_len) * sizeof *p->seen);
        p->seen_len = len;
    }
    uint64_t bit = (uint64_t)1 << (number % 64);
    if (p->seen[word] & bit) return false;
    p->seen[word] |= bit;
    return true;
}

static bool same(const s2s_span a, const s2s_span b)
{
    return a.len == b.len && !memcmp(a.ptr, b.ptr, a.len);
}

/* The stanza without a namespace of content in its own tag. */
static bool renamed(s2s_span stanza, s2s_buf *out)
{
    static const char *const names[] = {" xmlns='jabber:client'",
                                        " xmlns='jabber:component:accept'"};
    const char *close = memchr(stanza.ptr, '>', stanza.len);
    for (size_t i = 0; close && i < 2; i++) {
        size_t n = strlen(names[i]);
        for (const char *p = stanza.ptr; (size_t)(close - p) >= n; p++)
            if (!memcmp(p, names[i], n)) {
                s2s_span before = {stanza.ptr, (size_t)(p - stanza.ptr)};
                s2s_span behind = {p + n, stanza.len - before.len - n};
                return s2s_buf_put(out, before) == S2S_E_OK && s2s_buf_put(out, behind) == S2S_E_OK;
            }
    }
    return false;
}

/* Other bytes than those sent: only another spelling, or another order? */
static bool same_meaning(meter *m, const meter_pair *p, s2s_span stanza, s2s_span want)
{
    s2s_buf canonical, as_ours;
    s2s_buf_init(&canonical, 0);
    s2s_buf_init(&as_ours, 0);
    if (m->may_rename && renamed(stanza, &as_ours)) stanza = s2s_buf_span(&as_ours);
    bool readable = canon_stanza(stanza, p->from.text, p->to.text, &canonical);
    s2s_span got = readable ? s2s_buf_span(&canonical) : stanza;
    alike how = !readable ? ALIKE_NOT : same(got, want) ? ALIKE_SAME : alike_of(got, want);
    m->respelled += how == ALIKE_SAME;
    m->rearranged += how == ALIKE_REARRANGED;
    bool ok = how == ALIKE_SAME || (how == ALIKE_REARRANGED && m->may_rearrange);
    if (!ok) complain_of_change(m, got, want);
    s2s_buf_fini(&canonical);
    s2s_buf_fini(&as_ours);
    return ok;
}

uint32_t meter_arrive(meter *m, s2s_span stanza, uint64_t now)
{
    mix_mark mark;
    if (!mix_read(m->mix, stanza, &mark) || mark.pair >= m->n_pairs ||
        mark.number >= m->pairs[mark.pair].sent) {
        m->foreign++; /* not ours, or its id was changed */
        complain(m, "foreign", stanza);
        return UINT32_MAX;
    }
    meter_pair *p = &m->pairs[mark.pair];
    if (!see(p, mark.number)) {
        m->doubled++;
        complain(m, "doubled", stanza);
        return UINT32_MAX;
    }
    if (mark.number < p->next) {
        m->swapped++;
        complain(m, "out of order", stanza);
    } else
        p->next = mark.number + 1;
    s2s_span want = write(m, &mark);
    if (!same(stanza, want) && !same_meaning(m, p, stanza, want)) m->changed++;
    m->arrived++;
    m->octets += stanza.len;
    hdr_add(&m->latency, now > mark.stamp ? now - mark.stamp : 0);
    return mark.pair;
}

uint64_t meter_lost(const meter *m)
{
    return m->sent - m->arrived;
}

bool meter_clean(const meter *m)
{
    return !meter_lost(m) && !m->doubled && !m->swapped && !m->changed && !m->foreign;
}
