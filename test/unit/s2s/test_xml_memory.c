/* What the parser allocates and how often it looks at a byte: counted, never timed. And where it
 * stands still, starts again and goes on with a new parser underneath. */
#include "xml_check.h"

#include <malloc.h>

#include "s2s/xml_private.h"

#define HEAD "<s:s xmlns='jabber:server' xmlns:s='s'>"
#define LINE "HEAD {s}s content jabber:server\n"

/* ---- expat's memory, counted; the n-th allocation may fail ---- */

static size_t in_use, peak;
static long until_failure = -1; /* -1: never */

static void took(const void *ptr)
{
    if (ptr == NULL) return;
    in_use += malloc_usable_size((void *)(uintptr_t)ptr);
    if (in_use > peak) peak = in_use;
}

static bool fails(void)
{
    if (until_failure < 0) return false;
    if (until_failure == 0) return true; /* and every one after it */
    until_failure--;
    return false;
}

static void *counted_malloc(size_t size)
{
    void *ptr = fails() ? NULL : malloc(size);
    took(ptr);
    return ptr;
}

static void *counted_realloc(void *old, size_t size)
{
    if (fails()) return NULL;
    if (old != NULL) in_use -= malloc_usable_size(old);
    void *ptr = realloc(old, size);
    took(ptr);
    return ptr;
}

static void counted_free(void *ptr)
{
    if (ptr != NULL) in_use -= malloc_usable_size(ptr);
    free(ptr);
}

static const XML_Memory_Handling_Suite counted = {counted_malloc, counted_realloc, counted_free};

/* Ours: everything the structure points to. */
static size_t own(const s2s_xml *x)
{
    size_t n = sizeof *x + x->hold.size + x->root.size + x->content_ns.size;
    n += x->writer.attrs.size + x->writer.inside.size + x->writer.strings.size;
    n += x->writer.size_bindings * sizeof(s2s_xml_binding);
    n += x->facts.size_notes * sizeof(s2s_xml_note) + x->facts.strings.size;
    n += x->facts.n_notes * sizeof(s2s_xml_child);
    for (size_t i = 0; i < S2S_XML_LEVELS; i++)
        n += x->facts.open_text[i].size;
    return n + malloc_usable_size(x->facts.block);
}

static s2s_xml *new_counted(const s2s_xml_limits *limits)
{
    in_use = 0;
    peak = 0;
    until_failure = -1;
    s2s_xml *x = s2s_xml_new_with(limits, &counted);
    assert_non_null(x);
    return x;
}

static void free_counted(s2s_xml *x)
{
    s2s_xml_free(x);
    assert_int_equal(in_use, 0);
}

/* ---- bounds ---- */

typedef struct measured {
    size_t most; /* allocated at once, expat's and ours */
    size_t fed;
    s2s_err err;
} measured;

/* Feeds `before` and then `unit` again and again, up to `total` bytes or an error. */
static measured measure(const s2s_xml_limits *limits, const char *before, const char *unit,
                        size_t total)
{
    s2s_xml *x = new_counted(limits);
    measured m = {0, 0, S2S_E_OK};
    char piece[1024];
    size_t len = 0, unit_len = strlen(unit);
    while (len + unit_len <= sizeof piece) {
        memcpy(piece + len, unit, unit_len);
        len += unit_len;
    }
    assert_int_equal(s2s_xml_feed(x, S2S_LIT(HEAD)), sizeof HEAD - 1);
    assert_int_equal(s2s_xml_next(x).kind, S2S_XML_HEAD);
    s2s_span next = s2s_span_of(before);
    while (m.fed < total && m.err == S2S_E_OK) {
        m.fed += s2s_xml_feed(x, next);
        next = (s2s_span){piece, len};
        s2s_xml_item item = s2s_xml_next(x);
        assert_true(item.kind == S2S_XML_NONE || item.kind == S2S_XML_ERROR);
        m.err = item.err;
        if (own(x) + peak > m.most) m.most = own(x) + peak;
    }
    free_counted(x);
    return m;
}

