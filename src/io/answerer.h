/* answerer.h - the DNS server that stands on the inside address, by UDP and TCP (libldns).
 * For:    pointing local servers at us (dns_reply.h says what is answered), and relaying their other questions.
 * Never:  answers or relays for an address that is not a client; answers on the outside (it is bound to one inside address).
 * Owner:  one loop; sockets of its own, watched by uv_poll.
 *
 * Everything is bounded: datagrams handled in one turn, questions of one client per second, relayed questions at once,
 * TCP connections and their time. Relaying is by UDP; a relayed answer that would need TCP is SERVFAIL to a TCP client. */
#ifndef IO_ANSWERER_H
#define IO_ANSWERER_H

#include <uv.h>

#include "io/addr.h"
#include "io/dns_reply.h"

typedef struct io_answerer io_answerer;

typedef struct io_answerer_settings {
    io_addr listen;         /* one address, "10.0.0.5:53" */
    const io_cidr *clients; /* who may ask: the trusted addresses of local servers */
    size_t n_clients;
    io_addr upstream;         /* resolver for all other questions; family 0: none */
    io_replier_settings says; /* `forwards` is set by whether there is an upstream */
    unsigned rate;            /* 10,000 questions a second from one client */
    unsigned refusals;        /* 10 REFUSED a second to strangers in all */
    unsigned relayed;         /* 256 questions at once */
    unsigned connections;     /* 32 by TCP */
    uint32_t relay_ms;        /* 5,000: then SERVFAIL */
    uint32_t tcp_ms;          /* 10,000: for a whole question, and between questions */
} io_answerer_settings;

void io_answerer_settings_init(
    io_answerer_settings *s); /* the figures above, ttl 60; addresses and target are empty */

/* Borrows settings (and all they point to) for its life. NULL: *reason says why (lives for ever), errno what the
 * system said to it, if anything. */
io_answerer *io_answerer_new(uv_loop_t *loop, const io_answerer_settings *settings,
                             const char **reason);

/* Where it listens; the port is the real one when 0 was given. */
io_addr io_answerer_where(const io_answerer *a);

typedef struct io_answerer_counts {
    uint64_t questions;           /* datagrams and TCP frames of clients */
    uint64_t answered;            /* by ourselves */
    uint64_t relayed;             /* sent to the upstream */
    uint64_t returned;            /* its answers given back */
    uint64_t malformed;           /* dropped */
    uint64_t strangers;           /* questions of addresses that are no clients */
    uint64_t refused;             /* of these, told so */
    uint64_t too_fast;            /* dropped by the rate */
    uint64_t too_many;            /* SERVFAIL: relay table full */
    uint64_t timeouts;            /* SERVFAIL: upstream silent */
    uint64_t forged;              /* upstream datagrams that fit no question */
    uint64_t connections;         /* accepted by TCP */
    unsigned relaying, connected; /* now */
} io_answerer_counts;
void io_answerer_count(const io_answerer *a, io_answerer_counts *out);

/* Its handles are closed by the loop's next turns. */
void io_answerer_free(io_answerer *a);

#endif
