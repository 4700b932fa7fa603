/* xml.c - bytes to the parser: how many at a time, what is held back, where the limits of size are.
 *
 * The walk of a feed: the first two bytes decide the encoding; then, again and again, a piece of at
 * most 4 KiB that cannot reach beyond a limit is given to expat, until an item is ready. If a token
 * is unfinished after a piece, the guard looks at it from its own first byte; what follows is cut
 * at that token's end, and held back while the token is long and its end not in sight.
 *
 * Expat may have been given bytes behind an item. The caller feeds them again: parsing is resumed,
 * or, when the parser has grown, a new one begins there. Nobody can see which.                 */
#include "s2s/xml.h"

#include <stdlib.h>
#include <string.h>

#include "s2s/xml_private.h"

#define GIVE_MAX   4096                   /* bytes to expat in one call */
#define TOKEN_EASY 1024                   /* an unfinished token up to here is parsed as it comes */
#define HOLD_MAX   1024                   /* bytes gathered of a longer one */
#define SPENT_MAX  (256u * 1024u)         /* estimated bytes of names, see NAME_COST */
#define TOKEN_FAT  (16u * 1024u)          /* a token that leaves a parser with large buffers */
#define GIVEN_MAX  (1024u * 1024u * 512u) /* bytes; expat's offsets may have 31 bits */

const s2s_xml_limits s2s_xml_limits_preauth = {
    .stanza = 8192, .token = 8192, .depth = 4, .attrs = 128, .nsdecls = 64, .children = 32};

const s2s_xml_limits s2s_xml_limits_open = {.stanza = 524288,
                                            .token = 65536,
                                            .depth = 64,
                                            .attrs = 128,
                                            .nsdecls = 64,
                                            .children = 0xffffffffu};

/* ---- life ---- */

static void check_limits(const s2s_xml_limits *l)
{
    S2S_ASSERT(l->stanza > 0 && l->token > 0 && l->depth > 0);
    S2S_ASSERT(l->attrs > 0 && l->nsdecls > 0 && l->children > 0);
}

s2s_xml *s2s_xml_new_with(const s2s_xml_limits *limits, const XML_Memory_Handling_Suite *memory)
{
    check_limits(limits);
    s2s_xml *x = calloc(1, sizeof *x);
    if (x == NULL) return NULL;
    x->limits = *limits;
    x->next_limits = *limits;
    x->memory = memory;
    s2s_buf_init(&x->hold, HOLD_MAX);
    s2s_xml_facts_init(&x->facts);
    s2s_xml_writer_init(&x->writer);
    return x;
}

s2s_xml *s2s_xml_new(const s2s_xml_limits *limits)
{
    return s2s_xml_new_with(limits, NULL);
}

static void drop_parser(s2s_xml *x)
{
    XML_ParserFree(x->parser);
    x->parser = NULL;
    x->standing = false;
    x->ahead = 0;
    x->given = 0;
    x->unfinished = 0;
    x->spent = 0;
}

static void drop_contents(s2s_xml *x)
{
    drop_parser(x);
    s2s_buf_fini(&x->hold);
    s2s_buf_fini(&x->root);
    s2s_buf_fini(&x->content_ns);
    s2s_xml_facts_fini(&x->facts);
    s2s_xml_writer_fini(&x->writer);
}

void s2s_xml_free(s2s_xml *x)
{
    if (x == NULL) return;
    drop_contents(x);
    free(x);
}

void s2s_xml_set_limits(s2s_xml *x, const s2s_xml_limits *limits)
{
    check_limits(limits);
    x->next_limits = *limits;
}

s2s_err s2s_xml_restart(s2s_xml *x)
{
    drop_contents(x);
    s2s_xml empty = {.limits = x->next_limits, .next_limits = x->next_limits, .memory = x->memory};
    *x = empty;
    s2s_buf_init(&x->hold, HOLD_MAX);
    s2s_xml_facts_init(&x->facts);
    s2s_xml_writer_init(&x->writer);
    return S2S_E_OK;
}

bool s2s_xml_in_element(const s2s_xml *x)
{
    return x->depth > 1 || s2s_guard_is_open(&x->guard);
}

/* ---- the parser ---- */

static s2s_err error_of(enum XML_Error code)
{
    /* expat has dozens of codes; all but these say that it is not well-formed XML. */
    if (code == XML_ERROR_NO_MEMORY) return S2S_E_NOMEM;
    if (code == XML_ERROR_UNDEFINED_ENTITY) return S2S_E_XML_RESTRICTED;
    if (code == XML_ERROR_UNKNOWN_ENCODING) return S2S_E_XML_ENCODING;
    if (code == XML_ERROR_INCORRECT_ENCODING) return S2S_E_XML_ENCODING;
    return S2S_E_XML_NOT_WELL_FORMED;
}

