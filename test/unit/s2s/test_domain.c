/* Domains and addresses (RFC 7622 3, RFC 6120 8.1, RFC 1035 2.3). */
#include "cmocka_all.h"

#include <string.h>

#include <s2s/domain.h>

static s2s_domain make(const char *text)
{
    s2s_domain d;
    assert_int_equal(s2s_domain_make(s2s_span_of(text), &d), S2S_E_OK);
    return d;
}

static void refused(s2s_span text, s2s_err want)
{
    s2s_domain d;
    memset(&d, 0x55, sizeof d);
    assert_int_equal(s2s_domain_make(text, &d), want);
    assert_int_equal(d.len, 0);
    assert_string_equal(d.text, "");
}

/* Attack 18: every spelling of one domain is the same domain. */
static void spellings_become_one(void **state)
{
    (void)state;
    s2s_domain want = make("loc.example");
    const char *const same[] = {"LOC.EXAMPLE", "loc.example.", "Loc.Example."};
    for (size_t i = 0; i < 3; i++) {
        s2s_domain d = make(same[i]);
        assert_true(s2s_domain_eq(&d, &want));
        assert_string_equal(d.text, "loc.example");
        assert_int_equal(s2s_domain_hash(&d, 7), s2s_domain_hash(&want, 7));
    }
    assert_true(s2s_span_is(s2s_domain_span(&want), "loc.example"));
}

/* Attack 15, and what a resolver or a certificate check would take for a pattern. */
/* rows: prac-hostchars */
static void not_domains(void **state)
{
    (void)state;
    const char *const bad[] = {
        "",      ".",         "..",        ".example",    "a..example", "a b.example",
        "*",     "*.example", "r*.x",      "a_b.x",       "-a.x",       "a-.x",
        "a.-",   "u@rem.x",   "rem.x/r",   "127.0.0.1",   "[::1]",      "::1",
        "1",     "a.123",     "a.1.",      "a.example..", "a\tb.x",     "a'b.x",
        "a&b.x", "a<b.x",     "rem.x:5269"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused(s2s_span_of(bad[i]), S2S_E_DOMAIN_SYNTAX);
    refused(S2S_LIT("rem.x\0.evil.x"), S2S_E_DOMAIN_SYNTAX);
    refused((s2s_span){NULL, 0}, S2S_E_DOMAIN_SYNTAX);
}

/* Spellings, what DNS and certificates have of them, and what XML has. */
static void international(void **state)
{
    (void)state;
    static const struct {
        const char *spelt, *ascii, *wire;
    } rows[] = {
        {"m\xc3\xbcnchen.example", "xn--mnchen-3ya.example", "m\xc3\xbcnchen.example"},
        {"M\xc3\x9cNCHEN.Example.", "xn--mnchen-3ya.example", "m\xc3\xbcnchen.example"},
        {"mu\xcc\x88nchen.example", "xn--mnchen-3ya.example", "m\xc3\xbcnchen.example"},
        {"XN--mnchen-3YA.example", "xn--mnchen-3ya.example", "m\xc3\xbcnchen.example"},
        {"fa\xc3\x9f.de", "xn--fa-hia.de", "fa\xc3\x9f.de"}, /* not fass.de, as IDNA2003 had it */
        {"\xcf\x82.gr", "xn--3xa.gr", "\xcf\x82.gr"},        /* a final sigma is no other one */
        {"\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88", "xn--r8jz45g.xn--zckzah",
         "\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88"},
        {"loc\xe3\x80\x82"
         "example\xe3\x80\x82",
         "loc.example", "loc.example"},                                   /* U+3002 */
        {"\xef\xbd\x81\xef\xbd\x82.example", "ab.example", "ab.example"}, /* full width */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char wire[S2S_DOMAIN_WIRE_MAX + 1];
        s2s_domain d = make(rows[i].spelt);
        assert_string_equal(d.text, rows[i].ascii);
        assert_true(s2s_span_is(s2s_domain_wire(&d, wire), rows[i].wire));
    }
}

static void not_international(void **state)
{
    (void)state;
    static const char *const not_idna[] = {
        "\xff.example",                             /* no UTF-8 */
        "\xe2\x98\x83.example",                     /* a snowman */
        "xn--n3h.example",                          /* the same */
        "xn--abc.example",                          /* no A-label */
        "xn--maampln---mdjx\357\274\223exa-c3ld.e", /* made by a full-width digit */
        "xn--fuss.de",                              /* of nothing but ASCII */
        "-\xc3\xa9.example",                        /* a hyphen at an end */
        "ab--\xc3\xa9.example",                     /* hyphens in the third and fourth place */
        "1\xd7\x90.example",                        /* right to left, beginning with a digit */
        "\xe2\x80\x8d\xc3\xa9.example",             /* a joiner which joins nothing */
    };
    for (size_t i = 0; i < sizeof not_idna / sizeof not_idna[0]; i++)
        refused(s2s_span_of(not_idna[i]), S2S_E_DOMAIN_IDN);
    static const char *const no_domain[] = {
        "a\xef\xbc\x8f.example",                               /* becomes a slash */
        "a_\xc3\xa9.example",                                  /* an underscore */
        "\xc3\xa9..example",     "a.\xef\xbc\x91\xef\xbc\x92", /* full width digits */
        "xn--.example",          "xn--mnchen-.example",
    };
    for (size_t i = 0; i < sizeof no_domain / sizeof no_domain[0]; i++)
        refused(s2s_span_of(no_domain[i]), S2S_E_DOMAIN_SYNTAX);
    refused(S2S_LIT("\xc3\xa9\0.example"), S2S_E_DOMAIN_SYNTAX);
    char text[S2S_DOMAIN_WIRE_MAX + 2];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "\xc3\xa9"[i % 2];
    refused((s2s_span){text, sizeof text - 1}, S2S_E_DOMAIN_SYNTAX); /* longer than any */
    refused((s2s_span){text, 128}, S2S_E_DOMAIN_IDN);                /* a label over 63 octets */
}

/* A name of DNS is what it is: no mapping, and no judgement of what somebody registered. */
static void names_of_dns(void **state)
{
    (void)state;
    s2s_domain d;
    assert_int_equal(s2s_domain_make_dns(S2S_LIT("XN--n3h.Example."), &d), S2S_E_OK);
    assert_string_equal(d.text, "xn--n3h.example");
    assert_int_equal(s2s_domain_make_dns(S2S_LIT("\xc3\xa9.example"), &d), S2S_E_DOMAIN_SYNTAX);
    assert_int_equal(d.len, 0);
}

/* rows: R7622-3.1 prac-hostchars */
static void lengths_of_labels_and_names(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'a', sizeof text);
    refused((s2s_span){text, 64}, S2S_E_DOMAIN_SYNTAX);
    s2s_domain d;
    assert_int_equal(s2s_domain_make((s2s_span){text, 63}, &d), S2S_E_OK);
    for (size_t i = 63; i < sizeof text; i += 64)
        text[i] = '.';
    assert_int_equal(s2s_domain_make((s2s_span){text, 253}, &d), S2S_E_OK);
    assert_int_equal(d.len, 253);
    refused((s2s_span){text, 254}, S2S_E_DOMAIN_SYNTAX);
    text[253] = '.';
    assert_int_equal(s2s_domain_make((s2s_span){text, 254}, &d), S2S_E_OK);
    assert_int_equal(d.len, 253);
    refused((s2s_span){text, 256}, S2S_E_DOMAIN_SYNTAX);
}

