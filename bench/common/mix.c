/* mix.c - see mix.h. A template is four pieces of canonical bytes around sender, receiver and id. */
#include "mix.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "canon.h"

enum { TEMPLATES = 512, ID_LEN = 45, TEXT_MAX = 8192 };

static const char FROM[] = "from.mix.example", TO[] = "to.mix.example";
static const char ID[] = "00000000.0000000000.0000000000000000.00000000";

typedef struct template
{
    char *bytes;    /* without the three */
    size_t cuts[4]; /* where sender, receiver and id go; the length */
}
template;

struct mix {
    uint64_t seed;
    template templates[TEMPLATES];
    size_t longest;
    double mean;
};

/* ---- numbers from the seed ---- */

static uint64_t stir(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

static unsigned below(uint64_t *state, unsigned n)
{
    *state += 0x9e3779b97f4a7c15ULL;
    return (unsigned)(stir(*state) % n);
}

/* ---- texts ---- */

typedef struct text {
    char *bytes;
    size_t len, size;
    uint64_t *random;
} text;

__attribute__((format(printf, 2, 3))) static void say(text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->bytes + t->len, t->size - t->len, format, args);
    va_end(args);
    S2S_ASSERT(n >= 0 && (size_t)n < t->size - t->len);
    t->len += (size_t)n;
}

static void say_words(text *t, size_t len)
{
    static const char *const words[] = {
        "but",  "soft", "what", "light", "through", "yonder", "window", "breaks",
        "it",   "is",   "the",  "east",  "and",     "Juliet", "sun",    "gr\xc3\xbc\xc3\x9f",
        "&amp;"};
    size_t end = t->len + len;
    while (t->len < end)
        say(t, "%s ", words[below(t->random, sizeof words / sizeof words[0])]);
}

static void say_base64(text *t, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    S2S_ASSERT(t->len + len < t->size);
    while (len-- > 0)
        t->bytes[t->len++] = digits[below(t->random, 64)];
}

/* With a language, as servers stamp it: else who relays must (RFC 6120 8.1.5), and would send other bytes. */
static void open_stanza(text *t, const char *name, const char *type)
{
    say(t, "<%s from='romeo%u@%s/orchard.%u' to='juliet%u@%s' %s id='%s' xml:lang='en'>", name,
        below(t->random, 1000), FROM, below(t->random, 100), below(t->random, 1000), TO, type, ID);
}

static void encrypted(text *t)
{
    unsigned keys = 2 + below(t->random, 2);
    say(t, "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='%u'>",
        below(t->random, 1u << 30));
    for (unsigned i = 0; i < keys; i++) {
        say(t, "<key rid='%u'>", below(t->random, 1u << 30));
        say_base64(t, 80);
        say(t, "</key>");
    }
    say(t, "<iv>");
    say_base64(t, 16);
    say(t, "</iv></header><payload>");
    say_base64(t, 40 + below(t->random, 80));
    say(t, "</payload></encrypted><store xmlns='urn:xmpp:hints'/>");
}

static void message(text *t)
{
    unsigned kind = below(t->random, 100);
    open_stanza(t, "message", "type='chat'");
    if (kind < 16)
        encrypted(t);
    else if (kind < 34)
        say(t, "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
               "<no-store xmlns='urn:xmpp:hints'/>");
    else if (kind < 50)
        say(t, "<received xmlns='urn:xmpp:receipts' id='%08x'/><store xmlns='urn:xmpp:hints'/>",
            below(t->random, ~0u));
    else {
        say(t, "<body>");
        say_words(t, 10 + below(t->random, 220));
        say(t, "</body><active xmlns='http://jabber.org/protocol/chatstates'/>"
               "<request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/>");
        say(t, "<origin-id xmlns='urn:xmpp:sid:0' id='%08x-%08x'/>", below(t->random, ~0u),
            below(t->random, ~0u));
    }
    say(t, "</message>");
}

static void presence(text *t)
{
    open_stanza(t, "presence", "");
    if (below(t->random, 3) == 0) {
        say(t, "<show>away</show><status>");
        say_words(t, below(t->random, 60));
        say(t, "</status>");
    }
    say(t, "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example' "
           "ver='");
    say_base64(t, 27);
    say(t, "='/>");
    if (below(t->random, 4) == 0)
        say(t, "<x xmlns='vcard-temp:x:update'><photo>%08x%08x</photo></x>", below(t->random, ~0u),
            below(t->random, ~0u));
    say(t, "</presence>");
}

static void disco(text *t)
{
    unsigned features = 8 + below(t->random, 24);
    open_stanza(t, "iq", "type='result'");
    say(t, "<query xmlns='http://jabber.org/protocol/disco#info'>"
           "<identity category='client' type='phone' name='Balcony'/>");
    for (unsigned i = 0; i < features; i++)
        say(t, "<feature var='urn:xmpp:feature:%u'/>", below(t->random, 10000));
    say(t, "</query></iq>");
}

static void bundle(text *t)
{
    open_stanza(t, "iq", "type='result'");
    say(t, "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='bundles'>"
           "<item id='current'><bundle xmlns='eu.siacs.conversations.axolotl'>");
    for (unsigned i = 0; i < 50; i++) {
        say(t, "<preKeyPublic preKeyId='%u'>", i);
        say_base64(t, 44);
        say(t, "</preKeyPublic>");
    }
    say(t, "</bundle></item></items></pubsub></iq>");
}

static void iq(text *t)
{
    unsigned kind = below(t->random, 100);
    if (kind < 6)
        bundle(t);
    else if (kind < 46)
        disco(t);
    else {
        open_stanza(t, "iq", kind < 73 ? "type='get'" : "type='result'");
        say(t, kind < 73 ? "<ping xmlns='urn:xmpp:ping'/></iq>" : "</iq>");
    }
}

