/* test_posh_document.c - documents of RFC 7711, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/sha.h>

#include "app/posh_document.h"

/* SHA-256 and SHA-512 of nothing, as any tool prints them. */
#define SHA256_TEXT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define SHA512_TEXT                                                                                \
    "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="

static app_posh_document read_text(const char *text)
{
    app_posh_document doc;
    size_t len = strlen(text);
    char *exact = malloc(len > 0 ? len : 1); /* so that reading past the end is seen */
    assert_non_null(exact);
    memcpy(exact, text, len);
    app_posh_read((s2s_span){exact, len}, &doc);
    free(exact);
    return doc;
}

/* rows: R7711-3.1 */
static void lists(void **state)
{
    (void)state;
    app_posh_document doc = read_text("{\"fingerprints\":[{\"sha-256\":\"" SHA256_TEXT
                                      "\",\"sha-512\":\"" SHA512_TEXT "\"}],\"expires\":604800}");
    unsigned char nothing[64];
    assert_int_equal(doc.kind, APP_POSH_LIST);
    assert_int_equal(doc.n_prints, 2);
    SHA256((const unsigned char *)"", 0, nothing);
    assert_int_equal(doc.prints[0].len, 32);
    assert_memory_equal(doc.prints[0].digest, nothing, 32);
    SHA512((const unsigned char *)"", 0, nothing);
    assert_int_equal(doc.prints[1].len, 64);
    assert_memory_equal(doc.prints[1].digest, nothing, 64);
    assert_int_equal(doc.expires, APP_POSH_EXPIRES); /* a day at most */
    doc = read_text("{\"expires\": 60, \"more\": {}, \"fingerprints\": [{\"sha-1\": \"x\"}, 3, "
                    "{\"sha-256\": \"short\"}, {\"sha-256\": \"" SHA256_TEXT "\"}]}");
    assert_int_equal(doc.kind, APP_POSH_LIST);
    assert_int_equal(doc.n_prints, 1);
    assert_int_equal(doc.expires, 60);
}

/* rows: R7711-3.2 */
static void references(void **state)
{
    (void)state;
    app_posh_document doc = read_text("{\"url\":\"https://h.example/p.json\",\"expires\":86400}");
    assert_int_equal(doc.kind, APP_POSH_REFERENCE);
    assert_string_equal(doc.url, "https://h.example/p.json");
    assert_int_equal(doc.expires, 86400);
}

/* rows: R7711-3.1 R7711-3.2 */
static void documents_that_say_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "3",
        "null",
        "{}",
        "{\"expires\":60}",
        "{\"fingerprints\":[],\"expires\":60}",
        "{\"fingerprints\":{},\"expires\":60}",
        "{\"fingerprints\":\"" SHA256_TEXT "\",\"expires\":60}",
        "{\"fingerprints\":[{\"sha-256\":\"" SHA256_TEXT "\"}]}",
        "{\"fingerprints\":[{\"sha-256\":\"" SHA256_TEXT "\"}],\"expires\":0}",
        "{\"fingerprints\":[{\"sha-256\":\"" SHA256_TEXT "\"}],\"expires\":-1}",
        "{\"fingerprints\":[{\"sha-256\":\"" SHA256_TEXT "\"}],\"expires\":0.5}",
        "{\"fingerprints\":[{\"sha-256\":\"" SHA256_TEXT "\"}],\"expires\":\"60\"}",
        "{\"fingerprints\":[{\"sha-256\":\"" SHA256_TEXT "\"}],\"expires\":60,"
        "\"url\":\"https://h.example/\"}",
        "{\"fingerprints\":[{\"sha-256\":\"47DEQpj8HBSa\\u0000\"}],\"expires\":60}",
        /* a letter too few, too many, no padding, letters that are none, sha-256 given as sha-512 */
        "{\"fingerprints\":[{\"sha-256\":\"7DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"}],"
        "\"expires\":60}",
        "{\"fingerprints\":[{\"sha-256\":\"A" SHA256_TEXT "\"}],\"expires\":60}",
        "{\"fingerprints\":[{\"sha-256\":\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUA\"}],"
        "\"expires\":60}",
        "{\"fingerprints\":[{\"sha-256\":\"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=\"}],"
        "\"expires\":60}",
        "{\"fingerprints\":[{\"sha-512\":\"" SHA256_TEXT "\"}],\"expires\":60}",
        "{\"url\":\"http://h.example/p.json\",\"expires\":60}",
        "{\"url\":\"ftp://h.example/p.json\",\"expires\":60}",
        "{\"url\":3,\"expires\":60}",
        "{\"url\":\"https://h.example/\\u0000\",\"expires\":60}",
        "{\"url\":\"https://h.example/\",\"url\":\"https://i.example/\",\"expires\":60}",
        "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        app_posh_document doc = read_text(texts[i]);
        if (doc.kind != APP_POSH_VOID) fail_msg("taken: %s", texts[i]);
        assert_true(doc.detail[0] != '\0');
    }
}

static void sizes(void **state)
{
    (void)state;
    app_posh_document doc;
    size_t len = APP_POSH_DOCUMENT + 1;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, ' ', len);
    const char *small = "{\"url\":\"https://h.example/p.json\",\"expires\":60}";
    memcpy(text, small, strlen(small));
    app_posh_read((s2s_span){text, len - 1}, &doc);
    assert_int_equal(doc.kind, APP_POSH_REFERENCE);
    app_posh_read((s2s_span){text, len}, &doc);
    assert_int_equal(doc.kind, APP_POSH_VOID);
    memset(text, '[', len - 1);
    app_posh_read((s2s_span){text, len - 1}, &doc);
    assert_int_equal(doc.kind, APP_POSH_VOID);
    free(text);
}

static void no_more_than_so_many(void **state)
{
    (void)state;
    static char text[8192];
    int at = snprintf(text, sizeof text, "{\"expires\":60,\"fingerprints\":[");
    for (unsigned i = 0; i < APP_POSH_PRINTS + 8; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%s{\"sha-256\":\"" SHA256_TEXT "\"}",
                       i > 0 ? "," : "");
    snprintf(text + at, sizeof text - (size_t)at, "]}");
    app_posh_document doc = read_text(text);
    assert_int_equal(doc.kind, APP_POSH_LIST);
    assert_int_equal(doc.n_prints, APP_POSH_PRINTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(references),
        cmocka_unit_test(documents_that_say_nothing),
        cmocka_unit_test(sizes),
        cmocka_unit_test(no_more_than_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
