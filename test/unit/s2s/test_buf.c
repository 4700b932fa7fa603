/* The buffer: caps, consuming from the front, giving memory back; spans and the table of errors. */
#include "cmocka_all.h"

#include <string.h>

#include <s2s/buf.h>

static void puts_and_consumes(void **state)
{
    (void)state;
    s2s_buf b;
    s2s_buf_init(&b, 0);
    assert_int_equal(s2s_buf_puts(&b, "hello "), S2S_E_OK);
    assert_int_equal(s2s_buf_put(&b, S2S_LIT("world")), S2S_E_OK);
    assert_true(s2s_span_is(s2s_buf_span(&b), "hello world"));
    s2s_buf_consume(&b, 6);
    assert_true(s2s_span_is(s2s_buf_span(&b), "world"));
    s2s_buf_consume(&b, 5);
    assert_int_equal(s2s_buf_span(&b).len, 0);
    assert_int_equal(b.start, 0);
    s2s_buf_fini(&b);
}

/* A queue that is filled and emptied for ever stays as large as what it holds at once. */
static void a_moving_window_does_not_grow(void **state)
{
    (void)state;
    s2s_buf b;
    s2s_buf_init(&b, 0);
    char in = 0, out = 0;
    for (int i = 0; i < 100; i++, in++)
        assert_int_equal(s2s_buf_put(&b, (s2s_span){&in, 1}), S2S_E_OK);
    for (int i = 0; i < 100000; i++, in++, out++) {
        assert_int_equal(s2s_buf_put(&b, (s2s_span){&in, 1}), S2S_E_OK);
        assert_int_equal(*s2s_buf_span(&b).ptr, out);
        s2s_buf_consume(&b, 1);
    }
    assert_int_equal(s2s_buf_span(&b).len, 100);
    assert_true(b.size <= 512);
    s2s_buf_fini(&b);
}

static void the_cap_is_exact_and_all_or_nothing(void **state)
{
    (void)state;
    s2s_buf b;
    s2s_buf_init(&b, 300);
    char text[301];
    memset(text, 'x', sizeof text);
    assert_int_equal(s2s_buf_put(&b, (s2s_span){text, 301}), S2S_E_FULL);
    assert_int_equal(s2s_buf_span(&b).len, 0);
    assert_int_equal(s2s_buf_put(&b, (s2s_span){text, 299}), S2S_E_OK);
    assert_int_equal(s2s_buf_puts(&b, "ab"), S2S_E_FULL);
    assert_int_equal(s2s_buf_puts(&b, "a"), S2S_E_OK);
    assert_int_equal(s2s_buf_puts(&b, "a"), S2S_E_FULL);
    assert_true(b.size <= 300);
    s2s_buf_consume(&b, 1);
    assert_int_equal(s2s_buf_puts(&b, "z"), S2S_E_OK);
    assert_int_equal(s2s_buf_span(&b).ptr[299], 'z');
    s2s_buf_fini(&b);
}

static void escapes(void **state)
{
    (void)state;
    s2s_buf b;
    s2s_buf_init(&b, 0);
    assert_int_equal(s2s_buf_put_escaped(&b, S2S_LIT("a&<>'\"\t\n\rz\xc3\xbc")), S2S_E_OK);
    assert_true(
        s2s_span_is(s2s_buf_span(&b), "a&amp;&lt;&gt;&apos;&quot;&#x9;&#xA;&#xD;z\xc3\xbc"));
    s2s_buf_fini(&b);
    s2s_buf_init(&b, 5);
    assert_int_equal(s2s_buf_put_escaped(&b, S2S_LIT("a<b")), S2S_E_FULL);
    assert_int_equal(s2s_buf_span(&b).len, 0);
    assert_int_equal(s2s_buf_put_escaped(&b, S2S_LIT("a<")), S2S_E_OK);
    assert_true(s2s_span_is(s2s_buf_span(&b), "a&lt;"));
    s2s_buf_fini(&b);
}

static void trim_gives_back_only_what_is_empty(void **state)
{
    (void)state;
    s2s_buf b;
    s2s_buf_init(&b, 1000);
    assert_int_equal(s2s_buf_puts(&b, "abc"), S2S_E_OK);
    s2s_buf_trim(&b);
    assert_true(s2s_span_is(s2s_buf_span(&b), "abc"));
    s2s_buf_clear(&b);
    s2s_buf_trim(&b);
    assert_int_equal(b.size, 0);
    assert_int_equal(b.cap, 1000);
    assert_non_null(s2s_buf_span(&b).ptr);
    assert_int_equal(s2s_buf_puts(&b, "again"), S2S_E_OK);
    assert_true(s2s_span_is(s2s_buf_span(&b), "again"));
    s2s_buf_fini(&b);
    s2s_buf_fini(&b);
}

static void spans(void **state)
{
    (void)state;
    assert_null(s2s_span_of(NULL).ptr);
    assert_int_equal(s2s_span_of("abc").len, 3);
    assert_true(s2s_span_eq(S2S_LIT("ab"), (s2s_span){"abc", 2}));
    assert_false(s2s_span_eq(S2S_LIT("ab"), S2S_LIT("ac")));
    assert_true(s2s_span_eq(S2S_LIT(""), (s2s_span){NULL, 0}));
    assert_true(s2s_span_is(S2S_LIT("x"), "x"));
}

/* Names label logs and metrics: lower case, and no two alike. Stages are a closed list. */
static void the_table_of_errors(void **state)
{
    (void)state;
    const char *const stages[] = {"",         "dns",    "tcp",    "tls",   "certificate", "sasl",
                                  "dialback", "stream", "policy", "limit", "local"};
    for (int e = 0; e < S2S_E_COUNT; e++) {
        const s2s_err_info *info = s2s_err_of((s2s_err)e);
        assert_true(info->name[0] >= 'a' && info->name[0] <= 'z');
        for (const char *c = info->name; *c != '\0'; c++)
            assert_true((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_');
        for (int other = 0; other < e; other++)
            assert_string_not_equal(info->name, s2s_err_of((s2s_err)other)->name);
        bool known = false;
        for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
            known = known || strcmp(stages[i], info->stage) == 0;
        assert_true(known);
        assert_true(strlen(info->sentence) > 0);
    }
    assert_string_equal(s2s_err_of(S2S_E_XML_NOT_WELL_FORMED)->name, "xml_not_well_formed");
    assert_string_equal(s2s_err_of(S2S_E_XML_TOO_MANY_CHILDREN)->name, "xml_too_many_children");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_and_consumes),
        cmocka_unit_test(a_moving_window_does_not_grow),
        cmocka_unit_test(the_cap_is_exact_and_all_or_nothing),
        cmocka_unit_test(escapes),
        cmocka_unit_test(trim_gives_back_only_what_is_empty),
        cmocka_unit_test(spans),
        cmocka_unit_test(the_table_of_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
