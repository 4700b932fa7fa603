#include <string.h>

#include "stream_priv.h"

/* ---- names (RFC 6120 4.9.3, 8.3.3; spec: unknown means undefined-condition) ---- */

static const char *const stream_conditions[] = {"bad-format",
                                                "bad-namespace-prefix",
                                                "conflict",
                                                "connection-timeout",
                                                "host-gone",
                                                "host-unknown",
                                                "improper-addressing",
                                                "internal-server-error",
                                                "invalid-from",
                                                "invalid-namespace",
                                                "invalid-xml",
                                                "not-authorized",
                                                "not-well-formed",
                                                "policy-violation",
                                                "remote-connection-failed",
                                                "reset",
                                                "resource-constraint",
                                                "restricted-xml",
                                                "see-other-host",
                                                "system-shutdown",
                                                "undefined-condition",
                                                "unsupported-encoding",
                                                "unsupported-feature",
                                                "unsupported-stanza-type",
                                                "unsupported-version",
                                                NULL};

static const char *const stanza_conditions[] = {"bad-request",
                                                "conflict",
                                                "feature-not-implemented",
                                                "forbidden",
                                                "gone",
                                                "internal-server-error",
                                                "item-not-found",
                                                "jid-malformed",
                                                "not-acceptable",
                                                "not-allowed",
                                                "not-authorized",
                                                "policy-violation",
                                                "recipient-unavailable",
                                                "redirect",
                                                "registration-required",
                                                "remote-server-not-found",
                                                "remote-server-timeout",
                                                "resource-constraint",
                                                "service-unavailable",
                                                "subscription-required",
                                                "undefined-condition",
                                                "unexpected-request",
                                                NULL};

static const char *const sasl_conditions[] = {"aborted",
                                              "account-disabled",
                                              "credentials-expired",
                                              "encryption-required",
                                              "incorrect-encoding",
                                              "invalid-authzid",
                                              "invalid-mechanism",
                                              "malformed-request",
                                              "mechanism-too-weak",
                                              "not-authorized",
                                              "temporary-auth-failure",
                                              NULL};

static const struct {
    const char *ns;
    const char *const *known;
    const char *unknown;
} condition_sets[] = {
    {S2S_NS_STREAM_ERRORS, stream_conditions, "undefined-condition"},
    {S2S_NS_STANZA_ERRORS, stanza_conditions, "undefined-condition"},
    {S2S_NS_SASL, sasl_conditions, "not-authorized"},
};

/* RFC 3920's names and what took their place. */
static const char *const legacy_conditions[][2] = {
    {"xml-not-well-formed", "not-well-formed"},
    {"invalid-id", "invalid-from"},
};

static const char *known_name(s2s_span name, const char *ns)
{
    for (size_t i = 0; i < sizeof legacy_conditions / sizeof legacy_conditions[0]; i++)
        if (s2s_span_is(name, legacy_conditions[i][0])) return legacy_conditions[i][1];
    for (size_t i = 0; i < sizeof condition_sets / sizeof condition_sets[0]; i++) {
        if (strcmp(ns, condition_sets[i].ns) != 0) continue;
        for (const char *const *at = condition_sets[i].known; *at != NULL; at++)
            if (s2s_span_is(name, *at)) return *at;
        return condition_sets[i].unknown;
    }
    return "undefined-condition";
}

static const s2s_xml_child *find_condition(const s2s_xml_item *item, unsigned depth, const char *ns)
{
    for (size_t i = 0; i < item->n_children; i++) {
        const s2s_xml_child *child = &item->children[i];
        if (child->depth == depth && s2s_span_is(child->ns, ns) &&
            !s2s_span_is(child->name, "text"))
            return child;
    }
    return NULL;
}

const char *s2s_condition_of(const s2s_xml_item *item, unsigned depth, const char *ns)
{
    const s2s_xml_child *child = find_condition(item, depth, ns);
    return child == NULL ? NULL : known_name(child->name, ns);
}

/* ---- writing ---- */

/* Application conditions beside some of our errors (RFC 6120 4.9.4; XEP-0205 for the size). */
static const char *application_condition(s2s_err err)
{
    if (err == S2S_E_STANZA_TOO_BIG) return "<stanza-too-big xmlns='urn:xmpp:errors'/>";
    if (err == S2S_E_DIALBACK_UNSOLICITED)
        return "<unsolicited-dialback xmlns='urn:causeway:errors'/>";
    return "";
}

void s2s_error_write(s2s_stream *s, s2s_err err, s2s_span text)
{
    if (s->close_sent || s->expect == S2S_EXPECT_TLS) return;
    if (!s->head_sent) s2s_head_write_bare(s);
    s2s_out_text(s, "<stream:error><");
    s2s_out_text(s, s2s_err_of(err)->stream);
    s2s_out_text(s, " xmlns='" S2S_NS_STREAM_ERRORS "'/>");
    if (text.len > 0) {
        s2s_out_text(s, "<text");
        s2s_out_attr(s, "xmlns", s2s_span_of(S2S_NS_STREAM_ERRORS));
        s2s_out_text(s, " xml:lang='en'>");
        s2s_out_escaped(s, text);
        s2s_out_text(s, "</text>");
    }
    s2s_out_text(s, application_condition(err));
    if (err == S2S_E_SM_COUNT) s2s_sm_write_error(s);
    s2s_out_text(s, "</stream:error>");
}

/* ---- what the peer says ---- */

static s2s_span error_text(const s2s_xml_item *item)
{
    for (size_t i = 0; i < item->n_children; i++)
        if (item->children[i].depth == 1 && s2s_span_is(item->children[i].name, "text") &&
            s2s_span_is(item->children[i].ns, S2S_NS_STREAM_ERRORS))
            return item->children[i].text;
    return (s2s_span){NULL, 0};
}

/* The parser is not used again, so that what it lent stays for the event. */
void s2s_act_peer_error(s2s_stream *s, const s2s_input *in)
{
    const s2s_xml_child *child = find_condition(in->item, 1, S2S_NS_STREAM_ERRORS);
    const char *cond =
        child == NULL ? "undefined-condition" : known_name(child->name, S2S_NS_STREAM_ERRORS);
    bool elsewhere = strcmp(cond, "see-other-host") == 0;

    s2s_stream_die(s, elsewhere ? S2S_E_SEE_OTHER_HOST : S2S_E_PEER_ERROR);
    s->dead_cond = s2s_span_of(cond);
    s->dead_text = elsewhere ? child->text : error_text(in->item);
}

void s2s_act_bad_xml(s2s_stream *s, const s2s_input *in)
{
    s2s_stream_die(s, in->err);
}