static void digits_are_fine_but_not_at_the_end(void **state)
{
    (void)state;
    assert_string_equal(make("1.2.example").text, "1.2.example");
    assert_string_equal(make("localhost").text, "localhost");
    assert_string_equal(make("a.1b").text, "a.1b");
}

static void below(void **state)
{
    (void)state;
    s2s_domain child = make("muc.loc.example"), parent = make("loc.example");
    s2s_domain other = make("xloc.example"), none = {0};
    assert_true(s2s_domain_under(&child, &parent));
    assert_false(s2s_domain_under(&parent, &parent));
    assert_false(s2s_domain_under(&parent, &child));
    assert_false(s2s_domain_under(&other, &parent));
    assert_false(s2s_domain_under(&child, &none));
}

static void order_and_hash(void **state)
{
    (void)state;
    s2s_domain a = make("a.example"), b = make("b.example"), aa = make("a.example.org");
    assert_true(s2s_domain_order(&a, &b) < 0);
    assert_true(s2s_domain_order(&b, &a) > 0);
    assert_int_equal(s2s_domain_order(&a, &a), 0);
    assert_true(s2s_domain_order(&a, &aa) < 0);
    assert_false(s2s_domain_eq(&a, &aa));
    assert_int_not_equal(s2s_domain_hash(&a, 1), s2s_domain_hash(&b, 1));
    assert_int_not_equal(s2s_domain_hash(&a, 1), s2s_domain_hash(&a, 2));
}

/* RFC 7622 3.1: cut at the first '/', then at the first '@'. */
/* rows: R7622-3.2-a */
static void addresses_are_cut(void **state)
{
    (void)state;
    s2s_jid j;
    assert_int_equal(s2s_jid_parse(S2S_LIT("u@Rem.Example./a@b/c"), &j), S2S_E_OK);
    assert_true(s2s_span_is(j.local, "u"));
    assert_true(s2s_span_is(j.resource, "a@b/c"));
    assert_string_equal(j.domain.text, "rem.example");

    assert_int_equal(s2s_jid_parse(S2S_LIT("rem.example/r@x"), &j), S2S_E_OK);
    assert_null(j.local.ptr);
    assert_true(s2s_span_is(j.resource, "r@x"));

    assert_int_equal(s2s_jid_parse(S2S_LIT("rem.example"), &j), S2S_E_OK);
    assert_null(j.local.ptr);
    assert_null(j.resource.ptr);
}

