/* domain.c - the one place where domains are made and compared. */
#include "s2s/domain.h"

#include <string.h>

#define LABEL_MAX 63 /* octets (RFC 1035 2.3.4) */

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool has_high_octet(s2s_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] > 0x7f) return true;
    }
    return false;
}

/* One label in lower case: letters, digits, hyphens, no hyphen at either end (RFC 5890 2.3.1). */
static bool label_ok(s2s_span label, bool *all_digits)
{
    *all_digits = true;
    if (label.len == 0 || label.len > LABEL_MAX) return false;
    if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-') return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.ptr[i];
        if (!is_letter(c) && !is_digit(c) && c != '-') return false;
        if (!is_digit(c)) *all_digits = false;
    }
    return true;
}

static bool labels_ok(const s2s_domain *d)
{
    bool all_digits = true;
    size_t start = 0;
    for (size_t i = 0; i <= d->len; i++) {
        if (i < d->len && d->text[i] != '.') continue;
        if (!label_ok((s2s_span){d->text + start, i - start}, &all_digits)) return false;
        start = i + 1;
    }
    /* A last label of digits is an IPv4 address or something that others read as one. */
    return !all_digits;
}

s2s_err s2s_domain_make(s2s_span text, s2s_domain *out)
{
    memset(out, 0, sizeof *out);
    if (has_high_octet(text)) return S2S_E_DOMAIN_IDN;
    if (text.len > 0 && text.ptr[text.len - 1] == '.') text.len--;
    if (text.len == 0 || text.len > S2S_DOMAIN_MAX) return S2S_E_DOMAIN_SYNTAX;
    s2s_domain d = {0};
    d.len = (uint8_t)text.len;
    for (size_t i = 0; i < text.len; i++)
        d.text[i] = to_lower(text.ptr[i]);
    if (!labels_ok(&d)) return S2S_E_DOMAIN_SYNTAX;
    *out = d;
    return S2S_E_OK;
}

bool s2s_domain_eq(const s2s_domain *a, const s2s_domain *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

int s2s_domain_order(const s2s_domain *a, const s2s_domain *b)
{
    return strcmp(a->text, b->text);
}

bool s2s_domain_under(const s2s_domain *child, const s2s_domain *parent)
{
    if (parent->len == 0 || child->len < parent->len + 2) return false;
    size_t cut = (size_t)child->len - parent->len;
    return child->text[cut - 1] == '.' && memcmp(child->text + cut, parent->text, parent->len) == 0;
}

bool s2s_domain_parent(const s2s_domain *d, s2s_domain *out)
{
    const char *dot = memchr(d->text, '.', d->len);
    if (dot == NULL) return false;
    size_t cut = (size_t)(dot - d->text) + 1;
    size_t len = d->len - cut;
    memmove(out->text, d->text + cut, len);
    memset(out->text + len, 0, sizeof out->text - len);
    out->len = (uint8_t)len;
    return true;
}

/* FNV-1a, then mixed so that the low bits may be used alone. */
uint32_t s2s_domain_hash(const s2s_domain *d, uint32_t seed)
{
    uint32_t h = 2166136261u ^ seed;
    for (size_t i = 0; i < d->len; i++)
        h = (h ^ (unsigned char)d->text[i]) * 16777619u;
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    return h ^ (h >> 13);
}

s2s_span s2s_domain_span(const s2s_domain *d)
{
    return (s2s_span){d->text, d->len};
}

/* Cuts `text` at the first `at`: *text is left with what follows, the part before is returned. */
static bool cut_before(s2s_span *text, char at, s2s_span *before)
{
    const char *found = text->len > 0 ? memchr(text->ptr, at, text->len) : NULL;
    if (found == NULL) return false;
    size_t n = (size_t)(found - text->ptr);
    *before = (s2s_span){text->ptr, n};
    *text = (s2s_span){found + 1, text->len - n - 1};
    return true;
}

s2s_err s2s_jid_parse(s2s_span text, s2s_jid *out)
{
    memset(out, 0, sizeof *out);
    s2s_span rest = text, local = {NULL, 0}, resource = {NULL, 0}, bare;
    if (text.len == 0) return S2S_E_IMPROPER_ADDRESS;
    if (cut_before(&rest, '/', &bare)) {
        resource = rest;
        rest = bare;
        if (resource.len == 0) return S2S_E_IMPROPER_ADDRESS;
    }
    if (cut_before(&rest, '@', &local) && local.len == 0) return S2S_E_IMPROPER_ADDRESS;
    if (rest.len == 0) return S2S_E_IMPROPER_ADDRESS;
    s2s_err err = s2s_domain_make(rest, &out->domain);
    if (err != S2S_E_OK) return err;
    out->local = local;
    out->resource = resource;
    bool fits = local.len <= S2S_JID_PART_MAX && resource.len <= S2S_JID_PART_MAX;
    return fits ? S2S_E_OK : S2S_E_JID_TOO_LONG;
}
