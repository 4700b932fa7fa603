/* domain.c - the one place where domains are made and compared. */
#include "s2s/domain.h"

#include <string.h>

#include "s2s/idna.h"

#define LABEL_MAX 63 /* octets (RFC 1035 2.3.4) */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What an octet becomes in a label: a letter in lower case, a digit, a hyphen (RFC 5890 2.3.1); 0: it has no place there. */
static const char ldh[256] = {
    ['-'] = '-', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5',
    ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c',
    ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j',
    ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q',
    ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x',
    ['Y'] = 'y', ['Z'] = 'z', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e',
    ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l',
    ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's',
    ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z',
};

static bool has_high_octet(s2s_span text)
{
    unsigned char seen = 0;
    for (size_t i = 0; i < text.len; i++)
        seen |= (unsigned char)text.ptr[i];
    return seen > 0x7f;
}

/* Takes over one label, up to a dot or the end; gives its length, 0 when it is none. */
static size_t make_label(s2s_span text, char *out)
{
    size_t n = 0;
    for (; n < text.len && text.ptr[n] != '.'; n++) {
        out[n] = ldh[(unsigned char)text.ptr[n]];
        if (out[n] == '\0') return 0;
    }
    if (n == 0 || n > LABEL_MAX || out[0] == '-' || out[n - 1] == '-') return 0;
    return n;
}

/* A last label of digits is an IPv4 address or something that others read as one. */
static bool all_digits(s2s_span label)
{
    for (size_t i = 0; i < label.len; i++)
        if (!is_digit(label.ptr[i])) return false;
    return true;
}

static bool make_labels(s2s_span text, char *out)
{
    for (size_t at = 0;;) {
        size_t n = make_label((s2s_span){text.ptr + at, text.len - at}, out + at);
        if (n == 0) return false;
        if (at + n == text.len) return !all_digits((s2s_span){out + at, n});
        out[at + n] = '.';
        at += n + 1;
    }
}

s2s_err s2s_domain_make_dns(s2s_span text, s2s_domain *out)
{
    memset(out, 0, sizeof *out);
    if (text.len > 0 && text.ptr[text.len - 1] == '.') text.len--;
    if (text.len == 0 || text.len > S2S_DOMAIN_MAX) return S2S_E_DOMAIN_SYNTAX;
    if (!make_labels(text, out->text)) {
        memset(out, 0, sizeof *out);
        return S2S_E_DOMAIN_SYNTAX;
    }
    out->len = (uint8_t)text.len;
    return S2S_E_OK;
}

static bool has_a_label(const s2s_domain *d)
{
    const char *end = d->text + d->len;
    for (const char *at = d->text; (at = memchr(at, 'x', (size_t)(end - at))) != NULL; at++)
        if ((at == d->text || at[-1] == '.') && strncmp(at, "xn--", 4) == 0) return true;
    return false;
}

/* An A-label is what its U-label gives; all others are a second way to write something, or nothing. Those which come out of
 * a mapping are asked too: full-width letters may have made an A-label that libidn2 lets through. */
static s2s_err check_a_labels(const s2s_domain *d)
{
    char unicode[S2S_DOMAIN_WIRE_MAX + 1], again[S2S_DOMAIN_MAX + 2];
    size_t len = s2s_idna_to_unicode(d->text, unicode);
    if (len == 0) return S2S_E_DOMAIN_IDN;
    s2s_err err = s2s_idna_to_ascii((s2s_span){unicode, len}, again);
    return err == S2S_E_OK && strcmp(again, d->text) != 0 ? S2S_E_DOMAIN_IDN : err;
}

s2s_err s2s_domain_make(s2s_span text, s2s_domain *out)
{
    char ascii[S2S_DOMAIN_MAX + 2];
    if (has_high_octet(text)) {
        s2s_err err = s2s_idna_to_ascii(text, ascii);
        if (err != S2S_E_OK) memset(out, 0, sizeof *out);
        if (err != S2S_E_OK) return err;
        text = s2s_span_of(ascii);
    }
    s2s_err err = s2s_domain_make_dns(text, out);
    if (err != S2S_E_OK || !has_a_label(out)) return err;
    err = check_a_labels(out);
    if (err != S2S_E_OK) memset(out, 0, sizeof *out);
    return err;
}

s2s_span s2s_domain_wire(const s2s_domain *d, char out[S2S_DOMAIN_WIRE_MAX + 1])
{
    size_t len = has_a_label(d) ? s2s_idna_to_unicode(d->text, out) : 0;
    return len > 0 ? (s2s_span){out, len} : s2s_domain_span(d);
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

/* Both halves of a product fold into each other: what any bit of one factor does reaches all of the result. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Eight octets at a time; behind the text there are zeros. The low bits may be used alone. */
uint32_t s2s_domain_hash(const s2s_domain *d, uint32_t seed)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ seed ^ ((uint64_t)d->len << 32);
    for (size_t i = 0; i < d->len; i += sizeof h) {
        uint64_t word = 0;
        size_t rest = sizeof d->text - i;
        memcpy(&word, d->text + i, rest < sizeof word ? rest : sizeof word);
        h = fold(h ^ word, 0xd6e8feb86659fd93u);
    }
    h = fold(h, 0xa0761d6478bd642fu);
    return (uint32_t)(h ^ (h >> 32));
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

/* What RFC 7622 keeps out of a part: CONTROL of both, the rest of a local part (3.3.1). LEAD begins U+0080 to U+00BF. */
enum { EXCLUDED = 1, CONTROL = 2, LEAD = 4 };

static unsigned char kind_of(unsigned char c)
{
    static const unsigned char kinds[256] = {
        [' '] = EXCLUDED, ['"'] = EXCLUDED, ['&'] = EXCLUDED, ['\''] = EXCLUDED, [':'] = EXCLUDED,
        ['<'] = EXCLUDED, ['>'] = EXCLUDED, [0x7f] = CONTROL, [0xc2] = LEAD,
    };
    return c < ' ' ? CONTROL : kinds[c];
}

/* All kinds that stand in a text. */
static unsigned char kinds_in(s2s_span text)
{
    unsigned char seen = 0;
    for (size_t i = 0; i < text.len; i++)
        seen |= kind_of((unsigned char)text.ptr[i]);
    return seen;
}

/* U+0080 to U+009F: the second octet decides, and the first is never one by itself. */
static bool has_high_control(s2s_span text)
{
    for (size_t i = 0; i + 1 < text.len; i++)
        if ((unsigned char)text.ptr[i] == 0xc2 && (unsigned char)text.ptr[i + 1] < 0xa0)
            return true;
    return false;
}

static bool is_bad(s2s_span part, unsigned char bad)
{
    unsigned char seen = kinds_in(part);
    return (seen & bad) != 0 || ((seen & LEAD) != 0 && has_high_control(part));
}

static s2s_err parts_err(const s2s_jid *jid)
{
    if (jid->local.len > S2S_JID_PART_MAX || jid->resource.len > S2S_JID_PART_MAX)
        return S2S_E_JID_TOO_LONG;
    bool bad = is_bad(jid->local, EXCLUDED | CONTROL) || is_bad(jid->resource, CONTROL);
    return bad ? S2S_E_JID_SYNTAX : S2S_E_OK;
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
    return parts_err(out);
}
