/* A status picture as JSON and for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "app/status.h"

static const app_status_facts FACTS = {.version = "0.1.0",
                                       .uptime_ms = 93784000,
                                       .now_ms = 50000,
                                       .log_dropped = 3,
                                       .log_held_back = 4};

static s2s_domain domain(const char *text)
{
    s2s_domain d;
    assert_int_equal(s2s_domain_make(s2s_span_of(text), &d), S2S_E_OK);
    return d;
}

static void add_pairs(app_status *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "r%u.example", i);
        fed_pair_view p = {.from = domain(name),
                           .to = domain("loc.example"),
                           .way = FED_INBOUND,
                           .open = true,
                           .proof = S2S_PROOF_DIALBACK,
                           .conn = 7,
                           .stanzas = i,
                           .why = ""};
        app_status_add_pair(s, &p);
    }
}

static app_status *make_picture(void)
{
    static const fed_tls_info tls = {
        .version = "TLSv1.3", .cipher = "TLS_AES_128_GCM_SHA256", .resumed = true};
    app_status *s = app_status_new(&FACTS);
    const fed_conn_view conn = {.id = 7,
                                .side = FED_OUTSIDE,
                                .role = S2S_RECEIVING,
                                .state = "open",
                                .peer = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 40000},
                                .ours = domain("loc.example"),
                                .theirs = domain("far.example"),
                                .server = "",
                                .tls = &tls,
                                .direct = true,
                                .peer_proof = S2S_PROOF_DANE,
                                .bidi = true,
                                .pairs = 2,
                                .stanzas_in = 11,
                                .stanzas_out = 0,
                                .since_ms = 20000,
                                .sm = true,
                                .unacked = 3,
                                .untaken = 4};
    fed_conn_view trunk = conn;
    trunk.id = 8, trunk.side = FED_INSIDE, trunk.role = S2S_INITIATING, trunk.tls = NULL;
    trunk.direct = trunk.bidi = trunk.sm = false;
    trunk.unacked = trunk.untaken = 0;
    trunk.peer_proof = S2S_PROOF_NONE;
    trunk.server = "hq", trunk.ours.len = 0, trunk.state = "features";
    const fed_server_view hq = {.name = "hq",
                                .state = "down",
                                .backoff_ms = 250,
                                .why = "tcp_refused",
                                .endpoint = "10.0.0.10:5269",
                                .pairs = 3,
                                .queued = 4,
                                .queued_bytes = 4000};
    const fed_server_view branch = {.name = "branch", .state = "idle", .why = ""};
    app_status_add_server(s, &hq);
    app_status_add_server(s, &branch);
    app_status_add_conn(s, &conn);
    app_status_add_conn(s, &trunk);
    fed_pair_view pair = {.from = domain("loc.example"),
                          .to = domain("down.example"),
                          .way = FED_OUTBOUND,
                          .stanzas = 5,
                          .queued = 2,
                          .queued_bytes = 300,
                          .why = "tcp_refused"};
    app_status_add_pair(s, &pair);
    const fed_remote_view remote = {.domain = domain("down.example"),
                                    .state = "backoff",
                                    .backoff_ms = 1500,
                                    .why = "tcp_refused",
                                    .endpoint = "192.0.2.9:5269"};
    app_status_add_remote(s, &remote);
    app_status_add_why(s, "attempt", s2s_err_of(S2S_E_TCP_REFUSED), 4);
    app_status_add_why(s, "link", s2s_err_of(S2S_E_IDLE), 0);
    const fed_ledger_view in = {.accepted = 11,
                                .acked = 1,
                                .written = 5,
                                .bounced = 2,
                                .dropped = 1,
                                .in_doubt = 1,
                                .queued = 1};
    const fed_ledger_view outward = {.accepted = 5, .bounced = 3, .queued = 2, .own = 3};
    app_status_set_ledger(s, FED_INBOUND, &in);
    app_status_set_ledger(s, FED_OUTBOUND, &outward);
    return s;
}

/* All pieces joined; for free(). */
static char *write_out(app_status *s, app_status_form form, size_t *largest)
{
    char *text = calloc(1, 1);
    size_t len = 0;
    s2s_buf piece;
    s2s_buf_init(&piece, 0);
    *largest = 0;
    for (bool more = true; more;) {
        more = app_status_next(s, form, &piece);
        s2s_span bytes = s2s_buf_span(&piece);
        if (bytes.len > *largest) *largest = bytes.len;
        text = realloc(text, len + bytes.len + 1);
        assert_non_null(text);
        memcpy(text + len, bytes.ptr ? bytes.ptr : "", bytes.len);
        len += bytes.len;
        text[len] = '\0';
        s2s_buf_clear(&piece);
    }
    s2s_buf_fini(&piece);
    return text;
}

