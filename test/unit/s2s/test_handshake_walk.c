/* The two handshake tables, walked cell by cell: each state x each input x each combination of the
 * facts any row of that cell looks at. And their listings, compared with the files in golden/:
 * a change of the protocol shows in review. GOLDEN_WRITE=1 in the environment writes them anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <s2s/buf.h>

#include "handshake.h"

#define BIT_OF(state) (UINT32_C(1) << (state))

static const char *role_name(s2s_role role)
{
    return role == S2S_INITIATING ? "initiating" : "receiving";
}

static bool is_end(s2s_expect state)
{
    return state == S2S_CLOSED || state == S2S_DEAD;
}

/* ---- the walk ---- */

typedef struct cell {
    s2s_role role;
    s2s_expect state;
    s2s_brings brings;
    uint64_t facts;
    const s2s_row *row; /* NULL: out of turn */
} cell;

typedef void (*visit)(void *ctx, const cell *c);

/* The facts rows of this cell look at, and those the promises speak of. */
static uint64_t facts_of_cell(s2s_role role, s2s_expect state, s2s_brings brings)
{
    uint64_t facts =
        S2S_HAS(IN_TLS) | S2S_HAS(TLS_DEMANDED) | S2S_HAS(PAIR_OPEN) | S2S_HAS(ANY_PROOF);
    s2s_table t = s2s_handshake_table(role);
    for (size_t i = 0; i < t.count; i++)
        if (t.rows[i].brings == brings && (t.rows[i].states & BIT_OF(state)) != 0)
            facts |= t.rows[i].yes | t.rows[i].no;
    return facts;
}

static size_t walk_cell(cell c, visit each, void *ctx)
{
    uint64_t all = facts_of_cell(c.role, c.state, c.brings);
    size_t count = 0;
    c.facts = 0;
    do { /* every subset of `all`: counting within its bits */
        c.row = s2s_handshake_find(c.role, c.state, c.brings, c.facts);
        each(ctx, &c);
        count++;
        c.facts = (c.facts - all) & all;
    } while (c.facts != 0);
    return count;
}

static size_t walk(s2s_role role, visit each, void *ctx)
{
    size_t count = 0;
    for (unsigned state = 0; state < S2S_EXPECT_COUNT; state++)
        for (unsigned brings = 0; brings < S2S_BRINGS_COUNT; brings++)
            count += walk_cell(
                (cell){.role = role, .state = (s2s_expect)state, .brings = (s2s_brings)brings},
                each, ctx);
    return count;
}

static void say_cell(const cell *c, const char *what)
{
    print_error("%s: %s | %s | facts %llx | %s\n", what, s2s_expect_name(c->state),
                s2s_brings_name(c->brings), (unsigned long long)c->facts,
                c->row == NULL ? "out of turn" : s2s_act_of(c->row->act)->name);
    fail();
}

static s2s_nature nature_of(const cell *c)
{
    return c->row == NULL ? S2S_PLAIN : s2s_act_of(c->row->act)->nature;
}

/* ---- promises ---- */

/* No identity is proved, nor a proof taken up, in clear where TLS is required. */
static void check_no_proof_in_clear(void *ctx, const cell *c)
{
    (void)ctx;
    bool forbidden = (c->facts & S2S_HAS(TLS_DEMANDED)) != 0 && (c->facts & S2S_HAS(IN_TLS)) == 0;
    if (forbidden && nature_of(c) == S2S_PROVES) say_cell(c, "a proof in clear");
}

/* SASL EXTERNAL rests on the certificate: never without TLS, whatever is required. */
static void check_external_in_tls(void *ctx, const cell *c)
{
    (void)ctx;
    if (c->row == NULL || (c->facts & S2S_HAS(IN_TLS)) != 0) return;
    s2s_act act = c->row->act;
    if (act == S2S_ACT_SEND_AUTH || act == S2S_ACT_SEND_RESPONSE || act == S2S_ACT_ASK_AUTH ||
        act == S2S_ACT_SEND_SUCCESS)
        say_cell(c, "EXTERNAL without TLS");
}

