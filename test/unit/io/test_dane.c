/* test_dane.c - chains against TLSA records. The records are made here from the certificates, by libcrypto's digests, not by
 * the code under test. */
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
#include "io/dane.h"
#include "io/rdata.h"

#define REM "rem.example"
enum { MOST = 4 };

typedef struct zone { /* TLSA records, with their data */
    io_tlsa tlsa[MOST];
    unsigned char data[MOST][4096];
    size_t n;
} zone;

static cert authority, leaf;

static int make_certs(void **state)
{
    (void)state;
    authority = cert_make(&(cert_ask){.cn = "An authority", .ca = true}, NULL);
    leaf = cert_make(&(cert_ask){.cn = "x", .names = {{CERT_DNS, REM, 0}}}, &authority);
    return 0;
}

static int drop_certs(void **state)
{
    (void)state;
    cert_free(&leaf);
    cert_free(&authority);
    return 0;
}

/* As whoever writes the zone would make it: usage, selector, matching type of RFC 7218. */
static void add(zone *z, unsigned usage, unsigned selector, unsigned matching, const cert *c)
{
    unsigned char *der = NULL, *to = z->data[z->n], wire[4096 + 3] = {0};
    int len = selector == 0 ? i2d_X509(c->x, &der) : i2d_PUBKEY(c->key, &der);
    assert_true(len > 0 && len <= 4096);
    size_t n = matching == 1 ? 32 : matching == 2 ? 64 : (size_t)len;
    if (matching == 0)
        memcpy(to, der, (size_t)len);
    else if (matching == 1)
        SHA256(der, (size_t)len, to);
    else
        SHA512(der, (size_t)len, to);
    OPENSSL_free(der);
    wire[0] = (unsigned char)usage, wire[1] = (unsigned char)selector;
    wire[2] = (unsigned char)matching;
    memcpy(wire + 3, to, n);
    assert_true(io_rdata_tlsa(wire, n + 3, &z->tlsa[z->n]));
    z->tlsa[z->n++].data.ptr = (const char *)to;
}

typedef struct scene {
    const cert *leaf, *between; /* between: sent beside the leaf; NULL: alone */
    const char *name, *host;    /* host: whose records they are; NULL: not told */
} scene;

static s2s_err judge(const scene *s, const zone *z)
{
    char detail[128] = "?";
    s2s_domain domain = cert_domain(s->name ? s->name : REM), host;
    STACK_OF(X509) *sent = sk_X509_new_null();
    sk_X509_push(sent, s->leaf->x); /* a server's chain begins with it */
    if (s->between) sk_X509_push(sent, s->between->x);
    const io_judge_ask ask = {.leaf = s->leaf->x,
                              .untrusted = sent,
                              .store = NULL, /* no other authority has a say */
                              .peer = S2S_RECEIVING,
                              .name = &domain};
    io_dane_ask dane = {.tlsa = z->tlsa, .n_tlsa = z->n};
    if (s->host) host = cert_domain(s->host);
    if (s->host) dane.hosts = &host, dane.n_hosts = 1;
    s2s_err err = io_dane_judge(&ask, &dane, detail);
    assert_int_equal(err == S2S_E_OK, detail[0] == '\0'); /* every refusal says why */
    sk_X509_free(sent);
    return err;
}

static s2s_err against(const scene *s, unsigned usage, unsigned selector, unsigned matching,
                       const cert *c)
{
    zone *z = calloc(1, sizeof *z);
    assert_non_null(z);
    add(z, usage, selector, matching, c);
    s2s_err err = judge(s, z);
    free(z);
    return err;
}

/* ---- DANE-EE ---- */

static void every_selector_and_matching_type(void **state)
{
    (void)state;
    const scene s = {.leaf = &leaf, .between = &authority};
    for (unsigned usage = 2; usage <= 3; usage++)
        for (unsigned selector = 0; selector <= 1; selector++)
            for (unsigned matching = 0; matching <= 2; matching++) {
                const cert *right = usage == 3 ? &leaf : &authority;
                const cert *wrong = usage == 3 ? &authority : &leaf;
                assert_int_equal(against(&s, usage, selector, matching, right), S2S_E_OK);
                assert_int_equal(against(&s, usage, selector, matching, wrong), S2S_E_CERT_TLSA);
            }
}