static json_t *parse(app_status *s, app_status_form form)
{
    size_t largest;
    json_error_t error;
    char *text = write_out(s, form, &largest);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root) fail_msg("%s: %s", error.text, text);
    free(text);
    return root;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    assert_non_null(text);
    return text;
}

static json_int_t number_of(const json_t *o, const char *key)
{
    assert_true(json_is_integer(json_object_get(o, key)));
    return json_integer_value(json_object_get(o, key));
}

/* rows: R7590-3.6 */
static void json_says_it_all(void **state)
{
    (void)state;
    app_status *s = make_picture();
    json_t *root = parse(s, APP_STATUS_JSON), *links = json_object_get(root, "links");
    assert_string_equal(text_of(root, "version"), "0.1.0");
    assert_int_equal(number_of(root, "uptime_ms"), 93784000);
    assert_int_equal(json_array_size(links), 2);
    const json_t *link = json_array_get(links, 0), *trunk = json_array_get(links, 1);
    assert_int_equal(number_of(link, "id"), 7);
    assert_string_equal(text_of(link, "side"), "outside");
    assert_string_equal(text_of(link, "role"), "receiving");
    assert_string_equal(text_of(link, "peer"), "192.0.2.1:40000");
    assert_string_equal(text_of(link, "tls"), "direct");
    assert_string_equal(text_of(link, "version"), "TLSv1.3");
    assert_string_equal(text_of(link, "cipher"), "TLS_AES_128_GCM_SHA256");
    assert_true(json_is_true(json_object_get(link, "resumed")));
    assert_string_equal(text_of(link, "peer_proof"), "dane");
    assert_string_equal(text_of(trunk, "peer_proof"), "");
    assert_true(json_is_false(json_object_get(trunk, "resumed")));
    assert_true(json_is_true(json_object_get(link, "bidi")));
    assert_true(json_is_false(json_object_get(trunk, "bidi")));
    assert_int_equal(number_of(link, "age_ms"), 30000);
    assert_string_equal(text_of(trunk, "tls"), "");
    assert_string_equal(text_of(trunk, "version"), "");
    assert_string_equal(text_of(trunk, "server"), "hq");
    assert_string_equal(text_of(trunk, "ours"), "");
    const json_t *servers = json_object_get(root, "servers"), *hq = json_array_get(servers, 0);
    assert_int_equal(json_array_size(servers), 2);
    assert_string_equal(text_of(hq, "name"), "hq");
    assert_string_equal(text_of(hq, "state"), "down");
    assert_string_equal(text_of(hq, "endpoint"), "10.0.0.10:5269");
    assert_string_equal(text_of(hq, "why"), "tcp_refused");
    assert_int_equal(number_of(hq, "pairs"), 3);
    assert_int_equal(number_of(hq, "queued"), 4);
    assert_int_equal(number_of(hq, "queued_bytes"), 4000);
    assert_int_equal(number_of(hq, "backoff_ms"), 250);
    assert_string_equal(text_of(json_array_get(servers, 1), "endpoint"), "");
    const json_t *pair = json_array_get(json_object_get(root, "pairs"), 0);
    assert_string_equal(text_of(pair, "way"), "outbound");
    assert_string_equal(text_of(pair, "proof"), "");
    assert_true(json_is_false(json_object_get(pair, "open")));
    assert_true(json_is_null(json_object_get(pair, "link")));
    assert_string_equal(text_of(pair, "why"), "tcp_refused");
    const json_t *remote = json_array_get(json_object_get(root, "remotes"), 0);
    assert_int_equal(number_of(remote, "backoff_ms"), 1500);
    const json_t *whys = json_object_get(root, "whys"), *why = json_array_get(whys, 0);
    assert_int_equal(json_array_size(whys), 1); /* those that never happened are left out */
    assert_string_equal(text_of(why, "why"), s2s_err_of(S2S_E_TCP_REFUSED)->name);
    assert_string_equal(text_of(why, "stage"), "tcp");
    const json_t *in = json_object_get(json_object_get(root, "ledger"), "inbound");
    assert_int_equal(number_of(in, "accepted"), 11);
    assert_int_equal(number_of(in, "in_doubt"), 1);
    assert_true(json_is_true(json_object_get(in, "balanced")));
    assert_int_equal(number_of(json_object_get(root, "log"), "dropped"), 3);
    json_decref(root);
    app_status_free(s);
}