/* No stanza is accepted unless its own pair is proved; none on the stream we opened, unless both agreed on both ways. */
static void check_no_stanza_before_proof(void *ctx, const cell *c)
{
    (void)ctx;
    if (nature_of(c) != S2S_CARRIES) return;
    if (c->role == S2S_INITIATING && (c->facts & S2S_HAS(BIDI)) == 0)
        say_cell(c, "a stanza on a stream that goes one way");
    if ((c->facts & S2S_HAS(PAIR_OPEN)) == 0) say_cell(c, "a stanza of a pair not proved");
    s2s_expect open = c->role == S2S_INITIATING ? S2S_EXPECT_DIALBACK : S2S_EXPECT_STANZA;
    if (c->state != open && c->state != S2S_EXPECT_CLOSE) say_cell(c, "a stanza in mid-handshake");
}

/* Both ways are agreed on under TLS alone; where they are not, nothing is asked of the side that opened the stream, and nothing
 * it proves is ours to use. */
static void check_both_ways(void *ctx, const cell *c)
{
    (void)ctx;
    if (c->row == NULL) return;
    s2s_act act = c->row->act;
    if (act == S2S_ACT_ASK_BIDI || act == S2S_ACT_TAKE_BIDI) {
        if ((c->facts & S2S_HAS(IN_TLS)) == 0) say_cell(c, "both ways in clear");
        if ((c->facts & S2S_HAS(BIDI_OFFERED)) == 0) say_cell(c, "both ways, not offered");
    }
    if (c->role == S2S_RECEIVING || (c->facts & S2S_HAS(BIDI)) != 0) return;
    if (act == S2S_ACT_ASK_PROVE || act == S2S_ACT_CHECK_KEY || act == S2S_ACT_OPEN_PAIR ||
        act == S2S_ACT_REPEAT_VALID)
        say_cell(c, "asked on a stream that goes one way");
}

/* Stream management is granted behind a proof alone, and once; nothing is acknowledged, nor taken as acknowledged, without it. */
/* rows: X0198-3 */
static void check_managed_behind_proof(void *ctx, const cell *c)
{
    (void)ctx;
    if (c->row == NULL) return;
    s2s_act act = c->row->act;
    bool on = (c->facts & S2S_HAS(SM_ON)) != 0;
    if (act == S2S_ACT_SM_SEND_ENABLED && (on || c->state != S2S_EXPECT_STANZA))
        say_cell(c, "stream management before a proof, or twice");
    if ((act == S2S_ACT_SM_OWE_ACK || act == S2S_ACT_SM_TAKE_ACK) && !on)
        say_cell(c, "an acknowledgement without stream management");
    if (act == S2S_ACT_SM_TAKE_ACK && (c->facts & S2S_HAS(COUNT_FITS)) == 0)
        say_cell(c, "more acknowledged than was sent");
}

static uint32_t states_of(s2s_role role)
{
    uint32_t both = BIT_OF(S2S_EXPECT_HEAD) | BIT_OF(S2S_EXPECT_TLS) | BIT_OF(S2S_EXPECT_CLOSE) |
                    BIT_OF(S2S_CLOSED) | BIT_OF(S2S_DEAD);
    if (role == S2S_INITIATING)
        return both | BIT_OF(S2S_EXPECT_FEATURES) | BIT_OF(S2S_EXPECT_PROCEED) |
               BIT_OF(S2S_EXPECT_SASL) | BIT_OF(S2S_EXPECT_DIALBACK);
    return both | BIT_OF(S2S_EXPECT_ANSWER) | BIT_OF(S2S_EXPECT_STARTTLS) |
           BIT_OF(S2S_EXPECT_PROOF) | BIT_OF(S2S_EXPECT_RESPONSE) | BIT_OF(S2S_EXPECT_AUTH_ANSWER) |
           BIT_OF(S2S_EXPECT_STANZA);
}

