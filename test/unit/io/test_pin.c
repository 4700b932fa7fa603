/* Pins: written, read, and made of a certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "io/pin.h"

#define GOOD "sha256//bsUrzqqdd0udCpe0n/3xNZtyhafDfpmWg9wiFLIA+JQ="

static void read_and_printed(void **state)
{
    (void)state;
    io_pin pin;
    char text[IO_PIN_TEXT];
    assert_true(io_pin_parse(S2S_LIT(GOOD), &pin));
    assert_int_equal(pin.sha256[0], 0x6e);
    assert_int_equal(pin.sha256[31], 0x94);
    assert_string_equal(io_pin_print(&pin, text), GOOD);
}

static void not_pins(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "sha256//",
        "bsUrzqqdd0udCpe0n/3xNZtyhafDfpmWg9wiFLIA+JQ=",
        "sha1//bsUrzqqdd0udCpe0n/3xNZtyhafDfpmWg9wiFLIA+JQ=",
        "sha256//bsUrzqqdd0udCpe0n/3xNZtyhafDfpmWg9wiFLIA+JR=", /* bits behind the last octet */
        "sha256//bsUrzqqdd0udCpe0n/3xNZtyhafDfpmWg9wiFLIA+JQA", /* 33 octets */
        "sha256//bsUrzqqdd0udCpe0n/3xNZtyhafDfpmWg9wiFLIA+J==", /* 31 */
        "sha256//bsUrzqqdd0udCpe0n_3xNZtyhafDfpmWg9wiFLIA-JQ=", /* another alphabet */
        "sha256// sUrzqqdd0udCpe0n/3xNZtyhafDfpmWg9wiFLIA+JQ=",
        GOOD " ",
    };
    io_pin pin;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (io_pin_parse(s2s_span_of(bad[i]), &pin)) fail_msg("%s", bad[i]);
    assert_false(io_pin_parse((s2s_span){NULL, 0}, &pin));
}

/* A new certificate for the same key has the same pin; another key has another. */
static void of_the_key_alone(void **state)
{
    (void)state;
    EVP_PKEY *key[2] = {EVP_EC_gen("P-256"), EVP_EC_gen("P-256")};
    io_pin pin[3];
    for (size_t i = 0; i < 3; i++) {
        X509 *x = X509_new();
        assert_non_null(x);
        assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
        ASN1_INTEGER_set(X509_get_serialNumber(x), (long)i + 1);
        X509_gmtime_adj(X509_getm_notBefore(x), 0);
        X509_gmtime_adj(X509_getm_notAfter(x), 3600);
        assert_int_equal(X509_set_pubkey(x, key[i == 2]), 1);
        assert_true(X509_sign(x, key[i == 2], EVP_sha256()) > 0);
        assert_true(io_pin_of(x, &pin[i]));
        X509_free(x);
    }
    assert_true(io_pin_is_among(&pin[0], &pin[1], 1));
    assert_false(io_pin_is_among(&pin[2], pin, 2));
    assert_true(io_pin_is_among(&pin[2], pin, 3));
    assert_false(io_pin_is_among(&pin[0], NULL, 0));
    EVP_PKEY_free(key[0]);
    EVP_PKEY_free(key[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_and_printed),
        cmocka_unit_test(not_pins),
        cmocka_unit_test(of_the_key_alone),
    };
    return cmocka_run_group_tests_name("pin", tests, NULL, NULL);
}
