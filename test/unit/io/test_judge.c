/* test_judge.c - chains and names, in both roles: what is good, and by which name everything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certs.h"
#include "io/judge.h"

#define REM "rem.example"
#define GOOD                                                                                       \
    {                                                                                              \
        {                                                                                          \
            CERT_DNS, REM, 0                                                                       \
        }                                                                                          \
    }
#define LONG8 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm"

static cert root;
static X509_STORE *trusted;

static int make_root(void **state)
{
    (void)state;
    root = cert_make(&(cert_ask){.cn = "Root", .ca = true}, NULL);
    trusted = cert_store(&root);
    return 0;
}

static int drop_root(void **state)
{
    (void)state;
    X509_STORE_free(trusted);
    cert_free(&root);
    return 0;
}

static s2s_err judge(const cert *leaf, const cert *between, s2s_role peer, const char *name)
{
    char detail[128] = "?";
    s2s_domain domain = cert_domain(name);
    STACK_OF(X509) *sent = sk_X509_new_null();
    if (between) sk_X509_push(sent, between->x);
    io_judge_ask ask = {
        .leaf = leaf->x, .untrusted = sent, .store = trusted, .peer = peer, .name = &domain};
    s2s_err err = io_judge(&ask, detail);
    assert_int_equal(err == S2S_E_OK, detail[0] == '\0'); /* every refusal says why */
    sk_X509_free(sent);
    return err;
}

/* The verdict over a certificate issued by the root, which must be the same in both roles. */
static s2s_err verdict(const cert_ask *how, const char *name)
{
    cert leaf = cert_make(how, &root);
    s2s_err as_client = judge(&leaf, NULL, S2S_INITIATING, name);
    s2s_err as_server = judge(&leaf, NULL, S2S_RECEIVING, name);
    cert_free(&leaf);
    assert_int_equal(as_client, as_server);
    return as_client;
}

static s2s_err names(cert_name_kind kind, const char *text, int len, const char *reference)
{
    return verdict(&(cert_ask){.cn = "x", .names = {{kind, text, len}}}, reference);
}

/* ---- the chain ---- */

/* rows: R6120-13.7.1.2-a R6120-13.7.2-b */
static void a_good_chain(void **state)
{
    (void)state;
    assert_int_equal(verdict(&(cert_ask){.cn = "x", .names = GOOD}, REM), S2S_E_OK);
    assert_int_equal(verdict(&(cert_ask){.cn = "x", .names = GOOD, .rsa = 2048}, REM), S2S_E_OK);
}

static void none_was_shown(void **state)
{
    (void)state;
    s2s_domain domain = cert_domain(REM);
    io_judge_ask ask = {.store = trusted, .peer = S2S_INITIATING, .name = &domain};
    assert_int_equal(io_judge(&ask, NULL), S2S_E_CERT_MISSING);
}

/* rows: R6120-13.7.2-b */
static void self_signed(void **state)
{
    (void)state;
    cert leaf = cert_make(&(cert_ask){.cn = REM, .names = GOOD}, NULL);
    assert_int_equal(judge(&leaf, NULL, S2S_INITIATING, REM), S2S_E_CERT_UNTRUSTED);
    assert_int_equal(judge(&leaf, NULL, S2S_RECEIVING, REM), S2S_E_CERT_UNTRUSTED);
    cert_free(&leaf);
}

/* rows: R6120-13.7.2-b */
static void unknown_authority(void **state)
{
    (void)state;
    cert other = cert_make(&(cert_ask){.cn = "Root", .ca = true}, NULL); /* the same name */
    cert leaf = cert_make(&(cert_ask){.cn = "x", .names = GOOD}, &other);
    assert_int_equal(judge(&leaf, &other, S2S_INITIATING, REM), S2S_E_CERT_UNTRUSTED);
    cert_free(&leaf);
    cert_free(&other);
}

/* rows: R6120-13.7.2-b */
static void dates(void **state)
{
    (void)state;
    cert_ask old = {.cn = "x", .names = GOOD, .from = -7200, .until = -60};
    cert_ask early = {.cn = "x", .names = GOOD, .from = 60, .until = 7200};
    assert_int_equal(verdict(&old, REM), S2S_E_CERT_EXPIRED);
    assert_int_equal(verdict(&early, REM), S2S_E_CERT_EXPIRED);
    cert leaf = cert_make(&early, &root);
    s2s_domain domain = cert_domain(REM);
    io_judge_ask ask = {.leaf = leaf.x, .store = trusted, .name = &domain, .at = time(NULL) + 120};
    assert_int_equal(io_judge(&ask, NULL), S2S_E_OK);
    cert_free(&leaf);
}