/* Every cell ends in a state its role knows; acts that end the stream lead to its end. */
static void check_defined_state(void *ctx, const cell *c)
{
    (void)ctx;
    if (c->row == NULL) return; /* out of turn: DEAD */
    if (is_end(c->state)) say_cell(c, "something is done after the end");
    s2s_expect next = c->row->next == S2S_SAME ? c->state : c->row->next;
    bool known = (states_of(c->role) & BIT_OF(c->state)) == 0 || /* a state of the other role */
                 (states_of(c->role) & BIT_OF(next)) != 0;
    if (!known) say_cell(c, "a state of the other role");
    if (s2s_act_of(c->row->act)->run == NULL && next != S2S_DEAD)
        say_cell(c, "an end that goes on");
}

static void promise(visit each)
{
    size_t count = walk(S2S_INITIATING, each, NULL) + walk(S2S_RECEIVING, each, NULL);
    print_message("# %zu combinations walked\n", count);
    assert_true(count > 2000);
}

static void no_proof_in_clear_where_tls_is_required(void **state)
{
    (void)state;
    promise(check_no_proof_in_clear);
}

static void external_needs_tls(void **state)
{
    (void)state;
    promise(check_external_in_tls);
}

static void no_stanza_before_proof(void **state)
{
    (void)state;
    promise(check_no_stanza_before_proof);
}

static void managed_behind_a_proof(void **state)
{
    (void)state;
    promise(check_managed_behind_proof);
}

static void both_ways_by_agreement(void **state)
{
    (void)state;
    promise(check_both_ways);
}

static void every_cell_ends_in_a_defined_state(void **state)
{
    (void)state;
    promise(check_defined_state);
}

/* ---- the tables themselves ---- */

static void mark_row(void *ctx, const cell *c)
{
    uint32_t *seen = ctx;
    if (c->row != NULL) seen[c->row - s2s_handshake_table(c->role).rows] |= BIT_OF(c->state);
}

/* A row that never wins, in a state it names, is a mistake of the table. */
static void every_row_wins_somewhere(void **state)
{
    (void)state;
    for (unsigned role = 0; role < 2; role++) {
        s2s_table t = s2s_handshake_table((s2s_role)role);
        uint32_t *seen = calloc(t.count, sizeof *seen);
        assert_non_null(seen);
        walk((s2s_role)role, mark_row, seen);
        for (size_t i = 0; i < t.count; i++) {
            uint32_t shadowed = t.rows[i].states & ~seen[i];
            /* Rows of the common end stand behind a role's own for the same word. */
            if (t.rows[i].states == BIT_OF(S2S_EXPECT_CLOSE) ||
                t.rows[i].brings == S2S_BRINGS_STREAM_ERROR ||
                t.rows[i].brings == S2S_BRINGS_STREAM_END)
                continue;
            if (shadowed != 0)
                print_error("%s row %zu (%s) is shadowed in states %x\n", role_name((s2s_role)role),
                            i, s2s_act_of(t.rows[i].act)->name, shadowed);
            assert_int_equal(shadowed, 0);
        }
        free(seen);
    }
}

static void every_act_has_a_row(void **state)
{
    (void)state;
    bool used[S2S_ACT_COUNT] = {false};
    for (unsigned role = 0; role < 2; role++) {
        s2s_table t = s2s_handshake_table((s2s_role)role);
        for (size_t i = 0; i < t.count; i++)
            used[t.rows[i].act] = true;
    }
    for (unsigned act = 0; act < S2S_ACT_COUNT; act++) {
        if (!used[act]) print_error("no row does %s\n", s2s_act_of((s2s_act)act)->name);
        assert_true(used[act]);
    }
}

/* States that one step leads to from a state of the set. Our caller may close at any time. */
static uint32_t step_from(s2s_role role, uint32_t from)
{
    s2s_table t = s2s_handshake_table(role);
    uint32_t reached = from | BIT_OF(S2S_EXPECT_CLOSE) | BIT_OF(S2S_DEAD);
    for (size_t i = 0; i < t.count; i++)
        if ((t.rows[i].states & from) != 0 && t.rows[i].next != S2S_SAME)
            reached |= BIT_OF(t.rows[i].next);
    return reached;
}

