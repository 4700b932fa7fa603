/* test_posh.c - certificates held against fingerprints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/sha.h>

#include "certs.h"
#include "io/posh.h"

static io_posh_print print_of(const cert *c, size_t len)
{
    io_posh_print p = {.len = (uint8_t)len};
    unsigned char *der = NULL;
    int n = i2d_X509(c->x, &der);
    assert_true(n > 0);
    if (len == 32)
        SHA256(der, (size_t)n, p.digest);
    else
        SHA512(der, (size_t)n, p.digest);
    OPENSSL_free(der);
    return p;
}

static s2s_err verdict(const cert_ask *ask, bool fits, size_t len)
{
    char detail[128] = "?";
    cert c = cert_make(ask, NULL), other = cert_make(&(cert_ask){.cn = "other"}, NULL);
    const io_posh_print prints[2] = {print_of(&other, len), print_of(fits ? &c : &other, len)};
    s2s_err err = io_posh_judge(c.x, prints, 2, 0, detail);
    assert_int_equal(err == S2S_E_OK, detail[0] == '\0');
    cert_free(&other);
    cert_free(&c);
    return err;
}

/* rows: R7711-6 R7711-3.1 */
static void certificates(void **state)
{
    (void)state;
    const cert_ask good = {.cn = "whoever"}, weak = {.cn = "weak", .rsa = 1024};
    const cert_ask expired = {.cn = "x", .from = -7200, .until = -3600};
    const cert_ask later = {.cn = "x", .from = 3600, .until = 7200};
    for (size_t len = 32; len <= 64; len += 32) {
        assert_int_equal(verdict(&good, true, len), S2S_E_OK);
        assert_int_equal(verdict(&good, false, len), S2S_E_CERT_POSH);
        assert_int_equal(verdict(&expired, true, len), S2S_E_CERT_EXPIRED);
        assert_int_equal(verdict(&later, true, len), S2S_E_CERT_EXPIRED);
        assert_int_equal(verdict(&weak, true, len), S2S_E_CERT_WEAK);
    }
    assert_int_equal(io_posh_judge(NULL, NULL, 0, 0, NULL), S2S_E_CERT_MISSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
