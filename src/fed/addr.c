/* addr.c - addresses as text, and blocks of them; see world.h and config.h.
 * The rooms below sockets have no inet_pton, so both forms are read and written here (RFC 4291 2.2, RFC 5952). */
#include "fed/config.h"

#include <stdio.h>
#include <string.h>

/* ---- writing ---- */

/* The longest run of two or more zero groups, written as "::" (RFC 5952 4.2); start 8: none. */
static void longest_zeros(const uint16_t group[8], unsigned *start, unsigned *len)
{
    *start = 8;
    *len = 1;
    for (unsigned i = 0; i < 8; i++) {
        unsigned n = 0;
        while (i + n < 8 && group[i + n] == 0)
            n++;
        if (n > *len) {
            *start = i;
            *len = n;
        }
        i += n;
    }
}

static size_t print_v6(const uint8_t bytes[16], char *out, size_t size)
{
    uint16_t group[8];
    for (unsigned i = 0; i < 8; i++)
        group[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
    unsigned start, len;
    longest_zeros(group, &start, &len);

    size_t at = 0;
    for (unsigned i = 0; i < 8; i++) {
        if (i == start) {
            at += (size_t)snprintf(out + at, size - at, "::");
            i += len - 1;
            continue;
        }
        bool colon = i > 0 && out[at - 1] != ':';
        at += (size_t)snprintf(out + at, size - at, "%s%x", colon ? ":" : "", group[i]);
    }
    return at;
}

const char *fed_addr_print(const fed_addr *a, char out[FED_ADDR_TEXT])
{
    const uint8_t *b = a->bytes;
    if (a->family == 4) {
        int n = snprintf(out, FED_ADDR_TEXT, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
        if (a->port != 0) snprintf(out + n, FED_ADDR_TEXT - (size_t)n, ":%u", a->port);
    } else if (a->family == 6) {
        char host[48];
        print_v6(b, host, sizeof host);
        if (a->port != 0)
            snprintf(out, FED_ADDR_TEXT, "[%s]:%u", host, a->port);
        else
            snprintf(out, FED_ADDR_TEXT, "%s", host);
    } else {
        snprintf(out, FED_ADDR_TEXT, "-");
    }
    return out;
}

bool fed_addr_eq(const fed_addr *a, const fed_addr *b)
{
    size_t len = a->family == 4 ? 4 : 16;
    return a->family == b->family && a->port == b->port && memcmp(a->bytes, b->bytes, len) == 0;
}

/* FNV-1a; the seed keeps whoever picks addresses from picking a bucket. */
uint32_t fed_addr_hash(const fed_addr *a, uint32_t seed)
{
    const size_t len = a->family == 4 ? 4 : 16;
    uint32_t h = (seed ^ a->port) * UINT32_C(16777619);
    for (size_t i = 0; i < len; i++)
        h = (h ^ a->bytes[i]) * UINT32_C(16777619);
    return h ^ (h >> 15);
}

/* ---- reading ---- */

/* Digits only, no leading zero; false when out of range or something else stands there. */
static bool read_number(s2s_span text, unsigned most, unsigned *out)
{
    unsigned value = 0;
    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.ptr[0] == '0')) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *out = value;
    return value <= most;
}

/* Cuts what stands before `sep` off the front of *rest; false: there is no sep, all was taken. */
static bool cut(s2s_span *rest, char sep, s2s_span *head)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, sep, rest->len) : NULL;
    *head = *rest;
    if (end == NULL) {
        rest->len = 0;
        return false;
    }
    head->len = (size_t)(end - rest->ptr);
    rest->ptr = end + 1;
    rest->len -= head->len + 1;
    return true;
}

static bool read_v4(s2s_span text, uint8_t out[4])
{
    for (unsigned i = 0; i < 4; i++) {
        s2s_span head;
        unsigned value = 0;
        bool more = cut(&text, '.', &head);
        if (more != (i < 3) || !read_number(head, 255, &value)) return false;
        out[i] = (uint8_t)value;
    }
    return true;
}

static bool read_group(s2s_span text, uint8_t out[2])
{
    unsigned value = 0;
    if (text.len == 0 || text.len > 4) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= '0' && c <= '9')
            value = value << 4 | (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (unsigned)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            value = value << 4 | (unsigned)(c - 'A' + 10);
        else
            return false;
    }
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return true;
}

/* Colon-separated groups, the last of which may be a dotted quad. Gives the bytes filled, -1: syntax. */
static int read_groups(s2s_span text, uint8_t out[16])
{
    int at = 0;
    if (text.len == 0) return 0;
    for (bool more = true; more;) {
        s2s_span head;
        more = cut(&text, ':', &head);
        if (!more && memchr(head.ptr, '.', head.len) != NULL) {
            if (at > 12 || !read_v4(head, out + at)) return -1;
            return at + 4;
        }
        if (at > 14 || !read_group(head, out + at)) return -1;
        at += 2;
    }
    return at;
}

