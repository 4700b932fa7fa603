/* Every kind of peer under every policy, one stanza each way: what the model (matrix.py) says of each cell is compared with
 * what becomes of it here.
 *
 * MATRIX_CELL="first=in cert=right ..." in the environment: only the cells that have all these words. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/fedconf.h"

enum {
    CELLS_LEAST = 1500,
    OUTCOME = 256,
    TOLD = 96,
    KINDS_MAX = 128,
    POLICIES_MAX = 128,
    TOLD_MOST = 12, /* cells that went wrong */
    QUEUE_MS = 2000
};

typedef struct cell {
    const char *words; /* "first=in peer=starttls ..." */
    const char *expected;
} cell;

typedef struct kind { /* of outcomes */
    char text[OUTCOME / 2];
    unsigned cells;
} kind;

typedef struct policy { /* as the settings have it */
    const char *words;  /* "tls=... proof=..." */
    bool good, accepted;
    fed_policy made;
} policy;

typedef struct matrix {
    char *text; /* of all cells */
    policy policies[POLICIES_MAX];
    size_t n_policies;
    cell *cells;
    size_t n;
    kind kinds[KINDS_MAX];
    size_t n_kinds;
    unsigned wrong;
} matrix;

/* ---- the words of a cell ---- */

/* Does the cell have this word? */
static bool is(const cell *c, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = c->words; (at = strstr(at, word)) != NULL; at += len)
        if ((at == c->words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0')) return true;
    return false;
}

/* All words of `wanted` are words of the cell. */
static bool is_wanted(const cell *c, const char *wanted)
{
    char word[64];
    for (int n; wanted != NULL && sscanf(wanted, " %63s%n", word, &n) == 1; wanted += n)
        if (!is(c, word)) return false;
    return true;
}

/* ---- the policy ---- */

/* A settings file in which far.example has the tls and proof of these words; gives its name. */
static const char *write_settings(const char *words, char name[64])
{
    char tls[32], proof[64];
    snprintf(name, 64, "matrix-%ld.yaml", (long)getpid());
    FILE *f = fopen(name, "w");
    S2S_ASSERT(f != NULL && sscanf(words, "tls=%31s proof=%63s", tls, proof) == 2);
    for (char *at = proof; (at = strchr(at, '+')) != NULL;)
        *at = ',';
    fprintf(f,
            "listen: {outside: [\"127.0.0.1:5269\"], inside: [\"127.0.0.2:5269\"]}\n"
            "domains: {loc.example: {server: hq, certificate: x.pem, key: x.key}}\n"
            "servers: {hq: {address: [\"10.0.0.10:5269\"], trust: [10.0.0.10/32]}}\n"
            "dns: {anchor: x.key}\n"
            "peers: {far.example: {tls: %s, proof: [%s]%s}}\n",
            tls, proof,
            strstr(proof, "pin") == NULL
                ? ""
                : ", pins: [\"sha256//bsUrzqqdd0udCpe0n/3xNZtyhafDfpmWg9wiFLIA+JQ=\"]");
    fclose(f);
    return name;
}

/* Through the real settings. False: they are refused. */
static bool read_policy(const char *words, fed_policy *made)
{
    char name[64];
    s2s_domain far = sim_domain("far.example");
    app_problems *problems = app_problems_new("matrix");
    app_settings *s = app_settings_load(write_settings(words, name), problems);
    unlink(name);
    if (s != NULL) {
        fed_config config;
        app_fed_config_fill(s, NULL, 0, &config);
        *made = *fed_config_policy(&config, &far);
    }
    app_settings_free(s);
    app_problems_free(problems);
    return s != NULL;
}

static const fed_policy *policy_of(const matrix *m, const cell *c)
{
    for (size_t i = 0; i < m->n_policies; i++)
        if (is_wanted(c, m->policies[i].words)) return &m->policies[i].made;
    s2s_assert_failed("a policy for each cell", __FILE__, __LINE__);
}

/* ---- the scene ---- */

static void show_certificate(sim_host *far, const cell *c)
{
    if (is(c, "cert=none")) far->n_names = 0;
    if (is(c, "cert=self-signed") || is(c, "cert=unknown-ca")) far->trust = S2S_E_CERT_UNTRUSTED;
    if (is(c, "cert=expired") || is(c, "cert=not-yet-valid")) far->trust = S2S_E_CERT_EXPIRED;
    if (is(c, "cert=wrong-name")) far->names[0] = sim_domain("other.example");
    far->pinned = is(c, "pinned=yes");
}

/* Records of the server, signed like all names on the way to it. */
static void publish_tlsa(sim *s, const cell *c, unsigned port)
{
    static const char host[] = "xmpp.far.example";
    if (is(c, "tlsa=none")) return;
    sim_zone_signs(s, "far.example", FED_QUERY_SRV, 0);
    sim_zone_signs(s, host, FED_QUERY_ADDR, 0);
    sim_zone_signs(s, host, FED_QUERY_TLSA, port);
    sim_add_tlsa(s, host, port, 3, is(c, "tlsa=fits") ? "k" : "another key");
}

static sim_host *remote_of(sim *s, const cell *c)
{
    sim_host *far = sim_remote(s, "far.example", "192.0.2.10");
    far->direct = far->connects_direct = is(c, "peer=direct");
    if (far->direct) {
        s->zone.n--; /* its SRV record for STARTTLS */
        sim_add_srv_direct(s, "far.example", 0, SIM_DIRECT_PORT, "xmpp.far.example");
    }
    far->tls = is(c, "peer=clear")      ? S2S_TLS_NONE
               : is(c, "peer=starttls") ? S2S_TLS_OPTIONAL
                                        : S2S_TLS_REQUIRED;
    far->key = "k";
    show_certificate(far, c);
    publish_tlsa(s, c, far->direct ? SIM_DIRECT_PORT : 5269);
    far->offers_external = far->uses_external = is(c, "external=yes");
    far->offers_dialback = is(c, "dialback=yes");
    far->keyless = !far->offers_dialback;
    far->prove = far->offers_dialback ? SIM_PROVE_VERIFY : SIM_PROVE_ERROR;
    far->prove_cond = "not-authorized";
    far->bidi = !is(c, "bidi=no");
    far->sm = is(c, "sm=yes");
    return far;
}

/* ---- what became of it ---- */

#define IN  " from=far.example to=loc.example "
#define OUT " from=loc.example to=far.example "

/* How the pair was opened outside: a field of the first line that says so. */
static const char *opened(const sim *s, const char *pair, const char *field, char out[32])
{
    for (size_t i = 0; i < s->n_logs; i++) {
        const char *line = s->logs[i], *at = strstr(line, field);
        if (strncmp(line, "pair_open ", 10) != 0 || strstr(line, " side=outside ") == NULL)
            continue;
        if (strstr(line, pair) == NULL || at == NULL) continue;
        size_t len = strcspn(at + strlen(field), " ");
        snprintf(out, 32, "%.*s", (int)len, at + strlen(field));
        return out;
    }
    return "?";
}

/* On a connection that the side made which is written to. */
static bool on_the_way_back(const sim *s, const char *pair, const char *role_of_us)
{
    char role[32];
    return strcmp(opened(s, pair, "role=", role), role_of_us) == 0;
}

static const char *told(const sim_host *far, char out[TOLD])
{
    const char *cond = far->told_cond;
    switch (far->told) {
    case S2S_E_PEER_ERROR: snprintf(out, TOLD, "stream error %s", cond); break;
    case S2S_E_DIALBACK_ERROR: snprintf(out, TOLD, "dialback error %s", cond); break;
    case S2S_E_NO_PROOF_OFFERED: return "nothing to try";
    case S2S_E_UNSUPPORTED_FEATURE: return "tls demanded";
    case S2S_E_TLS_REFUSED:
    case S2S_E_TLS_NOT_OFFERED: return "starttls refused";
    default: snprintf(out, TOLD, "? %s", s2s_err_of(far->told)->name);
    }
    return out;
}

static void come_in(sim *s, sim_host *far, char *out)
{
    char proof[32], tls[32], why[TOLD];
    sim_send(far, "u@far.example/r", "v@loc.example", "in", 10);
    sim_run(s, QUEUE_MS);
    fed_ledger_view v = sim_ledger(s, FED_INBOUND);
    size_t n = sim_count(sim_hq(s), "in", "");
    bool said = far->acked == (far->sm ? 1 : 0);
    const char *how = far->proved_by == S2S_PROOF_CERTIFICATE ? "by external" : "by key";
    if (on_the_way_back(s, IN, "initiating")) how = "on the way back";
    if (n == 1 && v.accepted == 1 && v.written == 1 && said)
        snprintf(out, OUTCOME / 2, "in taken: %s %s, tls=%s", opened(s, IN, "proof=", proof), how,
                 opened(s, IN, "tls=", tls));
    else if (n == 0 && v.accepted == 0)
        snprintf(out, OUTCOME / 2, "in not taken: %s", told(far, why));
    else
        snprintf(out, OUTCOME / 2, "in ? %zu arrived, accepted=%u written=%u", n,
                 (unsigned)v.accepted, (unsigned)v.written);
}

static const char *condition_of(const sim_stanza *bounce)
{
    if (strstr(bounce->bytes, "<remote-server-timeout ") != NULL) return "remote-server-timeout";
    return strstr(bounce->bytes, "<remote-server-not-found ") != NULL ? "remote-server-not-found"
                                                                      : "?";
}

/* Why there is no way to the domain, or why this pair may not use it. */
static const char *why_of(sim *s)
{
    const char *why = sim_target(s, "far.example").why;
    return why[0] != '\0' ? why : sim_pair(s, "loc.example", "far.example").why;
}

static void go_out(sim *s, sim_host *far, char *out)
{
    char tls[32];
    sim_send(sim_hq(s), "v@loc.example/r", "u@far.example", "out", 10);
    sim_run(s, QUEUE_MS + 1000);
    fed_ledger_view v = sim_ledger(s, FED_OUTBOUND);
    const sim_stanza *bounce = sim_find(sim_hq(s), "out");
    size_t n = sim_count(far, "out", "");
    const char *how = far->proves > 0 ? "by key" : "by external";
    if (on_the_way_back(s, OUT, "receiving")) how = "on the way back";
    if (n == 1 && bounce == NULL && v.accepted == 1 && v.written + v.acked == 1)
        snprintf(out, OUTCOME / 2, "out %s: %s, tls=%s", v.acked == 1 ? "acked" : "written", how,
                 opened(s, OUT, "tls=", tls));
    else if (n == 0 && bounce != NULL && v.accepted == 1 && v.bounced == 1)
        snprintf(out, OUTCOME / 2, "out bounced %s: %s", condition_of(bounce), why_of(s));
    else
        snprintf(out, OUTCOME / 2, "out ? %zu arrived, bounced=%u written=%u", n,
                 (unsigned)v.bounced, (unsigned)v.written);
}

static void play(const matrix *m, const cell *c, char first[OUTCOME / 2], char second[OUTCOME / 2])
{
    bool in = is(c, "first=in");
    sim *s = sim_new();
    sim_host *far = remote_of(s, c);
    s->policies[s->config.n_policies] = *policy_of(m, c);
    if (is(c, "bidi=certificate")) s->policies[s->config.n_policies].bidi = FED_BIDI_CERTIFICATE;
    s->config.n_policies++;
    s->config.limits.queue_ms = QUEUE_MS;
    s->config.dnssec = true;
    sim_start(s);
    (in ? come_in : go_out)(s, far, first);
    (in ? go_out : come_in)(s, far, second);
    sim_end_all(s);
}

/* ---- all of them ---- */

static void count_kind(matrix *m, const char *text)
{
    for (size_t i = 0; i < m->n_kinds; i++) {
        if (strcmp(m->kinds[i].text, text) != 0) continue;
        m->kinds[i].cells++;
        return;
    }
    S2S_ASSERT(m->n_kinds < KINDS_MAX);
    kind *k = &m->kinds[m->n_kinds++];
    snprintf(k->text, sizeof k->text, "%s", text);
    k->cells = 1;
}

static void compare(matrix *m, const cell *c)
{
    char first[OUTCOME / 2], second[OUTCOME / 2], both[OUTCOME + 4];
    play(m, c, first, second);
    count_kind(m, first);
    count_kind(m, second);
    snprintf(both, sizeof both, "%s; %s", first, second);
    if (strcmp(both, c->expected) == 0) return;
    m->wrong++;
    if (m->wrong > TOLD_MOST) return;
    print_error("# cell     %s\n# expected %s\n# came     %s\n", c->words, c->expected, both);
}

/* One test for each way to begin with each kind of peer. */
static void cells_of(matrix *m, const char *part)
{
    unsigned played = 0, before = m->wrong;
    const char *wanted = getenv("MATRIX_CELL");
    for (size_t i = 0; i < m->n; i++) {
        if (!is_wanted(&m->cells[i], part) || !is_wanted(&m->cells[i], wanted)) continue;
        played++;
        compare(m, &m->cells[i]);
    }
    assert_true(played > 0 || wanted != NULL);
    if (m->wrong > before)
        fail_msg("%u of %u cells are not as the model says (first %d in all are shown)",
                 m->wrong - before, played, TOLD_MOST);
}

#define PART(name, words)                                                                          \
    static void name(void **state)                                                                 \
    {                                                                                              \
        cells_of(*state, words);                                                                   \
    }

PART(in_by_clear, "first=in peer=clear")
PART(in_by_starttls, "first=in peer=starttls")
PART(in_by_starttls_or_nothing, "first=in peer=demands")
PART(in_by_direct_tls, "first=in peer=direct")
PART(out_by_clear, "first=out peer=clear")
PART(out_by_starttls, "first=out peer=starttls")
PART(out_by_starttls_or_nothing, "first=out peer=demands")
PART(out_by_direct_tls, "first=out peer=direct")

/* What the settings may say, they may; what they may not is refused. */
static void policies_are_as_they_say(void **state)
{
    const matrix *m = *state;
    for (size_t i = 0; i < m->n_policies; i++) {
        const policy *p = &m->policies[i];
        if (p->good != p->accepted)
            fail_msg("%s is %s", p->words, p->accepted ? "accepted" : "refused");
    }
}

static void cells_are_many(void **state)
{
    const matrix *m = *state;
    print_message("# %zu cells\n", m->n);
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = i + 1; k < m->n && k < i + 64; k++)
            assert_string_not_equal(m->cells[i].words, m->cells[k].words);
    assert_true(m->n >= CELLS_LEAST);
}