/* Attack 32: refused before 10 KB of the peer's are held; expat's own start is some 20 KB. */
static void attack_32_memory(void **state)
{
    (void)state;
    const char *const before[] = {"<x>", "<x a='", "<x><", "<message>", "<message><a b='", "<x>"};
    const char *const units[] = {"y", "y", "y", "y", ">", "<a/>"};
    for (size_t i = 0; i < 6; i++) {
        measured m = measure(&s2s_xml_limits_preauth, before[i], units[i], 1u << 20);
        assert_int_not_equal(m.err, S2S_E_OK);
        assert_true(m.fed <= 8193);
        assert_true(m.most <= 72 * 1024);
    }
}

/* Attack 33: at most twice the limit, and for the names of 100,000 children no more either. */
static void attack_33_memory(void **state)
{
    (void)state;
    const char *const before[] = {"<message>", "<message a='", "<message>", "<message><",
                                  "<message><x xmlns:a='b' a:b='"};
    const char *const units[] = {"y", "y", "<abc/>", "y", "'"};
    for (size_t i = 0; i < 5; i++) {
        measured m = measure(&s2s_xml_limits_open, before[i], units[i], 1u << 20);
        assert_int_not_equal(m.err, S2S_E_OK);
        assert_true(m.fed <= 524289);
        assert_true(m.most <= 2 * 524288);
    }
}

/* Attack 34: a million levels cost what 64 cost. */
static void attack_34_memory(void **state)
{
    (void)state;
    measured m = measure(&s2s_xml_limits_open, "<x>", "<x>", 3u << 20);
    assert_int_equal(m.err, S2S_E_XML_TOO_DEEP);
    assert_true(m.fed <= 1100);
    assert_true(m.most <= 64 * 1024);
}

/* Attack 11: 64 KiB of white space instead of a header is neither kept nor counted. */
static void attack_11_memory(void **state)
{
    (void)state;
    s2s_xml *x = new_counted(&s2s_xml_limits_preauth);
    for (int i = 0; i < 65536; i++) {
        assert_int_equal(s2s_xml_feed(x, (s2s_span){&" \r\n\t"[i % 4], 1}), 1);
        assert_int_equal(s2s_xml_next(x).kind, S2S_XML_NONE);
        assert_false(s2s_xml_in_element(x));
    }
    assert_true(own(x) + peak <= 32 * 1024);
    free_counted(x);
}

/* Attack 5: ten levels of laughs are refused at their third byte, with nothing allocated. */
static void attack_5_memory(void **state)
{
    (void)state;
    static const char laughs[] = "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;'>"
                                 "<!ENTITY c '&b;&b;&b;&b;&b;'>]><l>&c;</l>";
    s2s_xml *x = new_counted(&s2s_xml_limits_preauth);
    assert_true(s2s_xml_feed(x, S2S_LIT(laughs)) <= 2);
    assert_int_equal(s2s_xml_next(x).err, S2S_E_XML_RESTRICTED);
    assert_true(own(x) + peak <= 32 * 1024);
    free_counted(x);
}

/* A quiet parser holds little, whatever went through it before. */
static void an_idle_parser_is_small(void **state)
{
    (void)state;
    s2s_xml *x = new_counted(&s2s_xml_limits_open);
    assert_int_equal(in_use, 0); /* nothing before the first byte */
    s2s_buf text, lines;
    s2s_buf_init(&text, 0);
    s2s_buf_init(&lines, 0);
    record_puts(&text, HEAD "<message><b c='");
    for (int i = 0; i < 60000; i++)
        record_puts(&text, "x");
    record_puts(&text, "'/><t>");
    for (int i = 0; i < 400000; i++)
        record_puts(&text, "y");
    record_puts(&text, "</t></message>");
    record_feed(&lines, x, s2s_buf_span(&text), record_whole, NULL);
    assert_int_equal(s2s_xml_next(x).kind, S2S_XML_NONE);
    assert_true(own(x) + in_use <= 8 * 1024);
    s2s_buf_fini(&text);
    s2s_buf_fini(&lines);
    free_counted(x);
}

