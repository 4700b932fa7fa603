/* xml_tag.c - see xml_tag.h. Each string is walked once. */
#include "s2s/xml_tag.h"

#include <string.h>

static s2s_span between(const char *begin, const char *end)
{
    return (s2s_span){begin, (size_t)(end - begin)};
}

s2s_xml_name s2s_xml_name_of(const char *triplet)
{
    s2s_xml_name name = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    const char *end = strchrnul(triplet, S2S_XML_SEPARATOR);
    name.local = between(triplet, end);
    if (*end != '\0') {
        const char *local = end + 1;
        name.ns = name.local;
        end = strchrnul(local, S2S_XML_SEPARATOR);
        name.local = between(local, end);
    }
    if (*end != '\0') {
        name.prefix = s2s_span_of(end + 1);
        end = name.prefix.ptr + name.prefix.len;
    }
    name.whole = between(triplet, end);
    return name;
}

static bool is_routing(const s2s_xml_name *name)
{
    if (name->ns.ptr != NULL)
        return s2s_span_is(name->local, "lang") && s2s_span_is(name->ns, S2S_NS_XML);
    switch (name->local.len) {
    case 2: return s2s_span_is(name->local, "to") || s2s_span_is(name->local, "id");
    case 4: return s2s_span_is(name->local, "from") || s2s_span_is(name->local, "type");
    default: return false;
    }
}

s2s_err s2s_xml_tag_read(s2s_xml_tag *tag, const char *triplet, const char **atts, unsigned most)
{
    if (most > S2S_XML_ATTRS_MAX) most = S2S_XML_ATTRS_MAX;
    tag->name = s2s_xml_name_of(triplet);
    for (tag->n_attrs = 0; *atts != NULL; atts += 2) {
        if (tag->n_attrs == most) return S2S_E_XML_TOO_MANY_ATTRS;
        s2s_xml_tag_attr *attr = &tag->attrs[tag->n_attrs++];
        attr->name = s2s_xml_name_of(atts[0]);
        attr->value = s2s_span_of(atts[1]);
        attr->routing = is_routing(&attr->name);
    }
    return S2S_E_OK;
}
