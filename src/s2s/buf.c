/* buf.c - a growing run of bytes with a cap, consumed from the front. */
#include "s2s/buf.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256 /* bytes; smaller ones would only be grown again */

void s2s_buf_init(s2s_buf *b, size_t cap)
{
    *b = (s2s_buf){.cap = cap};
}

void s2s_buf_fini(s2s_buf *b)
{
    free(b->ptr);
    *b = (s2s_buf){.cap = b->cap};
}

static size_t held(const s2s_buf *b)
{
    return b->end - b->start;
}

static void move_to_front(s2s_buf *b)
{
    size_t n = held(b);
    if (n > 0) memmove(b->ptr, b->ptr + b->start, n);
    b->start = 0;
    b->end = n;
}

static s2s_err grow(s2s_buf *b, size_t need)
{
    size_t size = b->size < FIRST_SIZE ? FIRST_SIZE : b->size;
    while (size < need)
        size = size > SIZE_MAX / 2 ? need : size * 2;
    /* The cap bounds what is held; allocating more would break the promise of bounded memory. */
    if (b->cap > 0 && size > b->cap) size = b->cap;
    char *ptr = realloc(b->ptr, size);
    if (ptr == NULL) return S2S_E_NOMEM;
    b->ptr = ptr;
    b->size = size;
    return S2S_E_OK;
}

/* Makes room for n more bytes at the end. */
static s2s_err reserve(s2s_buf *b, size_t n)
{
    size_t have = held(b);
    if (n > SIZE_MAX - have) return S2S_E_NOMEM;
    if (b->cap > 0 && have + n > b->cap) return S2S_E_FULL;
    if (n <= b->size - b->end) return S2S_E_OK;
    /* Half free at the front: moving costs no more than was consumed. */
    if (b->start >= b->size / 2 || b->size == b->cap) move_to_front(b);
    if (n <= b->size - b->end) return S2S_E_OK;
    move_to_front(b);
    return have + n <= b->size ? S2S_E_OK : grow(b, have + n);
}

char *s2s_buf_room(s2s_buf *b, size_t n, s2s_err *err)
{
    bool fits = n <= b->size - b->end;
    if (!fits || b->ptr == NULL || (b->cap > 0 && held(b) + n > b->cap)) {
        *err = reserve(b, n);
        if (*err != S2S_E_OK) return NULL;
    }
    return b->ptr + b->end;
}

s2s_err s2s_buf_put(s2s_buf *b, s2s_span bytes)
{
    s2s_err err = S2S_E_OK;
    if (bytes.len == 0) return S2S_E_OK;
    char *to = s2s_buf_room(b, bytes.len, &err);
    if (to == NULL) return err;
    memcpy(to, bytes.ptr, bytes.len);
    b->end += bytes.len;
    return S2S_E_OK;
}

s2s_err s2s_buf_puts(s2s_buf *b, const char *text)
{
    return s2s_buf_put(b, s2s_span_of(text));
}

/* What stands for a character; 0: itself. */
static const unsigned char code[256] = {
    ['&'] = 1, ['<'] = 2, ['>'] = 3, ['\''] = 4, ['"'] = 5, ['\t'] = 6, ['\n'] = 7, ['\r'] = 8};
static const struct {
    char text[7];
    unsigned char len;
} references[] = {{"", 0},       {"&amp;", 5}, {"&lt;", 4},  {"&gt;", 4}, {"&apos;", 6},
                  {"&quot;", 6}, {"&#x9;", 5}, {"&#xA;", 5}, {"&#xD;", 5}};

static bool is_plain(s2s_span text)
{
    unsigned char seen = 0;
    for (size_t i = 0; i < text.len; i++)
        seen |= code[(unsigned char)text.ptr[i]];
    return seen == 0;
}

static size_t escaped_len(s2s_span text)
{
    size_t n = text.len;
    if (is_plain(text)) return n;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char which = code[(unsigned char)text.ptr[i]];
        if (which > 0) n += references[which].len - 1u;
    }
    return n;
}

static char *lay(char *to, const char *from, size_t n)
{
    if (n > 0) memcpy(to, from, n);
    return to + n;
}

/* `n` is the text's escaped length. */
static char *lay_escaped(char *to, s2s_span text, size_t n)
{
    if (n == text.len) return lay(to, text.ptr, n);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char which = code[(unsigned char)text.ptr[i]];
        if (which == 0)
            *to++ = text.ptr[i];
        else
            to = lay(to, references[which].text, references[which].len);
    }
    return to;
}

s2s_err s2s_buf_put_escaped(s2s_buf *b, s2s_span text)
{
    s2s_err err = S2S_E_OK;
    size_t n = escaped_len(text);
    if (n == 0) return S2S_E_OK;
    char *to = s2s_buf_room(b, n, &err);
    if (to == NULL) return err;
    (void)lay_escaped(to, text, n);
    b->end += n;
    return S2S_E_OK;
}

s2s_err s2s_buf_put_attr(s2s_buf *b, s2s_span name, s2s_span value)
{
    s2s_err err = S2S_E_OK;
    size_t n = escaped_len(value), all = sizeof " =''" - 1 + name.len + n;
    char *to = s2s_buf_room(b, all, &err);
    if (to == NULL) return err;
    *to++ = ' ';
    to = lay(to, name.ptr, name.len);
    to = lay(to, "='", 2);
    *lay_escaped(to, value, n) = '\'';
    b->end += all;
    return S2S_E_OK;
}

s2s_span s2s_buf_span(const s2s_buf *b)
{
    return b->ptr == NULL ? (s2s_span){"", 0} : (s2s_span){b->ptr + b->start, held(b)};
}

void s2s_buf_consume(s2s_buf *b, size_t n)
{
    S2S_ASSERT(n <= held(b));
    b->start += n;
    if (b->start == b->end) s2s_buf_clear(b);
}

void s2s_buf_clear(s2s_buf *b)
{
    b->start = 0;
    b->end = 0;
}

void s2s_buf_trim(s2s_buf *b)
{
    if (held(b) == 0) s2s_buf_fini(b);
}