static bool read_v6(s2s_span text, uint8_t out[16])
{
    uint8_t left[16], right[16];
    size_t gap = 0;
    while (gap + 1 < text.len && (text.ptr[gap] != ':' || text.ptr[gap + 1] != ':'))
        gap++;
    if (gap + 1 >= text.len) return read_groups(text, out) == 16;

    s2s_span before = {text.ptr, gap};
    s2s_span after = {text.ptr + gap + 2, text.len - gap - 2};
    if (before.len > 0 && memchr(before.ptr, '.', before.len) != NULL) return false;
    int n = read_groups(before, left);
    int m = read_groups(after, right);
    /* "::" stands for at least one group. */
    if (n < 0 || m < 0 || n + m > 14) return false;
    memset(out, 0, 16);
    memcpy(out, left, (size_t)n);
    memcpy(out + 16 - m, right, (size_t)m);
    return true;
}

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static s2s_err read_host(s2s_span text, fed_addr *out)
{
    uint8_t bytes[16] = {0};
    memset(out, 0, sizeof *out);
    if (read_v4(text, bytes)) {
        out->family = 4;
        memcpy(out->bytes, bytes, 4);
        return S2S_E_OK;
    }
    if (!read_v6(text, bytes)) return S2S_E_DOMAIN_SYNTAX;
    /* As io does for addresses that come from sockets: mapped ones are IPv4. */
    bool mapped = memcmp(bytes, MAPPED, sizeof MAPPED) == 0;
    out->family = mapped ? 4 : 6;
    memcpy(out->bytes, mapped ? bytes + 12 : bytes, mapped ? 4 : 16);
    return S2S_E_OK;
}

s2s_err fed_addr_parse(s2s_span text, fed_addr *out)
{
    s2s_span host = text, port = text;
    unsigned number = 0;
    memset(out, 0, sizeof *out);
    if (text.len > 0 && text.ptr[0] == '[') {
        host = (s2s_span){text.ptr + 1, text.len - 1};
        port = host;
        if (!cut(&port, ']', &host) || port.len == 0 || port.ptr[0] != ':')
            return S2S_E_DOMAIN_SYNTAX;
        port = (s2s_span){port.ptr + 1, port.len - 1};
    } else if (!cut(&port, ':', &host)) {
        return S2S_E_DOMAIN_SYNTAX;
    }
    if (!read_number(port, UINT16_MAX, &number) || number == 0) return S2S_E_DOMAIN_SYNTAX;
    s2s_err err = read_host(host, out);
    if (err != S2S_E_OK) return err;
    /* Brackets are for IPv6, and IPv6 needs them. */
    bool bracketed = text.ptr[0] == '[';
    bool colons = memchr(host.ptr, ':', host.len) != NULL;
    if (bracketed != colons) {
        memset(out, 0, sizeof *out);
        return S2S_E_DOMAIN_SYNTAX;
    }
    out->port = (uint16_t)number;
    return S2S_E_OK;
}

/* ---- which is better ---- */

typedef struct label { /* a row of RFC 6724 2.1, longest prefix first */
    uint8_t net[16];
    unsigned bits;
    unsigned precedence;
} label;

static const label LABELS[] = {
    {{[15] = 1}, 128, 50},  /* ::1 */
    {{0}, 96, 1},           /* IPv4-compatible, deprecated */
    {{0x20, 0x01}, 32, 5},  /* Teredo */
    {{0x20, 0x02}, 16, 30}, /* 6to4 */
    {{0x3f, 0xfe}, 16, 1},  /* 6bone, returned */
    {{0xfe, 0xc0}, 10, 1},  /* site-local, deprecated */
    {{0xfc, 0x00}, 7, 3},   /* unique local */
};
enum { PRECEDENCE_4 = 35, PRECEDENCE_6 = 40 };

unsigned fed_addr_precedence(const fed_addr *a)
{
    if (a->family == 4) return PRECEDENCE_4;
    for (size_t i = 0; i < sizeof LABELS / sizeof LABELS[0]; i++) {
        fed_cidr block = {.net = {.family = 6}, .bits = LABELS[i].bits};
        memcpy(block.net.bytes, LABELS[i].net, 16);
        if (fed_cidr_has(&block, a)) return LABELS[i].precedence;
    }
    return PRECEDENCE_6;
}

/* ---- blocks ---- */

s2s_err fed_cidr_parse(s2s_span text, fed_cidr *out)
{
    s2s_span host;
    memset(out, 0, sizeof *out);
    fed_cidr block = {.bits = 0};
    bool slash = cut(&text, '/', &host);
    s2s_err err = read_host(host, &block.net);
    if (err != S2S_E_OK) return err;
    unsigned most = block.net.family == 4 ? 32 : 128;
    block.bits = most;
    if (slash && !read_number(text, most, &block.bits)) return S2S_E_DOMAIN_SYNTAX;
    /* Bits behind the prefix are a typing error more often than not. */
    for (unsigned bit = block.bits; bit < most; bit++)
        if ((block.net.bytes[bit / 8] & (0x80 >> bit % 8)) != 0) return S2S_E_DOMAIN_SYNTAX;
    *out = block;
    return S2S_E_OK;
}

bool fed_cidr_has(const fed_cidr *block, const fed_addr *a)
{
    unsigned whole = block->bits / 8;
    unsigned rest = block->bits % 8;
    if (block->net.family == 0 || block->net.family != a->family) return false;
    if (memcmp(block->net.bytes, a->bytes, whole) != 0) return false;
    return rest == 0 || ((block->net.bytes[whole] ^ a->bytes[whole]) >> (8 - rest)) == 0;
}
