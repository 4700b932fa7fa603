/* fuzz_xml.c - any bytes, cut in any way, through the XML parser.
 * For:    two promises: how bytes are cut changes nothing (items, errors, how far was read), and a
 *         canonical stanza parses to itself.
 * Never:  checks what the items should be (the unit tests do).
 *
 * Input: one byte of flags, one byte n, n bytes of cuts used round and round, then the document. The
 * lowest flag puts a stream header in front, so that the fuzzer need not find one.               */
#include <stdint.h>

#include "../unit/s2s/xml_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { WITH_HEAD = 1, SMALL_LIMITS = 2, PREAUTH_LIMITS = 4 };

static const char head[] = "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' "
                           "xmlns:stream='http://etherx.jabber.org/streams'>";

/* Limits an input of a few hundred bytes can reach. */
static const s2s_xml_limits small = {
    .stanza = 160, .token = 90, .depth = 5, .attrs = 3, .nsdecls = 3, .children = 6};

typedef struct cuts {
    const uint8_t *sizes;
    size_t n;
    size_t at;
} cuts;

/* 0 stands for all that is left: a long piece between short ones. */
static size_t next_cut(void *ctx, size_t left)
{
    cuts *c = ctx;
    if (c->n == 0) return left;
    size_t size = c->sizes[c->at++ % c->n];
    return size == 0 || size > left ? left : size;
}

static const s2s_xml_limits *limits_of(uint8_t flags)
{
    if ((flags & SMALL_LIMITS) != 0) return &small;
    return (flags & PREAUTH_LIMITS) != 0 ? &s2s_xml_limits_preauth : &s2s_xml_limits_open;
}

/* Runs the document cut in one way; *alive: it ended neither well nor in an error. */
static size_t run(s2s_buf *lines, const s2s_xml_limits *limits, s2s_span document, record_cut *cut,
                  void *ctx)
{
    s2s_buf_init(lines, 0);
    return record_session(lines, limits, document, cut, ctx);
}

static bool ended_in_error(s2s_span lines)
{
    static const char mark[] = "ERROR ";
    return memmem(lines.ptr, lines.len, mark, sizeof mark - 1) != NULL;
}

static void compare(const s2s_xml_limits *limits, s2s_span document, record_cut *cut, void *ctx)
{
    s2s_buf whole, pieces;
    size_t whole_used = run(&whole, limits, document, record_whole, NULL);
    size_t used = run(&pieces, limits, document, cut, ctx);
    S2S_ASSERT(s2s_span_eq(s2s_buf_span(&whole), s2s_buf_span(&pieces)));
    /* Where an item ended is the same; where an error was noticed may be a piece earlier. */
    S2S_ASSERT(used == whole_used || ended_in_error(s2s_buf_span(&whole)));
    s2s_buf_fini(&whole);
    s2s_buf_fini(&pieces);
}

/* A broken token over 1 KiB may be judged up to 1 KiB later: give it that much to come. */
static void put_rest(s2s_buf *document)
{
    static const char spaces[2048] = {0};
    if (s2s_buf_span(document).len <= 1024) return;
    record_put(document, (s2s_span){spaces, sizeof spaces});
    memset(document->ptr + document->end - sizeof spaces, ' ', sizeof spaces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2) return 0;
    uint8_t flags = data[0];
    cuts c = {.sizes = data + 2, .n = data[1], .at = 0};
    if (c.n > len - 2) c.n = len - 2;
    s2s_span tail = {(const char *)data + 2 + c.n, len - 2 - c.n};
    s2s_buf document;
    s2s_buf_init(&document, 0);
    if ((flags & WITH_HEAD) != 0) record_puts(&document, head);
    record_put(&document, tail);
    put_rest(&document);
    const s2s_xml_limits *limits = limits_of(flags);
    s2s_span all = s2s_buf_span(&document);
    compare(limits, all, next_cut, &c);
    compare(limits, all, record_bytewise, NULL);
    compare(limits, all, record_resting, NULL);
    record_check_stanzas(limits, all);
    s2s_buf_fini(&document);
    return 0;
}
