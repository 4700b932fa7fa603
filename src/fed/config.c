/* config.c - looking things up in the settings, and the private-address guard; see config.h. */
#include "fed/config.h"

#include <string.h>

void fed_limits_init(fed_limits *l)
{
    *l = (fed_limits){
        .stanza = 512 * 1024,
        .queue_pair = 1024 * 1024,
        .queue_total = (size_t)256 * 1024 * 1024,
        .link_out = 256 * 1024,
        .pairs_per_stream = 1024,
        .pairs_inside = 100000,
        .checks_per_stream = 16,
        .conns_per_address = 100,
        .conns_outside = 10000,
        .refusals_per_second = 10,
        .dns_in_flight = 200,
        .targets = 10,
        .addrs_per_target = 4,
        .queue_ms = 30000,
        .attempts = 3,
        .attempts_in_all = 200,
        .attempt_ms = 250,
        .connect_ms = 10000,
        .plan_ms = 60000,
        .head_ms = 10000,
        .negotiate_ms = 30000,
        .dialback_ms = 30000,
        .stanza_ms = 60000,
        .close_ms = 5000,
        .send_ms = 60000,
        .idle_ms = 3600000,
        .keepalive_ms = 300000,
        .answer_ms = 30000,
        .rest_ms = 5000,
        .backoff_first_ms = 1000,
        .backoff_max_ms = 60000,
        .sweep_ms = 200,
    };
}

/* ---- domains: by hash, for there may be many, and everybody on the internet may ask ---- */

size_t fed_config_index_size(const fed_config *c)
{
    size_t places = fed_names_places(c->n_locals) + 2 * fed_names_places(c->n_policies);
    return sizeof(fed_config_names) + places * sizeof(uint32_t);
}

static void index_policy(fed_config_names *names, const fed_policy *p, size_t i)
{
    switch (p->match) {
    case FED_MATCH_EXACT: fed_names_add(&names->exact, i); return;
    case FED_MATCH_SUBTREE: fed_names_add(&names->subtrees, i); return;
    case FED_MATCH_ALL:
        if (names->all == NULL) names->all = p;
        return;
    }
}

void fed_config_index(fed_config *c, void *memory)
{
    fed_config_names *names = memory;
    uint32_t *locals = (uint32_t *)(void *)(names + 1);
    uint32_t *exact = locals + fed_names_places(c->n_locals);
    uint32_t *subtrees = exact + fed_names_places(c->n_policies);
    const s2s_domain *ours = c->n_locals > 0 ? &c->locals->domain : NULL;
    const s2s_domain *peers = c->n_policies > 0 ? &c->policies->domain : NULL;
    names->all = NULL;
    fed_names_init(&names->locals, ours, sizeof *c->locals, locals, c->n_locals);
    fed_names_init(&names->exact, peers, sizeof *c->policies, exact, c->n_policies);
    fed_names_init(&names->subtrees, peers, sizeof *c->policies, subtrees, c->n_policies);
    for (size_t i = 0; i < c->n_locals; i++)
        fed_names_add(&names->locals, i);
    for (size_t i = 0; i < c->n_policies; i++)
        index_policy(names, &c->policies[i], i);
    c->names = names;
}

const fed_local *fed_config_local(const fed_config *c, const s2s_domain *d)
{
    size_t i = fed_names_find(&c->names->locals, d);
    return i != FED_NAMES_NONE ? &c->locals[i] : NULL;
}

bool fed_config_under_local(const fed_config *c, const s2s_domain *d)
{
    return fed_names_above(&c->names->locals, d) != FED_NAMES_NONE;
}

/* Nearest first: exact, the deepest subtree, all. */
const fed_policy *fed_config_policy(const fed_config *c, const s2s_domain *remote)
{
    size_t i = fed_names_find(&c->names->exact, remote);
    if (i == FED_NAMES_NONE) i = fed_names_above(&c->names->subtrees, remote);
    const fed_policy *p = i != FED_NAMES_NONE ? &c->policies[i] : c->names->all;
    S2S_ASSERT(p != NULL); /* app sees to the record that matches all */
    return p;
}

s2s_tls_level fed_policy_tls(const fed_policy *p)
{
    bool in_clear = (p->proofs & FED_PROOF_DIALBACK) != 0;
    return p->tls == S2S_TLS_OPTIONAL && !in_clear ? S2S_TLS_REQUIRED : p->tls;
}

bool fed_policy_takes(const fed_policy *p, s2s_proof proof)
{
    switch (proof) {
    case S2S_PROOF_NONE: return false;
    case S2S_PROOF_CERTIFICATE: return (p->proofs & FED_PROOF_CERTIFICATE) != 0;
    case S2S_PROOF_DIALBACK: return (p->proofs & FED_PROOF_DIALBACK) != 0;
    case S2S_PROOF_PIN: return (p->proofs & FED_PROOF_PIN) != 0;
    case S2S_PROOF_DANE: return (p->proofs & FED_PROOF_DANE) != 0;
    case S2S_PROOF_POSH: return (p->proofs & FED_PROOF_POSH) != 0;
    }
    return false;
}

