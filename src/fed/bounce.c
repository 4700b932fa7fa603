/* bounce.c - see bounce.h. */
#include "fed/bounce.h"

#include <stdio.h>

bool fed_bounce_allowed(const s2s_stanza *st, fed_side toward)
{
    if (!s2s_stanza_may_bounce(st)) return false;
    return toward == FED_INSIDE || st->kind != S2S_PRESENCE;
}

/* What may be told to strangers. All else becomes service-unavailable: what a server says when it will not say more
 * (RFC 6120 8.3.3.19). */
static const char *const OUTSIDE[] = {
    "bad-request",      "item-not-found",      "jid-malformed",
    "policy-violation", "resource-constraint", "service-unavailable",
};

const char *fed_bounce_condition(s2s_err why, fed_side toward)
{
    const char *cond = s2s_err_of(why)->stanza;
    if (toward == FED_INSIDE) return cond[0] != '\0' ? cond : "remote-server-timeout";
    for (size_t i = 0; i < sizeof OUTSIDE / sizeof OUTSIDE[0]; i++)
        if (s2s_span_is(s2s_span_of(cond), OUTSIDE[i])) return OUTSIDE[i];
    return "service-unavailable";
}

const char *fed_bounce_text(const fed_bounce *b, char out[FED_BOUNCE_TEXT])
{
    out[0] = '\0';
    if (b->toward == FED_OUTSIDE) return out;
    const s2s_err_info *info = s2s_err_of(b->why);
    char where[FED_ADDR_TEXT];
    const char *domain = b->domain != NULL ? b->domain->text : "";
    const char *endpoint = b->endpoint != NULL ? fed_addr_print(b->endpoint, where) : "";
    const char *at = domain[0] != '\0' && endpoint[0] != '\0' ? " at " : "";
    const char *colon = domain[0] != '\0' || endpoint[0] != '\0' ? ": " : "";
    snprintf(out, FED_BOUNCE_TEXT, "%s: %s%s%s%s%s", info->stage, domain, at, endpoint, colon,
             info->sentence);
    return out;
}

/* The address, or its domain alone when a part is longer than any local server takes (RFC 7622 3.1). */
static s2s_span fitting(s2s_span jid, const s2s_domain *domain, char text[S2S_DOMAIN_WIRE_MAX + 1])
{
    s2s_jid parts;
    return s2s_jid_parse(jid, &parts) == S2S_E_JID_TOO_LONG ? s2s_domain_wire(domain, text) : jid;
}

/* Where domains stand alone, as text. */
typedef struct alone {
    char from[S2S_DOMAIN_WIRE_MAX + 1];
    char to[S2S_DOMAIN_WIRE_MAX + 1];
} alone;

static s2s_stanza shortened(const s2s_stanza *st, alone *text)
{
    s2s_stanza out = *st;
    out.from = fitting(st->from, &st->from_domain, text->from);
    out.to = fitting(st->to, &st->to_domain, text->to);
    out.address = S2S_E_OK;
    return out;
}

s2s_err fed_bounce_put(s2s_buf *out, const s2s_stanza *st, const fed_bounce *b)
{
    S2S_ASSERT(fed_bounce_allowed(st, b->toward));
    alone domains;
    char text[FED_BOUNCE_TEXT];
    fed_bounce_text(b, text);
    s2s_span told = text[0] != '\0' ? s2s_span_of(text) : (s2s_span){NULL, 0};
    bool too_big = b->why == S2S_E_STANZA_TOO_BIG;
    s2s_stanza about = shortened(st, &domains);
    return s2s_stanza_put_error(out, &about, fed_bounce_condition(b->why, b->toward), told,
                                too_big ? "stanza-too-big" : NULL,
                                too_big ? "urn:xmpp:errors" : NULL);
}

fed_item *fed_bounce_new(const s2s_stanza *st, const fed_bounce *b, fed_way way, uint64_t now)
{
    s2s_buf buf;
    fed_item *item = NULL;
    s2s_buf_init(&buf, 0);
    if (fed_bounce_put(&buf, st, b) == S2S_E_OK) {
        alone domains;
        s2s_stanza about = shortened(st, &domains);
        s2s_stanza answer = {
            .kind = st->kind,
            .from = about.to,
            .to = about.from,
            .from_domain = st->to_domain,
            .to_domain = st->from_domain,
            .id = st->id,
            .type = S2S_LIT("error"),
            .bytes = s2s_buf_span(&buf),
        };
        item = fed_item_new(&answer, way, now);
    }
    s2s_buf_fini(&buf);
    return item;
}