static void bad_addresses(void **state)
{
    (void)state;
    s2s_jid j;
    const char *const improper[] = {"",   "@rem.example", "u@", "rem.example/",
                                    "/r", "u@/r",         "@",  "/"};
    for (size_t i = 0; i < sizeof improper / sizeof improper[0]; i++) {
        assert_int_equal(s2s_jid_parse(s2s_span_of(improper[i]), &j), S2S_E_IMPROPER_ADDRESS);
        assert_int_equal(j.domain.len, 0);
    }
    assert_int_equal(s2s_jid_parse((s2s_span){NULL, 0}, &j), S2S_E_IMPROPER_ADDRESS);
    assert_int_equal(s2s_jid_parse(S2S_LIT("a@b@rem.example"), &j), S2S_E_DOMAIN_SYNTAX);
    assert_int_equal(s2s_jid_parse(S2S_LIT("u@a..b/r"), &j), S2S_E_DOMAIN_SYNTAX);
    assert_int_equal(s2s_jid_parse(S2S_LIT("u@\xe2\x98\x83.example"), &j), S2S_E_DOMAIN_IDN);
    assert_null(j.local.ptr);
}

/* A part over 1,023 octets: the domain is known all the same, so that it can be routed. */
static void long_parts(void **state)
{
    (void)state;
    char text[1100];
    s2s_jid j;
    memset(text, 'a', sizeof text);
    memcpy(text + S2S_JID_PART_MAX, "@b.x", 4);
    s2s_span jid = {text, S2S_JID_PART_MAX + 4};
    assert_int_equal(s2s_jid_parse(jid, &j), S2S_E_OK);
    text[S2S_JID_PART_MAX] = 'a';
    memcpy(text + S2S_JID_PART_MAX + 1, "@b.x", 4);
    jid.len++;
    assert_int_equal(s2s_jid_parse(jid, &j), S2S_E_JID_TOO_LONG);
    assert_string_equal(j.domain.text, "b.x");
    assert_int_equal(j.local.len, S2S_JID_PART_MAX + 1);
    memset(text, 'a', sizeof text);
    memcpy(text, "b.x/", 4);
    assert_int_equal(s2s_jid_parse((s2s_span){text, 4 + S2S_JID_PART_MAX}, &j), S2S_E_OK);
    assert_int_equal(s2s_jid_parse((s2s_span){text, 5 + S2S_JID_PART_MAX}, &j), S2S_E_JID_TOO_LONG);
    assert_string_equal(j.domain.text, "b.x");
}

/* What no address may have: the parts are known all the same. */
static void characters_of_parts(void **state)
{
    (void)state;
    static const char *const bad[] = {"u v@b.x",      "u\"v@b.x", "u&v@b.x",      "u'v@b.x",
                                      "u:v@b.x",      "u<v@b.x",  "u>v@b.x",      "u\tv@b.x",
                                      "u\x7f@b.x",    "b.x/a\nb", "b.x/\xc2\x80", "u@b.x/\x7f",
                                      "u\xc2\x9f@b.x"};
    static const char *const good[] = {"b.x/a b\"&'/:<>@", "u\\20v@b.x", "u\xc2\xa1@b.x",
                                       "u@b.x/\xc2\xa0", "\xc3\x80@b.x/\xf0\x9f\x93\xb1"};
    s2s_jid j;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(s2s_jid_parse(s2s_span_of(bad[i]), &j), S2S_E_JID_SYNTAX);
        assert_string_equal(j.domain.text, "b.x");
        assert_true(j.local.len + j.resource.len > 0);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(s2s_jid_parse(s2s_span_of(good[i]), &j), S2S_E_OK);
}

static void one_label_up(void **state)
{
    (void)state;
    s2s_domain d = make("a.b-c.example"), plain = make("b-c.example"), kept;
    assert_true(s2s_domain_parent(&d, &d));    /* in place */
    assert_memory_equal(&d, &plain, sizeof d); /* canonical to the last octet */
    assert_true(s2s_domain_parent(&d, &d));
    assert_string_equal(d.text, "example");
    kept = d;
    assert_false(s2s_domain_parent(&d, &kept));
    assert_memory_equal(&d, &kept, sizeof d);
    d = (s2s_domain){.len = 0};
    assert_false(s2s_domain_parent(&d, &kept));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_become_one),
        cmocka_unit_test(not_domains),
        cmocka_unit_test(international),
        cmocka_unit_test(not_international),
        cmocka_unit_test(names_of_dns),
        cmocka_unit_test(lengths_of_labels_and_names),
        cmocka_unit_test(digits_are_fine_but_not_at_the_end),
        cmocka_unit_test(below),
        cmocka_unit_test(one_label_up),
        cmocka_unit_test(characters_of_parts),
        cmocka_unit_test(order_and_hash),
        cmocka_unit_test(addresses_are_cut),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(long_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
