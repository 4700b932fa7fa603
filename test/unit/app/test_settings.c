/* What good files mean: defaults, inheritance, paths, caps; and values read exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/settings.h"
#include "app/value.h"
#include "fixture.h"

#define HEAD                                                                                       \
    "listen: {outside: [\"*:5269\"], inside: [10.0.0.5]}\n"                                        \
    "domains: {example.org: {server: hq, certificate: org.pem, key: /keys/org.key}}\n"             \
    "servers: {hq: {address: \"10.0.0.10:5270\", trust: [10.0.0.0/24, \"fd00::/8\"]}}\n"

static app_settings *load(const char *text)
{
    fixture_write("s.yaml", text, strlen(text), 0644);
    app_problems *problems = app_problems_new("s.yaml");
    app_settings *s = app_settings_load("s.yaml", problems);
    app_problems_print(problems, stderr);
    assert_int_equal(app_problems_errors(problems), 0);
    app_problems_free(problems);
    assert_non_null(s);
    return s;
}

static void addresses_and_paths(void **state)
{
    (void)state;
    app_settings *s = load(HEAD);
    assert_int_equal(s->outside.n, 1);
    assert_true(s->outside.item[0].any);
    assert_int_equal(s->outside.item[0].addr.port, 5269);
    assert_false(s->inside.item[0].any);
    assert_int_equal(s->inside.item[0].addr.port, 5269); /* the default */
    assert_int_equal(s->inside.item[0].addr.family, 4);
    assert_string_equal(s->domains[0].certificate, "./org.pem");
    assert_string_equal(s->domains[0].key_file, "/keys/org.key");
    assert_int_equal(s->domains[0].server_index, 0);
    assert_int_equal(s->domains[0].shown, 0);
    assert_int_equal(s->servers[0].address.list.n, 1);
    assert_int_equal(s->servers[0].address.list.item[0].addr.port, 5270);
    assert_int_equal(s->servers[0].address.host.len, 0);
    assert_int_equal(s->servers[0].trust.blocks.n, 2);
    assert_int_equal(s->servers[0].trust.words, 0);
    assert_int_equal(s->servers[0].tls, S2S_TLS_OPTIONAL);
    assert_string_equal(s->inside_target, "causeway.inside");
    assert_string_equal(s->ca, "system");
    assert_null(s->admin);
    assert_int_equal(s->admin_mode, 0600);
    assert_int_equal(s->log_level, FED_INFO);
    assert_int_equal(s->doubt, FED_DOUBT_BOUNCE);
    assert_int_equal(s->drain_ms, 10000);
    app_settings_free(s);
}

static const app_peer *peer(const app_settings *s, const char *text)
{
    for (size_t i = 0; i < s->n_peers; i++)
        if (s->peers[i].key && !strcmp(s->peers[i].key->text, text)) return &s->peers[i];
    fail_msg("no peer %s", text);
    return NULL;
}

static void peers_take_from_the_next_wider(void **state)
{
    (void)state;
    app_settings *s = load(HEAD "peers:\n"
                                "  deep.sub.far.example: {allow: yes}\n"
                                "  \"*.far.example\": {rate: 2MB/s, tls: optional}\n"
                                "  \"*.sub.far.example\": {allow: no, tls: yes}\n"
                                "  \"*\": {proof: certificate, max_stanza: 64KiB}\n"
                                "  other.example: {}\n");
    assert_int_equal(s->n_peers, 5);
    assert_int_equal(s->peers[0].match, FED_MATCH_ALL);
    const app_peer *deep = peer(s, "deep.sub.far.example"), *other = peer(s, "other.example");
    assert_true(deep->allow);
    assert_int_equal(deep->tls, APP_TLS_ENCRYPT);
    assert_int_equal(deep->rate, 2000000);
    assert_int_equal(deep->proofs, FED_PROOF_CERTIFICATE);
    assert_int_equal(deep->max_stanza, 65536);
    assert_int_equal(deep->match, FED_MATCH_EXACT);
    assert_string_equal(deep->domain.text, "deep.sub.far.example");
    assert_false(peer(s, "*.sub.far.example")->allow);
    assert_int_equal(peer(s, "*.far.example")->tls, APP_TLS_MAY);
    assert_int_equal(other->tls, APP_TLS_ENCRYPT);
    assert_int_equal(other->rate, 0);
    assert_int_equal(other->proofs, FED_PROOF_CERTIFICATE);
    app_settings_free(s);
}