/* A new parser inside the stream takes the root's prefix and namespaces from our copy. */
static void feed_root(s2s_xml *x)
{
    s2s_span root = s2s_buf_span(&x->root);
    x->building = true;
    enum XML_Status status = XML_Parse(x->parser, root.ptr, (int)root.len, XML_FALSE);
    x->building = false;
    x->given = root.len;
    x->spent = 0;
    if (status != XML_STATUS_OK) s2s_xml_fail(x, error_of(XML_GetErrorCode(x->parser)));
}

static void need_parser(s2s_xml *x)
{
    static const XML_Char separator[] = {S2S_XML_SEPARATOR, '\0'};
    if (x->parser != NULL) return;
    x->parser = XML_ParserCreate_MM("UTF-8", x->memory, separator);
    if (x->parser == NULL) {
        s2s_xml_fail(x, S2S_E_NOMEM);
        return;
    }
    XML_SetReturnNSTriplet(x->parser, XML_TRUE);
    (void)XML_SetReparseDeferralEnabled(x->parser, XML_FALSE);
    s2s_xml_listen(x);
    if (x->depth == 1) feed_root(x);
}

/* The parser took n bytes, `bytes` being the last of them: is a token left open? */
static void look_at_rest(s2s_xml *x, s2s_span bytes)
{
    XML_Index at = XML_GetCurrentByteIndex(x->parser);
    size_t done = at < 0 ? 0 : (size_t)at;
    x->unfinished = x->given - done;
    if (x->unfinished > TOKEN_FAT) x->spent = SPENT_MAX;
    /* Longer than what came now: the token we know, scanned so far. */
    if (x->unfinished > bytes.len) return;
    s2s_guard_stop(&x->guard);
    if (x->unfinished == 0) return;
    s2s_span token = {bytes.ptr + bytes.len - x->unfinished, x->unfinished};
    /* Before the root only a tag may begin, and a CR may wait for its LF. */
    if (x->depth == 0 && token.ptr[0] != '<' && token.ptr[0] != '\r') {
        s2s_xml_fail(x, S2S_E_XML_NOT_WELL_FORMED);
        return;
    }
    size_t n;
    s2s_guard_start(&x->guard, x->depth == 0 && done == 0);
    s2s_guard_verdict verdict = s2s_guard_scan(&x->guard, token, &n);
    S2S_ASSERT(verdict == S2S_GUARD_OPEN || verdict == S2S_GUARD_ENDED);
}

/* After expat had `bytes`. */
static void after_parse(s2s_xml *x, enum XML_Status status, s2s_span bytes)
{
    if (x->err != S2S_E_OK) return;
    switch (status) {
    case XML_STATUS_ERROR: s2s_xml_fail(x, error_of(XML_GetErrorCode(x->parser))); break;
    case XML_STATUS_OK: look_at_rest(x, bytes); break;
    case XML_STATUS_SUSPENDED:
        x->standing = true;
        x->ahead = x->given - x->item_end;
        x->unfinished = 0;
        s2s_guard_stop(&x->guard);
        break;
    }
}

static void give(s2s_xml *x, s2s_span bytes)
{
    x->given += bytes.len;
    after_parse(x, XML_Parse(x->parser, bytes.ptr, (int)bytes.len, XML_FALSE), bytes);
}

static void give_held(s2s_xml *x)
{
    give(x, s2s_buf_span(&x->hold));
    s2s_buf_fini(&x->hold);
    /* Held bytes end at a token's end at the latest, as the guard sees it. Should expat ever see
     * one earlier, the bytes behind it cannot be given back. */
    if (x->ahead > 0) s2s_xml_fail(x, S2S_E_XML_NOT_WELL_FORMED);
}

/* ---- limits of size ---- */

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t rest_of(size_t limit, size_t used)
{
    return used < limit ? limit - used : 0;
}

static size_t held(const s2s_xml *x)
{
    return s2s_buf_span(&x->hold).len;
}

static size_t token_room(const s2s_xml *x)
{
    return rest_of(x->limits.token, x->unfinished + held(x));
}

static size_t stanza_room(const s2s_xml *x)
{
    if (x->depth > 1) return rest_of(x->limits.stanza, x->given + held(x) - x->element_at);
    return rest_of(x->limits.stanza, x->unfinished + held(x));
}

/* A piece never reaches beyond a limit, not even one of an element that begins in it. So the byte
 * that is too much is known for sure, however the bytes were cut. */
static size_t room(const s2s_xml *x)
{
    return min(GIVE_MAX, min(token_room(x), stanza_room(x)));
}

static void limit_reached(s2s_xml *x)
{
    /* The parser may have something to say about the bytes up to the limit. */
    if (held(x) > 0)
        give_held(x);
    else
        s2s_xml_fail(x, token_room(x) == 0 ? S2S_E_XML_TOKEN_TOO_LONG : S2S_E_STANZA_TOO_BIG);
}

