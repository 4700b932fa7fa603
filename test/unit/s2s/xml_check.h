/* xml_check.h - says what an XML session must give, whichever way its bytes are cut.
 * For:    the unit tests of the parser.
 * Never:  anything but whole sessions (xml_record.h has the parts).
 * Owner:  the test.                                                                           */
#ifndef XML_CHECK_H
#define XML_CHECK_H

#include "cmocka_all.h"

#include "xml_record.h"

#define XML_HEAD_TEXT                                                                              \
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "        \
    "xmlns:db='jabber:server:dialback'>"
#define XML_HEAD_LINE "HEAD {http://etherx.jabber.org/streams}stream content jabber:server db\n"

/* Two pieces: up to `at`, then the rest. */
typedef struct two_cut {
    size_t at;
    size_t len;
} two_cut;

static inline size_t cut_in_two(void *ctx, size_t left)
{
    const two_cut *c = ctx;
    size_t done = c->len - left;
    return done < c->at ? c->at - done : left;
}

static inline void check_equal(s2s_span got, s2s_span want)
{
    if (s2s_span_eq(got, want)) return;
    print_error("got:  %.*s\nwant: %.*s\n", (int)got.len, got.ptr, (int)want.len, want.ptr);
    fail();
}

static inline void check_cut(const s2s_xml_limits *limits, s2s_span text, s2s_span want,
                             record_cut *cut, void *ctx)
{
    s2s_buf got;
    s2s_buf_init(&got, 0);
    record_session(&got, limits, text, cut, ctx);
    check_equal(s2s_buf_span(&got), want);
    s2s_buf_fini(&got);
}

/* Whole, byte by byte, resting behind each byte, and cut in two at every place: always `want`. Canonical stanzas must give
 * themselves. Of long texts only some cuts are tried: `step` apart. */
static inline void check_session_by(const s2s_xml_limits *limits, s2s_span text, const char *want,
                                    size_t step)
{
    s2s_span lines = s2s_span_of(want);
    check_cut(limits, text, lines, record_whole, NULL);
    check_cut(limits, text, lines, record_bytewise, NULL);
    check_cut(limits, text, lines, record_resting, NULL);
    two_cut c = {.len = text.len};
    for (c.at = 1; c.at < text.len; c.at += step)
        check_cut(limits, text, lines, cut_in_two, &c);
    record_check_stanzas(limits, text);
}

static inline void check_session(const s2s_xml_limits *limits, s2s_span text, const char *want)
{
    check_session_by(limits, text, want, 1);
}

/* `text` stands on an open stream: what comes behind HEAD must be `want`. */
static inline void check_open(const char *text, const char *want)
{
    s2s_buf all, lines;
    s2s_buf_init(&all, 0);
    s2s_buf_init(&lines, 0);
    record_puts(&all, XML_HEAD_TEXT);
    record_puts(&all, text);
    record_puts(&lines, XML_HEAD_LINE);
    record_puts(&lines, want);
    record_put(&lines, (s2s_span){"", 1}); /* ends the string */
    check_session(&s2s_xml_limits_open, s2s_buf_span(&all), lines.ptr);
    s2s_buf_fini(&all);
    s2s_buf_fini(&lines);
}

#endif