static void every_state_is_reached(void **state)
{
    (void)state;
    for (unsigned role = 0; role < 2; role++) {
        uint32_t reached = BIT_OF(S2S_EXPECT_HEAD);
        for (unsigned i = 0; i < S2S_EXPECT_COUNT; i++)
            reached = step_from((s2s_role)role, reached);
        assert_int_equal(reached, states_of((s2s_role)role));
    }
}

/* Our caller owes an answer there, and the peer is not read. */
static bool is_callers(s2s_expect state)
{
    return state == S2S_EXPECT_ANSWER || state == S2S_EXPECT_TLS || state == S2S_EXPECT_AUTH_ANSWER;
}

/* Whatever is waited for, the peer's close tag ends it. */
static void every_state_can_end(void **state)
{
    (void)state;
    for (unsigned role = 0; role < 2; role++)
        for (unsigned s = 0; s < S2S_EXPECT_COUNT; s++) {
            if (is_end((s2s_expect)s) || is_callers((s2s_expect)s) ||
                (states_of((s2s_role)role) & BIT_OF(s)) == 0)
                continue;
            const s2s_row *row =
                s2s_handshake_find((s2s_role)role, (s2s_expect)s, S2S_BRINGS_STREAM_END, 0);
            assert_non_null(row);
            assert_true(is_end(row->next));
        }
}

/* ---- listings ---- */

static void put_line(void *ctx, const char *text)
{
    assert_int_equal(s2s_buf_puts(ctx, text), S2S_E_OK);
    assert_int_equal(s2s_buf_puts(ctx, "\n"), S2S_E_OK);
}

static void write_golden(const char *path, s2s_span text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text.ptr, 1, text.len, f), text.len);
    assert_int_equal(fclose(f), 0);
}

static void compare_golden(const char *path, s2s_span text)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *golden = malloc(text.len + 2);
    assert_non_null(golden);
    size_t len = fread(golden, 1, text.len + 1, f);
    fclose(f);
    size_t same = 0;
    while (same < len && same < text.len && golden[same] == text.ptr[same])
        same++;
    if (same != text.len || len != text.len)
        print_error("%s differs from the table at byte %zu: ...%.*s\n"
                    "GOLDEN_WRITE=1 writes it anew if the change is meant\n",
                    path, same, (int)(text.len - same < 200 ? text.len - same : 200),
                    text.ptr + same);
    assert_int_equal(len, text.len);
    assert_memory_equal(golden, text.ptr, text.len);
    free(golden);
}

static void listings_are_as_reviewed(void **state)
{
    (void)state;
    for (unsigned role = 0; role < 2; role++) {
        char path[512];
        s2s_buf text;
        s2s_buf_init(&text, 0);
        s2s_handshake_print((s2s_role)role, put_line, &text);
        snprintf(path, sizeof path, CAUSEWAY_SOURCE_DIR "/test/unit/s2s/golden/handshake_%s.txt",
                 role_name((s2s_role)role));
        if (getenv("GOLDEN_WRITE") != NULL) write_golden(path, s2s_buf_span(&text));
        compare_golden(path, s2s_buf_span(&text));
        s2s_buf_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_proof_in_clear_where_tls_is_required),
        cmocka_unit_test(external_needs_tls),
        cmocka_unit_test(no_stanza_before_proof),
        cmocka_unit_test(managed_behind_a_proof),
        cmocka_unit_test(both_ways_by_agreement),
        cmocka_unit_test(every_cell_ends_in_a_defined_state),
        cmocka_unit_test(every_row_wins_somewhere),
        cmocka_unit_test(every_act_has_a_row),
        cmocka_unit_test(every_state_is_reached),
        cmocka_unit_test(every_state_can_end),
        cmocka_unit_test(listings_are_as_reviewed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