static void large(text *t, size_t size)
{
    open_stanza(t, "message", "type='chat'");
    say(t, "<body>");
    say_words(t, size > t->len + 16 ? size - t->len - 16 : 1);
    say(t, "</body></message>");
}

/* ---- templates ---- */

static size_t find(s2s_span in, const char *what, size_t len)
{
    for (size_t i = 0; i + len <= in.len; i++)
        if (!memcmp(in.ptr + i, what, len)) return i;
    s2s_assert_failed("the canonical form keeps the marks", __FILE__, __LINE__);
}

/* Cuts the three marks out of the canonical bytes. */
static bool cut(template *t, s2s_span whole)
{
    const char *marks[] = {FROM, TO, ID};
    const size_t lens[] = {sizeof FROM - 1, sizeof TO - 1, ID_LEN};
    t->bytes = malloc(whole.len);
    if (!t->bytes) return false;
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t n = find(whole, marks[i], lens[i]);
        memcpy(t->bytes + at, whole.ptr, n);
        at += n;
        t->cuts[i] = at;
        whole.ptr += n + lens[i];
        whole.len -= n + lens[i];
    }
    memcpy(t->bytes + at, whole.ptr, whole.len);
    t->cuts[3] = at + whole.len;
    return true;
}

static bool make(mix *m, size_t index, const mix_plan *plan, text *t)
{
    s2s_buf canonical;
    unsigned kind = below(t->random, 100);
    t->len = 0;
    if (plan->large_every && index % plan->large_every == plan->large_every - 1)
        large(t, plan->large_size);
    else if (kind < 60)
        message(t);
    else if (kind < 85)
        presence(t);
    else
        iq(t);
    s2s_buf_init(&canonical, 0);
    bool ok = canon_stanza((s2s_span){t->bytes, t->len}, FROM, TO, &canonical);
    S2S_ASSERT(ok);
    ok = cut(&m->templates[index], s2s_buf_span(&canonical));
    s2s_buf_fini(&canonical);
    size_t len = m->templates[index].cuts[3];
    if (len > m->longest) m->longest = len;
    m->mean += (double)len / TEMPLATES;
    return ok;
}

mix *mix_new(const mix_plan *plan)
{
    uint64_t random = plan->seed;
    text t = {.size = TEXT_MAX + plan->large_size, .random = &random};
    mix *m = calloc(1, sizeof *m);
    t.bytes = malloc(t.size);
    bool ok = m && t.bytes;
    if (m) m->seed = stir(plan->seed + 1);
    for (size_t i = 0; ok && i < TEMPLATES; i++)
        ok = make(m, i, plan, &t);
    free(t.bytes);
    if (ok) return m;
    mix_free(m);
    return NULL;
}

void mix_free(mix *m)
{
    if (!m) return;
    for (size_t i = 0; i < TEMPLATES; i++)
        free(m->templates[i].bytes);
    free(m);
}

size_t mix_longest(const mix *m, size_t from_len, size_t to_len)
{
    return m->longest + from_len + to_len + ID_LEN;
}

double mix_mean(const mix *m, size_t from_len, size_t to_len)
{
    return m->mean + (double)(from_len + to_len + ID_LEN);
}

/* ---- marks ---- */

static uint32_t check_of(const mix *m, const mix_mark *mark)
{
    return (uint32_t)stir(stir(mark->stamp ^ m->seed) +
                          (((uint64_t)mark->pair << 40) ^ mark->number));
}

static char *put_hex(char *out, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--, value >>= 4)
        out[i - 1] = "0123456789abcdef"[value & 15];
    return out + digits;
}

static bool get_hex(const char *digit_at, unsigned digits, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        char c = digit_at[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit == 16) return false;
        *value = *value << 4 | digit;
    }
    return true;
}

static char *put(char *out, const char *bytes, size_t n)
{
    memcpy(out, bytes, n);
    return out + n;
}

size_t mix_write(const mix *m, const mix_mark *mark, s2s_span from, s2s_span to, char *out)
{
    uint64_t pick = stir(m->seed + ((uint64_t)mark->pair << 40) + mark->number);
    const template *t = &m->templates[pick % TEMPLATES];
    char *p = put(out, t->bytes, t->cuts[0]);
    p = put(p, from.ptr, from.len);
    p = put(p, t->bytes + t->cuts[0], t->cuts[1] - t->cuts[0]);
    p = put(p, to.ptr, to.len);
    p = put(p, t->bytes + t->cuts[1], t->cuts[2] - t->cuts[1]);
    p = put_hex(p, mark->pair, 8);
    *p++ = '.';
    p = put_hex(p, mark->number, 10);
    *p++ = '.';
    p = put_hex(p, mark->stamp, 16);
    *p++ = '.';
    p = put_hex(p, check_of(m, mark), 8);
    p = put(p, t->bytes + t->cuts[2], t->cuts[3] - t->cuts[2]);
    return (size_t)(p - out);
}

bool mix_read(const mix *m, s2s_span stanza, mix_mark *mark)
{
    uint64_t pair, check;
    const char *p = stanza.ptr, *tag = memchr(stanza.ptr, '>', stanza.len);
    const char *end = tag ? tag : stanza.ptr + stanza.len;
    for (; end - p >= ID_LEN + 6; p++) {
        if (p[0] != ' ' || p[1] != 'i' || p[2] != 'd' || p[3] != '=') continue;
        p += 5;
        if (!get_hex(p, 8, &pair) || !get_hex(p + 9, 10, &mark->number) ||
            !get_hex(p + 20, 16, &mark->stamp) || !get_hex(p + 37, 8, &check))
            return false;
        mark->pair = (uint32_t)pair;
        return check == check_of(m, mark);
    }
    return false;
}
