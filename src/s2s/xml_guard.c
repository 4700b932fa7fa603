/* xml_guard.c - a look at one unfinished XML token. */
#include "s2s/xml_guard.h"

#include <string.h>

static const char cdata_rest[] = "[CDATA[";
static const char decl_name[] = "xml";

void s2s_guard_start(s2s_guard *g, bool document_start)
{
    *g = (s2s_guard){.state = S2S_GUARD_FIRST, .document_start = document_start};
}

void s2s_guard_stop(s2s_guard *g)
{
    g->state = S2S_GUARD_IDLE;
}

bool s2s_guard_is_open(const s2s_guard *g)
{
    return g->state != S2S_GUARD_IDLE;
}

bool s2s_guard_undecided(const s2s_guard *g)
{
    return g->state == S2S_GUARD_CDATA || g->state == S2S_GUARD_DECL_NAME;
}

static s2s_guard_verdict end(s2s_guard *g)
{
    g->state = S2S_GUARD_IDLE;
    return S2S_GUARD_ENDED;
}

static s2s_guard_verdict first(s2s_guard *g, char c)
{
    if (c == '<')
        g->state = S2S_GUARD_SECOND;
    else if (c == '&')
        g->state = S2S_GUARD_REFERENCE;
    else /* "]]", a lone CR, a part of one character */
        g->state = S2S_GUARD_IDLE;
    return S2S_GUARD_OPEN;
}

static s2s_guard_verdict in_tag(s2s_guard *g, char c)
{
    g->state = S2S_GUARD_TAG;
    if (c == '>') return end(g);
    if (c == '\'' || c == '"') {
        g->state = S2S_GUARD_QUOTE;
        g->quote = c;
    }
    return S2S_GUARD_OPEN;
}

static s2s_guard_verdict second(s2s_guard *g, char c)
{
    if (c != '!' && c != '?') return in_tag(g, c);
    g->state = c == '!' ? S2S_GUARD_CDATA : S2S_GUARD_DECL_NAME;
    g->matched = 0;
    return S2S_GUARD_OPEN;
}

static s2s_guard_verdict in_cdata(s2s_guard *g, char c)
{
    if (c != cdata_rest[g->matched]) return S2S_GUARD_RESTRICTED;
    g->matched++;
    return cdata_rest[g->matched] == '\0' ? end(g) : S2S_GUARD_OPEN;
}

static bool ends_decl_name(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '?';
}

static s2s_guard_verdict in_decl_name(s2s_guard *g, char c)
{
    if (decl_name[g->matched] != '\0') {
        if (c != decl_name[g->matched]) return S2S_GUARD_RESTRICTED;
        g->matched++;
        return S2S_GUARD_OPEN;
    }
    if (!ends_decl_name(c)) return S2S_GUARD_RESTRICTED;
    if (!g->document_start) return S2S_GUARD_MALFORMED;
    g->state = c == '?' ? S2S_GUARD_DECL_END : S2S_GUARD_DECL;
    return S2S_GUARD_OPEN;
}

static s2s_guard_verdict in_decl(s2s_guard *g, char c)
{
    if (g->state == S2S_GUARD_DECL_END && c == '>') return end(g);
    g->state = c == '?' ? S2S_GUARD_DECL_END : S2S_GUARD_DECL;
    return S2S_GUARD_OPEN;
}

static s2s_guard_verdict in_quote(s2s_guard *g, char c)
{
    if (c == g->quote) g->state = S2S_GUARD_TAG;
    return S2S_GUARD_OPEN;
}

static s2s_guard_verdict step(s2s_guard *g, char c)
{
    switch (g->state) {
    case S2S_GUARD_IDLE: return S2S_GUARD_OPEN;
    case S2S_GUARD_FIRST: return first(g, c);
    case S2S_GUARD_SECOND: return second(g, c);
    case S2S_GUARD_CDATA: return in_cdata(g, c);
    case S2S_GUARD_DECL_NAME: return in_decl_name(g, c);
    case S2S_GUARD_DECL:
    case S2S_GUARD_DECL_END: return in_decl(g, c);
    case S2S_GUARD_TAG: return in_tag(g, c);
    case S2S_GUARD_QUOTE: return in_quote(g, c);
    case S2S_GUARD_REFERENCE: return c == ';' ? end(g) : S2S_GUARD_OPEN;
    }
    return S2S_GUARD_OPEN;
}

/* Inside a long value only its quote matters: let the C library look for it. */
static size_t skip_quoted(const s2s_guard *g, s2s_span bytes, size_t at)
{
    const char *found = memchr(bytes.ptr + at, g->quote, bytes.len - at);
    return found == NULL ? bytes.len : (size_t)(found - bytes.ptr);
}

s2s_guard_verdict s2s_guard_scan(s2s_guard *g, s2s_span bytes, size_t *n)
{
    size_t i = 0;
    while (i < bytes.len && g->state != S2S_GUARD_IDLE) {
        if (g->state == S2S_GUARD_QUOTE) i = skip_quoted(g, bytes, i);
        if (i == bytes.len) break;
        s2s_guard_verdict verdict = step(g, bytes.ptr[i++]);
        if (verdict != S2S_GUARD_OPEN) {
            *n = i;
            return verdict;
        }
    }
    *n = g->state == S2S_GUARD_IDLE ? bytes.len : i;
    return S2S_GUARD_OPEN;
}
