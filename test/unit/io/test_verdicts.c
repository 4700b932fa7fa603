/* test_verdicts.c - a chain is verified once, and its verdict is used for that chain only, under that store, while it is
 * valid; everything else is judged each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "certs.h"
#include "io/verdicts.h"

enum { HOUR = 3600 };

static cert root, between, leaf;
static X509_STORE *store;
static io_verdicts *known;

static int make_all(void **state)
{
    (void)state;
    root =
        cert_make(&(cert_ask){.cn = "Root", .ca = true, .from = -HOUR, .until = 100 * HOUR}, NULL);
    between = cert_make(
        &(cert_ask){.cn = "Between", .ca = true, .from = -2 * HOUR, .until = 5 * HOUR}, &root);
    leaf = cert_make(&(cert_ask){.cn = "x",
                                 .names = {{CERT_DNS, "rem.example", 0}},
                                 .from = -3 * HOUR,
                                 .until = 10 * HOUR},
                     &between);
    store = cert_store(&root);
    known = io_verdicts_new(store, 16);
    assert_non_null(known);
    return 0;
}

static int drop_all(void **state)
{
    (void)state;
    io_verdicts_free(known);
    X509_STORE_free(store);
    cert_free(&leaf);
    cert_free(&between);
    cert_free(&root);
    return 0;
}

typedef struct shown {
    const cert *leaf, *more[2];
    s2s_role peer;
    const char *name;
    long in; /* s from now */
} shown;

static s2s_err judge_by(io_verdicts *v, X509_STORE *trusted, const shown *s)
{
    char detail[128] = "?";
    s2s_domain name = cert_domain(s->name ? s->name : "rem.example");
    STACK_OF(X509) *sent = sk_X509_new_null();
    for (size_t i = 0; i < 2 && s->more[i]; i++)
        sk_X509_push(sent, s->more[i]->x);
    io_judge_ask ask = {.leaf = s->leaf ? s->leaf->x : NULL,
                        .untrusted = sent,
                        .store = trusted,
                        .peer = s->peer,
                        .name = &name,
                        .at = s->in ? time(NULL) + s->in : 0};
    s2s_err err = io_verdicts_judge(v, &ask, detail), plain = io_judge(&ask, NULL);
    assert_int_equal(err, plain); /* it never says anything else than without what it knows */
    assert_int_equal(err == S2S_E_OK, detail[0] == '\0');
    sk_X509_free(sent);
    return err;
}

/* Was it judged by an earlier verdict? */
static bool by_known(const shown *s, s2s_err expected)
{
    io_verdicts_count before = io_verdicts_counted(known);
    assert_int_equal(judge_by(known, store, s), expected);
    io_verdicts_count now = io_verdicts_counted(known);
    assert_int_equal(now.known - before.known + now.verified - before.verified, s->leaf != NULL);
    return now.known > before.known;
}

static void once_for_a_chain(void **state)
{
    (void)state;
    const shown good = {.leaf = &leaf, .more = {&between}};
    assert_false(by_known(&good, S2S_E_OK));
    for (int i = 0; i < 3; i++)
        assert_true(by_known(&good, S2S_E_OK));
}

static void names_and_usage_each_time(void **state)
{
    (void)state;
    cert clients = cert_make(
        &(cert_ask){.cn = "x", .names = {{CERT_DNS, "rem.example", 0}}, .usage = "clientAuth"},
        &root);
    const shown good = {.leaf = &leaf, .more = {&between}};
    const shown other = {.leaf = &leaf, .more = {&between}, .name = "other.example"};
    const shown dialled_us = {.leaf = &clients, .peer = S2S_INITIATING};
    const shown dialled = {.leaf = &clients, .peer = S2S_RECEIVING};
    assert_false(by_known(&other, S2S_E_CERT_NAME)); /* the chain is good all the same */
    assert_true(by_known(&good, S2S_E_OK));
    assert_true(by_known(&other, S2S_E_CERT_NAME));
    assert_false(by_known(&dialled_us, S2S_E_OK));
    assert_true(by_known(&dialled, S2S_E_CERT_USAGE));
    cert_free(&clients);
}

static void while_all_of_it_is_valid(void **state)
{
    (void)state;
    const shown good = {.leaf = &leaf, .more = {&between}};
    assert_false(by_known(&good, S2S_E_OK));
    for (long in = -4 * HOUR + 60; in < 12 * HOUR; in += HOUR / 2) {
        const shown then = {.leaf = &leaf, .more = {&between}, .in = in};
        bool valid = in > -HOUR && in < 5 * HOUR; /* the root's beginning, the intermediate's end */
        assert_int_equal(by_known(&then, valid ? S2S_E_OK : S2S_E_CERT_EXPIRED), valid);
    }
}

