/* base.c - spans, the assert that stays on, the table of errors. */
#include "s2s/base.h"

#include <assert.h>
#include <string.h>

s2s_span s2s_span_of(const char *text)
{
    return text == NULL ? (s2s_span){NULL, 0} : (s2s_span){text, strlen(text)};
}

bool s2s_span_eq(s2s_span a, s2s_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Asked of names all the time, mostly in vain: the first octets decide. */
bool s2s_span_is(s2s_span a, const char *text)
{
    if (text == NULL) return a.len == 0;
    for (size_t i = 0; i < a.len; i++)
        if (text[i] == '\0' || text[i] != a.ptr[i]) return false;
    return text[a.len] == '\0';
}

/* The core may not write to files; the C library's own last words may. */
void s2s_assert_failed(const char *what, const char *file, int line)
{
    __assert_fail(what, file, (unsigned)line, "s2s");
}

/* The rows of err.def are named in capitals; labels are wanted in lower case. Both compilers fold
 * an index into a literal, so no name is written twice. */
#define AT(text, i) ((text)[(i) < sizeof(text) ? (i) : sizeof(text) - 1])
#define LOW(text, i)                                                                               \
    (AT(text, i) >= 'A' && AT(text, i) <= 'Z' ? (char)(AT(text, i) - 'A' + 'a') : AT(text, i))
#define LOW4(text, i)  LOW(text, i), LOW(text, (i) + 1), LOW(text, (i) + 2), LOW(text, (i) + 3)
#define LOW12(text, i) LOW4(text, i), LOW4(text, (i) + 4), LOW4(text, (i) + 8)
#define NAME_MAX_LEN   24

static const char names[S2S_E_COUNT][NAME_MAX_LEN] = {
#define X(name, cls, stage, stream, stanza, retry, sentence) {LOW12(#name, 0), LOW12(#name, 12)},
#include "s2s/err.def"
#undef X
};

#define X(name, cls, stage, stream, stanza, retry, sentence)                                       \
    _Static_assert(sizeof(#name) <= NAME_MAX_LEN, "an error's name is too long for the table");
#include "s2s/err.def"
#undef X

static const s2s_err_info infos[S2S_E_COUNT] = {
#define X(name, cls, stage, stream, stanza, retry, sentence)                                       \
    {names[S2S_E_##name], S2S_CLASS_##cls, stage, stream, stanza, S2S_RETRY_##retry, sentence},
#include "s2s/err.def"
#undef X
};

const s2s_err_info *s2s_err_of(s2s_err err)
{
    S2S_ASSERT((unsigned)err < (unsigned)S2S_E_COUNT);
    return &infos[err];
}
