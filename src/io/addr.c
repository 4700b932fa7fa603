/* addr.c - see addr.h. */
#include "io/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

s2s_err io_addr_of_bytes(const void *bytes, size_t len, uint16_t port, io_addr *out)
{
    memset(out, 0, sizeof *out);
    if (len != 4 && len != 16) return S2S_E_DOMAIN_SYNTAX;
    out->port = port;
    if (len == 16 && memcmp(bytes, MAPPED, sizeof MAPPED) != 0) {
        out->family = 6;
        memcpy(out->bytes, bytes, 16);
        return S2S_E_OK;
    }
    out->family = 4;
    memcpy(out->bytes, (const uint8_t *)bytes + (len - 4), 4);
    return S2S_E_OK;
}

s2s_err io_addr_of_sockaddr(const struct sockaddr *sa, io_addr *out)
{
    /* Copied, not cast: the caller's buffer need not be aligned for the bigger struct. */
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        return io_addr_of_bytes(&in.sin_addr, 4, ntohs(in.sin_port), out);
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        return io_addr_of_bytes(&in6.sin6_addr, 16, ntohs(in6.sin6_port), out);
    }
    memset(out, 0, sizeof *out);
    return S2S_E_DOMAIN_SYNTAX;
}

static socklen_t put_in(const io_addr *a, struct sockaddr_storage *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
    memcpy(&in.sin_addr, a->bytes, 4);
    memcpy(out, &in, sizeof in);
    return sizeof in;
}

socklen_t io_addr_to_sockaddr(const io_addr *a, bool mapped, struct sockaddr_storage *out)
{
    S2S_ASSERT(a->family == 4 || a->family == 6);
    memset(out, 0, sizeof *out);
    if (a->family == 4 && !mapped) return put_in(a, out);

    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
    if (a->family == 6) {
        memcpy(&in6.sin6_addr, a->bytes, 16);
    } else {
        memcpy(&in6.sin6_addr, MAPPED, sizeof MAPPED);
        memcpy((uint8_t *)&in6.sin6_addr + sizeof MAPPED, a->bytes, 4);
    }
    memcpy(out, &in6, sizeof in6);
    return sizeof in6;
}

const char *io_addr_print(const io_addr *a, char out[IO_ADDR_TEXT])
{
    char host[INET6_ADDRSTRLEN];
    int family = a->family == 4 ? AF_INET : AF_INET6;
    if (a->family == 0 || inet_ntop(family, a->bytes, host, sizeof host) == NULL) {
        snprintf(out, IO_ADDR_TEXT, "-");
        return out;
    }
    if (a->port == 0)
        snprintf(out, IO_ADDR_TEXT, "%s", host);
    else
        snprintf(out, IO_ADDR_TEXT, family == AF_INET ? "%s:%u" : "[%s]:%u", host, a->port);
    return out;
}

/* Digits only, 1-65535: no sign, no blank, no leading zero. */
static bool parse_port(s2s_span text, uint16_t *out)
{
    unsigned long value = 0;
    if (text.len == 0 || text.len > 5 || text.ptr[0] == '0') return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        value = value * 10 + (unsigned long)(text.ptr[i] - '0');
    }
    *out = (uint16_t)value;
    return value <= UINT16_MAX;
}

static s2s_err parse_host(s2s_span text, io_addr *out)
{
    char host[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (text.len == 0 || text.len >= sizeof host) return S2S_E_DOMAIN_SYNTAX;
    if (memchr(text.ptr, '\0', text.len) != NULL) return S2S_E_DOMAIN_SYNTAX;
    memcpy(host, text.ptr, text.len);
    host[text.len] = '\0';
    if (inet_pton(AF_INET, host, bytes) == 1) return io_addr_of_bytes(bytes, 4, 0, out);
    if (inet_pton(AF_INET6, host, bytes) == 1) return io_addr_of_bytes(bytes, 16, 0, out);
    return S2S_E_DOMAIN_SYNTAX;
}

s2s_err io_addr_parse(s2s_span text, io_addr *out)
{
    memset(out, 0, sizeof *out);
    s2s_span host = text;
    s2s_span port = {NULL, 0};
    if (text.len > 0 && text.ptr[0] == '[') {
        const char *end = memchr(text.ptr, ']', text.len);
        if (end == NULL) return S2S_E_DOMAIN_SYNTAX;
        host = (s2s_span){text.ptr + 1, (size_t)(end - text.ptr) - 1};
        port = (s2s_span){end + 1, text.len - host.len - 2};
        /* The brackets announce a port. */
        if (port.len == 0 || port.ptr[0] != ':') return S2S_E_DOMAIN_SYNTAX;
    } else if (text.len > 0) {
        const char *colon = memchr(text.ptr, ':', text.len);
        size_t left = colon != NULL ? text.len - (size_t)(colon - text.ptr) - 1 : 0;
        /* One colon: a port. More: an IPv6 address without one. */
        if (colon != NULL && memchr(colon + 1, ':', left) == NULL) {
            host.len = (size_t)(colon - text.ptr);
            port = (s2s_span){colon, left + 1};
        }
    }
    uint16_t number = 0;
    if (port.len > 0 && !parse_port((s2s_span){port.ptr + 1, port.len - 1}, &number))
        return S2S_E_DOMAIN_SYNTAX;
    s2s_err err = parse_host(host, out);
    if (err == S2S_E_OK) out->port = number;
    return err;
}

bool io_addr_same_host(const io_addr *a, const io_addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool io_addr_eq(const io_addr *a, const io_addr *b)
{
    return a->port == b->port && io_addr_same_host(a, b);
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    if (memcmp(a, b, whole) != 0) return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

s2s_err io_cidr_parse(s2s_span text, io_cidr *out)
{
    memset(out, 0, sizeof *out);
    const char *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;
    s2s_span host = {text.ptr, slash != NULL ? (size_t)(slash - text.ptr) : text.len};
    io_cidr block = {.bits = 0};
    s2s_err err = parse_host(host, &block.net);
    if (err != S2S_E_OK) return err;
    unsigned most = block.net.family == 4 ? 32 : 128;
    block.bits = most;
    if (slash != NULL) {
        s2s_span rest = {slash + 1, text.len - host.len - 1};
        uint16_t bits = 0;
        if (!s2s_span_is(rest, "0") && !parse_port(rest, &bits)) return S2S_E_DOMAIN_SYNTAX;
        if (bits > most) return S2S_E_DOMAIN_SYNTAX;
        block.bits = bits;
    }
    for (unsigned bit = block.bits; bit < most; bit++)
        if ((block.net.bytes[bit / 8] & (0x80 >> bit % 8)) != 0) return S2S_E_DOMAIN_SYNTAX;
    *out = block;
    return S2S_E_OK;
}

bool io_cidr_has(const io_cidr *block, const io_addr *a)
{
    return block->net.family != 0 && block->net.family == a->family &&
           bits_equal(block->net.bytes, a->bytes, block->bits);
}
