/* stanza.c - what may be answered with an error, and the error itself (RFC 6120 8.2.3, 8.3). */
#include "s2s/stanza.h"

#include <string.h>

#define NS_STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"

const char *s2s_kind_name(s2s_kind kind)
{
    switch (kind) {
    case S2S_MESSAGE: return "message";
    case S2S_PRESENCE: return "presence";
    case S2S_IQ: return "iq";
    }
    s2s_assert_failed("a kind of stanza", __FILE__, __LINE__);
}

bool s2s_stanza_may_bounce(const s2s_stanza *st)
{
    if (s2s_span_is(st->type, "error")) return false;
    if (st->kind == S2S_IQ) return !s2s_span_is(st->type, "result");
    if (st->kind == S2S_PRESENCE) return !s2s_span_is(st->type, "unavailable");
    return true;
}

bool s2s_stanza_iq_ok(const s2s_stanza *st)
{
    static const char *const types[] = {"get", "set", "result", "error"};
    if (st->kind != S2S_IQ) return true;
    if (st->id.ptr == NULL) return false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (s2s_span_is(st->type, types[i])) return true;
    }
    return false;
}

/* RFC 6120 8.3.3: each condition with its usual error type. */
static const struct {
    const char *cond;
    const char *type;
} conditions[] = {
    {"bad-request", "modify"},
    {"conflict", "cancel"},
    {"feature-not-implemented", "cancel"},
    {"forbidden", "auth"},
    {"gone", "cancel"},
    {"internal-server-error", "cancel"},
    {"item-not-found", "cancel"},
    {"jid-malformed", "modify"},
    {"not-acceptable", "modify"},
    {"not-allowed", "cancel"},
    {"not-authorized", "auth"},
    {"policy-violation", "modify"},
    {"recipient-unavailable", "wait"},
    {"redirect", "modify"},
    {"registration-required", "auth"},
    {"remote-server-not-found", "cancel"},
    {"remote-server-timeout", "wait"},
    {"resource-constraint", "wait"},
    {"service-unavailable", "cancel"},
    {"subscription-required", "auth"},
    {"undefined-condition", "cancel"},
    {"unexpected-request", "wait"},
};

static const char *default_type(const char *cond)
{
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        if (strcmp(conditions[i].cond, cond) == 0) return conditions[i].type;
    }
    s2s_assert_failed("a condition of RFC 6120 8.3.3", __FILE__, __LINE__);
}

/* Each put_ does nothing once *err is set, so a text can be written as one list. */
static void put(s2s_buf *out, s2s_err *err, const char *text)
{
    if (*err == S2S_E_OK) *err = s2s_buf_puts(out, text);
}

static void put_attr(s2s_buf *out, s2s_err *err, const char *name, s2s_span value)
{
    if (value.ptr != NULL && *err == S2S_E_OK)
        *err = s2s_buf_put_attr(out, s2s_span_of(name), value);
}

static void put_start(s2s_buf *out, s2s_err *err, const s2s_stanza *st)
{
    put(out, err, "<");
    put(out, err, s2s_kind_name(st->kind));
    put_attr(out, err, "from", st->to);
    put_attr(out, err, "to", st->from);
    put_attr(out, err, "type", S2S_LIT("error"));
    put_attr(out, err, "id", st->id);
    put(out, err, ">");
}

static void put_condition(s2s_buf *out, s2s_err *err, const char *name, const char *ns)
{
    put(out, err, "<");
    put(out, err, name);
    put_attr(out, err, "xmlns", s2s_span_of(ns));
    put(out, err, "/>");
}

/* Canonical text, in which quotes stand for themselves. What no XML may hold (a reason may quote
 * what a peer sent) becomes '?': it would end the stream it is written to. */
static void put_escaped_text(s2s_buf *out, s2s_err *err, s2s_span text)
{
    for (size_t i = 0; i < text.len && *err == S2S_E_OK; i++) {
        s2s_span c = {text.ptr + i, 1};
        bool space = *c.ptr == '\t' || *c.ptr == '\n' || *c.ptr == '\r';
        if ((unsigned char)*c.ptr < 0x20 && !space) c = S2S_LIT("?");
        bool plain = *c.ptr == '\'' || *c.ptr == '"' || *c.ptr == '\t' || *c.ptr == '\n';
        *err = plain ? s2s_buf_put(out, c) : s2s_buf_put_escaped(out, c);
    }
}

static void put_text(s2s_buf *out, s2s_err *err, s2s_span text)
{
    if (text.len == 0) return;
    put(out, err, "<text xmlns='" NS_STANZAS "' xml:lang='en'>");
    put_escaped_text(out, err, text);
    put(out, err, "</text>");
}

s2s_err s2s_stanza_put_error(s2s_buf *out, const s2s_stanza *st, const char *cond, s2s_span text,
                             const char *app, const char *app_ns)
{
    S2S_ASSERT(s2s_stanza_may_bounce(st));
    S2S_ASSERT((app == NULL) == (app_ns == NULL));
    size_t before = s2s_buf_span(out).len;
    s2s_err err = S2S_E_OK;
    put_start(out, &err, st);
    put(out, &err, "<error");
    put_attr(out, &err, "type", s2s_span_of(default_type(cond)));
    put(out, &err, ">");
    put_condition(out, &err, cond, NS_STANZAS);
    put_text(out, &err, text);
    if (app != NULL) put_condition(out, &err, app, app_ns);
    put(out, &err, "</error></");
    put(out, &err, s2s_kind_name(st->kind));
    put(out, &err, ">");
    /* All or nothing: half an error would break the stream it goes to. */
    if (err != S2S_E_OK) out->end = out->start + before;
    return err;
}
