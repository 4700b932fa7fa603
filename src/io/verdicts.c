/* verdicts.c - see verdicts.h. */
#include "io/verdicts.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 32, WAYS = 4, CHAIN_MAX = 16 };

typedef struct verdict {
    unsigned char key[KEY]; /* all zero: none */
    io_chain chain;
} verdict;

typedef struct bucket {
    verdict way[WAYS];
    unsigned next; /* gives way */
} bucket;

struct io_verdicts {
    X509_STORE *store;
    EVP_MD *sha256;
    io_verdicts_count count;
    size_t n;
    bucket buckets[];
};

io_verdicts *io_verdicts_new(X509_STORE *store, size_t slots)
{
    size_t n = slots / WAYS + (slots % WAYS != 0);
    S2S_ASSERT(slots > 0);
    io_verdicts *v = calloc(1, sizeof *v + n * sizeof *v->buckets);
    if (!v) return NULL;
    v->n = n;
    v->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL); /* else it is looked up for each use */
    if (!v->sha256 || X509_STORE_up_ref(store) != 1) {
        EVP_MD_free(v->sha256);
        free(v);
        return NULL;
    }
    v->store = store;
    return v;
}

void io_verdicts_free(io_verdicts *v)
{
    if (!v) return;
    EVP_MD_free(v->sha256);
    X509_STORE_free(v->store);
    free(v);
}

/* The digest of the digests of all that was shown, in order. False: it cannot be made, or too much was shown. */
static bool key_of(const io_verdicts *v, const io_judge_ask *ask, unsigned char key[KEY])
{
    unsigned char each[(CHAIN_MAX + 1) * KEY];
    size_t n = 0;
    int shown = sk_X509_num(ask->untrusted);
    if (shown > CHAIN_MAX || X509_digest(ask->leaf, v->sha256, each, NULL) != 1) return false;
    n += KEY;
    for (int i = 0; i < shown; i++, n += KEY)
        if (X509_digest(sk_X509_value(ask->untrusted, i), v->sha256, each + n, NULL) != 1)
            return false;
    return EVP_Digest(each, n, key, NULL, v->sha256, NULL) == 1;
}

static bucket *bucket_of(io_verdicts *v, const unsigned char key[KEY])
{
    uint64_t start;
    memcpy(&start, key, sizeof start);
    return &v->buckets[start % v->n];
}

static verdict *find(bucket *b, const unsigned char key[KEY])
{
    for (size_t i = 0; i < WAYS; i++)
        if (memcmp(b->way[i].key, key, KEY) == 0) return &b->way[i];
    return NULL;
}

static void remember(bucket *b, const unsigned char key[KEY], const io_chain *chain)
{
    verdict *place = find(b, key);
    if (!place) {
        place = &b->way[b->next];
        b->next = (b->next + 1) % WAYS;
    }
    memcpy(place->key, key, KEY);
    place->chain = *chain;
}

static bool holds(const verdict *known, const io_judge_ask *ask)
{
    int64_t at = (int64_t)(ask->at != 0 ? ask->at : time(NULL));
    return known && known->chain.from <= at && at < known->chain.until;
}

s2s_err io_verdicts_judge(io_verdicts *v, const io_judge_ask *ask, char detail[128])
{
    unsigned char key[KEY];
    io_chain chain;
    S2S_ASSERT(ask->store == v->store);
    if (!ask->leaf || !key_of(v, ask, key)) return io_judge(ask, detail);
    bucket *b = bucket_of(v, key);
    const verdict *known = find(b, key);
    if (holds(known, ask)) {
        v->count.known++;
        return io_judge_leaf(ask, &known->chain, detail);
    }
    v->count.verified++;
    s2s_err err = io_judge_chain(ask, &chain, detail);
    if (err != S2S_E_OK) return err;
    remember(b, key, &chain);
    return io_judge_leaf(ask, &chain, detail);
}

s2s_err io_verdicts_judge_ssl(io_verdicts *v, const SSL *ssl, const s2s_domain *name,
                              char detail[128])
{
    const io_judge_ask ask = io_judge_ask_of(ssl, v->store, name);
    return io_verdicts_judge(v, &ask, detail);
}

io_verdicts_count io_verdicts_counted(const io_verdicts *v)
{
    return v->count;
}