/* At rest only the root is remembered; what comes behind is read as if nothing had been. */
static void at_rest_it_holds_the_root_only(void **state)
{
    (void)state;
    s2s_xml *x = new_counted(&s2s_xml_limits_open);
    s2s_buf lines;
    s2s_buf_init(&lines, 0);
    record_feed(&lines, x, S2S_LIT("<a:b xmlns:a='x' xmlns='jabber:server'><iq/>"), record_whole,
                NULL);
    s2s_xml_rest(x);
    assert_int_equal(in_use, 0);
    assert_int_equal(own(x), sizeof *x + x->root.size + x->content_ns.size);
    s2s_buf_clear(&lines);
    record_feed(&lines, x, S2S_LIT("<message><a:c/></message></a:b>"), record_whole, NULL);
    check_equal(s2s_buf_span(&lines),
                S2S_LIT("STANZA <message><a:c xmlns:a='x'/></message>\nEND\n"));
    s2s_buf_fini(&lines);
    free_counted(x);
}

/* ---- work ---- */

/* Attack 36: 256 KiB of '>' in one attribute, a byte at a time. Expat reads an unfinished token
 * from its start with each call: the bytes it is made to read are counted. A scan that takes the
 * first '>' for the end would make it 34,000 million. */
static void attack_36_bytes_given_to_expat(void **state)
{
    (void)state;
    s2s_xml_limits l = s2s_xml_limits_open;
    l.token = 512 * 1024;
    s2s_xml *x = new_counted(&l);
    assert_int_equal(s2s_xml_feed(x, S2S_LIT(HEAD)), sizeof HEAD - 1);
    assert_int_equal(s2s_xml_next(x).kind, S2S_XML_HEAD);
    assert_int_equal(s2s_xml_feed(x, S2S_LIT("<message a='")), 12);
    size_t calls = 0, read = 0;
    for (size_t i = 0; i < 256 * 1024; i++) {
        size_t given = x->given;
        assert_int_equal(s2s_xml_feed(x, S2S_LIT(">")), 1);
        if (x->given == given) continue;
        calls++;
        read += x->unfinished;
    }
    assert_true(calls <= 1024 + 256);
    assert_true(read <= 36u * 1024 * 1024);
    /* The end is seen at once: nothing is held back then. */
    assert_int_equal(s2s_xml_feed(x, S2S_LIT("'/>")), 3);
    s2s_xml_item item = s2s_xml_next(x);
    assert_int_equal(item.kind, S2S_XML_ELEMENT);
    assert_int_equal(item.attrs[0].value.len, 256 * 1024);
    free_counted(x);
}

/* Attack 28: whatever the length of a tag and the place of the cut, its end is acted on at once. */
static void attack_28_nothing_is_held_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {1024, 3006, 15 * 1024, 60 * 1024};
    static const size_t from_end[] = {1, 3, 500, 1023, 1024, 1025};
    for (size_t s = 0; s < 4; s++) {
        s2s_buf text;
        s2s_buf_init(&text, 0);
        record_puts(&text, "<message id='");
        while (s2s_buf_span(&text).len < sizes[s] - 3)
            record_puts(&text, ">");
        record_puts(&text, "'/>");
        s2s_span all = s2s_buf_span(&text);
        for (size_t c = 0; c < 6 && from_end[c] < all.len; c++) {
            s2s_xml *x = s2s_xml_new(&s2s_xml_limits_open);
            assert_int_equal(s2s_xml_feed(x, S2S_LIT(HEAD)), sizeof HEAD - 1);
            (void)s2s_xml_next(x);
            size_t n = all.len - from_end[c];
            assert_int_equal(s2s_xml_feed(x, (s2s_span){all.ptr, n}), n);
            assert_int_equal(s2s_xml_next(x).kind, S2S_XML_NONE);
            assert_true(s2s_xml_in_element(x));
            assert_int_equal(s2s_xml_feed(x, (s2s_span){all.ptr + n, from_end[c]}), from_end[c]);
            assert_int_equal(s2s_xml_next(x).kind, S2S_XML_ELEMENT);
            s2s_xml_free(x);
        }
        s2s_buf_fini(&text);
    }
}