/* rows: R6120-13.7.2.1 */
static void wrong_name(void **state)
{
    (void)state;
    assert_int_equal(verdict(&(cert_ask){.cn = "x", .names = GOOD}, "other.example"),
                     S2S_E_CERT_NAME);
    cert leaf = cert_make(&(cert_ask){.cn = "x", .names = GOOD}, &root);
    io_judge_ask ask = {.leaf = leaf.x, .store = trusted, .name = NULL};
    assert_int_equal(io_judge(&ask, NULL), S2S_E_OK); /* the chain alone */
    cert_free(&leaf);
}

/* rows: R9325-4.5 */
static void weak(void **state)
{
    (void)state;
    assert_int_equal(verdict(&(cert_ask){.cn = "x", .names = GOOD, .rsa = 1024}, REM),
                     S2S_E_CERT_WEAK);
    assert_int_equal(verdict(&(cert_ask){.cn = "x", .names = GOOD, .digest = EVP_sha1()}, REM),
                     S2S_E_CERT_WEAK);
}

/* rows: R6120-13.7.2-b */
static void an_authority_as_leaf(void **state)
{
    (void)state;
    assert_int_equal(verdict(&(cert_ask){.cn = "x", .names = GOOD, .ca = true}, REM),
                     S2S_E_CERT_UNTRUSTED);
    cert self = cert_make(&(cert_ask){.cn = "x", .names = GOOD, .ca = true}, NULL);
    X509_STORE_add_cert(trusted, self.x); /* trusted even: still not a server's own */
    assert_int_equal(judge(&self, NULL, S2S_RECEIVING, REM), S2S_E_CERT_UNTRUSTED);
    cert_free(&self);
}

/* rows: R6120-13.7.2-b */
static void signed_by_a_leaf(void **state)
{
    (void)state;
    cert middle = cert_make(&(cert_ask){.cn = "evil.example"}, &root);
    cert leaf = cert_make(&(cert_ask){.cn = "x", .names = GOOD}, &middle);
    assert_int_equal(judge(&leaf, &middle, S2S_INITIATING, REM), S2S_E_CERT_UNTRUSTED);
    cert_free(&leaf);
    cert_free(&middle);
}

static void intermediates(void **state)
{
    (void)state;
    cert middle = cert_make(&(cert_ask){.cn = "Middle", .ca = true}, &root);
    cert leaf = cert_make(&(cert_ask){.cn = "x", .names = GOOD}, &middle);
    assert_int_equal(judge(&leaf, &middle, S2S_INITIATING, REM), S2S_E_OK);
    assert_int_equal(judge(&leaf, NULL, S2S_INITIATING, REM), S2S_E_CERT_UNTRUSTED);
    cert_free(&leaf);
    cert_free(&middle);
}

/* Verdict over a chain with so many intermediates. */
static s2s_err long_chain(int between)
{
    cert link[16];
    STACK_OF(X509) *sent = sk_X509_new_null();
    for (int i = 0; i <= between; i++) {
        char cn[16];
        (void)snprintf(cn, sizeof cn, "link %d", i);
        cert_ask how = {.cn = cn, .ca = i < between, .names = GOOD};
        link[i] = cert_make(&how, i == 0 ? &root : &link[i - 1]);
        sk_X509_push(sent, link[i].x);
    }
    io_judge_ask ask = {.leaf = link[between].x, .untrusted = sent, .store = trusted};
    s2s_err err = io_judge(&ask, NULL);
    sk_X509_free(sent);
    for (int i = 0; i <= between; i++)
        cert_free(&link[i]);
    return err;
}

static void too_long_a_chain(void **state)
{
    (void)state;
    assert_int_equal(long_chain(8), S2S_E_OK);
    assert_int_equal(long_chain(9), S2S_E_CERT_UNTRUSTED);
}

/* ---- extended key usage ---- */

static void usage_is(const char *usage, s2s_err as_client, s2s_err as_server)
{
    cert leaf = cert_make(&(cert_ask){.cn = "x", .names = GOOD, .usage = usage}, &root);
    assert_int_equal(judge(&leaf, NULL, S2S_INITIATING, REM), as_client);
    assert_int_equal(judge(&leaf, NULL, S2S_RECEIVING, REM), as_server);
    cert_free(&leaf);
}

