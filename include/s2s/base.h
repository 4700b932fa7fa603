/* base.h - spans, asserts and the one table of errors.
 * For:    the few words every other header of the core needs.
 * Never:  allocates.                                                        */
#ifndef S2S_BASE_H
#define S2S_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define S2S_MUST_CHECK __attribute__((warn_unused_result))
#else
#define S2S_MUST_CHECK
#endif

/* Bytes owned by somebody else; not terminated. {NULL, 0} is "absent". */
typedef struct s2s_span {
    const char *ptr;
    size_t len;
} s2s_span;

#define S2S_LIT(text) ((s2s_span){(text), sizeof(text) - 1})

s2s_span s2s_span_of(const char *text); /* borrows a C string; NULL gives the absent span */
bool s2s_span_eq(s2s_span a, s2s_span b);
bool s2s_span_is(s2s_span a, const char *text);

/* Our own fault: says where and aborts, in release builds too. */
#define S2S_ASSERT(cond) ((cond) ? (void)0 : s2s_assert_failed(#cond, __FILE__, __LINE__))
_Noreturn void s2s_assert_failed(const char *what, const char *file, int line);

/* Every way an operation, an attempt, a link or a stanza can end. One row each in err.def:
 * X(name, class, stage, stream condition, stanza condition, retry, sentence) */
typedef enum s2s_err {
#define X(name, cls, stage, stream, stanza, retry, sentence) S2S_E_##name,
#include "s2s/err.def"
#undef X
    S2S_E_COUNT
} s2s_err;

typedef enum s2s_err_class {
    S2S_CLASS_OK,
    S2S_CLASS_PEER,
    S2S_CLASS_POLICY,
    S2S_CLASS_NET,
    S2S_CLASS_SELF
} s2s_err_class;
typedef enum s2s_retry { S2S_RETRY_NEVER, S2S_RETRY_LATER, S2S_RETRY_OTHER } s2s_retry;

/* Constant facts of an error; lives for ever. Empty strings where there is none. */
typedef struct s2s_err_info {
    const char *name; /* stable, lower case: label of logs and metrics */
    s2s_err_class cls;
    const char *stage;  /* dns tcp tls certificate sasl dialback stream policy limit local */
    const char *stream; /* RFC 6120 4.9.3 condition, "" when none is to be sent */
    const char *stanza; /* RFC 6120 8.3.3 condition for a bounce toward our own side */
    s2s_retry retry;
    const char *sentence; /* for people */
} s2s_err_info;

const s2s_err_info *s2s_err_of(s2s_err err);

#endif
