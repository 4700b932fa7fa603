/* bounce.h - error answers of our own making (RFC 6120 8.3).
 * For:    condition and text of a bounce, from the one why it has.
 * Never:  decides whether or where to send; names anything of the inside to the outside (DESIGN promise 6).
 * Owner:  plain functions, no state.                                        */
#ifndef FED_BOUNCE_H
#define FED_BOUNCE_H

#include "fed/queue.h"

typedef struct fed_bounce {
    s2s_err why;
    fed_side toward;          /* FED_INSIDE: our own side is told stage, endpoint and sentence */
    const s2s_domain *domain; /* whom it was about; NULL: nobody in particular */
    const fed_addr *endpoint; /* last endpoint tried; NULL: none */
} fed_bounce;

/* May this stanza be answered with an error on that side? Not errors, results and unavailable presence (RFC 6120 8.3.1),
 * and toward the outside no presence at all: it would tell strangers what is up inside. */
bool fed_bounce_allowed(const s2s_stanza *st, fed_side toward);

/* The condition of RFC 6120 8.3.3 for a why. Toward the outside only what says nothing about the inside. Lives for ever. */
const char *fed_bounce_condition(s2s_err why, fed_side toward);

#define FED_BOUNCE_TEXT 512
/* "dns: far.example: the DNS lookup failed", "tcp: far.example at 192.0.2.1:5269: the connection was refused".
 * Toward the outside: empty. Gives out. */
const char *fed_bounce_text(const fed_bounce *b, char out[FED_BOUNCE_TEXT]);

/* Appends the error answer to st. A JID of st that is too long for a local server is cut to its domain.
 * Asserts fed_bounce_allowed. S2S_E_NOMEM, S2S_E_FULL: nothing was appended. */
S2S_MUST_CHECK s2s_err fed_bounce_put(s2s_buf *out, const s2s_stanza *st, const fed_bounce *b);

/* The same as an item of its own: addresses swapped, type error, `own` still to be set by fed_ledger_own. `way` is the
 * way the answer goes. NULL: no memory. */
fed_item *fed_bounce_new(const s2s_stanza *st, const fed_bounce *b, fed_way way, uint64_t now);

#endif
