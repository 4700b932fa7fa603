/* stanza.h - one stanza as the core lends or takes it (RFC 6120 8).
 * For:    routing facts beside canonical bytes; building our own errors.
 * Never:  a tree; a byte of the sender's own spelling.                      */
#ifndef S2S_STANZA_H
#define S2S_STANZA_H

#include "s2s/base.h"
#include "s2s/buf.h"
#include "s2s/domain.h"

typedef enum s2s_kind { S2S_MESSAGE, S2S_PRESENCE, S2S_IQ } s2s_kind;

/* Everything is lent by the stream until its next call, or by whoever built it.
 * bytes: the whole element in canonical form: unprefixed jabber:server (no xmlns for it), single quotes, from/to rebuilt
 * from the parsed addresses with the canonical domain, every other namespace declared on the element that uses it,
 * xml:lang stamped from the stream when the stanza has none. */
typedef struct s2s_stanza {
    s2s_kind kind;
    s2s_span from; /* full canonical JID text, entities resolved */
    s2s_span to;
    s2s_domain from_domain;
    s2s_domain to_domain;
    s2s_err
        address; /* S2S_E_OK, or S2S_E_JID_TOO_LONG: routable, but not toward a local server; or S2S_E_JID_SYNTAX: to be answered */
    s2s_span id; /* absent when there is none */
    s2s_span type; /* absent when there is none */
    s2s_span lang;
    s2s_span bytes;
} s2s_stanza;

const char *s2s_kind_name(s2s_kind kind);

/* May an error be sent in answer? No for type=error, iq result, presence unavailable (RFC 6120 8.3.1) and presence
 * probe answers are ordinary presence. */
bool s2s_stanza_may_bounce(const s2s_stanza *st);

/* iq with id and a known type (RFC 6120 8.2.3); other kinds are always fine. */
bool s2s_stanza_iq_ok(const s2s_stanza *st);

/* Appends an error answer in canonical form: same kind, same id, addresses swapped, one condition (RFC 6120 8.3), no
 * payload echoed. `cond` is a name of 8.3.3, whose default error type is used; `text` may be absent.
 * `app_ns`/`app` name an application condition or are NULL. Asserts s2s_stanza_may_bounce. */
S2S_MUST_CHECK s2s_err s2s_stanza_put_error(s2s_buf *out, const s2s_stanza *st, const char *cond,
                                            s2s_span text, const char *app, const char *app_ns);

#endif