/* ---- a new parser underneath ---- */

/* Attack 37 (and M4): 200,000 stanzas, every name and prefix new. Memory stays, nothing is lost. */
static void attack_37_ever_new_names(void **state)
{
    (void)state;
    s2s_xml *x = new_counted(&s2s_xml_limits_open);
    assert_int_equal(s2s_xml_feed(x, S2S_LIT(HEAD)), sizeof HEAD - 1);
    assert_int_equal(s2s_xml_next(x).kind, S2S_XML_HEAD);
    size_t replaced = 0, given = 0;
    for (unsigned i = 0; i < 200000; i++) {
        char text[160], want[160];
        int n = snprintf(text, sizeof text,
                         "<s:message xmlns:s='jabber:server'><p%u:e%u xmlns:p%u='u%u' a%u='%u'/>"
                         "</s:message>",
                         i, i, i, i, i, i);
        snprintf(want, sizeof want, "><p%u:e%u xmlns:p%u='u%u' a%u='%u'/></message>", i, i, i, i, i,
                 i);
        assert_int_equal(s2s_xml_feed(x, (s2s_span){text, (size_t)n}), n);
        s2s_xml_item item = s2s_xml_next(x);
        assert_int_equal(item.kind, S2S_XML_ELEMENT);
        assert_true(s2s_span_is(item.inside, want));
        if (x->given < given) replaced++;
        given = x->given;
    }
    assert_true(replaced > 100);
    assert_true(peak <= 1024 * 1024);
    assert_true(own(x) <= 16 * 1024);
    assert_int_equal(s2s_xml_feed(x, S2S_LIT("</s:s>")), 6);
    assert_int_equal(s2s_xml_next(x).kind, S2S_XML_END);
    free_counted(x);
}

/* A prefix that only the root declares means the same to every parser after the first. */
static void the_root_outlives_its_parser(void **state)
{
    (void)state;
    s2s_xml *x = s2s_xml_new(&s2s_xml_limits_open);
    s2s_buf lines;
    s2s_buf_init(&lines, 0);
    record_feed(
        &lines, x,
        S2S_LIT("<a:b xmlns:a='x&amp;&apos;&#9;y' xmlns='jabber:server' xmlns:c='\xe2\x82\xac'"
                " c:d='1'>"),
        record_whole, NULL);
    s2s_buf_clear(&lines);
    for (int i = 0; i < 20000; i++) {
        record_feed(&lines, x, S2S_LIT("<iq><c:q/><a:r/></iq><c:e/>\n"), record_whole, NULL);
        assert_true(s2s_span_is(s2s_buf_span(&lines), "STANZA <iq><c:q xmlns:c='\xe2\x82\xac'/>"
                                                      "<a:r xmlns:a='x&amp;&apos;&#x9;y'/></iq>\n"
                                                      "ELEMENT {\xe2\x82\xac}e text \n"));
        s2s_buf_clear(&lines);
    }
    record_feed(&lines, x, S2S_LIT("</a:b>"), record_whole, NULL);
    assert_true(s2s_span_is(s2s_buf_span(&lines), "END\n"));
    s2s_buf_fini(&lines);
    s2s_xml_free(x);
}

/* The root's end tag must still be the right one. */
static void the_root_keeps_its_name(void **state)
{
    (void)state;
    s2s_xml *x = s2s_xml_new(&s2s_xml_limits_open);
    s2s_buf lines;
    s2s_buf_init(&lines, 0);
    record_feed(&lines, x, S2S_LIT("<a:b xmlns:a='x' xmlns:c='x'><z/>"), record_whole, NULL);
    /* Fewer bytes than the parser has seen already: it must be replaced to stop in time. */
    assert_int_equal(s2s_xml_feed(x, S2S_LIT("<z/><z/><z/>")), 4);
    assert_int_equal(s2s_xml_next(x).kind, S2S_XML_ELEMENT);
    assert_int_equal(s2s_xml_feed(x, S2S_LIT("<")), 1);
    assert_int_equal(s2s_xml_next(x).kind, S2S_XML_NONE);
    assert_true(s2s_xml_in_element(x));
    assert_int_equal(s2s_xml_feed(x, S2S_LIT("/c:b>")), 5);
    assert_int_equal(s2s_xml_next(x).err, S2S_E_XML_NOT_WELL_FORMED);
    s2s_buf_fini(&lines);
    s2s_xml_free(x);
}

