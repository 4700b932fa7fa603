/* Each limit of the parser at N and at N + 1, as read and as written; what is recorded, and cut. */
#include "xml_check.h"

#define HEAD "<s:s xmlns='jabber:server' xmlns:s='s'>"
#define LINE "HEAD {s}s content jabber:server\n"

/* Small enough that a session is tried with every cut. */
static const s2s_xml_limits small = {
    .stanza = 200, .token = 60, .depth = 5, .attrs = 3, .nsdecls = 2, .children = 4};

static void check_small(const char *text, const char *want)
{
    char all[1024], lines[1024];
    int n = snprintf(all, sizeof all, HEAD "%s", text);
    assert_true(n > 0 && (size_t)n < sizeof all);
    n = snprintf(lines, sizeof lines, LINE "%s", want);
    assert_true(n > 0 && (size_t)n < sizeof lines);
    check_session(&small, s2s_span_of(all), lines);
}

/* A text made of a format with one %s, filled with n times `unit`. */
static const char *filled(char *out, size_t size, const char *format, const char *unit, size_t n)
{
    char middle[1024] = "";
    size_t len = strlen(unit);
    assert_true(n * len < sizeof middle);
    for (size_t i = 0; i < n; i++)
        memcpy(middle + i * len, unit, len);
    middle[n * len] = '\0';
    int used = snprintf(out, size, format, middle);
    assert_true(used > 0 && (size_t)used < size);
    return out;
}

static void stanza_bytes_as_read(void **state)
{
    (void)state;
    char in[512], out[1024];
    const char *frame = "<message><b>%s</b></message>"; /* 9 + 3 + 4 + 10 = 26 */
    filled(in, sizeof in, frame, "x", 174);
    snprintf(out, sizeof out, "STANZA %s\n", in);
    check_small(in, out);
    check_small(filled(in, sizeof in, frame, "x", 175), "ERROR stanza_too_big\n");
    /* Also of what is no stanza, of markup that vanishes, and before the end is seen. */
    check_small(filled(in, sizeof in, "<x>%s</x>", "y", 194), "ERROR stanza_too_big\n");
    check_small(filled(in, sizeof in, "<message>%s</message>", "<![CDATA[]]>", 16),
                "ERROR stanza_too_big\n");
    check_small(filled(in, sizeof in, "<message>%s", "x", 191), "");
    check_small(filled(in, sizeof in, "<message>%s", "x", 192), "ERROR stanza_too_big\n");
    /* White space between stanzas is not part of one. */
    filled(in, sizeof in, "%s<presence/>", "\n", 300);
    check_small(in, "STANZA <presence/>\n");
}

/* 43 times '>' is 172 bytes when written; the frame takes 26. */
static void stanza_bytes_as_written(void **state)
{
    (void)state;
    char in[512], gt[512], out[1024];
    filled(gt, sizeof gt, "%s", "&gt;", 43);
    snprintf(out, sizeof out, "STANZA <message><b>xy%s</b></message>\n", gt);
    assert_int_equal(strlen(out) - strlen("STANZA \n"), 200);
    check_small(filled(in, sizeof in, "<message><b>xy%s</b></message>", ">", 43), out);
    check_small(filled(in, sizeof in, "<message><b>xyz%s</b></message>", ">", 43),
                "ERROR stanza_too_big\n");
    /* What the stream writes itself counts too. */
    check_small(filled(in, sizeof in, "<iq id='a' to='b'>xy%s</iq>", ">", 44),
                "ERROR stanza_too_big\n");
}

