#include "handshake.h"

#include <string.h>

#include "stream_priv.h"

/* ---- the words ---- */

static const char *const expect_names[] = {
#define EXPECT(name) #name,
#include "handshake_words.def"
};

static const char *const brings_names[] = {
#define BRINGS(name) #name,
#include "handshake_words.def"
};

static const char *const fact_names[] = {
#define FACT(name) #name,
#include "handshake_words.def"
};

static const s2s_act_info act_infos[] = {
#define ACT(name, function, nature) {#name, function, S2S_E_OK, S2S_##nature},
#define END(name)                   {"END_" #name, NULL, S2S_E_##name, S2S_PLAIN},
#include "handshake_words.def"
};

_Static_assert(S2S_FACT_COUNT <= 64, "facts are bits of a uint64_t");
_Static_assert(S2S_EXPECT_COUNT <= 32, "states are bits of a uint32_t");

/* ---- the tables ---- */

#define S(name) (UINT32_C(1) << S2S_##name)
#define F(name) S2S_HAS(name)
#define ALWAYS  0
#define NEVER   0

/* Sets of states. ANY: those of the role in which the peer is read. */
#define READING  (S(EXPECT_FEATURES) | S(EXPECT_SASL) | S(EXPECT_DIALBACK))
#define BACK     (S(EXPECT_DIALBACK) | S(EXPECT_CLOSE))
#define PROVING  (S(EXPECT_STARTTLS) | S(EXPECT_PROOF) | S(EXPECT_RESPONSE))
#define SASL     (S(EXPECT_PROOF) | S(EXPECT_RESPONSE))
#define DIALBACK (S(EXPECT_STARTTLS) | S(EXPECT_PROOF) | S(EXPECT_STANZA))
#define PROVED   (S(EXPECT_PROOF) | S(EXPECT_STANZA))
#define OPEN     (S(EXPECT_STANZA) | S(EXPECT_CLOSE))

#define ROW(states, brings, yes, no, act, next)                                                    \
    {(states), S2S_BRINGS_##brings, (yes), (no), S2S_ACT_##act, S2S_##next},

#define ANY (S(EXPECT_HEAD) | S(EXPECT_PROCEED) | READING | S(EXPECT_CLOSE))
static const s2s_row initiating_rows[] = {
#include "handshake_initiating.def"
};

#undef ANY
#define ANY (S(EXPECT_HEAD) | PROVING | OPEN)
static const s2s_row receiving_rows[] = {
#include "handshake_receiving.def"
};

s2s_table s2s_handshake_table(s2s_role role)
{
    if (role == S2S_INITIATING)
        return (s2s_table){initiating_rows, sizeof initiating_rows / sizeof initiating_rows[0]};
    return (s2s_table){receiving_rows, sizeof receiving_rows / sizeof receiving_rows[0]};
}

const s2s_act_info *s2s_act_of(s2s_act act)
{
    S2S_ASSERT(act < S2S_ACT_COUNT);
    return &act_infos[act];
}

const char *s2s_expect_name(s2s_expect expect)
{
    S2S_ASSERT(expect < S2S_EXPECT_COUNT);
    return expect_names[expect];
}

const char *s2s_brings_name(s2s_brings brings)
{
    S2S_ASSERT(brings < S2S_BRINGS_COUNT);
    return brings_names[brings];
}

const char *s2s_fact_name(s2s_fact fact)
{
    S2S_ASSERT(fact < S2S_FACT_COUNT);
    return fact_names[fact];
}

/* ---- a step ---- */

const s2s_row *s2s_handshake_find(s2s_role role, s2s_expect expect, s2s_brings brings,
                                  uint64_t facts)
{
    s2s_table table = s2s_handshake_table(role);
    uint32_t state = UINT32_C(1) << expect;

    for (size_t i = 0; i < table.count; i++) {
        const s2s_row *row = &table.rows[i];
        if (row->brings == brings && (row->states & state) != 0 && (facts & row->yes) == row->yes &&
            (facts & row->no) == 0)
            return row;
    }
    return NULL;
}

void s2s_handshake_step(s2s_stream *s, const s2s_input *in)
{
    const s2s_row *row =
        s2s_handshake_find(s->config.role, s->expect, in->brings, s2s_facts(s) | in->facts);
    if (row == NULL) {
        s2s_stream_die(s, S2S_E_OUT_OF_TURN);
        return;
    }
    const s2s_act_info *act = s2s_act_of(row->act);
    if (act->run == NULL)
        s2s_stream_die(s, act->err);
    else
        act->run(s, in);
    if (s->expect == S2S_DEAD) return; /* the act may have failed */
    if (row->next != S2S_SAME) s2s_stream_enter(s, row->next);
    s2s_out_check(s);
}

/* ---- printing ---- */

/* Appends to a line of fixed size; the longest row is far below it, which the golden test shows. */
static void append(char *line, size_t size, const char *text)
{
    size_t used = strlen(line);
    S2S_ASSERT(used + strlen(text) < size);
    memcpy(line + used, text, strlen(text) + 1);
}

static void append_facts(char *line, size_t size, uint64_t facts, const char *before)
{
    for (unsigned f = 0; f < S2S_FACT_COUNT; f++) {
        if ((facts & S2S_BIT(f)) == 0) continue;
        size_t used = strlen(line);
        append(line, size, used >= 2 && line[used - 2] == '|' ? "" : ", ");
        append(line, size, before);
        append(line, size, fact_names[f]);
    }
}

static void print_row(const s2s_row *row, s2s_expect state, void (*line)(void *, const char *),
                      void *ctx)
{
    char text[400] = "";
    append(text, sizeof text, expect_names[state]);
    append(text, sizeof text, " | ");
    append(text, sizeof text, brings_names[row->brings]);
    append(text, sizeof text, " | ");
    if (row->yes == 0 && row->no == 0) append(text, sizeof text, "always");
    append_facts(text, sizeof text, row->yes, "");
    append_facts(text, sizeof text, row->no, "not ");
    append(text, sizeof text, " | ");
    append(text, sizeof text, act_infos[row->act].name);
    append(text, sizeof text, " | ");
    append(text, sizeof text, expect_names[row->next == S2S_SAME ? state : row->next]);
    line(ctx, text);
}

void s2s_handshake_print(s2s_role role, void (*line)(void *ctx, const char *text), void *ctx)
{
    s2s_table table = s2s_handshake_table(role);

    for (unsigned state = 0; state < S2S_EXPECT_COUNT; state++)
        for (size_t i = 0; i < table.count; i++)
            if ((table.rows[i].states & (UINT32_C(1) << state)) != 0)
                print_row(&table.rows[i], (s2s_expect)state, line, ctx);
}