/* Counts of each way, as a table. */
static void summary(void **state)
{
    const matrix *m = *state;
    size_t halves = 0;
    for (size_t i = 0; i < m->n_kinds; i++) {
        print_message("# %6u  %s\n", m->kinds[i].cells, m->kinds[i].text);
        halves += m->kinds[i].cells;
    }
    assert_true(halves == 2 * m->n || getenv("MATRIX_CELL") != NULL);
}

/* ---- reading them ---- */

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "r");
    size_t len = 0, size = 0;
    char *text = NULL;
    S2S_ASSERT(f != NULL);
    do {
        size += 1 << 20;
        text = realloc(text, size + 1);
        S2S_ASSERT(text != NULL);
        len += fread(text + len, 1, size - len, f);
    } while (len == size);
    text[len] = '\0';
    fclose(f);
    return text;
}

static void take_line(matrix *m, const char *words, const char *said)
{
    if (strncmp(words, "tls=", 4) != 0) {
        m->cells[m->n++] = (cell){.words = words, .expected = said};
        return;
    }
    S2S_ASSERT(m->n_policies < POLICIES_MAX);
    policy *p = &m->policies[m->n_policies++];
    p->words = words;
    p->good = strcmp(said, "good") == 0;
    p->accepted = read_policy(words, &p->made);
}

