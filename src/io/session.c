/* session.c - see session.h. */
#include "io/session.h"

#include <openssl/x509.h>
#include <stdlib.h>

enum {
    BUCKETS = 1024,
    KEPT = 2, /* of a place: servers give as many with a handshake */
    /* What OpenSSL holds, estimated: the object, and for an octet of a certificate's encoding what it is decoded to. */
    OBJECT = 1024,
    CERTIFICATE = 3072,
    DECODED = 4
};

typedef struct kept {
    SSL_SESSION *session;
    uint64_t until;
    size_t octets;
} kept;

struct io_session_place {
    io_sessions *all;
    io_session_way way;
    unsigned held;
    kept kept[KEPT]; /* the oldest first */
    unsigned n;
    uint64_t full_at;                       /* of those kept */
    uint64_t barred_until;                  /* 0: it is not */
    struct io_session_place *same;          /* of the same bucket */
    struct io_session_place *newer, *older; /* while something is kept for it; a ring */
};

struct io_sessions {
    io_sessions_limits limits;
    uint32_t seed;
    io_session_place *buckets[BUCKETS];
    io_session_place ring; /* its `older` is the newest, its `newer` the oldest */
    io_sessions_count count;
    size_t exist; /* places */
    bool closed;
};

void io_sessions_limits_init(io_sessions_limits *l)
{
    *l = (io_sessions_limits){
        .places = 4096, .octets = 33554432, .age_ms = 86400000, .bar_ms = 3600000};
}

/* ---- life ---- */

io_sessions *io_sessions_new(const io_sessions_limits *limits, uint32_t seed)
{
    io_sessions *all = calloc(1, sizeof *all);
    if (!all) return NULL;
    all->limits = *limits;
    all->seed = seed;
    all->ring.newer = all->ring.older = &all->ring;
    return all;
}

static void forget(io_session_place *p);

void io_sessions_free(io_sessions *all)
{
    if (!all) return;
    while (all->ring.newer != &all->ring)
        forget(all->ring.newer);
    all->closed = true;
    if (all->exist == 0) free(all);
}

/* ---- places ---- */

static io_session_place **bucket_of(io_sessions *all, const io_session_way *way)
{
    uint32_t hash = s2s_domain_hash(&way->theirs, all->seed);
    hash = s2s_domain_hash(&way->ours, hash);
    return &all->buckets[hash % BUCKETS];
}

static bool is_way(const io_session_way *a, const io_session_way *b)
{
    return a->ctx == b->ctx && s2s_domain_eq(&a->ours, &b->ours) &&
           s2s_domain_eq(&a->theirs, &b->theirs) && io_addr_eq(&a->endpoint, &b->endpoint);
}

io_session_place *io_session_hold(io_sessions *all, const io_session_way *way)
{
    if (all->limits.places == 0) return NULL;
    io_session_place **bucket = bucket_of(all, way), *p = *bucket;
    while (p && !is_way(&p->way, way))
        p = p->same;
    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p) return NULL;
        p->all = all;
        p->way = *way;
        SSL_CTX_up_ref(way->ctx);
        p->same = *bucket;
        *bucket = p;
        all->exist++;
    }
    p->held++;
    return p;
}

static void free_unneeded(io_session_place *p)
{
    io_sessions *all = p->all;
    if (p->held > 0 || p->newer) return;
    io_session_place **at = bucket_of(all, &p->way);
    while (*at != p)
        at = &(*at)->same;
    *at = p->same;
    SSL_CTX_free(p->way.ctx);
    free(p);
    if (--all->exist == 0 && all->closed) free(all);
}

void io_session_let_go(io_session_place *p)
{
    if (!p) return;
    p->held--;
    free_unneeded(p);
}

/* ---- what is kept for one ---- */

static void drop(io_session_place *p, unsigned i)
{
    p->all->count.sessions--;
    p->all->count.octets -= p->kept[i].octets;
    SSL_SESSION_free(p->kept[i].session);
    for (p->n--; i < p->n; i++)
        p->kept[i] = p->kept[i + 1];
}

static void drop_all(io_session_place *p)
{
    while (p->n > 0)
        drop(p, p->n - 1);
}

static void leave_ring(io_session_place *p)
{
    if (!p->newer) return;
    p->newer->older = p->older;
    p->older->newer = p->newer;
    p->newer = p->older = NULL;
    p->all->count.places--;
}

/* As the newest. */
static void enter_ring(io_session_place *p)
{
    io_session_place *ring = &p->all->ring;
    leave_ring(p);
    p->older = ring->older;
    p->newer = ring;
    p->older->newer = p;
    ring->older = p;
    p->all->count.places++;
}