/* rows: prac-eku */
static void key_usage(void **state)
{
    (void)state;
    usage_is(NULL, S2S_E_OK, S2S_E_OK);
    usage_is("serverAuth", S2S_E_OK, S2S_E_OK); /* public authorities issue nothing else */
    usage_is("clientAuth", S2S_E_OK, S2S_E_CERT_USAGE);
    usage_is("serverAuth,clientAuth", S2S_E_OK, S2S_E_OK);
    usage_is("anyExtendedKeyUsage", S2S_E_OK, S2S_E_OK);
    usage_is("emailProtection", S2S_E_CERT_USAGE, S2S_E_CERT_USAGE);
}

/* ---- names ---- */

/* rows: R9525-2 */
static void attack_68_common_name_alone(void **state)
{
    (void)state;
    assert_int_equal(verdict(&(cert_ask){.cn = REM}, REM), S2S_E_CERT_NAME);
    cert_ask mail = {.cn = REM, .names = {{CERT_EMAIL, "admin@" REM, 0}}};
    assert_int_equal(verdict(&mail, REM), S2S_E_CERT_NAME);
}

/* rows: R6120-13.7.1.2-b R6120-13.7.1.4 */
static void attack_69_other_names(void **state)
{
    (void)state;
    cert_ask xmpp = {.cn = REM, .names = {{CERT_XMPP, "other.example", 0}}};
    cert_ask client = {.cn = REM, .names = {{CERT_SRV, "_xmpp-client." REM, 0}}};
    assert_int_equal(verdict(&xmpp, REM), S2S_E_CERT_NAME);
    assert_int_equal(verdict(&client, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_SRV, "_xmpp-server." REM, 0, REM), S2S_E_OK);
}

/* rows: R9525-6.3-b prac-san-any */
static void attack_71_names_that_only_look_right(void **state)
{
    (void)state;
    static const char with_nul[] = REM "\0.evil.example";
    assert_int_equal(names(CERT_DNS, with_nul, sizeof with_nul - 1, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_DNS, "*.example", 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_DNS, "*", 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_DNS, "r*.example", 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_DNS, "*.*.example", 0, "a.rem.example"), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_DNS, "*.*.example", 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_DNS, "rem.example.", 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_DNS, "*.rem.example", 0, "a.rem.example"), S2S_E_OK);
    assert_int_equal(names(CERT_DNS, "*.rem.example", 0, "a.b.rem.example"), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_DNS, "*.rem.example", 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_DNS, "a*.rem.example", 0, "ab.rem.example"), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_DNS, "b.*.rem.example", 0, "b.a.rem.example"), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_DNS, ".rem.example", 0, "a.rem.example"), S2S_E_CERT_NAME);
}

/* rows: R9525-6.3-a */
static void letters_case(void **state)
{
    (void)state;
    assert_int_equal(names(CERT_DNS, "REM.Example", 0, REM), S2S_E_OK);
    assert_int_equal(names(CERT_DNS, "XN--BCHER-KVA.example", 0, "xn--bcher-kva.example"),
                     S2S_E_OK);
    assert_int_equal(names(CERT_SRV, "_XMPP-Server.REM.example", 0, REM), S2S_E_OK);
    assert_int_equal(names(CERT_XMPP, "Rem.Example", 0, REM), S2S_E_OK);
}

/* rows: R6120-13.7.1.2-b */
static void srv_id(void **state)
{
    (void)state;
    static const char with_nul[] = "_xmpp-server." REM "\0";
    assert_int_equal(names(CERT_SRV, "_xmpp-server._tcp." REM, 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_SRV, "_xmpps-server." REM, 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_SRV, "_xmpp-server.a." REM, 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_SRV, "_xmpp-server.", 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_SRV, "_xmpp-server.*.example", 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_SRV, "_xmpp-server." REM ".", 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_SRV, REM, 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_SRV, with_nul, sizeof with_nul - 1, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_SRV_UTF8, "_xmpp-server." REM, 0, REM), S2S_E_CERT_NAME);
}

