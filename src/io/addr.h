/* addr.h - an IP address with a port, as io speaks of it.
 * For:    one form of a peer's address: v4-mapped IPv6 is unmapped here, once, before any rule looks at it.
 * Never:  resolves names; scopes (link-local zones) are not kept.
 * Owner:  a value, freely copied.                                           */
#ifndef IO_ADDR_H
#define IO_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "s2s/base.h"

typedef struct io_addr {
    uint8_t family;    /* 4, 6; 0: no address */
    uint8_t bytes[16]; /* network order; family 4 uses the first four, the rest is 0 */
    uint16_t port;     /* host order; 0 where it means nothing */
} io_addr;

#define IO_ADDR_TEXT 64 /* holds "[" 45 characters "]:65535" and NUL */

/* Raw bytes as in an A (4) or AAAA (16) record; ::ffff:a.b.c.d becomes family 4.
 * S2S_E_DOMAIN_SYNTAX any other length; *out is "no address" then. */
S2S_MUST_CHECK s2s_err io_addr_of_bytes(const void *bytes, size_t len, uint16_t port, io_addr *out);

/* From accept4, getpeername, recvfrom. S2S_E_DOMAIN_SYNTAX: neither AF_INET nor AF_INET6. */
S2S_MUST_CHECK s2s_err io_addr_of_sockaddr(const struct sockaddr *sa, io_addr *out);

/* For bind and connect; gives the length to pass. `mapped`: an IPv4 address is written as ::ffff:a.b.c.d,
 * for a dual-stack socket. Asserts that there is an address. */
socklen_t io_addr_to_sockaddr(const io_addr *a, bool mapped, struct sockaddr_storage *out);

/* "192.0.2.1:5269", "[2001:db8::1]:5269"; without ":port" when port is 0 ("192.0.2.1", "2001:db8::1").
 * "-" for no address. Gives out. */
const char *io_addr_print(const io_addr *a, char out[IO_ADDR_TEXT]);

/* The reverse of print; the port may be left out (0). S2S_E_DOMAIN_SYNTAX: *out is "no address". */
S2S_MUST_CHECK s2s_err io_addr_parse(s2s_span text, io_addr *out);

bool io_addr_eq(const io_addr *a, const io_addr *b);        /* port included */
bool io_addr_same_host(const io_addr *a, const io_addr *b); /* port ignored */

/* A block of addresses: "10.0.0.0/8", "2001:db8::/32", "192.0.2.1" (all bits). */
typedef struct io_cidr {
    io_addr net; /* port 0; bits beyond `bits` are 0 */
    unsigned bits;
} io_cidr;

/* S2S_E_DOMAIN_SYNTAX; also when bits beyond the prefix are set (a typing error more often than not). */
S2S_MUST_CHECK s2s_err io_cidr_parse(s2s_span text, io_cidr *out);
bool io_cidr_has(const io_cidr *block, const io_addr *a); /* port ignored */

#endif
