/* handshake.h - the two handshake tables: we wait for, it brings, if, we do, then wait for.
 * For:    deciding what a stream does with what comes; printing and walking the tables.
 * Never:  does it (the neg_*.c files), or looks at bytes (input.c).
 * Owner:  constant data.                                                              */
#ifndef S2S_HANDSHAKE_H
#define S2S_HANDSHAKE_H

#include "s2s/stream.h"

typedef struct s2s_input s2s_input;

typedef enum s2s_expect {
#define EXPECT(name) S2S_##name,
#include "handshake_words.def"
    S2S_EXPECT_COUNT,
    S2S_SAME = S2S_EXPECT_COUNT /* in a row: go on waiting for the same */
} s2s_expect;

typedef enum s2s_brings {
#define BRINGS(name) S2S_BRINGS_##name,
#include "handshake_words.def"
    S2S_BRINGS_COUNT
} s2s_brings;

typedef enum s2s_fact {
#define FACT(name) S2S_FACT_##name,
#include "handshake_words.def"
    S2S_FACT_COUNT
} s2s_fact;

typedef enum s2s_act {
#define ACT(name, function, nature) S2S_ACT_##name,
#define END(name)                   S2S_ACT_END_##name,
#include "handshake_words.def"
    S2S_ACT_COUNT
} s2s_act;

/* What an act means for identity; the walk over the tables rests on it. */
typedef enum s2s_nature {
    S2S_PLAIN,
    S2S_PROVES, /* an identity is proved, or a proof is taken up */
    S2S_CARRIES /* a stanza is accepted */
} s2s_nature;

typedef struct s2s_act_info {
    const char *name;
    void (*run)(s2s_stream *s, const s2s_input *in); /* NULL: the stream ends with err */
    s2s_err err;
    s2s_nature nature;
} s2s_act_info;

/* A set of facts, one bit each. */
#define S2S_BIT(fact) (UINT64_C(1) << (fact))
#define S2S_HAS(name) S2S_BIT(S2S_FACT_##name)

typedef struct s2s_row {
    uint32_t states; /* one bit for each s2s_expect */
    s2s_brings brings;
    uint64_t yes; /* facts which must be so */
    uint64_t no;  /* facts which must not be so */
    s2s_act act;
    s2s_expect next;
} s2s_row;

typedef struct s2s_table {
    const s2s_row *rows;
    size_t count;
} s2s_table;

s2s_table s2s_handshake_table(s2s_role role);
const s2s_act_info *s2s_act_of(s2s_act act);
const char *s2s_expect_name(s2s_expect expect);
const char *s2s_brings_name(s2s_brings brings);
const char *s2s_fact_name(s2s_fact fact);

/* The first fitting row, or NULL: out of turn. */
const s2s_row *s2s_handshake_find(s2s_role role, s2s_expect expect, s2s_brings brings,
                                  uint64_t facts);

/* Finds the row, does what it says and enters the state it names. */
void s2s_handshake_step(s2s_stream *s, const s2s_input *in);

#endif
