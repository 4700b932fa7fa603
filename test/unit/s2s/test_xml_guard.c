/* The guard of unfinished tokens: where each kind ends, what it refuses, one byte or all at once. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "s2s/xml_guard.h"

typedef struct outcome {
    s2s_guard_verdict verdict;
    size_t read;
    bool undecided; /* somewhere on the way */
} outcome;

static outcome scan_in_pieces(const char *text, bool document_start, size_t piece)
{
    s2s_guard g;
    outcome o = {.verdict = S2S_GUARD_OPEN};
    size_t len = strlen(text);
    s2s_guard_start(&g, document_start);
    while (o.read < len && o.verdict == S2S_GUARD_OPEN && s2s_guard_is_open(&g)) {
        size_t n = len - o.read < piece ? len - o.read : piece;
        o.verdict = s2s_guard_scan(&g, (s2s_span){text + o.read, n}, &n);
        o.read += n;
        if (o.verdict == S2S_GUARD_OPEN && s2s_guard_undecided(&g)) o.undecided = true;
    }
    return o;
}

static void expect(const char *text, bool document_start, s2s_guard_verdict want, size_t read)
{
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        outcome o = scan_in_pieces(text, document_start, piece);
        assert_int_equal(o.verdict, want);
        assert_int_equal(o.read, read);
    }
}

static void expect_end(const char *token)
{
    char text[128];
    snprintf(text, sizeof text, "%s<more>", token);
    expect(text, false, S2S_GUARD_ENDED, strlen(token));
}

static void tags_end_at_the_bracket_outside_quotes(void **state)
{
    (void)state;
    expect_end("<a>");
    expect_end("<a/>");
    expect_end("</a>");
    expect_end("<a b='>'>");
    expect_end("<a b=\">>'>\" c='\">'/>");
    expect_end("<a b='<!--'>");
    expect_end("<a b='x?>' c=\"]]>\">");
    expect("<a b='>>>", false, S2S_GUARD_OPEN, 9);
    expect("<a b='>' c=\">", false, S2S_GUARD_OPEN, 13);
}

static void references_end_at_the_semicolon(void **state)
{
    (void)state;
    expect_end("&amp;");
    expect_end("&#x26;");
    expect("&amp", false, S2S_GUARD_OPEN, 4);
}

static void cdata_is_legal_markup(void **state)
{
    (void)state;
    expect_end("<![CDATA[");
    assert_true(scan_in_pieces("<![CDATA", false, 1).undecided);
    expect("<![CDATA", false, S2S_GUARD_OPEN, 8);
}

/* Refused before the parser has anything to keep. */
static void other_markup_is_refused_at_its_first_bytes(void **state)
{
    (void)state;
    expect("<!-- x", false, S2S_GUARD_RESTRICTED, 3);
    expect("<!DOCTYPE s", true, S2S_GUARD_RESTRICTED, 3);
    expect("<![cdata[", false, S2S_GUARD_RESTRICTED, 4);
    expect("<![CDATA [", false, S2S_GUARD_RESTRICTED, 9);
    expect("<!x", false, S2S_GUARD_RESTRICTED, 3);
    expect("<?php ?>", false, S2S_GUARD_RESTRICTED, 3);
    expect("<?xm ?>", true, S2S_GUARD_RESTRICTED, 5);
    expect("<?xml-stylesheet ?>", true, S2S_GUARD_RESTRICTED, 6);
    expect("<?XML version='1.0'?>", true, S2S_GUARD_RESTRICTED, 3);
}

static void the_declaration_stands_at_the_start(void **state)
{
    (void)state;
    const char *decl = "<?xml version='1.0' a='?' ?\?>";
    expect(decl, true, S2S_GUARD_ENDED, strlen(decl));
    expect("<?xml?><a>", true, S2S_GUARD_ENDED, 7);
    expect("<?xml\nversion='>'", true, S2S_GUARD_OPEN, 17);
    expect(decl, false, S2S_GUARD_MALFORMED, 6);
    expect("<?xml?>", false, S2S_GUARD_MALFORMED, 6);
    assert_true(scan_in_pieces("<?xml", true, 1).undecided);
}

static void short_tokens_need_no_guard(void **state)
{
    (void)state;
    const char *const texts[] = {"]", "\r", "\xe2\x82"};
    for (size_t i = 0; i < 3; i++) {
        s2s_guard g;
        size_t n;
        s2s_guard_start(&g, false);
        assert_int_equal(s2s_guard_scan(&g, s2s_span_of(texts[i]), &n), S2S_GUARD_OPEN);
        assert_int_equal(n, strlen(texts[i]));
        assert_false(s2s_guard_is_open(&g));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_end_at_the_bracket_outside_quotes),
        cmocka_unit_test(references_end_at_the_semicolon),
        cmocka_unit_test(cdata_is_legal_markup),
        cmocka_unit_test(other_markup_is_refused_at_its_first_bytes),
        cmocka_unit_test(the_declaration_stands_at_the_start),
        cmocka_unit_test(short_tokens_need_no_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