/* Nothing is kept for it any more. Frees it when nobody holds it. */
static void forget(io_session_place *p)
{
    drop_all(p);
    p->barred_until = 0;
    leave_ring(p);
    free_unneeded(p);
}

static bool is_barred(const io_session_place *p, uint64_t now)
{
    return now < p->barred_until;
}

static bool is_over(const io_session_place *p, uint64_t now)
{
    return p->n > 0 ? p->kept[p->n - 1].until <= now : !is_barred(p, now);
}

/* Whoever holds `except` goes on using it. */
static void make_room(io_sessions *all, const io_session_place *except, uint64_t now)
{
    const io_sessions_limits *l = &all->limits;
    for (io_session_place *p = all->ring.newer; p != &all->ring; p = all->ring.newer) {
        bool full = all->count.places > l->places || all->count.octets > l->octets;
        if (p == except || (!full && !is_over(p, now))) return;
        forget(p);
    }
}

/* ---- sessions ---- */

static size_t octets_of(const io_session_new *n)
{
    const unsigned char *ticket;
    size_t octets = 0;
    SSL_SESSION_get0_ticket(n->session, &ticket, &octets);
    octets += OBJECT;
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(n->ssl);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int encoded = i2d_X509(sk_X509_value(chain, i), NULL);
        octets += CERTIFICATE + DECODED * (size_t)(encoded > 0 ? encoded : 0);
    }
    return octets;
}

static bool is_worth(const io_session_new *n)
{
    bool old = SSL_SESSION_get_protocol_version(n->session) < TLS1_3_VERSION;
    return SSL_SESSION_is_resumable(n->session) == 1 &&
           (!old || SSL_get_extms_support(n->ssl) == 1);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A hint of 0 says "at once" in TLS 1.3 (RFC 8446 4.6.1), and before it nothing (RFC 5077 3.3). */
static uint64_t until_of(const io_session_place *p, const io_session_new *n, uint64_t now)
{
    uint64_t seconds = SSL_SESSION_get_ticket_lifetime_hint(n->session);
    if (seconds == 0 && SSL_SESSION_get_protocol_version(n->session) < TLS1_3_VERSION)
        seconds = (uint64_t)SSL_SESSION_get_timeout(n->session);
    return sooner(now + 1000 * seconds, n->full_at + p->all->limits.age_ms);
}

static size_t octets_kept(const io_session_place *p)
{
    size_t octets = 0;
    for (unsigned i = 0; i < p->n; i++)
        octets += p->kept[i].octets;
    return octets;
}

bool io_session_keep(io_session_place *p, const io_session_new *n, uint64_t now)
{
    io_sessions *all = p->all;
    if (all->closed || is_barred(p, now) || !is_worth(n)) return false;
    for (unsigned i = 0; i < p->n; i++)
        if (p->kept[i].session == n->session) return true;
    const kept it = {n->session, until_of(p, n, now), octets_of(n)};
    if (it.until <= now || it.octets > all->limits.octets) return false;
    if (p->full_at != n->full_at) drop_all(p);
    while (p->n == KEPT || (p->n > 0 && octets_kept(p) + it.octets > all->limits.octets))
        drop(p, 0);
    SSL_SESSION_up_ref(it.session);
    p->kept[p->n++] = it;
    p->full_at = n->full_at;
    all->count.sessions++;
    all->count.octets += it.octets;
    enter_ring(p);
    make_room(all, p, now);
    return true;
}

SSL_SESSION *io_session_take(io_session_place *p, uint64_t now, uint64_t *full_at)
{
    SSL_SESSION *taken = NULL;
    while (p->n > 0 && !taken) {
        const kept *newest = &p->kept[p->n - 1];
        SSL_SESSION *session = newest->session;
        bool good = newest->until > now && SSL_SESSION_is_resumable(session) == 1;
        bool once = SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
        if (good && SSL_SESSION_up_ref(session) == 1) taken = session;
        if (!taken || once) drop(p, p->n - 1);
    }
    *full_at = p->full_at;
    if (p->n == 0 && !is_barred(p, now)) leave_ring(p);
    return taken;
}

void io_session_bar(io_session_place *p, uint64_t now)
{
    drop_all(p);
    if (p->all->closed) return;
    p->barred_until = now + p->all->limits.bar_ms;
    enter_ring(p);
    make_room(p->all, p, now);
}

io_sessions_count io_sessions_counted(const io_sessions *all)
{
    return all->count;
}
