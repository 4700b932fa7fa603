/* Settings as fed reads them: looked up by fed's own functions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/fedconf.h"
#include "fixture.h"

static const char TEXT[] =
    "listen: {outside: [\"*:5269\"], inside: [10.0.0.5]}\n"
    "domains:\n"
    "  example.org: {server: two, certificate: org.pem}\n"
    "  conference.example.org: {server: one}\n"
    "  plain.example: {server: one}\n"
    "servers:\n"
    "  one: {address: [\"10.0.0.10:5270\", \"[fd00::10]:5269\"], trust: [10.0.0.0/24], tls: none, "
    "max_stanza: 64KiB, bidi: no}\n"
    "  two: {address: two.inside, trust: [10.0.1.0/24, certificate], tls: required}\n"
    "peers:\n"
    "  \"*\": {tls: optional, proof: dialback}\n"
    "  \"*.far.example\": {allow: no}\n"
    "  good.far.example: {allow: yes, rate: 1MB/s, max_stanza: 20000, bidi: certificate}\n"
    "  quiet.example: {bidi: no}\n"
    "dns: {allow_private: [10.9.0.0/16]}\n"
    "limits: {queue: 5s}\n"
    "doubt: resend\n";

typedef struct made {
    app_settings *s;
    fed_config c;
} made;

static s2s_domain domain(const char *text)
{
    s2s_domain d;
    assert_int_equal(s2s_domain_make(s2s_span_of(text), &d), S2S_E_OK);
    return d;
}

static fed_addr addr(const char *text)
{
    io_addr a;
    assert_int_equal(io_addr_parse(s2s_span_of(text), &a), S2S_E_OK);
    return app_addr_to_fed(&a);
}

static int make(void **state)
{
    static const fed_addr own = {.family = 4, .bytes = {10, 9, 0, 1}, .port = 5269};
    made *m = calloc(1, sizeof *m);
    if (!m || fixture_make(state) != 0) return -1;
    fixture_write("s.yaml", TEXT, strlen(TEXT), 0644);
    app_problems *problems = app_problems_new("s.yaml");
    m->s = app_settings_load("s.yaml", problems);
    app_problems_print(problems, stderr);
    app_problems_free(problems);
    if (!m->s) return -1;
    app_fed_config_fill(m->s, &own, 1, &m->c);
    *state = m;
    return 0;
}

static int unmake(void **state)
{
    made *m = *state;
    app_settings_free(m->s);
    free(m);
    return fixture_remove(state);
}

static void locals_and_servers(void **state)
{
    const made *m = *state;
    s2s_domain org = domain("example.org"), conf = domain("conference.example.org");
    s2s_domain plain = domain("plain.example"), sub = domain("x.example.org");
    const fed_local *l = fed_config_local(&m->c, &org);
    assert_non_null(l);
    assert_string_equal(m->c.servers[l->server].name, "two");
    assert_true(l->certificate);
    assert_true(fed_config_local(&m->c, &conf)->certificate); /* the parent's */
    assert_false(fed_config_local(&m->c, &plain)->certificate);
    assert_null(fed_config_local(&m->c, &sub));
    assert_true(fed_config_under_local(&m->c, &sub));
    const fed_server *one = &m->c.servers[0], *two = &m->c.servers[1];
    const fed_addr six = addr("[fd00::10]:5269"), trusted = addr("10.0.0.77");
    assert_int_equal(one->n_addr, 2);
    assert_true(fed_addr_eq(&one->addr[1], &six));
    assert_true(fed_cidr_has(&one->trust[0], &trusted));
    assert_false(fed_cidr_has(&two->trust[0], &trusted));
    assert_false(one->trust_certificate);
    assert_int_equal(one->max_stanza, 65536);
    assert_int_equal(one->tls, S2S_TLS_NONE);
    assert_false(one->bidi);
    assert_true(two->bidi);
    assert_true(two->trust_certificate);
    assert_int_equal(two->n_addr, 0);
    assert_string_equal(two->host.text, "two.inside");
    assert_int_equal(two->tls, S2S_TLS_REQUIRED);
}

static void policies(void **state)
{
    const made *m = *state;
    s2s_domain other = domain("other.example"), bad = domain("bad.far.example");
    s2s_domain good = domain("good.far.example"), far = domain("far.example");
    assert_true(fed_config_policy(&m->c, &other)->allow);
    assert_int_equal(fed_config_policy(&m->c, &other)->tls, S2S_TLS_OPTIONAL);
    assert_int_equal(fed_config_policy(&m->c, &other)->proofs, FED_PROOF_DIALBACK);
    assert_false(fed_config_policy(&m->c, &bad)->allow);
    assert_true(fed_config_policy(&m->c, &far)->allow); /* not below itself */
    assert_true(fed_config_policy(&m->c, &good)->allow);
    assert_int_equal(fed_config_policy(&m->c, &good)->rate, 1000000);
    assert_int_equal(fed_config_policy(&m->c, &good)->max_stanza, 20000);
    s2s_domain quiet = domain("quiet.example");
    assert_int_equal(fed_config_policy(&m->c, &good)->bidi, FED_BIDI_CERTIFICATE);
    assert_int_equal(fed_config_policy(&m->c, &other)->bidi, FED_BIDI_YES);
    assert_int_equal(fed_config_policy(&m->c, &quiet)->bidi, FED_BIDI_NO);
}

static void what_may_be_dialled(void **state)
{
    const made *m = *state;
    const fed_addr excepted = addr("10.9.3.4:5269"), own = addr("10.9.0.1:5269");
    const fed_addr private = addr("10.8.0.1:5269"), public = addr("198.41.0.4:5269");
    assert_true(fed_config_may_dial(&m->c, &excepted));
    assert_false(fed_config_may_dial(&m->c, &own));
    assert_false(fed_config_may_dial(&m->c, &private));
    assert_true(fed_config_may_dial(&m->c, &public));
    assert_int_equal(m->c.limits.queue_ms, 5000);
    assert_int_equal(m->c.doubt, FED_DOUBT_RESEND);
    assert_string_equal(m->c.inside_name, "causeway.inside");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locals_and_servers),
        cmocka_unit_test(policies),
        cmocka_unit_test(what_may_be_dialled),
    };
    return cmocka_run_group_tests_name("fedconf", tests, make, unmake);
}
