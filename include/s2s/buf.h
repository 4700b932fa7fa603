/* buf.h - a growing run of bytes with a cap, consumed from the front.
 * For:    what a stream is about to send; a stanza while it is written anew.
 * Never:  knows what the bytes mean.
 * Owner:  whoever holds the struct; init in place, fini releases. An empty buffer holds no memory after trim. */
#ifndef S2S_BUF_H
#define S2S_BUF_H

#include "s2s/base.h"

typedef struct s2s_buf {
    char *ptr;
    size_t start; /* consumed */
    size_t end;   /* filled */
    size_t size;  /* allocated */
    size_t cap;   /* most bytes that may be held, 0 = no cap */
} s2s_buf;

void s2s_buf_init(s2s_buf *b, size_t cap);
void s2s_buf_fini(s2s_buf *b);
S2S_MUST_CHECK s2s_err s2s_buf_put(s2s_buf *b,
                                   s2s_span bytes); /* S2S_E_FULL, S2S_E_NOMEM: nothing was added */
S2S_MUST_CHECK s2s_err s2s_buf_puts(s2s_buf *b, const char *text);
S2S_MUST_CHECK s2s_err
s2s_buf_put_escaped(s2s_buf *b, s2s_span text); /* & < > ' " and TAB LF CR as references */
/* " name='value'", the value escaped; all or nothing. */
S2S_MUST_CHECK s2s_err s2s_buf_put_attr(s2s_buf *b, s2s_span name, s2s_span value);
/* Where n more bytes may be written; what is added of them is told by moving b->end. NULL: *err says why, as for put. */
char *s2s_buf_room(s2s_buf *b, size_t n, s2s_err *err);
s2s_span s2s_buf_span(
    const s2s_buf *b); /* what is held; valid until the next call that changes b */
void s2s_buf_consume(s2s_buf *b, size_t n);
void s2s_buf_clear(s2s_buf *b);
void s2s_buf_trim(s2s_buf *b); /* gives the memory back when empty */

#endif
