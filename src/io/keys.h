/* keys.h - the last key each domain has shown, so that another one is noticed.
 * For:    telling the operator; of so many domains, the oldest of those that share a place gives way.
 * Never:  decides anything; lets a key that proved nothing take the place of one that did: anybody may claim a domain.
 * Owner:  one thread; of fixed size.                                        */
#ifndef IO_KEYS_H
#define IO_KEYS_H

#include "io/pin.h"
#include "s2s/domain.h"

typedef struct io_keys io_keys;

typedef struct io_keys_entry {
    io_pin pin;
    bool good; /* it proved to be the domain's */
} io_keys_entry;

/* `domains`: how many are remembered, at least 1. NULL: no memory. */
io_keys *io_keys_new(size_t domains);
void io_keys_free(io_keys *k); /* NULL is fine */

/* True: the domain has shown another key before, which is put into *before. */
bool io_keys_changed(io_keys *k, const s2s_domain *domain, const io_keys_entry *now,
                     io_keys_entry *before);

#endif
