/* dns_reply.h - what the inside DNS answerer says: packet in, packet out.
 * For:    sending a local server's own federation to us: SRV _xmpp-server._tcp of any domain is our inside listener.
 * Never:  touches a socket or a clock; forwards (it only says that a question is to be forwarded).
 * Owner:  a heap object, read-only after it was made; the settings are copied.
 *
 *   _xmpp-server._tcp.ANY   SRV       0 0 PORT TARGET, and TARGET's addresses beside it
 *   _xmpps-server._tcp.ANY, _jabber._tcp.ANY   do not exist
 *   _tcp.ANY                          exists and is empty, so that a resolver in between goes on asking below it
 *   TARGET                  A, AAAA   our inside addresses
 *   ANY                     A, AAAA   the same, with `catch_all`
 *   all else                          forwarded when `forwards`, else it does not exist
 * Negative answers carry an SOA of the root (RFC 2308). */
#ifndef IO_DNS_REPLY_H
#define IO_DNS_REPLY_H

#include "io/addr.h"

typedef struct io_replier io_replier;

typedef struct io_replier_settings {
    const char *
        target; /* "causeway.inside"; or labels that spell an IPv4 address, "10.0.0.5": ejabberd asks the system for
                             the target's address, and the system reads it as one */
    uint16_t port;        /* of the inside listener */
    const io_addr *addrs; /* TARGET's; ports unused */
    size_t n_addrs;       /* at most IO_REPLIER_ADDRS */
    bool catch_all;       /* for a server that does not ask for SRV; every name leads to us then */
    bool forwards;        /* there is a resolver for all else */
    uint32_t ttl;         /* seconds, of all we say */
} io_replier_settings;

#define IO_REPLIER_ADDRS 8

/* NULL: *reason says what is wrong (lives for ever). */
io_replier *io_replier_new(const io_replier_settings *settings, const char **reason);
void io_replier_free(io_replier *r);

#define IO_DNS_QUERY_MAX 4096 /* bytes of a question we look at */
#define IO_DNS_REPLY_MAX 4096 /* bytes of an answer of our own */
#define IO_DNS_UDP_ROOM  1232 /* what we say we take, and the most we send by UDP: no fragments */

typedef enum io_reply {
    IO_REPLY_SEND, /* *out_len bytes of out */
    IO_REPLY_FORWARD, /* ask the configured resolver; the question part is sound: io_dns_question_end > 0 */
    IO_REPLY_DROP /* malformed, or no question at all */
} io_reply;

/* `stream`: by TCP, so without the limits of UDP. */
io_reply io_replier_answer(const io_replier *r, s2s_span query, bool stream,
                           uint8_t out[IO_DNS_REPLY_MAX], size_t *out_len);

/* Bytes of header and first question; 0: not a query with exactly one question and an uncompressed name. */
size_t io_dns_question_end(s2s_span packet);

#define IO_DNS_FAIL_MAX (12 + 255 + 4)
enum { IO_RCODE_SERVFAIL = 2, IO_RCODE_REFUSED = 5 };
/* The query's header and question with that code: never longer than the query. 0: nothing can be said to that. */
size_t io_dns_fail(s2s_span query, unsigned rcode, uint8_t out[IO_DNS_FAIL_MAX]);

#endif
