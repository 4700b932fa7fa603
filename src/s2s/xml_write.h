/* xml_write.h - one stanza written anew in canonical form while it is parsed.
 * For:    one quoting, one escaping, one way to declare namespaces, so that two parsers cannot
 *         disagree about what is sent on.
 * Never:  sees the sender's bytes, keeps a tree, recurses.
 * Owner:  the parser of one stream.
 *
 * The form: single quotes; in text & < > as entities and CR as reference; in attributes & < ' as
 * entities and TAB LF CR as references; CDATA is text; <x/> for what is empty. jabber:server is the
 * default namespace outside; elements in it are unprefixed. Other elements and attributes keep
 * their prefix; what it (or the default namespace) means is declared on the element that needs it
 * unless an ancestor inside the stanza did. Declarations stand before attributes.              */
#ifndef S2S_XML_WRITE_H
#define S2S_XML_WRITE_H

#include "s2s/base.h"
#include "s2s/buf.h"
#include "s2s/xml.h"
#include "s2s/xml_tag.h"

typedef struct s2s_xml_binding {
    size_t at; /* of the prefix in `strings`; the namespace stands behind it */
    size_t prefix_len;
    size_t ns_len;
    unsigned depth;
    uint32_t hash; /* of the prefix */
} s2s_xml_binding;

/* Where the name of an open element stands in `inside`, prefix and all. */
typedef struct s2s_xml_open {
    size_t at, len;
} s2s_xml_open;

typedef struct s2s_xml_writer {
    s2s_buf attrs;  /* further attributes of the stanza's own tag */
    s2s_buf inside; /* everything behind them */
    s2s_buf *to;    /* the one of the two being written */
    s2s_buf strings;
    s2s_xml_binding *bindings; /* in scope, newest last */
    size_t n_bindings;
    size_t size_bindings;
    s2s_xml_open *open; /* elements below the stanza's own, outermost first: depth - 1 of them */
    size_t size_open;
    s2s_xml_limits limits; /* stanza, token and nsdecls hold for what is written, too */
    size_t tag_len;        /* bytes of the start tag written last, without its end */
    unsigned n_declared;   /* in it */
    unsigned depth;
    bool tag_open; /* the start tag written last lacks its '>' */
    s2s_err err;   /* the first failure; nothing is written after it */
} s2s_xml_writer;

void s2s_xml_writer_init(s2s_xml_writer *w);
void s2s_xml_writer_fini(s2s_xml_writer *w);
void s2s_xml_writer_clear(s2s_xml_writer *w); /* forgets the stanza; keeps only small memory */

/* All give S2S_E_OK, S2S_E_STANZA_TOO_BIG, S2S_E_XML_TOKEN_TOO_LONG, S2S_E_XML_TOO_MANY_ATTRS or
 * S2S_E_NOMEM: what is written keeps the limits that hold for reading, so that a peer with the same
 * limits takes it. */

S2S_MUST_CHECK s2s_err s2s_xml_writer_begin(s2s_xml_writer *w, const s2s_xml_tag *tag,
                                            const s2s_xml_limits *limits);
S2S_MUST_CHECK s2s_err s2s_xml_writer_start(s2s_xml_writer *w, const s2s_xml_tag *tag);
S2S_MUST_CHECK s2s_err s2s_xml_writer_text(s2s_xml_writer *w, s2s_span text);
/* Ends what was started last; the stanza itself is called `name`. */
S2S_MUST_CHECK s2s_err s2s_xml_writer_end(s2s_xml_writer *w, s2s_span name);

#endif