static void for_that_chain_only(void **state)
{
    (void)state;
    cert twin =
        cert_make(&(cert_ask){.cn = "x", .names = {{CERT_DNS, "rem.example", 0}}}, &between);
    const shown good = {.leaf = &leaf, .more = {&between}};
    const shown more = {.leaf = &leaf, .more = {&between, &root}};
    const shown turned = {.leaf = &leaf, .more = {&root, &between}};
    const shown alone = {.leaf = &leaf};
    const shown same_issuer = {.leaf = &twin, .more = {&between}};
    const shown none = {.leaf = NULL};
    assert_false(by_known(&good, S2S_E_OK));
    assert_false(by_known(&more, S2S_E_OK));
    assert_false(by_known(&turned, S2S_E_OK));
    assert_false(by_known(&alone, S2S_E_CERT_UNTRUSTED));
    assert_false(by_known(&same_issuer, S2S_E_OK));
    assert_false(by_known(&none, S2S_E_CERT_MISSING));
    assert_true(by_known(&more, S2S_E_OK) && by_known(&turned, S2S_E_OK));
    cert_free(&twin);
}

static void a_bad_one_is_verified_each_time(void **state)
{
    (void)state;
    cert self = cert_make(&(cert_ask){.cn = "x", .names = {{CERT_DNS, "rem.example", 0}}}, NULL);
    const shown bad = {.leaf = &self};
    for (int i = 0; i < 3; i++)
        assert_false(by_known(&bad, S2S_E_CERT_UNTRUSTED));
    cert_free(&self);
}

static void under_that_store_only(void **state)
{
    (void)state;
    X509_STORE *nobody = X509_STORE_new();
    io_verdicts *others = io_verdicts_new(nobody, 1);
    const shown good = {.leaf = &leaf, .more = {&between}};
    assert_false(by_known(&good, S2S_E_OK));
    assert_int_equal(judge_by(others, nobody, &good), S2S_E_CERT_UNTRUSTED);
    io_verdicts_free(others);
    X509_STORE_free(nobody);
}

/* What an issuer may name is part of the verdict. */
static void constraints_are_remembered(void **state)
{
    (void)state;
    cert bound = cert_make(
        &(cert_ask){.cn = "Bound", .ca = true, .permitted = "permitted;DNS:rem.example"}, &root);
    cert bad = cert_make(&(cert_ask){.cn = "x", .names = {{CERT_XMPP, "far.example", 0}}}, &bound);
    const shown it = {.leaf = &bad, .more = {&bound}, .name = "far.example"};
    assert_false(by_known(&it, S2S_E_CERT_NAME));
    assert_true(by_known(&it, S2S_E_CERT_NAME));
    cert_free(&bad);
    cert_free(&bound);
}

static void as_many_as_there_are_slots(void **state)
{
    (void)state;
    enum { CERTS = 9 };
    cert many[CERTS];
    io_verdicts *few = io_verdicts_new(store, 4);
    for (size_t i = 0; i < CERTS; i++) {
        many[i] = cert_make(&(cert_ask){.cn = "x", .names = {{CERT_DNS, "rem.example", 0}}}, &root);
        assert_int_equal(judge_by(few, store, &(shown){.leaf = &many[i]}), S2S_E_OK);
    }
    assert_int_equal(io_verdicts_counted(few).verified, CERTS);
    for (size_t i = CERTS; i-- > 0;)
        assert_int_equal(judge_by(few, store, &(shown){.leaf = &many[i]}), S2S_E_OK);
    assert_int_equal(io_verdicts_counted(few).known, 4); /* the last four */
    assert_int_equal(io_verdicts_counted(few).verified, 2 * CERTS - 4);
    for (size_t i = 0; i < CERTS; i++)
        cert_free(&many[i]);
    io_verdicts_free(few);
}

int main(void)
{
#define VERDICT_TEST(f) cmocka_unit_test_setup_teardown(f, make_all, drop_all)
    const struct CMUnitTest tests[] = {
        VERDICT_TEST(once_for_a_chain),
        VERDICT_TEST(names_and_usage_each_time),
        VERDICT_TEST(while_all_of_it_is_valid),
        VERDICT_TEST(for_that_chain_only),
        VERDICT_TEST(a_bad_one_is_verified_each_time),
        VERDICT_TEST(under_that_store_only),
        VERDICT_TEST(constraints_are_remembered),
        VERDICT_TEST(as_many_as_there_are_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