/* ---- pieces ---- */

/* The next bytes of an unfinished token. */
static size_t step_token(s2s_xml *x, s2s_span bytes)
{
    if (held(x) > 0) bytes.len = min(bytes.len, HOLD_MAX - held(x));
    s2s_guard_verdict verdict = s2s_guard_scan(&x->guard, bytes, &bytes.len);
    if (verdict == S2S_GUARD_RESTRICTED) s2s_xml_fail(x, S2S_E_XML_RESTRICTED);
    if (verdict == S2S_GUARD_MALFORMED) s2s_xml_fail(x, S2S_E_XML_NOT_WELL_FORMED);
    if (x->err != S2S_E_OK) return 0;
    bool ended = verdict == S2S_GUARD_ENDED;
    bool wait = s2s_guard_undecided(&x->guard) || x->unfinished + bytes.len > TOKEN_EASY;
    if (held(x) == 0 && (ended || !wait || bytes.len >= HOLD_MAX)) {
        give(x, bytes);
        return bytes.len - x->ahead;
    }
    s2s_err err = s2s_buf_put(&x->hold, bytes);
    s2s_xml_fail(x, err);
    if (err == S2S_E_OK && (ended || !wait || held(x) == HOLD_MAX)) give_held(x);
    return bytes.len;
}

/* Offset behind the first '<' with `mark` behind it; bytes.len if there is none. Looks for the mark, the rarer of the two. */
static size_t behind_opening(s2s_span bytes, char mark)
{
    for (size_t i = 1; i < bytes.len; i++) {
        const char *found = memchr(bytes.ptr + i, mark, bytes.len - i);
        if (found == NULL) break;
        i = (size_t)(found - bytes.ptr);
        if (found[-1] == '<') return i + 1;
    }
    return bytes.len;
}

/* Offset of the '>' in the first "]]>"; bytes.len if there is none. */
static size_t within_closing(s2s_span bytes)
{
    for (size_t i = 0; i + 2 < bytes.len; i++) {
        const char *bracket = memchr(bytes.ptr + i, ']', bytes.len - i - 2);
        if (bracket == NULL) break;
        i = (size_t)(bracket - bytes.ptr);
        if (bracket[1] == ']' && bracket[2] == '>') return i + 2;
    }
    return bytes.len;
}

/* Two kinds of markup are given in parts, so that it does not matter where the peer's segments end.
 * "<!" and "<?" alone: the guard, not expat, judges how they go on. "]]" without its '>': where
 * that is an error, expat would not tell of the text before it. A "]" may have come before. */
static size_t until_markup(const s2s_xml *x, s2s_span bytes)
{
    bool goes_on = x->unfinished > 0 && bytes.len > 1;
    if (goes_on && bytes.ptr[0] == ']' && bytes.ptr[1] == '>') return 1;
    bytes.len = behind_opening(bytes, '!');
    bytes.len = behind_opening(bytes, '?');
    return within_closing(bytes);
}

static size_t step(s2s_xml *x, s2s_span bytes)
{
    size_t n = min(bytes.len, room(x));
    if (n == 0) {
        limit_reached(x);
        return 0;
    }
    bytes.len = n;
    if (s2s_guard_is_open(&x->guard)) return step_token(x, bytes);
    bytes.len = until_markup(x, bytes);
    give(x, bytes);
    return bytes.len - x->ahead;
}

/* ---- the first bytes ---- */