static void ledger_alone(void **state)
{
    (void)state;
    app_status *s = make_picture();
    json_t *root = parse(s, APP_STATUS_LEDGER);
    assert_int_equal(number_of(json_object_get(root, "outbound"), "own"), 3);
    json_decref(root);
    app_status_free(s);
}

static void many_pairs_come_in_pieces(void **state)
{
    (void)state;
    for (app_status_form form = APP_STATUS_JSON; form <= APP_STATUS_TEXT; form++) {
        size_t largest;
        app_status *s = app_status_new(&FACTS);
        add_pairs(s, 5000);
        char *text = write_out(s, form, &largest);
        assert_true(strlen(text) > 300000);
        assert_true(largest < 32768);
        assert_non_null(strstr(text, "r0.example"));
        assert_non_null(strstr(text, "r4999.example"));
        if (form == APP_STATUS_JSON) {
            json_t *root = json_loads(text, 0, NULL);
            assert_int_equal(json_array_size(json_object_get(root, "pairs")), 5000);
            json_decref(root);
        }
        free(text);
        app_status_free(s);
    }
}

/* rows: R7590-3.6 */
static void text_for_people(void **state)
{
    (void)state;
    size_t largest;
    app_status *s = make_picture();
    char *text = write_out(s, APP_STATUS_TEXT, &largest);
    assert_string_equal(
        text,
        "causeway 0.1.0, up 1d 2h 03m 04s\n"
        "\n"
        "Local servers (2)\n"
        "SERVER  STATE  ENDPOINT        PAIRS  QUEUED  WAITS MS  LAST FAILURE\n"
        "hq      down   10.0.0.10:5269      3       4       250  tcp_refused\n"
        "branch  idle   -                   0       0         0  -\n"
        "\n"
        "Links (2)\n"
        "ID  SIDE     ROLE        STATE     PEER             OURS         THEIRS       SERVER  TLS "
        "    VERSION  RESUMED  PROOF  BIDI  PAIRS  IN  OUT  SM   UNACKED\n"
        " 7  outside  receiving   open      192.0.2.1:40000  loc.example  far.example  -       "
        "direct  TLSv1.3  yes      dane   yes       2  11    0  yes        3\n"
        " 8  inside   initiating  features  192.0.2.1:40000  -            far.example  hq      -   "
        "    -        no       -      no        2  11    0  no         0\n"
        "\n"
        "Pairs (1)\n"
        "FROM         TO            WAY       OPEN  PROOF  LINK  STANZAS  QUEUED  LAST FAILURE\n"
        "loc.example  down.example  outbound  no    -         -        5       2  tcp_refused\n"
        "\n"
        "Remote domains (1)\n"
        "DOMAIN        STATE    WAITS MS  ENDPOINT        LAST FAILURE\n"
        "down.example  backoff      1500  192.0.2.9:5269  tcp_refused\n"
        "\n"
        "Endings (1)\n"
        "WHAT     WHY          STAGE  COUNT\n"
        "attempt  tcp_refused  tcp        4\n"
        "\n"
        "log: 3 lines dropped, 4 held back\n"
        "\n"
        "Ledger\n"
        "WAY         ACCEPTED       ACKED     WRITTEN     BOUNCED     DROPPED    IN DOUBT      "
        "QUEUED      RESENT         OWN\n"
        "inbound           11           1           5           2           1           1          "
        " 1           0           0\n"
        "outbound           5           0           0           3           0           0          "
        " 2           0           3\n"
        "\n"
        "ledger balanced\n");
    free(text);
    app_status_free(s);
}

static void an_imbalance_is_named(void **state)
{
    (void)state;
    size_t largest;
    app_status *s = make_picture();
    const fed_ledger_view wrong = {.accepted = 6, .written = 5};
    app_status_set_ledger(s, FED_OUTBOUND, &wrong);
    char *text = write_out(s, APP_STATUS_TEXT, &largest);
    assert_null(strstr(text, APP_STATUS_BALANCED));
    assert_non_null(
        strstr(text, "LEDGER NOT BALANCED: outbound: accepted 6, but the fates add up to 5\n"));
    free(text);
    app_status_free(s);
}

static void an_empty_picture(void **state)
{
    (void)state;
    size_t largest;
    for (app_status_form form = APP_STATUS_JSON; form <= APP_STATUS_LEDGER; form++) {
        app_status *s = app_status_new(&FACTS);
        char *text = write_out(s, form, &largest);
        assert_true(strlen(text) > 0);
        free(text);
        app_status_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_says_it_all),          cmocka_unit_test(ledger_alone),
        cmocka_unit_test(many_pairs_come_in_pieces), cmocka_unit_test(text_for_people),
        cmocka_unit_test(an_imbalance_is_named),     cmocka_unit_test(an_empty_picture),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
