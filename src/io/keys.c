/* keys.c - see keys.h. Domains are told apart by 128 bits of their digest: nobody finds two that share them. */
#include "io/keys.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 16, WAYS = 4 };

typedef struct place {
    unsigned char name[NAME]; /* all zero: none */
    io_keys_entry entry;
} place;

typedef struct bucket {
    place way[WAYS];
    unsigned next; /* gives way */
} bucket;

struct io_keys {
    size_t n;
    bucket buckets[];
};

io_keys *io_keys_new(size_t domains)
{
    size_t n = domains / WAYS + (domains % WAYS != 0);
    S2S_ASSERT(domains > 0);
    io_keys *k = calloc(1, sizeof *k + n * sizeof *k->buckets);
    if (k) k->n = n;
    return k;
}

void io_keys_free(io_keys *k)
{
    free(k);
}

static bool name_of(const s2s_domain *domain, unsigned char name[NAME])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(domain->text, domain->len, digest, NULL, EVP_sha256(), NULL) != 1) return false;
    memcpy(name, digest, NAME);
    return true;
}

static place *place_of(io_keys *k, const unsigned char name[NAME], bool *known)
{
    uint64_t start;
    memcpy(&start, name, sizeof start);
    bucket *b = &k->buckets[start % k->n];
    *known = true;
    for (size_t i = 0; i < WAYS; i++)
        if (memcmp(b->way[i].name, name, NAME) == 0) return &b->way[i];
    *known = false;
    place *p = &b->way[b->next];
    b->next = (b->next + 1) % WAYS;
    return p;
}

bool io_keys_changed(io_keys *k, const s2s_domain *domain, const io_keys_entry *now,
                     io_keys_entry *before)
{
    unsigned char name[NAME];
    bool known;
    if (!name_of(domain, name)) return false;
    place *p = place_of(k, name, &known);
    *before = p->entry;
    bool same = known && io_pin_is_among(&now->pin, &before->pin, 1);
    bool keeps = known && before->good && !now->good;
    if (!keeps) {
        memcpy(p->name, name, NAME);
        p->entry = *now;
    }
    return known && !same;
}
