/* key.h - dialback keys (XEP-0185) and random octets.
 * For:    keys which any worker can make again from the secret, so that db:verify needs no state.
 * Never:  compares keys.
 * Owner:  a value, freely copied; io_key_forget wipes it.                   */
#ifndef IO_KEY_H
#define IO_KEY_H

#include "s2s/domain.h"

typedef struct io_key {
    char hex[65]; /* lower-case hex SHA-256 of the secret; the HMAC key as text, as others do */
} io_key;

#define IO_DIALBACK_KEY 65 /* 64 hex digits and NUL */

void io_key_init(io_key *k, s2s_span secret);
/* A key of its own for one use of the secret ("inside"): what one face signs says nothing to the other. */
void io_key_init_for(io_key *k, s2s_span secret, const char *use);
void io_key_forget(io_key *k);

/* Hex HMAC-SHA256 over "receiving originating id". Initiating: receiving is `to` of db:result, originating its `from`, id the
 * peer's stream id. Authoritative: receiving is `from` of db:verify, originating its `to`, id its id. */
void io_key_dialback(const io_key *k, const s2s_domain *receiving, const s2s_domain *originating,
                     s2s_span id, char out[IO_DIALBACK_KEY]);

/* Unpredictable octets; aborts when there is no entropy, which io_random_ready says at start. */
void io_random(void *out, size_t n);
bool io_random_ready(void);

#endif