static void token_bytes(void **state)
{
    (void)state;
    char in[512], out[1024];
    filled(in, sizeof in, "<message id='%s'/>", "x", 44); /* 60 */
    snprintf(out, sizeof out, "STANZA %s\n", in);
    check_small(in, out);
    const char *const frames[] = {"<message id='%s'/>", "<message><b c='%s'/></message>", "<m%s",
                                  "<message></%s", "<message>&%s;"};
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++)
        check_small(filled(in, sizeof in, frames[i], "x", 61), "ERROR xml_token_too_long\n");
    check_small(filled(in, sizeof in, "<message id='%s", "x", 47), "");
    check_small(filled(in, sizeof in, "<message id='%s", "x", 48), "ERROR xml_token_too_long\n");
    /* As written: 13 apostrophes become 78 bytes. */
    check_small("<message id=\"'''''''''''''\"/>", "ERROR xml_token_too_long\n");
    check_small("<message><b c=\"'''''''''''''\"/></message>", "ERROR xml_token_too_long\n");
    /* The header has no bytes to spare either. */
    filled(in, sizeof in, "<s a='%s'/>", "x", 53);
    check_session(&small, s2s_span_of(in), "ERROR xml_token_too_long\n");
    filled(in, sizeof in, "<s a='%s'/>", "x", 51);
    filled(out, sizeof out, "HEAD s a=%s\nEND\n", "x", 51);
    check_session(&small, s2s_span_of(in), out);
}

/* Bytes held back when the limit comes are judged before it. */
static void held_bytes_are_judged_first(void **state)
{
    (void)state;
    s2s_xml_limits l = small;
    l.token = 2000;
    l.stanza = 4000;
    char in[2200];
    int n = snprintf(in, sizeof in, HEAD "<a b='%01100d<%0900d", 0, 0);
    assert_true(n > 0 && (size_t)n < sizeof in);
    check_session_by(&l, s2s_span_of(in), LINE "ERROR xml_not_well_formed\n", 100);
    n = snprintf(in, sizeof in, HEAD "<a b='%02100d", 0);
    assert_true(n > 0 && (size_t)n < sizeof in);
    check_session_by(&l, s2s_span_of(in), LINE "ERROR xml_token_too_long\n", 100);
}

static void depth(void **state)
{
    (void)state;
    check_small("<message><a><b><c/></b></a></message>",
                "STANZA <message><a><b><c/></b></a></message>\n");
    check_small("<message><a><b><c><d/></c></b></a></message>", "ERROR xml_too_deep\n");
    check_small("<x><a><b><c><d/></c></b></a></x>", "ERROR xml_too_deep\n");
}

static void attributes_and_declarations(void **state)
{
    (void)state;
    check_small("<message><a b='1' c='2' d='3'/></message>",
                "STANZA <message><a b='1' c='2' d='3'/></message>\n");
    check_small("<message><a b='1' c='2' d='3' e='4'/></message>", "ERROR xml_too_many_attrs\n");
    check_small("<message a='1' b='2' c='3' d='4'/>", "ERROR xml_too_many_attrs\n");
    check_small("<message><a xmlns='u' xmlns:p='v' p:b=''/></message>",
                "STANZA <message><a xmlns='u' xmlns:p='v' p:b=''/></message>\n");
    check_small("<message><a xmlns='u' xmlns:p='v' xmlns:q='w'/></message>",
                "ERROR xml_too_many_attrs\n");
    check_session(&small, S2S_LIT("<s a='' b='' c='' d=''/>"), "ERROR xml_too_many_attrs\n");
    check_session(&small, S2S_LIT("<s xmlns:a='a' xmlns:b='b' xmlns:c='c'/>"),
                  "ERROR xml_too_many_attrs\n");
    /* As written: three namespaces of ancestors meet on one element. */
    check_small("<message xmlns:p='u' xmlns:q='v'><a xmlns:r='w'><b p:x='' q:x='' r:x=''/></a>"
                "</message>",
                "ERROR xml_too_many_attrs\n");
}

/* Four tags' worth of namespaces may be in force at once, not more, though each tag keeps its
 * limit; siblings do not add up. */