/* ---- the private-address guard (attack 132, RFC 6890 and its registries) ---- */

typedef struct block4 {
    uint8_t net[4];
    unsigned bits;
} block4;

static const block4 NOT_PUBLIC_4[] = {
    {{0, 0, 0, 0}, 8},       /* this network, unspecified */
    {{10, 0, 0, 0}, 8},      /* RFC 1918 */
    {{100, 64, 0, 0}, 10},   /* carrier-grade NAT */
    {{127, 0, 0, 0}, 8},     /* loopback */
    {{169, 254, 0, 0}, 16},  /* link-local, cloud metadata */
    {{172, 16, 0, 0}, 12},   /* RFC 1918 */
    {{192, 0, 0, 0}, 24},    /* IETF protocol assignments */
    {{192, 0, 2, 0}, 24},    /* documentation */
    {{192, 88, 99, 0}, 24},  /* 6to4 relays, gone since RFC 7526 */
    {{192, 168, 0, 0}, 16},  /* RFC 1918 */
    {{198, 18, 0, 0}, 15},   /* benchmarking */
    {{198, 51, 100, 0}, 24}, /* documentation */
    {{203, 0, 113, 0}, 24},  /* documentation */
    {{224, 0, 0, 0}, 4},     /* multicast */
    {{240, 0, 0, 0}, 4},     /* reserved, broadcast */
};

typedef struct block6 {
    uint8_t net[8];
    unsigned bits;
} block6;

/* Within 2000::/3; everything outside it is refused as a whole, NAT64 and mapped addresses apart. */
static const block6 NOT_PUBLIC_6[] = {
    {{0x20, 0x01}, 23},             /* IETF assignments: Teredo, benchmarking, ORCHID... */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x3f, 0xff}, 20},             /* documentation */
    {{0x3f, 0xfe}, 16},             /* 6bone, returned */
};

static bool in_block(const uint8_t *net, unsigned bits, const uint8_t *a)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    if (memcmp(net, a, whole) != 0) return false;
    return rest == 0 || ((net[whole] ^ a[whole]) >> (8 - rest)) == 0;
}

static bool public4(const uint8_t a[4])
{
    for (size_t i = 0; i < sizeof NOT_PUBLIC_4 / sizeof NOT_PUBLIC_4[0]; i++)
        if (in_block(NOT_PUBLIC_4[i].net, NOT_PUBLIC_4[i].bits, a)) return false;
    return true;
}

/* The IPv4 address that an IPv6 address leads to: mapped, NAT64 (RFC 6052), 6to4 (RFC 3056). NULL: none. */
static const uint8_t *inner4(const uint8_t a[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    if (memcmp(a, mapped, sizeof mapped) == 0) return a + 12;
    if (memcmp(a, nat64, sizeof nat64) == 0) return a + 12;
    if (a[0] == 0x20 && a[1] == 0x02) return a + 2;
    return NULL;
}

static bool public6(const uint8_t a[16])
{
    const uint8_t *inner = inner4(a);
    if (inner != NULL) return public4(inner);
    if ((a[0] & 0xe0) != 0x20) return false;
    for (size_t i = 0; i < sizeof NOT_PUBLIC_6 / sizeof NOT_PUBLIC_6[0]; i++)
        if (in_block(NOT_PUBLIC_6[i].net, NOT_PUBLIC_6[i].bits, a)) return false;
    return true;
}

static fed_addr unwrapped(const fed_addr *a)
{
    const uint8_t *inner = a->family == 6 ? inner4(a->bytes) : NULL;
    if (inner == NULL) return *a;
    fed_addr out = {.family = 4, .port = a->port};
    memcpy(out.bytes, inner, 4);
    return out;
}

static bool is_loopback(const fed_addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    return a->family == 4 ? a->bytes[0] == 127 : memcmp(a->bytes, one, 16) == 0;
}

static bool is_unspecified(const fed_addr *a)
{
    static const uint8_t none[16];
    return memcmp(a->bytes, none, a->family == 4 ? 4 : 16) == 0;
}

/* A listener on every address is reached by loopback too; the machine's other addresses are listed by app. */
static bool is_own(const fed_config *c, const fed_addr *a)
{
    for (size_t i = 0; i < c->n_own; i++) {
        const fed_addr *own = &c->own[i];
        if (own->port != 0 && own->port != a->port) continue;
        fed_addr host = *a;
        host.port = own->port;
        if (fed_addr_eq(own, &host)) return true;
        if (is_unspecified(own) && (is_loopback(a) || is_unspecified(a))) return true;
    }
    return false;
}

bool fed_config_may_dial(const fed_config *c, const fed_addr *a)
{
    if (a->family != 4 && a->family != 6) return false;
    fed_addr inner = unwrapped(a);
    if (is_own(c, a) || is_own(c, &inner)) return false;
    for (size_t i = 0; i < c->n_allow_private; i++)
        if (fed_cidr_has(&c->allow_private[i], a)) return true;
    return a->family == 4 ? public4(a->bytes) : public6(a->bytes);
}