#define PIN "sha256//bsUrzqqdd0udCpe0n/3xNZtyhafDfpmWg9wiFLIA+JQ="

/* What a word of tls means for the connection, and for the proofs beside it. */
static void words_of_tls_narrow_the_proofs(void **state)
{
    (void)state;
    app_settings *s = load(HEAD "peers:\n"
                                "  \"*\": {tls: encrypt, proof: [certificate, dialback]}\n"
                                "  never.example: {tls: none}\n"
                                "  perhaps.example: {tls: may}\n"
                                "  sure.example: {tls: verify}\n"
                                "  known.example: {tls: pin, pins: \"" PIN "\"}\n"
                                "  signed.example: {tls: dane}\n"
                                "  \"*.sure.example\": {tls: verify, proof: [certificate, pin], "
                                "pins: \"" PIN "\"}\n"
                                "dns: {anchor: root.key}\n");
    static const struct {
        const char *name;
        s2s_tls_level level;
        unsigned proofs;
    } rows[] = {
        {"*", S2S_TLS_REQUIRED, FED_PROOF_CERTIFICATE | FED_PROOF_DIALBACK},
        {"never.example", S2S_TLS_NONE, FED_PROOF_CERTIFICATE | FED_PROOF_DIALBACK},
        {"perhaps.example", S2S_TLS_OPTIONAL, FED_PROOF_CERTIFICATE | FED_PROOF_DIALBACK},
        {"sure.example", S2S_TLS_REQUIRED, FED_PROOF_CERTIFICATE},
        {"known.example", S2S_TLS_REQUIRED, FED_PROOF_PIN},
        {"signed.example", S2S_TLS_REQUIRED, FED_PROOF_DANE},
        {"*.sure.example", S2S_TLS_REQUIRED, FED_PROOF_CERTIFICATE | FED_PROOF_PIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(app_peer_tls(peer(s, rows[i].name)), rows[i].level);
        assert_int_equal(app_peer_proofs(peer(s, rows[i].name)), rows[i].proofs);
    }
    app_settings_free(s);
}

static void there_is_always_a_peer_for_all(void **state)
{
    (void)state;
    app_settings *s = load(HEAD "peers: {far.example: {allow: no}}\n");
    assert_int_equal(s->n_peers, 2);
    assert_int_equal(s->peers[0].match, FED_MATCH_ALL);
    assert_true(s->peers[0].allow);
    assert_int_equal(s->peers[0].proofs,
                     FED_PROOF_CERTIFICATE | FED_PROOF_DANE | FED_PROOF_DIALBACK);
    assert_false(s->peers[1].allow);
    app_settings_free(s);
}

static void children_show_the_nearest_parent(void **state)
{
    (void)state;
    app_settings *s =
        load("listen: {outside: [\"*:5269\"], inside: [10.0.0.5]}\n"
             "domains:\n"
             "  a.b.example: {server: hq}\n"
             "  example: {server: hq, certificate: e.pem}\n"
             "  b.example: {server: hq, certificate: b.pem}\n"
             "  c.example: {server: hq}\n"
             "servers: {hq: {address: hq.inside, trust: [10.0.0.10, certificate]}}\n");
    assert_int_equal(s->domains[0].shown, 2);
    assert_int_equal(s->domains[1].shown, 1);
    assert_int_equal(s->domains[2].shown, 2);
    assert_int_equal(s->domains[3].shown, 1);
    assert_string_equal(s->servers[0].address.host.text, "hq.inside");
    assert_int_equal(s->servers[0].trust.words, 1);
    app_settings_free(s);
}

static void zone_names_are_collected_once(void **state)
{
    (void)state;
    app_settings *s =
        load(HEAD "dns:\n  zone:\n"
                  "    - S.far.example. 60 IN A 192.0.2.1\n"
                  "    - s.far.example. 60 IN AAAA 2001:db8::1\n"
                  "    - _xmpp-server._tcp.far.example. 60 IN SRV 0 0 5269 s.far.example.\n"
                  "    - none.example. 60 IN SRV 0 0 0 .\n"
                  "    - _xmpps-server._tcp.far.example. 60 IN SRV 0 0 5270 s.far.example.\n"
                  "    - _xmpps-server._tcp.tls.example. 60 IN SRV 0 0 5270 s.far.example.\n");
    assert_int_equal(s->zone.n, 6);
    assert_int_equal(s->zone_names.n, 6);
    /* Whoever lays the way by hand has laid it: the other kind of SRV record is not looked up elsewhere. */
    static const char *const NAMES[] = {
        "s.far.example", "_xmpp-server._tcp.far.example",  "_xmpps-server._tcp.far.example",
        "none.example",  "_xmpps-server._tcp.tls.example", "_xmpp-server._tcp.tls.example"};
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(s->zone_names.item[i], NAMES[i]);
    app_settings_free(s);
}

static size_t errors_of(const char *text, size_t len)
{
    fixture_write("s.yaml", text, len, 0644);
    app_problems *problems = app_problems_new("s.yaml");
    app_settings *s = app_settings_load("s.yaml", problems);
    size_t errors = app_problems_errors(problems);
    assert_true((s == NULL) == (errors > 0));
    app_settings_free(s);
    app_problems_free(problems);
    return errors;
}

static void too_big_a_file(void **state)
{
    (void)state;
    char *text = malloc(APP_DOCUMENT_SIZE_MAX);
    assert_non_null(text);
    memset(text, '\n', APP_DOCUMENT_SIZE_MAX);
    memcpy(text, HEAD, strlen(HEAD));
    assert_int_equal(errors_of(text, APP_DOCUMENT_SIZE_MAX - 1), 0);
    assert_int_equal(errors_of(text, APP_DOCUMENT_SIZE_MAX), 1);
    free(text);
}

static void absent_file(void **state)
{
    (void)state;
    app_problems *problems = app_problems_new("absent.yaml");
    assert_null(app_settings_load("absent.yaml", problems));
    assert_int_equal(app_problems_errors(problems), 1);
    app_problems_free(problems);
}

/* Neither a crash nor a settings object from any beginning of a good file but the whole. */
static void every_beginning_of_a_file(void **state)
{
    (void)state;
    const char *text = HEAD "peers: {\"*\": {proof: [certificate]}}\nlimits:\n  queue: 5s\n";
    for (size_t len = 0; len < strlen(text); len++) {
        app_arena *arena = app_arena_new();
        app_problems *problems = app_problems_new("s.yaml");
        const app_node *root = app_document_parse(text, len, arena, problems);
        assert_true((root == NULL) == (app_problems_errors(problems) > 0));
        app_problems_free(problems);
        app_arena_free(arena);
    }
}

static void writable_by_everybody(void **state)
{
    (void)state;
    const char *text = "listen: {outside: [\"*:5269\"], inside: [10.0.0.5]}\n"
                       "domains: {example.org: {server: hq, certificate: org.pem, key: org.key}}\n"
                       "servers: {hq: {address: \"10.0.0.10:5270\", trust: 10.0.0.10}}\n";
    for (unsigned mode = 0644; mode <= 0646; mode += 2) {
        app_settings *s = load(text);
        app_problems *problems = app_problems_new("s.yaml");
        fixture_write("s.yaml", text, strlen(text), mode);
        app_settings_check_files(s, problems);
        assert_int_equal(app_problems_errors(problems), mode == 0646);
        app_problems_free(problems);
        app_settings_free(s);
    }
}

static void caps(void **state)
{
    (void)state;
    app_problems *problems = app_problems_new("s.yaml");
    app_settings *s = load(HEAD);
    app_settings_check_caps(s, problems, 100000);
    assert_int_equal(s->limits.conns_outside, 10000);
    app_settings_check_caps(s, problems, 4096); /* not in the file: lowered */
    assert_int_equal(s->limits.conns_outside, (4096 - 260) / 2);
    assert_int_equal(app_problems_errors(problems), 0);
    app_settings_free(s);
    s = load(HEAD "limits: {conns_outside: 5000}\n");
    app_settings_check_caps(s, problems, 4096);
    assert_int_equal(s->limits.conns_outside, 5000);
    assert_int_equal(app_problems_errors(problems), 1);
    app_settings_free(s);
    app_problems_free(problems);
}

static void sizes_and_times(void **state)
{
    (void)state;
    uint64_t n = 0;
    char text[APP_VALUE_TEXT];
    assert_null(app_value_size("512KiB", &n));
    assert_int_equal(n, 524288);
    assert_null(app_value_size("2MB", &n));
    assert_int_equal(n, 2000000);
    assert_null(app_value_size("0", &n));
    assert_null(app_value_time("90s", &n));
    assert_int_equal(n, 90000);
    assert_null(app_value_time("2d", &n));
    assert_int_equal(n, 172800000);
    assert_null(app_value_rate("1KiB/s", &n));
    assert_int_equal(n, 1024);
    const char *const wrong[] = {"", " 1", "1 ", "-1", "+1", "1.5MB", "0x10", "KB", "1kib", "1KBs"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_non_null(app_value_size(wrong[i], &n));
    assert_non_null(app_value_size("99999999999GiB", &n));
    assert_non_null(app_value_time("1", &n));
    assert_non_null(app_value_rate("5MB", &n));
    assert_non_null(app_value_rate("/s", &n));
    assert_non_null(app_value_mode("600", &n));
    assert_non_null(app_value_mode("0800", &n));
    assert_null(app_value_mode("0660", &n));
    assert_int_equal(n, 0660);
    assert_string_equal(app_value_size_print(524288, text), "512KiB");
    assert_string_equal(app_value_size_print(10000, text), "10KB");
    assert_string_equal(app_value_size_print(7, text), "7");
    assert_string_equal(app_value_time_print(1500, text), "1500ms");
    assert_string_equal(app_value_time_print(3600000, text), "1h");
}

static void endpoints(void **state)
{
    (void)state;
    io_addr a;
    bool any;
    assert_null(app_value_endpoint("*:53", 0, &a, &any));
    assert_true(any);
    assert_int_equal(a.port, 53);
    assert_null(app_value_endpoint("[2001:db8::5]:5270", 0, &a, &any));
    assert_false(any);
    assert_int_equal(a.port, 5270);
    assert_null(app_value_endpoint("2001:db8::5", 53, &a, &any));
    assert_int_equal(a.port, 53);
    const char *const wrong[] = {"",         "*",      "*:",         "*:0", "*:65536",
                                 "10.0.0.5", "host:1", "10.0.0.5:x", "**:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_non_null(app_value_endpoint(wrong[i], 0, &a, &any));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_paths),
        cmocka_unit_test(peers_take_from_the_next_wider),
        cmocka_unit_test(words_of_tls_narrow_the_proofs),
        cmocka_unit_test(there_is_always_a_peer_for_all),
        cmocka_unit_test(children_show_the_nearest_parent),
        cmocka_unit_test(zone_names_are_collected_once),
        cmocka_unit_test(too_big_a_file),
        cmocka_unit_test(absent_file),
        cmocka_unit_test(every_beginning_of_a_file),
        cmocka_unit_test(writable_by_everybody),
        cmocka_unit_test(caps),
        cmocka_unit_test(sizes_and_times),
        cmocka_unit_test(endpoints),
    };
    return cmocka_run_group_tests_name("settings", tests, fixture_make, fixture_remove);
}