/* ---- standing still, restarting, new limits ---- */

static void stands_still_behind_each_item(void **state)
{
    (void)state;
    s2s_xml *x = s2s_xml_new(&s2s_xml_limits_open);
    s2s_span all = S2S_LIT(HEAD "<a/>\n<b>x</b><c></c></s:s>rest");
    static const size_t ends[] = {sizeof HEAD - 1, 4, 9, 7, 6};
    static const s2s_xml_kind kinds[] = {S2S_XML_HEAD, S2S_XML_ELEMENT, S2S_XML_ELEMENT,
                                         S2S_XML_ELEMENT, S2S_XML_END};
    for (size_t i = 0; i < 5; i++) {
        size_t n = s2s_xml_feed(x, all);
        assert_int_equal(n, ends[i]);
        assert_int_equal(s2s_xml_feed(x, all), 0); /* not while an item waits */
        assert_false(s2s_xml_in_element(x));
        assert_int_equal(s2s_xml_next(x).kind, kinds[i]);
        assert_int_equal(s2s_xml_next(x).kind, S2S_XML_NONE);
        all = (s2s_span){all.ptr + n, all.len - n};
    }
    assert_true(s2s_span_is(all, "rest"));
    assert_int_equal(s2s_xml_feed(x, all), 0);
    assert_int_equal(s2s_xml_next(x).kind, S2S_XML_NONE);
    s2s_xml_free(x);
}

static void an_error_is_final(void **state)
{
    (void)state;
    s2s_xml *x = s2s_xml_new(&s2s_xml_limits_open);
    (void)s2s_xml_feed(x, S2S_LIT("<a></b>"));
    for (int i = 0; i < 3; i++) {
        s2s_xml_item item = s2s_xml_next(x);
        if (item.kind == S2S_XML_HEAD) {
            (void)s2s_xml_feed(x, S2S_LIT("</b>"));
            item = s2s_xml_next(x);
        }
        assert_int_equal(item.kind, S2S_XML_ERROR);
        assert_int_equal(item.err, S2S_E_XML_NOT_WELL_FORMED);
        assert_int_equal(s2s_xml_feed(x, S2S_LIT("<a/>")), 0);
    }
    s2s_xml_free(x);
}

/* RFC 6120 4.3.3: a whole new document, declaration and all, after HEAD or in mid-stream. */
static void restarts(void **state)
{
    (void)state;
    static const char *const befores[] = {"", " <", HEAD, HEAD "<a/>", HEAD "<a><b>", "<a></b>"};
    for (size_t i = 0; i < sizeof befores / sizeof befores[0]; i++) {
        s2s_xml *x = s2s_xml_new(&s2s_xml_limits_preauth);
        s2s_buf lines;
        s2s_buf_init(&lines, 0);
        record_feed(&lines, x, s2s_span_of(befores[i]), record_whole, NULL);
        s2s_buf_clear(&lines);
        assert_int_equal(s2s_xml_restart(x), S2S_E_OK);
        assert_false(s2s_xml_in_element(x));
        assert_int_equal(s2s_xml_next(x).kind, S2S_XML_NONE);
        record_feed(&lines, x, S2S_LIT("<?xml version='1.0'?><n xmlns='v'><m/></n>"), record_whole,
                    NULL);
        check_equal(s2s_buf_span(&lines),
                    S2S_LIT("HEAD {v}n content v\nELEMENT {v}m text \nEND\n"));
        s2s_buf_fini(&lines);
        s2s_xml_free(x);
    }
}