/* rows: R6120-13.7.1.4 */
static void xmpp_addr(void **state)
{
    (void)state;
    static const char with_nul[] = REM "\0.evil.example";
    assert_int_equal(names(CERT_XMPP, REM, 0, REM), S2S_E_OK);
    assert_int_equal(names(CERT_XMPP, "user@" REM, 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_XMPP, "*." REM, 0, "a." REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_XMPP, REM "/r", 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_XMPP, with_nul, sizeof with_nul - 1, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_XMPP_IA5, REM, 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_XMPP, REM ".", 0, REM), S2S_E_CERT_NAME);
    assert_int_equal(names(CERT_XMPP,
                           "B\xc3\xbc"
                           "cher.example",
                           0, "xn--bcher-kva.example"),
                     S2S_E_OK);
    assert_int_equal(names(CERT_XMPP, "xn--bcher-kva.example", 0, "xn--bcher-kva.example"),
                     S2S_E_OK);
    assert_int_equal(names(CERT_XMPP, "bucher.example", 0, "xn--bcher-kva.example"),
                     S2S_E_CERT_NAME);
}

/* rows: prac-san-any */
static void bad_entries_are_passed_over(void **state)
{
    (void)state;
    static const char with_nul[] = "a\0b";
    cert_ask mixed = {.cn = "x",
                      .names = {{CERT_SRV, "_xmpp-client.other.example", 0},
                                {CERT_XMPP, with_nul, sizeof with_nul - 1},
                                {CERT_DNS, with_nul, sizeof with_nul - 1},
                                {CERT_DNS, LONG8 LONG8 LONG8 LONG8 LONG8 LONG8 LONG8 LONG8, 0},
                                {CERT_SRV, LONG8 LONG8 LONG8 LONG8 LONG8 LONG8 LONG8 LONG8, 0},
                                {CERT_XMPP, "\xff\xfe", 0},
                                {CERT_DNS, REM, 0}}};
    assert_int_equal(verdict(&mixed, REM), S2S_E_OK);
    assert_int_equal(verdict(&mixed, "other.example"), S2S_E_CERT_NAME);
}

/* An authority for one domain may not say `_xmpp-server.` of another one, which its constraints do not mention. */
/* rows: R5280-nc */
static void constrained_authority(void **state)
{
    (void)state;
    cert_ask bound = {.cn = "Bound", .ca = true, .permitted = "permitted;DNS:rem.example"};
    cert middle = cert_make(&bound, &root);
    cert_ask right = {.cn = "x", .names = GOOD};
    cert_ask foreign = {.cn = "x", .names = {{CERT_DNS, "other.example", 0}}};
    cert_ask sly = {.cn = "x", .names = {{CERT_SRV, "_xmpp-server.other.example", 0}}};
    cert_ask old = {.cn = "x", .names = {{CERT_XMPP, "other.example", 0}}};
    cert a = cert_make(&right, &middle), b = cert_make(&foreign, &middle);
    cert c = cert_make(&sly, &middle), d = cert_make(&old, &middle);
    assert_int_equal(judge(&a, &middle, S2S_INITIATING, REM), S2S_E_OK);
    assert_int_equal(judge(&b, &middle, S2S_INITIATING, "other.example"), S2S_E_CERT_UNTRUSTED);
    assert_int_equal(judge(&c, &middle, S2S_INITIATING, "other.example"), S2S_E_CERT_NAME);
    assert_int_equal(judge(&d, &middle, S2S_INITIATING, "other.example"), S2S_E_CERT_NAME);
    cert_free(&a);
    cert_free(&b);
    cert_free(&c);
    cert_free(&d);
    cert_free(&middle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_chain),
        cmocka_unit_test(none_was_shown),
        cmocka_unit_test(self_signed),
        cmocka_unit_test(unknown_authority),
        cmocka_unit_test(dates),
        cmocka_unit_test(wrong_name),
        cmocka_unit_test(weak),
        cmocka_unit_test(signed_by_a_leaf),
        cmocka_unit_test(intermediates),
        cmocka_unit_test(too_long_a_chain),
        cmocka_unit_test(key_usage),
        cmocka_unit_test(attack_68_common_name_alone),
        cmocka_unit_test(attack_69_other_names),
        cmocka_unit_test(attack_71_names_that_only_look_right),
        cmocka_unit_test(letters_case),
        cmocka_unit_test(srv_id),
        cmocka_unit_test(xmpp_addr),
        cmocka_unit_test(bad_entries_are_passed_over),
        cmocka_unit_test(constrained_authority),
        cmocka_unit_test(an_authority_as_leaf),
    };
    return cmocka_run_group_tests(tests, make_root, drop_root);
}
