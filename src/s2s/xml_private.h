/* xml_private.h - what the three files of the XML parser share.
 * For:    xml.c (bytes, limits of size, the life of expat's parser), xml_events.c (expat's events),
 *         xml_facts.c (what is recorded of a header or first-level element).
 * Never:  included by anybody else, tests apart.                                                */
#ifndef S2S_XML_PRIVATE_H
#define S2S_XML_PRIVATE_H

#include <expat.h>

#include "s2s/buf.h"
#include "s2s/xml.h"
#include "s2s/xml_guard.h"
#include "s2s/xml_write.h"

/* ---- facts: attributes, children and text of the item ---- */

#define S2S_XML_MAX_CHILDREN 64   /* recorded of one element */
#define S2S_XML_CHILD_TEXT   1024 /* octets */
#define S2S_XML_ELEMENT_TEXT 8192 /* octets */
#define S2S_XML_LEVELS       3    /* the element, its children, their children */

/* Offsets, because `strings` moves while it grows. */
typedef struct s2s_xml_note {
    unsigned depth;
    bool has_ns;
    size_t ns_at, ns_len;
    size_t name_at, name_len;
    size_t text_at, text_len;
} s2s_xml_note;

typedef struct s2s_xml_facts {
    char *block; /* attributes, then the strings they point to */
    size_t block_size;
    s2s_span ns, name;
    const s2s_xml_attr *attrs;
    size_t n_attrs;
    s2s_xml_note *notes;
    size_t n_notes, size_notes;
    int open_note[S2S_XML_LEVELS]; /* -1: not recorded */
    s2s_buf open_text[S2S_XML_LEVELS];
    s2s_buf strings;
    s2s_xml_child *children;
} s2s_xml_facts;

void s2s_xml_facts_init(s2s_xml_facts *f);
void s2s_xml_facts_fini(s2s_xml_facts *f);
void s2s_xml_facts_clear(s2s_xml_facts *f); /* forgets the element; keeps only small memory */
/* Begins a header or first-level element; strings of children may take `max` bytes in all. */
S2S_MUST_CHECK s2s_err s2s_xml_facts_begin(s2s_xml_facts *f, const s2s_xml_tag *tag, size_t max);
/* level 0 is the first-level element, 1 its child, 2 a grandchild; deeper ones are not recorded. */
S2S_MUST_CHECK s2s_err s2s_xml_facts_start(s2s_xml_facts *f, unsigned level,
                                           const s2s_xml_name *name);
S2S_MUST_CHECK s2s_err s2s_xml_facts_text(s2s_xml_facts *f, unsigned level, s2s_span text);
S2S_MUST_CHECK s2s_err s2s_xml_facts_end(s2s_xml_facts *f, unsigned level);
/* After the last end: makes `children`. */
S2S_MUST_CHECK s2s_err s2s_xml_facts_finish(s2s_xml_facts *f);

/* ---- the parser ---- */

/* The first bytes of a document decide its encoding. */
typedef enum s2s_xml_lead {
    S2S_XML_LEAD_FIRST,
    S2S_XML_LEAD_BOM_2,
    S2S_XML_LEAD_BOM_3,
    S2S_XML_LEAD_BARE, /* the first byte behind a byte order mark */
    S2S_XML_LEAD_SECOND,
    S2S_XML_LEAD_DONE
} s2s_xml_lead;

struct s2s_xml {
    s2s_xml_limits limits;
    s2s_xml_limits next_limits;              /* from the next first-level element on */
    const XML_Memory_Handling_Suite *memory; /* NULL: malloc */

    /* Bytes. Offsets count what was given to the parser that lives now. */
    XML_Parser parser; /* NULL until bytes come: at first, after a restart, when it had grown */
    s2s_xml_lead lead;
    s2s_guard guard;
    s2s_buf hold; /* bytes of an unfinished token which the parser has not been given */
    size_t given;
    size_t unfinished; /* the last of them: a token without end */
    size_t ahead;      /* given, but behind the item at which parsing stands still */
    bool standing;     /* parsing stands still behind an item */
    size_t spent;      /* estimate of what expat has allocated and will not give back */

    /* Events */
    bool building; /* the events are of our own copy of the root */
    unsigned depth;
    unsigned n_nsdecls; /* of the tag being read */
    unsigned n_children;
    size_t element_at; /* offset of the first-level element's '<' */
    size_t item_end;   /* offset behind the item */
    bool is_stanza;
    s2s_buf root;       /* its start tag with nothing but its namespaces */
    s2s_buf content_ns; /* default namespace of the root */
    bool has_content_ns;
    bool declares_db;
    s2s_xml_facts facts;
    s2s_xml_writer writer;

    /* Items */
    s2s_xml_kind ready;
    bool end_follows; /* the root was empty: END comes behind HEAD */
    bool ended;
    bool lent;
    s2s_err err;
};

/* As s2s_xml_new, with expat's memory from `memory`, borrowed. For tests that count. */
s2s_xml *s2s_xml_new_with(const s2s_xml_limits *limits, const XML_Memory_Handling_Suite *memory);

/* Installs the handlers on x->parser. */
void s2s_xml_listen(s2s_xml *x);

/* Ends parsing for good, from a handler or outside; the first reason stays. */
void s2s_xml_fail(s2s_xml *x, s2s_err err);

#endif