/* rows: R7671-5.1 */
static void end_entity_looks_at_nothing_else(void **state)
{
    (void)state;
    const cert_ask asks[] = {
        {.cn = "expired", .names = {{CERT_DNS, REM, 0}}, .from = -7200, .until = -3600},
        {.cn = "another's", .names = {{CERT_DNS, "other.example", 0}}},
        {.cn = "no name at all"},
        {.cn = "for clients", .names = {{CERT_DNS, REM, 0}}, .usage = "clientAuth"},
    };
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        cert c = cert_make(&asks[i], NULL);
        assert_int_equal(against(&(scene){.leaf = &c}, 3, 1, 1, &c), S2S_E_OK);
        assert_int_equal(against(&(scene){.leaf = &c}, 3, 1, 1, &leaf), S2S_E_CERT_TLSA);
        cert_free(&c);
    }
}

static void a_weak_key_stays_weak(void **state)
{
    (void)state;
    cert c = cert_make(&(cert_ask){.cn = "weak", .rsa = 1024}, NULL);
    assert_int_equal(against(&(scene){.leaf = &c}, 3, 1, 1, &c), S2S_E_CERT_WEAK);
    cert_free(&c);
}

/* ---- DANE-TA ---- */

/* rows: R7671-5.2 */
static void trust_anchor_needs_chain_dates_and_name(void **state)
{
    (void)state;
    const struct {
        cert_ask ask;
        const char *host;
        s2s_err want;
    } rows[] = {
        {{.cn = "x", .names = {{CERT_DNS, REM, 0}}}, NULL, S2S_E_OK},
        {{.cn = "x", .names = {{CERT_DNS, "xmpp.rem.example", 0}}}, "xmpp.rem.example", S2S_E_OK},
        {{.cn = "x", .names = {{CERT_DNS, "xmpp.rem.example", 0}}}, NULL, S2S_E_CERT_NAME},
        {{.cn = "x", .names = {{CERT_DNS, "other.example", 0}}},
         "xmpp.rem.example",
         S2S_E_CERT_NAME},
        {{.cn = "x", .names = {{CERT_DNS, REM, 0}}, .from = -7200, .until = -3600},
         NULL,
         S2S_E_CERT_EXPIRED},
        {{.cn = "x", .names = {{CERT_DNS, REM, 0}}, .usage = "clientAuth"}, NULL, S2S_E_CERT_USAGE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cert c = cert_make(&rows[i].ask, &authority);
        const scene s = {.leaf = &c, .between = &authority, .host = rows[i].host};
        assert_int_equal(against(&s, 2, 0, 1, &authority), rows[i].want);
        cert_free(&c);
    }
}

/* Whoever shows the anchor beside a leaf it did not sign has shown nothing. */
static void an_anchor_that_did_not_sign(void **state)
{
    (void)state;
    cert c = cert_make(&(cert_ask){.cn = "x", .names = {{CERT_DNS, REM, 0}}}, NULL);
    const scene s = {.leaf = &c, .between = &authority};
    assert_int_equal(against(&s, 2, 0, 1, &authority), S2S_E_CERT_UNTRUSTED);
    /* ... nor has the leaf itself, which is no anchor, though it signed itself. */
    assert_int_equal(against(&(scene){.leaf = &c}, 2, 0, 1, &c), S2S_E_CERT_TLSA);
    assert_int_equal(against(&(scene){.leaf = &c}, 2, 0, 0, &c), S2S_E_CERT_TLSA);
    cert_free(&c);
}

static void an_anchor_from_the_record_itself(void **state)
{
    (void)state;
    const scene alone = {.leaf = &leaf};
    assert_int_equal(against(&alone, 2, 0, 0, &authority), S2S_E_OK);
    assert_int_equal(against(&alone, 2, 0, 1, &authority), S2S_E_CERT_TLSA);
    cert other = cert_make(&(cert_ask){.cn = "Another", .ca = true}, NULL);
    assert_int_equal(against(&alone, 2, 0, 0, &other), S2S_E_CERT_TLSA);
    cert_free(&other);
}

/* The anchor need not be a root: what lies above it is not looked at. */
static void an_anchor_in_the_middle(void **state)
{
    (void)state;
    cert middle = cert_make(&(cert_ask){.cn = "Middle", .ca = true}, &authority);
    cert c = cert_make(&(cert_ask){.cn = "x", .names = {{CERT_DNS, REM, 0}}}, &middle);
    assert_int_equal(against(&(scene){.leaf = &c, .between = &middle}, 2, 1, 1, &middle), S2S_E_OK);
    cert_free(&c);
    cert_free(&middle);
}

/* ---- several records ---- */

static void one_that_fits_is_enough(void **state)
{
    (void)state;
    cert next = cert_make(&(cert_ask){.cn = "the next key"}, NULL);
    zone *z = calloc(1, sizeof *z);
    assert_non_null(z);
    add(z, 3, 1, 1, &next);
    add(z, 3, 1, 1, &leaf);
    assert_int_equal(judge(&(scene){.leaf = &leaf}, z), S2S_E_OK);
    assert_int_equal(judge(&(scene){.leaf = &next}, z), S2S_E_OK);
    assert_int_equal(judge(&(scene){.leaf = &authority}, z), S2S_E_CERT_TLSA);
    free(z);
    cert_free(&next);
}

/* rows: R7671-9 */
static void only_the_strongest_digest_counts(void **state)
{
    (void)state;
    zone *z = calloc(1, sizeof *z);
    assert_non_null(z);
    add(z, 3, 1, 1, &leaf);
    add(z, 3, 1, 2, &authority); /* the stronger of the two says another key */
    assert_int_equal(judge(&(scene){.leaf = &leaf}, z), S2S_E_CERT_TLSA);
    add(z, 3, 0, 1, &leaf); /* another selector is a matter of its own */
    assert_int_equal(judge(&(scene){.leaf = &leaf}, z), S2S_E_OK);
    z->n = 2;
    add(z, 3, 1, 0, &leaf); /* in full: no digest to be weak */
    assert_int_equal(judge(&(scene){.leaf = &leaf}, z), S2S_E_OK);
    free(z);
}

/* ---- records nobody can use ---- */

/* rows: R6698-4.1-b R7671-4 */
static void useless_records(void **state)
{
    (void)state;
    static const struct {
        uint8_t head[3];
        size_t data; /* octets */
        bool good;
    } rows[] = {
        {{3, 1, 1}, 32, true},  {{2, 0, 2}, 64, true},        {{3, 0, 0}, 200, true},
        {{0, 1, 1}, 32, false}, {{1, 1, 1}, 32, false},       {{4, 1, 1}, 32, false},
        {{3, 2, 1}, 32, false}, {{3, 9, 1}, 32, false},       {{3, 1, 3}, 32, false},
        {{3, 1, 1}, 31, false}, {{3, 1, 1}, 33, false},       {{3, 1, 1}, 0, false},
        {{3, 1, 2}, 32, false}, {{3, 1, 2}, 65, false},       {{3, 0, 0}, 0, false},
        {{3, 0, 0}, 8, false},  {{255, 255, 255}, 32, false},
    };
    uint8_t wire[256] = {0};
    io_tlsa out;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memcpy(wire, rows[i].head, 3);
        assert_int_equal(io_rdata_tlsa(wire, 3 + rows[i].data, &out), rows[i].good);
        if (rows[i].good) assert_int_equal(out.data.len, rows[i].data);
    }
    for (size_t len = 0; len < 3; len++)
        assert_false(io_rdata_tlsa(wire, len, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_selector_and_matching_type),
        cmocka_unit_test(end_entity_looks_at_nothing_else),
        cmocka_unit_test(a_weak_key_stays_weak),
        cmocka_unit_test(trust_anchor_needs_chain_dates_and_name),
        cmocka_unit_test(an_anchor_that_did_not_sign),
        cmocka_unit_test(an_anchor_from_the_record_itself),
        cmocka_unit_test(an_anchor_in_the_middle),
        cmocka_unit_test(one_that_fits_is_enough),
        cmocka_unit_test(only_the_strongest_digest_counts),
        cmocka_unit_test(useless_records),
    };
    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
