/* test_addr.c - io's addresses: text, sockaddr, unmapping, blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "io/addr.h"

static void reads_and_prints(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } ROWS[] = {
        {"192.0.2.1:5269", "192.0.2.1:5269"},
        {"192.0.2.1", "192.0.2.1"},
        {"[2001:DB8::1]:5269", "[2001:db8::1]:5269"},
        {"2001:db8::1", "2001:db8::1"},
        {"::", "::"},
        {"[::]:53", "[::]:53"},
        {"[::ffff:10.0.0.1]:53", "10.0.0.1:53"},
        {"::ffff:10.0.0.1", "10.0.0.1"},
        {"", NULL},
        {"192.0.2.1:", NULL},
        {"192.0.2.1:0", NULL},
        {"192.0.2.1:65536", NULL},
        {"192.0.2.1:053", NULL},
        {"192.0.2.1:5 ", NULL},
        {"192.0.2.256", NULL},
        {"[::1]", NULL},
        {"[::1", NULL},
        {"[::1]53", NULL},
        {"far.example", NULL},
        {"far.example:53", NULL},
        {"*:53", NULL},
        {"fe80::1%lo", NULL},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        io_addr a;
        char text[IO_ADDR_TEXT];
        s2s_err err = io_addr_parse(s2s_span_of(ROWS[i].in), &a);
        if ((err == S2S_E_OK) != (ROWS[i].out != NULL)) fail_msg("%s", ROWS[i].in);
        assert_string_equal(io_addr_print(&a, text), ROWS[i].out != NULL ? ROWS[i].out : "-");
    }
    io_addr a;
    assert_int_equal(io_addr_parse((s2s_span){"1.2.3.4\0x", 9}, &a), S2S_E_DOMAIN_SYNTAX);
}

static io_addr parsed(const char *text)
{
    io_addr a;
    assert_int_equal(io_addr_parse(s2s_span_of(text), &a), S2S_E_OK);
    return a;
}

static void through_sockaddr_and_back(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"192.0.2.1:5269", "[2001:db8::1]:5269", "[::1]:1"};
    for (size_t i = 0; i < 3; i++) {
        for (int mapped = 0; mapped < 2; mapped++) {
            io_addr a = parsed(TEXTS[i]), back;
            struct sockaddr_storage ss;
            socklen_t len = io_addr_to_sockaddr(&a, mapped, &ss);
            bool four = a.family == 4 && !mapped;
            assert_int_equal(ss.ss_family, four ? AF_INET : AF_INET6);
            assert_int_equal(len, four ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
            assert_int_equal(io_addr_of_sockaddr((struct sockaddr *)&ss, &back), S2S_E_OK);
            assert_true(io_addr_eq(&a, &back)); /* a mapped one is unmapped on its way in */
        }
    }
    struct sockaddr local = {.sa_family = AF_UNIX};
    io_addr a;
    assert_int_equal(io_addr_of_sockaddr(&local, &a), S2S_E_DOMAIN_SYNTAX);
    assert_int_equal(a.family, 0);
}

static void records_of_wrong_length_are_no_address(void **state)
{
    (void)state;
    static const uint8_t bytes[17] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};
    io_addr a;
    assert_int_equal(io_addr_of_bytes(bytes, 16, 9, &a), S2S_E_OK);
    assert_int_equal(a.family, 4);
    assert_int_equal(a.port, 9);
    for (size_t len = 0; len <= 17; len++) {
        if (len == 4 || len == 16) continue;
        assert_int_equal(io_addr_of_bytes(bytes, len, 9, &a), S2S_E_DOMAIN_SYNTAX);
        assert_int_equal(a.family, 0);
    }
}

static void equality(void **state)
{
    (void)state;
    io_addr a = parsed("192.0.2.1:1"), b = parsed("192.0.2.1:2"), c = parsed("[c000:201::]:1");
    assert_false(io_addr_eq(&a, &b));
    assert_true(io_addr_same_host(&a, &b));
    assert_false(io_addr_same_host(&a, &c));
}

static void blocks(void **state)
{
    (void)state;
    static const struct {
        const char *block, *addr;
        bool has;
    } ROWS[] = {
        {"10.0.0.0/8", "10.255.0.1", true},       {"10.0.0.0/8", "11.0.0.0", false},
        {"192.0.2.128/25", "192.0.2.127", false}, {"192.0.2.128/25", "192.0.2.129", true},
        {"0.0.0.0/0", "1.2.3.4", true},           {"0.0.0.0/0", "::1", false},
        {"192.0.2.7", "192.0.2.7:99", true},      {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},           {"::1", "::1", true},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        io_cidr block;
        io_addr a = parsed(ROWS[i].addr);
        assert_int_equal(io_cidr_parse(s2s_span_of(ROWS[i].block), &block), S2S_E_OK);
        if (io_cidr_has(&block, &a) != ROWS[i].has)
            fail_msg("%s in %s", ROWS[i].addr, ROWS[i].block);
    }
    static const char *const WRONG[] = {"",       "10.0.0.1/8",  "10.0.0.0/33", "10.0.0.0/",
                                        "::/129", "10.0.0.0/00", "a/8"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        io_cidr block;
        io_addr any = parsed("0.0.0.0");
        if (io_cidr_parse(s2s_span_of(WRONG[i]), &block) == S2S_E_OK) fail_msg("%s", WRONG[i]);
        assert_false(io_cidr_has(&block, &any));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_prints),
        cmocka_unit_test(through_sockaddr_and_back),
        cmocka_unit_test(records_of_wrong_length_are_no_address),
        cmocka_unit_test(equality),
        cmocka_unit_test(blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
