/* test_addr.c - addresses as text and blocks of them. */
#include "leaves.h"

typedef struct row {
    const char *in;
    const char *out; /* as printed, NULL: refused */
} row;

static void reads_and_prints(void **state)
{
    (void)state;
    static const row ROWS[] = {
        {"192.0.2.1:5269", "192.0.2.1:5269"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"[::1]:1", "[::1]:1"},
        {"[::]:5269", "[::]:5269"},
        {"[2001:DB8::1]:5269", "[2001:db8::1]:5269"},
        {"[2001:db8:0:0:1:0:0:1]:5269", "[2001:db8::1:0:0:1]:5269"},
        {"[2001:db8:0:1:1:1:1:1]:5269", "[2001:db8:0:1:1:1:1:1]:5269"},
        {"[1:2:3:4:5:6:7:8]:9", "[1:2:3:4:5:6:7:8]:9"},
        {"[1::]:9", "[1::]:9"},
        {"[1:0:0:2:0:0:0:3]:9", "[1:0:0:2::3]:9"},
        {"[64:ff9b::192.0.2.33]:5269", "[64:ff9b::c000:221]:5269"},
        {"[::ffff:10.0.0.1]:5269", "10.0.0.1:5269"},
        {"[::ffff:a00:1]:5269", "10.0.0.1:5269"},
        {"", NULL},
        {"192.0.2.1", NULL},
        {"192.0.2.1:", NULL},
        {"192.0.2.1:0", NULL},
        {"192.0.2.1:65536", NULL},
        {"192.0.2.1:05269", NULL},
        {"192.0.2.1:+1", NULL},
        {"192.0.2:5269", NULL},
        {"192.0.2.1.1:5269", NULL},
        {"192.0.2.256:5269", NULL},
        {"192.0.2.01:5269", NULL},
        {"192.0..1:5269", NULL},
        {"*:5269", NULL},
        {"far.example:5269", NULL},
        {"::1:5269", NULL},
        {"[::1]", NULL},
        {"[::1:5269", NULL},
        {"[::1]5269", NULL},
        {"[192.0.2.1]:5269", NULL},
        {"[1:2:3:4:5:6:7]:9", NULL},
        {"[1:2:3:4:5:6:7:8:9]:9", NULL},
        {"[1:2:3:4:5:6:7::8]:9", NULL},
        {"[1::2::3]:9", NULL},
        {"[:1::2]:9", NULL},
        {"[1::2:]:9", NULL},
        {"[:::]:9", NULL},
        {"[12345::]:9", NULL},
        {"[g::]:9", NULL},
        {"[1.2.3.4::]:9", NULL},
        {"[::1.2.3.4:5]:9", NULL},
        {"[1:2:3:4:5:6:7:1.2.3.4]:9", NULL},
        {"[fe80::1%eth0]:9", NULL},
        {"[]:9", NULL},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        fed_addr a;
        char text[FED_ADDR_TEXT];
        s2s_err err = fed_addr_parse(s2s_span_of(ROWS[i].in), &a);
        if (ROWS[i].out == NULL) {
            if (err == S2S_E_OK) fail_msg("accepted %s", ROWS[i].in);
            assert_int_equal(err, S2S_E_DOMAIN_SYNTAX);
            assert_string_equal(fed_addr_print(&a, text), "-");
            continue;
        }
        if (err != S2S_E_OK) fail_msg("refused %s", ROWS[i].in);
        assert_string_equal(fed_addr_print(&a, text), ROWS[i].out);
    }
}

/* What is printed is read again as the same address, whatever its bytes. */
static void print_and_read_agree(void **state)
{
    (void)state;
    seeded seed = {42};
    for (int i = 0; i < 5000; i++) {
        fed_addr a = {.family = i % 2 ? 4 : 6, .port = (uint16_t)(i + 1)};
        uint8_t zeros = 0;
        seeded_fill(&seed, a.bytes, a.family == 4 ? 4 : 16);
        seeded_fill(&seed, &zeros, 1);
        /* Runs of zero groups are the interesting ones. */
        for (unsigned g = 0; a.family == 6 && g < 8; g++)
            if ((zeros & 1u << g) != 0) memset(a.bytes + (size_t)2 * g, 0, 2);
        char text[FED_ADDR_TEXT];
        fed_addr back;
        fed_addr_print(&a, text);
        assert_int_equal(fed_addr_parse(s2s_span_of(text), &back), S2S_E_OK);
        assert_true(fed_addr_eq(&a, &back));
    }
}

static void port_and_family_count(void **state)
{
    (void)state;
    fed_addr a = addr_of("192.0.2.1", 5269), b = addr_of("192.0.2.1", 5270);
    assert_false(fed_addr_eq(&a, &b));
    b.port = 5269;
    assert_true(fed_addr_eq(&a, &b));
    b = addr_of("c000:201::", 5269); /* the same first four bytes */
    assert_false(fed_addr_eq(&a, &b));
}

static void blocks(void **state)
{
    (void)state;
    static const struct {
        const char *block, *addr;
        bool has;
    } ROWS[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"172.16.0.0/12", "172.31.255.255", true},
        {"172.16.0.0/12", "172.32.0.0", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "::1", false},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::1/128", "::1", true},
        {"::/0", "2001:db8::1", true},
        {"::/0", "192.0.2.1", false},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        fed_cidr block;
        fed_addr a = addr_of(ROWS[i].addr, 1);
        assert_int_equal(fed_cidr_parse(s2s_span_of(ROWS[i].block), &block), S2S_E_OK);
        if (fed_cidr_has(&block, &a) != ROWS[i].has)
            fail_msg("%s in %s", ROWS[i].addr, ROWS[i].block);
    }
    static const char *const WRONG[] = {
        "",       "10.0.0.0/33",  "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.1/8",
        "::/129", "10.0.0.0/8/8", "10.0.0/8",  "::1/64",      "example.org"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        fed_cidr block;
        fed_addr a = addr_of("0.0.0.0", 0);
        if (fed_cidr_parse(s2s_span_of(WRONG[i]), &block) == S2S_E_OK)
            fail_msg("accepted %s", WRONG[i]);
        assert_false(fed_cidr_has(&block, &a));
    }
}

/* RFC 6724 2.1 and its examples in 10.2. */
static void precedence(void **state)
{
    (void)state;
    static const char *const BEST_FIRST[][2] = {{"::1", "2001:db8::1"},
                                                {"2001:db8::1", "192.0.2.1"},
                                                {"192.0.2.1", "2002:c633:6401::1"},
                                                {"2002:c633:6401::1", "2001:0:1::1"},
                                                {"2001:0:1::1", "fd00::1"},
                                                {"fd00::1", "fec0::1"},
                                                {"fc00::1", "3ffe::1"},
                                                {"fd00::1", "::7f00:2"}};
    for (size_t i = 0; i < sizeof BEST_FIRST / sizeof BEST_FIRST[0]; i++) {
        fed_addr better = addr_of(BEST_FIRST[i][0], 1), worse = addr_of(BEST_FIRST[i][1], 1);
        if (fed_addr_precedence(&better) <= fed_addr_precedence(&worse))
            fail_msg("%s before %s", BEST_FIRST[i][1], BEST_FIRST[i][0]);
    }
    fed_addr a = addr_of("2001:db8::1", 1), b = addr_of("2a00::1", 1);
    assert_int_equal(fed_addr_precedence(&a), fed_addr_precedence(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precedence),
        cmocka_unit_test(reads_and_prints),
        cmocka_unit_test(print_and_read_agree),
        cmocka_unit_test(port_and_family_count),
        cmocka_unit_test(blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