static void namespaces_in_scope(void **state)
{
    (void)state;
    s2s_xml_limits l = small;
    l.depth = 16;
    l.stanza = 2000;
    l.children = 100;
#define EIGHT_OPEN                                                                                 \
    "<iq><a:a xmlns:a='a'><b:a xmlns:b='b'><c:a xmlns:c='c'><d:a xmlns:d='d'><e:a xmlns:e='e'>"    \
    "<f:a xmlns:f='f'><g:a xmlns:g='g'><h:a xmlns:h='h'>"
#define EIGHT_CLOSED "</h:a></g:a></f:a></e:a></d:a></c:a></b:a></a:a></iq>"
    check_session(&l, S2S_LIT(HEAD EIGHT_OPEN "<a:z/>" EIGHT_CLOSED),
                  LINE "STANZA " EIGHT_OPEN "<a:z/>" EIGHT_CLOSED "\n");
    check_session(&l, S2S_LIT(HEAD EIGHT_OPEN "<i:a xmlns:i='i'/>" EIGHT_CLOSED),
                  LINE "ERROR xml_too_many_attrs\n");
#define SIBLINGS                                                                                   \
    "<iq><a:a xmlns:a='a'/><b:a xmlns:b='b'/><c:a xmlns:c='c'/><d:a xmlns:d='d'/>"                 \
    "<e:a xmlns:e='e'/><f:a xmlns:f='f'/><g:a xmlns:g='g'/><h:a xmlns:h='h'/><i:a xmlns:i='i'/>"   \
    "</iq>"
    check_session(&l, S2S_LIT(HEAD SIBLINGS), LINE "STANZA " SIBLINGS "\n");
}

static void children(void **state)
{
    (void)state;
    check_small("<x><a/><b><c/></b><d/></x>", "ELEMENT {jabber:server}x text "
                                              " / {jabber:server}a= / {jabber:server}b="
                                              " // {jabber:server}c= / {jabber:server}d=\n");
    check_small("<x><a/><b><c/></b><d/><e/></x>", "ERROR xml_too_many_children\n");
    check_small("<message><a/><b/><c/><d/><e/></message>", "ERROR xml_too_many_children\n");
    /* Counted anew for each. */
    check_small("<iq><a/><b/><c/></iq><iq><a/><b/><c/></iq>",
                "STANZA <iq><a/><b/><c/></iq>\nSTANZA <iq><a/><b/><c/></iq>\n");
}

/* ---- the limits of a stream ---- */

/* A long text: `n` times `unit` between two others, on an open stream. */
static void put_long(s2s_buf *out, const char *before, const char *unit, size_t n,
                     const char *after)
{
    s2s_buf_init(out, 0);
    record_puts(out, HEAD);
    record_puts(out, before);
    for (size_t i = 0; i < n; i++)
        record_puts(out, unit);
    record_puts(out, after);
}

static void check_long(const s2s_xml_limits *limits, const char *before, const char *unit, size_t n,
                       const char *after, const char *want)
{
    s2s_buf text;
    put_long(&text, before, unit, n, after);
    s2s_span all = s2s_buf_span(&text);
    check_session_by(limits, all, want, all.len / 7);
    s2s_buf_fini(&text);
}

/* Attack 32: before authentication. */
static void attack_32_before_authentication(void **state)
{
    (void)state;
    const s2s_xml_limits *l = &s2s_xml_limits_preauth;
    check_long(l, "<x>", "y", 8192 - 3, "", LINE);
    check_long(l, "<x>", "y", 8193 - 3, "", LINE "ERROR stanza_too_big\n");
    check_long(l, "<x>", "y", 8193 - 7, "</x>", LINE "ERROR stanza_too_big\n");
    check_long(l, "<x a='", "y", 8193 - 9, "'/>", LINE "ERROR xml_token_too_long\n");
    check_long(l, "<x>", "<a/>", 33, "</x>", LINE "ERROR xml_too_many_children\n");
    check_long(l, "<message>", "<a/>", 33, "</message>", LINE "ERROR xml_too_many_children\n");
}