static void new_limits_from_the_next_element(void **state)
{
    (void)state;
    s2s_xml_limits l = s2s_xml_limits_preauth;
    l.depth = 2;
    s2s_xml *x = s2s_xml_new(&s2s_xml_limits_preauth);
    s2s_buf lines;
    s2s_buf_init(&lines, 0);
    record_feed(&lines, x, S2S_LIT(HEAD "<a><b>"), record_whole, NULL);
    s2s_xml_set_limits(x, &l);
    record_feed(&lines, x, S2S_LIT("<c/></b></a><d/>"), record_whole, NULL);
    record_feed(&lines, x, S2S_LIT("<a><b/></a>"), record_whole, NULL);
    check_equal(s2s_buf_span(&lines),
                S2S_LIT(LINE "ELEMENT {jabber:server}a text  / {jabber:server}b="
                             " // {jabber:server}c=\nELEMENT {jabber:server}d text \n"
                             "ERROR xml_too_deep\n"));
    s2s_buf_fini(&lines);
    s2s_xml_free(x);
}

static void half_read_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool half;
    } rows[] = {{" ", false},         {"<", true},        {"<?xml version='1.0'", true},
                {HEAD, false},        {HEAD " ", false},  {HEAD "\r", false},
                {HEAD "<a", true},    {HEAD "<a>", true}, {HEAD "<a>x", true},
                {HEAD "<a/>", false}, {HEAD "</s", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s2s_xml *x = s2s_xml_new(&s2s_xml_limits_open);
        s2s_buf lines;
        s2s_buf_init(&lines, 0);
        record_feed(&lines, x, s2s_span_of(rows[i].text), record_bytewise, NULL);
        assert_int_equal(s2s_xml_in_element(x), rows[i].half);
        s2s_buf_fini(&lines);
        s2s_xml_free(x);
    }
}

/* ---- no memory ---- */

/* The n-th allocation of expat and all after it fail: the session goes well or ends in NOMEM. */
static void without_memory(void **state)
{
    (void)state;
    s2s_span all = S2S_LIT(HEAD "<x><y z='1'>t</y></x><message><a:b xmlns:a='c' a:d='e'>f</a:b>"
                                "</message></s:s>");
    const char *want = LINE "ELEMENT {jabber:server}x text  / {jabber:server}y=t\n"
                            "STANZA <message><a:b xmlns:a='c' a:d='e'>f</a:b></message>\nEND\n";
    bool went_well = false;
    long n = 0;
    for (; !went_well; n++) {
        assert_true(n < 1000);
        s2s_xml *x = new_counted(&s2s_xml_limits_open);
        s2s_buf lines;
        s2s_buf_init(&lines, 0);
        until_failure = n;
        record_feed(&lines, x, all, record_whole, NULL);
        record_put(&lines, (s2s_span){"", 1});
        went_well = strcmp(lines.ptr, want) == 0;
        const char *end = strstr(lines.ptr, "ERROR ");
        if (!went_well) {
            assert_non_null(end);
            assert_string_equal(end, "ERROR nomem\n");
            assert_memory_equal(lines.ptr, want, (size_t)(end - lines.ptr));
        }
        s2s_buf_fini(&lines);
        free_counted(x);
    }
    assert_true(n > 10); /* it did fail often */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attack_32_memory),
        cmocka_unit_test(attack_33_memory),
        cmocka_unit_test(attack_34_memory),
        cmocka_unit_test(attack_11_memory),
        cmocka_unit_test(attack_5_memory),
        cmocka_unit_test(an_idle_parser_is_small),
        cmocka_unit_test(at_rest_it_holds_the_root_only),
        cmocka_unit_test(attack_36_bytes_given_to_expat),
        cmocka_unit_test(attack_28_nothing_is_held_back),
        cmocka_unit_test(attack_37_ever_new_names),
        cmocka_unit_test(the_root_outlives_its_parser),
        cmocka_unit_test(the_root_keeps_its_name),
        cmocka_unit_test(stands_still_behind_each_item),
        cmocka_unit_test(an_error_is_final),
        cmocka_unit_test(restarts),
        cmocka_unit_test(new_limits_from_the_next_element),
        cmocka_unit_test(half_read_or_not),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