static int read_matrix(void **state)
{
    matrix *m = calloc(1, sizeof *m);
    S2S_ASSERT(m != NULL);
    m->text = read_all(SIM_MATRIX);
    size_t lines = 0;
    for (const char *at = m->text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    m->cells = calloc(lines + 1, sizeof *m->cells);
    S2S_ASSERT(m->cells != NULL);
    for (char *line = m->text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        char *tab = memchr(line, '\t', (size_t)(end - line));
        S2S_ASSERT(tab != NULL);
        *tab = *end = '\0';
        take_line(m, line, tab + 1);
    }
    *state = m;
    return 0;
}

static int drop_matrix(void **state)
{
    matrix *m = *state;
    free(m->cells);
    free(m->text);
    free(m);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_are_as_they_say),
        cmocka_unit_test(cells_are_many),
        cmocka_unit_test(in_by_clear),
        cmocka_unit_test(in_by_starttls),
        cmocka_unit_test(in_by_starttls_or_nothing),
        cmocka_unit_test(in_by_direct_tls),
        cmocka_unit_test(out_by_clear),
        cmocka_unit_test(out_by_starttls),
        cmocka_unit_test(out_by_starttls_or_nothing),
        cmocka_unit_test(out_by_direct_tls),
        cmocka_unit_test(summary),
    };
    return cmocka_run_group_tests(tests, read_matrix, drop_matrix);
}
