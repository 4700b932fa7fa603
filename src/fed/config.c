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
        .connect_ms = 10000,
        .plan_ms = 60000,
        .head_ms = 10000,
        .negotiate_ms = 30000,
        .dialback_ms = 30000,
        .stanza_ms = 60000,
        .close_ms = 5000,
        .send_ms = 60000,
        .idle_ms = 3600000,
        .backoff_first_ms = 1000,
        .backoff_max_ms = 60000,
        .sweep_ms = 200,
    };
}

const fed_local *fed_config_local(const fed_config *c, const s2s_domain *d)
{
    for (size_t i = 0; i < c->n_locals; i++)
        if (s2s_domain_eq(&c->locals[i].domain, d)) return &c->locals[i];
    return NULL;
}

bool fed_config_under_local(const fed_config *c, const s2s_domain *d)
{
    for (size_t i = 0; i < c->n_locals; i++)
        if (s2s_domain_under(d, &c->locals[i].domain)) return true;
    return false;
}

static bool policy_fits(const fed_policy *p, const s2s_domain *remote)
{
    switch (p->match) {
    case FED_MATCH_EXACT: return s2s_domain_eq(&p->domain, remote);
    case FED_MATCH_SUBTREE: return s2s_domain_under(remote, &p->domain);
    case FED_MATCH_ALL: return true;
    }
    return false;
}

/* Nearer is greater: all, then subtrees by depth (a fitting subtree is a suffix, so longer is deeper), then exact. */
static unsigned policy_nearness(const fed_policy *p)
{
    switch (p->match) {
    case FED_MATCH_EXACT: return S2S_DOMAIN_MAX + 1;
    case FED_MATCH_SUBTREE: return p->domain.len;
    case FED_MATCH_ALL: return 0;
    }
    return 0;
}

const fed_policy *fed_config_policy(const fed_config *c, const s2s_domain *remote)
{
    const fed_policy *best = NULL;
    for (size_t i = 0; i < c->n_policies; i++) {
        const fed_policy *p = &c->policies[i];
        if (!policy_fits(p, remote)) continue;
        if (best == NULL || policy_nearness(p) > policy_nearness(best)) best = p;
    }
    S2S_ASSERT(best != NULL); /* app sees to the record that matches all */
    return best;
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
