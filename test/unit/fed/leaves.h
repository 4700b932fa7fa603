/* leaves.h - what the tests of fed's leaves share: cmocka, short ways to make domains, addresses and stanzas. */
#ifndef LEAVES_H
#define LEAVES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fed/config.h"
#include "s2s/stanza.h"

s2s_domain domain_of(const char *text);            /* asserts that it is one */
fed_addr addr_of(const char *text, uint16_t port); /* "192.0.2.1", "2001:db8::1" */

/* A stanza whose texts are literals; bytes are "<KIND id='ID'/>", enough for whoever does not parse. `type` may be NULL. */
s2s_stanza stanza_of(s2s_kind kind, const char *from, const char *to, const char *id,
                     const char *type);

/* A small generator with a seed: the same draws in every run. */
typedef struct seeded {
    uint64_t state;
} seeded;
void seeded_fill(void *seed, void *out, size_t n);

#endif
