/* xml.h - hardened XML of one stream, behind an interface (expat is its first implementation).
 * For:    cutting a byte stream into header, first-level elements and end, under limits enforced while reading;
 *         writing each first-level element anew in canonical form as it is parsed.
 * Never:  knows what an element means; keeps a tree; hands out the sender's bytes.
 * Owner:  one stream. Sans-I/O; no clock.                                   */
#ifndef S2S_XML_H
#define S2S_XML_H

#include "s2s/base.h"
#include "s2s/buf.h"

/* Limits, enforced while reading (attacks 32-36). All in bytes or counts, none may be 0. */
typedef struct s2s_xml_limits {
    size_t stanza;     /* bytes of one first-level element as read and, separately, as written */
    size_t token;      /* bytes of one tag or reference, as read and as written */
    unsigned depth;    /* the stream element is depth 1 */
    unsigned attrs;    /* per element */
    unsigned nsdecls;  /* per element, as read and as written; four times as many in scope */
    unsigned children; /* descendants of one first-level element, 0xffffffff for none */
} s2s_xml_limits;

extern const s2s_xml_limits s2s_xml_limits_preauth; /* 8,192 / 8,192 / 4 / 128 / 64 / 32 */
extern const s2s_xml_limits s2s_xml_limits_open;    /* 524,288 / 65,536 / 64 / 128 / 64 / none */

typedef enum s2s_xml_kind {
    S2S_XML_NONE, /* more bytes are needed */
    S2S_XML_HEAD, /* the root's start tag; parsing stands still exactly behind its '>' */
    S2S_XML_ELEMENT, /* a whole first-level element; parsing stands still exactly behind its last '>' */
    S2S_XML_END,     /* the root's end tag */
    S2S_XML_ERROR /* final; err says which */
} s2s_xml_kind;

/* An attribute of the root or of a first-level element, or a shallow child of a first-level element. */
typedef struct s2s_xml_attr {
    s2s_span ns; /* absent for none */
    s2s_span name;
    s2s_span value; /* entities resolved, normalised as XML says */
} s2s_xml_attr;

/* A depth-3 or depth-4 element (child or grandchild of the first-level one): what features, errors and SASL failures
 * need. Only recorded for elements not in the content namespace's message/presence/iq; at most 64, then cut off. */
typedef struct s2s_xml_child {
    unsigned depth; /* 1: child, 2: grandchild */
    s2s_span ns;
    s2s_span name;
    s2s_span text; /* direct character data, at most 1,024 octets kept */
} s2s_xml_child;

/* Everything is lent until the next call on the parser. */
typedef struct s2s_xml_item {
    s2s_xml_kind kind;
    s2s_err err;
    s2s_span ns; /* of HEAD or ELEMENT */
    s2s_span name;
    const s2s_xml_attr *attrs;
    size_t n_attrs;
    const s2s_xml_child *children; /* ELEMENT only, when not a stanza */
    size_t n_children;
    /* ELEMENT: direct character data of the first-level element, at most 8,192 octets kept; absent
     * for a stanza */
    s2s_span text;
    s2s_span
        content_ns; /* HEAD: default namespace declared on the root (the streams namespace itself when prefix-free) */
    bool declares_db; /* HEAD: jabber:server:dialback is declared */
    /* ELEMENT that is {jabber:server}message|presence|iq: the canonical inside, i.e. everything from the first byte
     * behind the start tag's attributes on: either "/>" or ">...</name>". The caller writes "<name", from, to, type, id,
     * xml:lang itself; `other_attrs` holds the further attributes, canonical, each with a leading space and with the
     * namespace declarations they need. */
    s2s_span other_attrs;
    s2s_span inside;
} s2s_xml_item;

typedef struct s2s_xml s2s_xml;

/* Borrows nothing. NULL when memory is short. */
s2s_xml *s2s_xml_new(const s2s_xml_limits *limits);
void s2s_xml_free(s2s_xml *x);

/* New limits, from the next first-level element on (after authentication). */
void s2s_xml_set_limits(s2s_xml *x, const s2s_xml_limits *limits);

/* Gives up to `bytes.len` bytes; copies what it must keep (at most one unfinished token). Consumed bytes are counted from
 * the front and returned: less than all when an item is ready, the rest must be fed again after s2s_xml_next said NONE.
 * After S2S_XML_ERROR nothing is consumed. */
size_t s2s_xml_feed(s2s_xml *x, s2s_span bytes);

/* The next item. NONE: feed more. */
s2s_xml_item s2s_xml_next(s2s_xml *x);

/* A stream restart (RFC 6120 4.3.3): a new document is expected from the next byte on. Bytes not yet consumed are the
 * caller's to keep or to refuse. */
S2S_MUST_CHECK s2s_err s2s_xml_restart(s2s_xml *x);

/* Gives back what only a busy parser needs; between two items all of it, expat's too. What was lent is gone. */
void s2s_xml_rest(s2s_xml *x);

/* Is a first-level element or token half read? (Deadline of a half stanza, idle parsers.) */
bool s2s_xml_in_element(const s2s_xml *x);

#endif
