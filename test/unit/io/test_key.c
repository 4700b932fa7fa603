/* test_key.c - dialback keys: the vectors of XEP-0185, and one which a likely mistake would give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "certs.h"
#include "io/key.h"

static void key_is(const char *secret, const char *receiving, const char *originating,
                   const char *id, const char *expected)
{
    io_key key;
    char out[IO_DIALBACK_KEY];
    s2s_domain to = cert_domain(receiving), from = cert_domain(originating);
    io_key_init(&key, s2s_span_of(secret));
    io_key_dialback(&key, &to, &from, s2s_span_of(id), out);
    assert_string_equal(out, expected);
}

/* rows: X0185-2 */
static void vectors(void **state)
{
    (void)state;
    key_is("s3cr3tf0rd14lb4ck", "xmpp.example.com", "example.org", "D60000229F",
           "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643");
    key_is("s3cr3tf0rd14lb4ck", "montague.example", "capulet.example", "D60000229F",
           "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3");
    key_is("d14lb4ck43v3r", "capulet.example", "montague.example", "417GAF25",
           "225cc5aa6a071133249d25fef42ae516fc7a86c523aa1c6980a7f73e784c972d");
}

static void the_hash_is_used_as_text(void **state)
{
    (void)state;
    io_key key;
    char out[IO_DIALBACK_KEY];
    s2s_domain to = cert_domain("xmpp.example.com"), from = cert_domain("example.org");
    io_key_init(&key, S2S_LIT("s3cr3tf0rd14lb4ck"));
    assert_string_equal(key.hex,
                        "a7136eb1f46c9ef18c5e78c36ca257067c69b3d518285f0b18a96c33beae9acc");
    io_key_dialback(&key, &to, &from, S2S_LIT("D60000229F"), out);
    /* What HMAC with the 32 raw octets as key would give. */
    assert_string_not_equal(out,
                            "4530485cd3f519a56e49b11b294b990ee9697dddaa9e95949e4cb0e64e9f017f");
    io_key_init(&key, S2S_LIT("d14lb4ck43v3r"));
    assert_string_equal(key.hex,
                        "d66b79a6167d8b027a32169eb73edf390f10921f41b9905536d821d9cbf104de");
}

/* rows: prac-av-sep */
static void every_input_counts(void **state)
{
    (void)state;
    io_key key;
    char a[IO_DIALBACK_KEY], b[IO_DIALBACK_KEY];
    s2s_domain x = cert_domain("x.example"), y = cert_domain("y.example");
    io_key_init(&key, S2S_LIT("secret"));
    io_key_dialback(&key, &x, &y, S2S_LIT("1"), a);
    io_key_dialback(&key, &y, &x, S2S_LIT("1"), b);
    assert_string_not_equal(a, b);
    io_key_dialback(&key, &x, &y, S2S_LIT("2"), b);
    assert_string_not_equal(a, b);
    io_key_dialback(&key, &x, &y, S2S_LIT("1"), b);
    assert_string_equal(a, b);
}

static void each_use_has_its_own(void **state)
{
    (void)state;
    io_key whole, inside, outside;
    io_key_init(&whole, S2S_LIT("secret"));
    io_key_init_for(&inside, S2S_LIT("secret"), "inside");
    io_key_init_for(&outside, S2S_LIT("secret"), "outside");
    assert_string_not_equal(inside.hex, outside.hex);
    assert_string_not_equal(inside.hex, whole.hex);
    io_key again;
    io_key_init_for(&again, S2S_LIT("secret"), "inside");
    assert_string_equal(inside.hex, again.hex);
    io_key_forget(&again);
    assert_int_equal(again.hex[0], 0);
}

static void random_octets(void **state)
{
    (void)state;
    unsigned char a[16] = {0}, b[16] = {0};
    assert_true(io_random_ready());
    io_random(a, sizeof a);
    io_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(the_hash_is_used_as_text),
        cmocka_unit_test(every_input_counts),
        cmocka_unit_test(each_use_has_its_own),
        cmocka_unit_test(random_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