static bool is_lead_byte(char c)
{
    return c == '<' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t lead_first(s2s_xml *x, s2s_span bytes)
{
    unsigned char c = (unsigned char)bytes.ptr[0];
    if (is_lead_byte(bytes.ptr[0])) {
        x->lead = S2S_XML_LEAD_SECOND;
        return step(x, (s2s_span){bytes.ptr, 1});
    }
    if (c == 0xef && x->lead == S2S_XML_LEAD_FIRST) {
        x->lead = S2S_XML_LEAD_BOM_2;
        return 1;
    }
    /* Halves of UTF-16 and UTF-32. */
    bool wide = c == 0x00 || c == 0xfe || c == 0xff;
    s2s_xml_fail(x, wide ? S2S_E_XML_ENCODING : S2S_E_XML_NOT_WELL_FORMED);
    return 0;
}

static size_t lead_mark(s2s_xml *x, s2s_span bytes, unsigned char want, s2s_xml_lead next)
{
    if ((unsigned char)bytes.ptr[0] != want) {
        s2s_xml_fail(x, S2S_E_XML_NOT_WELL_FORMED);
        return 0;
    }
    x->lead = next;
    return 1;
}

static size_t step_lead(s2s_xml *x, s2s_span bytes)
{
    switch (x->lead) {
    case S2S_XML_LEAD_FIRST:
    case S2S_XML_LEAD_BARE: return lead_first(x, bytes);
    case S2S_XML_LEAD_BOM_2: return lead_mark(x, bytes, 0xbb, S2S_XML_LEAD_BOM_3);
    case S2S_XML_LEAD_BOM_3: return lead_mark(x, bytes, 0xbf, S2S_XML_LEAD_BARE);
    case S2S_XML_LEAD_SECOND:
        if (bytes.ptr[0] == '\0') s2s_xml_fail(x, S2S_E_XML_ENCODING);
        x->lead = S2S_XML_LEAD_DONE;
        return 0;
    case S2S_XML_LEAD_DONE: break;
    }
    return step(x, bytes);
}

/* ---- rest ---- */

/* The item lent last is gone; a parser that has grown goes with it. */
static void drop_lent(s2s_xml *x)
{
    if (!x->lent) return;
    x->lent = false;
    if (x->is_stanza)
        s2s_xml_facts_clear(&x->facts); /* more will come */
    else
        s2s_xml_facts_fini(&x->facts);
    s2s_xml_writer_clear(&x->writer);
    if (x->standing && (x->spent >= SPENT_MAX || x->given >= GIVEN_MAX)) drop_parser(x);
}

/* Nothing is known to expat but the root, of which we have a copy. */
static bool is_between_items(const s2s_xml *x)
{
    return x->parser != NULL && x->err == S2S_E_OK && x->ready == S2S_XML_NONE && !x->ended &&
           x->depth == 1 && x->unfinished == 0 && x->ahead == 0 && held(x) == 0 &&
           !s2s_guard_is_open(&x->guard);
}

void s2s_xml_rest(s2s_xml *x)
{
    drop_lent(x);
    if (x->err != S2S_E_OK || s2s_xml_in_element(x)) return;
    s2s_xml_facts_fini(&x->facts);
    s2s_xml_writer_fini(&x->writer);
    if (is_between_items(x)) drop_parser(x);
}

/* ---- feed and next ---- */

/* Goes on behind an item, with the bytes which the parser has been given already. */
static size_t resume(s2s_xml *x, s2s_span bytes)
{
    if (x->ahead > bytes.len) {
        /* The caller cut the rest anew: only a new parser can stop where he does. */
        drop_parser(x);
        need_parser(x);
        return 0;
    }
    bytes.len = x->ahead;
    x->standing = false;
    x->ahead = 0;
    after_parse(x, XML_ResumeParser(x->parser), bytes);
    return bytes.len - x->ahead;
}

static bool is_hungry(const s2s_xml *x)
{
    return x->err == S2S_E_OK && x->ready == S2S_XML_NONE && !x->ended;
}

size_t s2s_xml_feed(s2s_xml *x, s2s_span bytes)
{
    if (!is_hungry(x) || bytes.len == 0) return 0;
    drop_lent(x);
    if (!s2s_xml_in_element(x)) x->limits = x->next_limits;
    need_parser(x);
    size_t used = is_hungry(x) && x->standing ? resume(x, bytes) : 0;
    while (used < bytes.len && is_hungry(x))
        used += step_lead(x, (s2s_span){bytes.ptr + used, bytes.len - used});
    return used;
}

static void take_head(s2s_xml *x, s2s_xml_item *item)
{
    if (x->has_content_ns) item->content_ns = s2s_buf_span(&x->content_ns);
    item->declares_db = x->declares_db;
    if (x->end_follows) x->ready = S2S_XML_END;
}

static void take_element(s2s_xml *x, s2s_xml_item *item)
{
    if (x->is_stanza) {
        item->other_attrs = s2s_buf_span(&x->writer.attrs);
        item->inside = s2s_buf_span(&x->writer.inside);
        return;
    }
    item->children = x->facts.children;
    item->n_children = x->facts.n_notes;
    item->text = s2s_buf_span(&x->facts.open_text[0]);
}

s2s_xml_item s2s_xml_next(s2s_xml *x)
{
    s2s_xml_item item = {.kind = x->err == S2S_E_OK ? x->ready : S2S_XML_ERROR, .err = x->err};
    drop_lent(x);
    if (item.kind == S2S_XML_NONE || item.kind == S2S_XML_ERROR) return item;
    x->ready = S2S_XML_NONE;
    if (item.kind == S2S_XML_END) {
        x->ended = true;
        return item;
    }
    x->lent = true;
    item.ns = x->facts.ns;
    item.name = x->facts.name;
    item.attrs = x->facts.attrs;
    item.n_attrs = x->facts.n_attrs;
    if (item.kind == S2S_XML_HEAD)
        take_head(x, &item);
    else
        take_element(x, &item);
    return item;
}