/* Attack 33: one byte more than a stanza may have, in each of its forms. */
static void attack_33_after_authentication(void **state)
{
    (void)state;
    const s2s_xml_limits *l = &s2s_xml_limits_open;
    const size_t limit = 524288, frame = strlen("<message></message>");
    check_long(l, "<message>", "yyyyyyyyy\n", (limit + 10 - frame) / 10, "</message>",
               LINE "ERROR stanza_too_big\n");
    check_long(l, "<message a='", "y", limit + 1 - frame, "'/>", LINE "ERROR xml_token_too_long\n");
    check_long(l, "<message>", "<abc/>", 100000, "</message>", LINE "ERROR stanza_too_big\n");
    check_long(l, "<message><", "y", limit + 1 - frame, "/></message>",
               LINE "ERROR xml_token_too_long\n");
}

/* Attack 34. */
static void attack_34_depth(void **state)
{
    (void)state;
    check_long(&s2s_xml_limits_preauth, "", "<x>", 3, "</x></x></x>",
               LINE "ELEMENT {jabber:server}x text  / {jabber:server}x= // {jabber:server}x=\n");
    check_long(&s2s_xml_limits_preauth, "", "<x>", 4, "", LINE "ERROR xml_too_deep\n");
    check_long(&s2s_xml_limits_open, "<message>", "<x>", 62, "", LINE);
    check_long(&s2s_xml_limits_open, "<message>", "<x>", 63, "", LINE "ERROR xml_too_deep\n");
    check_long(&s2s_xml_limits_open, "", "<x>", 100000, "", LINE "ERROR xml_too_deep\n");
}

/* ---- what is recorded ---- */

static void children_beyond_64_are_not_recorded(void **state)
{
    (void)state;
    s2s_buf want;
    s2s_buf_init(&want, 0);
    record_puts(&want, LINE "ELEMENT {jabber:server}x text ");
    for (int i = 0; i < 64; i++)
        record_puts(&want, " / {u}a=b");
    record_puts(&want, "\nELEMENT {jabber:server}z text \n");
    record_put(&want, (s2s_span){"", 1});
    check_long(&s2s_xml_limits_open, "<x>", "<a xmlns='u'>b</a>", 65, "</x><z/>", want.ptr);
    s2s_buf_fini(&want);
}

/* Texts are cut at a whole character, wherever the pieces ended. */
static void long_texts_are_cut(void **state)
{
    (void)state;
    s2s_buf want;
    s2s_buf_init(&want, 0);
    record_puts(&want, LINE "ELEMENT {jabber:server}x text ");
    for (int i = 0; i < 8192 / 3; i++)
        record_puts(&want, "\xe2\x82\xac");
    record_puts(&want, "\n");
    record_put(&want, (s2s_span){"", 1});
    check_long(&s2s_xml_limits_open, "<x>", "\xe2\x82\xac", 3000, "</x>", want.ptr);

    s2s_buf_clear(&want);
    record_puts(&want, LINE "ELEMENT {jabber:server}x text  / {jabber:server}a=z");
    for (int i = 0; i < 1023 / 2; i++)
        record_puts(&want, "\xc3\xa9");
    record_puts(&want, " // {jabber:server}b=w\n");
    record_put(&want, (s2s_span){"", 1});
    check_long(&s2s_xml_limits_open, "<x><a>z<b>w<c>deeper</c></b>", "\xc3\xa9", 600, "</a></x>",
               want.ptr);
    s2s_buf_fini(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stanza_bytes_as_read),
        cmocka_unit_test(stanza_bytes_as_written),
        cmocka_unit_test(token_bytes),
        cmocka_unit_test(held_bytes_are_judged_first),
        cmocka_unit_test(depth),
        cmocka_unit_test(attributes_and_declarations),
        cmocka_unit_test(namespaces_in_scope),
        cmocka_unit_test(children),
        cmocka_unit_test(attack_32_before_authentication),
        cmocka_unit_test(attack_33_after_authentication),
        cmocka_unit_test(attack_34_depth),
        cmocka_unit_test(children_beyond_64_are_not_recorded),
        cmocka_unit_test(long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
