/* admit.c - see admit.h. */
#include "fed/admit.h"

#include <stdlib.h>
#include <string.h>

struct fed_admit {
    fed_node node;
    uint8_t family;
    uint8_t
        bytes[16]; /* of an IPv6 address the first 8: who has one address of a /64 has them all */
    unsigned conns;
    uint64_t since; /* of the second in which refusals are counted */
    unsigned refused;
};

static void key_of(const fed_addr *a, uint8_t bytes[16])
{
    memset(bytes, 0, 16);
    memcpy(bytes, a->bytes, a->family == 4 ? 4 : 8);
}

static uint32_t hash(uint32_t h, const uint8_t bytes[16])
{
    for (size_t i = 0; i < 16; i++)
        h = (h ^ bytes[i]) * UINT32_C(16777619);
    return h ^ (h >> 15);
}

static fed_admit *find_or_make(fed *f, const fed_addr *peer)
{
    uint8_t bytes[16];
    key_of(peer, bytes);
    uint32_t h = hash(f->seed ^ peer->family, bytes);
    for (fed_node *n = fed_table_find(&f->admits, h); n != NULL; n = fed_table_again(n)) {
        fed_admit *a = FED_OF(fed_admit, node, n);
        if (a->family == peer->family && memcmp(a->bytes, bytes, 16) == 0) return a;
    }
    fed_admit *a = calloc(1, sizeof *a);
    if (a == NULL) return NULL;
    a->family = peer->family;
    memcpy(a->bytes, bytes, 16);
    fed_table_put(&f->admits, &a->node, h);
    return a;
}

/* May one more be refused with words in this second? */
static bool words_left(uint64_t *since, unsigned *refused, uint64_t now, unsigned most)
{
    if (now - *since >= 1000) {
        *since = now;
        *refused = 0;
    }
    if (*refused >= most) return false;
    (*refused)++;
    return true;
}

fed_admission fed_admit_outside(fed *f, const fed_addr *peer, fed_admit **out)
{
    const fed_limits *l = &f->config->limits;
    *out = NULL;
    bool full = f->accepted_outside >= l->conns_outside;
    if (full && !words_left(&f->refused_since, &f->refused, f->now, l->refusals_per_second))
        return FED_ADMIT_RESET;
    fed_admit *a = find_or_make(f, peer);
    if (a == NULL) return FED_ADMIT_RESET;
    bool crowded = a->conns >= l->conns_per_address;
    if (crowded && !words_left(&a->since, &a->refused, f->now, l->refusals_per_second))
        return FED_ADMIT_RESET;
    a->conns++;
    f->accepted_outside++;
    *out = a;
    return full || crowded ? FED_ADMIT_REFUSE : FED_ADMIT_SERVE;
}

void fed_admit_leave(fed *f, fed_admit *a)
{
    if (a == NULL) return;
    S2S_ASSERT(a->conns > 0 && f->accepted_outside > 0);
    f->accepted_outside--;
    if (--a->conns > 0) return;
    fed_table_take(&f->admits, &a->node);
    free(a);
}
