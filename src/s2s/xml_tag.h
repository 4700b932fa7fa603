/* xml_tag.h - a start tag as the parser gives it, its names cut once.
 * For:    what is recorded of a tag, and what is written anew of it.
 * Never:  copies; looks at what a name means, except for those the stream writes itself.
 * Owner:  a plain value; borrows the parser's strings until its handler returns.  */
#ifndef S2S_XML_TAG_H
#define S2S_XML_TAG_H

#include "s2s/base.h"

#define S2S_NS_SERVER "jabber:server"
#define S2S_NS_XML    "http://www.w3.org/XML/1998/namespace"

/* No character of XML, so it cannot stand in a namespace name. */
#define S2S_XML_SEPARATOR '\x1f'

/* No limit on attributes is above it. */
#define S2S_XML_ATTRS_MAX 128

/* An expanded name; ns and prefix are absent when there is none. */
typedef struct s2s_xml_name {
    s2s_span ns;
    s2s_span local;
    s2s_span prefix;
    s2s_span whole; /* as the parser gave it, without the NUL behind */
} s2s_xml_name;

typedef struct s2s_xml_tag_attr {
    s2s_xml_name name;
    s2s_span value;
    bool
        routing; /* from, to, type, id without namespace, or xml:lang: what the stream writes itself */
} s2s_xml_tag_attr;

typedef struct s2s_xml_tag {
    s2s_xml_name name;
    size_t n_attrs;
    s2s_xml_tag_attr attrs[S2S_XML_ATTRS_MAX];
} s2s_xml_tag;

/* Cuts "namespace SEP local SEP prefix", "namespace SEP local" or "local". */
s2s_xml_name s2s_xml_name_of(const char *triplet);

/* `atts` is expat's list of name, value, ..., NULL; at most `most` attributes, up to the maximum above.
 * S2S_E_XML_TOO_MANY_ATTRS */
S2S_MUST_CHECK s2s_err s2s_xml_tag_read(s2s_xml_tag *tag, const char *triplet, const char **atts,
                                        unsigned most);

#endif
