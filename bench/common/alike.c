/* alike.c - see alike.h. Both are written with the attributes of each element in one order, then compared. */
#include "alike.h"

#include <s2s/buf.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"

enum { ATTRS_MAX = 64, CHILDREN_MAX = 64 };

static void put(s2s_buf *out, s2s_span bytes)
{
    s2s_err err = s2s_buf_put(out, bytes);
    S2S_ASSERT(err == S2S_E_OK);
}

static int by_bytes(const void *a, const void *b)
{
    const s2s_span *x = a, *y = b;
    int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Behind an attribute's closing quote; `end` when there is none. */
static const char *attr_end(const char *p, const char *end)
{
    const char *quote = memchr(p, '\'', (size_t)(end - p));
    const char *close = quote ? memchr(quote + 1, '\'', (size_t)(end - quote - 1)) : NULL;
    return close ? close + 1 : end;
}

/* `tag` is a start tag without its "<" and ">" (or "/>"): name and attributes. */
static void put_sorted(s2s_buf *out, s2s_span tag)
{
    s2s_span attrs[ATTRS_MAX];
    size_t n = 0;
    const char *end = tag.ptr + tag.len, *p = memchr(tag.ptr, ' ', tag.len);
    put(out, (s2s_span){tag.ptr, (size_t)((p ? p : end) - tag.ptr)});
    while (p && p < end && n < ATTRS_MAX) {
        const char *next = attr_end(p, end);
        attrs[n++] = (s2s_span){p, (size_t)(next - p)};
        p = next;
    }
    qsort(attrs, n, sizeof *attrs, by_bytes);
    for (size_t i = 0; i < n; i++)
        put(out, attrs[i]);
    if (p && p < end) put(out, (s2s_span){p, (size_t)(end - p)});
}

/* Canonical bytes have no ">" in attributes and only "'" around them. */
static void put_normal(s2s_buf *out, s2s_span stanza)
{
    const char *p = stanza.ptr, *end = p + stanza.len;
    while (p < end) {
        const char *open = memchr(p, '<', (size_t)(end - p));
        const char *close = open ? memchr(open, '>', (size_t)(end - open)) : NULL;
        if (!close) break;
        put(out, (s2s_span){p, (size_t)(open + 1 - p)});
        if (open[1] != '/') {
            const char *tail = close[-1] == '/' ? close - 1 : close;
            put_sorted(out, (s2s_span){open + 1, (size_t)(tail - open - 1)});
            p = tail;
        } else
            p = open + 1;
        put(out, (s2s_span){p, (size_t)(close + 1 - p)});
        p = close + 1;
    }
    put(out, (s2s_span){p, (size_t)(end - p)});
}

/* Cuts what is between a stanza's tags; gives how many children there are, 0 also when they are too many or not well cut. */
static size_t children(s2s_span stanza, s2s_span *head, s2s_span out[CHILDREN_MAX])
{
    const char *tag = memchr(stanza.ptr, '>', stanza.len);
    size_t n = 0;
    if (!tag || tag == stanza.ptr || tag[-1] == '/') return 0;
    *head = (s2s_span){stanza.ptr, (size_t)(tag + 1 - stanza.ptr)};
    s2s_span rest = {tag + 1, stanza.len - head->len};
    while (rest.len > 1 && n < CHILDREN_MAX && !(rest.ptr[0] == '<' && rest.ptr[1] == '/')) {
        scan s = {.state = 0};
        bool whole;
        out[n] = (s2s_span){rest.ptr, scan_run(&s, rest.ptr, rest.len, &whole)};
        if (!whole) return 0;
        rest.ptr += out[n].len;
        rest.len -= out[n].len;
        n++;
    }
    return n < CHILDREN_MAX ? n : 0;
}

static bool same_children(s2s_span a, s2s_span b)
{
    s2s_span head, other_head, ours[CHILDREN_MAX], theirs[CHILDREN_MAX];
    size_t n = children(a, &head, ours);
    if (n == 0 || n != children(b, &other_head, theirs) || !s2s_span_eq(head, other_head))
        return false;
    qsort(ours, n, sizeof *ours, by_bytes);
    qsort(theirs, n, sizeof *theirs, by_bytes);
    for (size_t i = 0; i < n; i++)
        if (!s2s_span_eq(ours[i], theirs[i])) return false;
    return true;
}

alike alike_of(s2s_span a, s2s_span b)
{
    s2s_buf ours, theirs;
    if (a.len != b.len) return ALIKE_NOT;
    s2s_buf_init(&ours, 0);
    s2s_buf_init(&theirs, 0);
    put_normal(&ours, a);
    put_normal(&theirs, b);
    s2s_span x = s2s_buf_span(&ours), y = s2s_buf_span(&theirs);
    alike how = s2s_span_eq(x, y) ? ALIKE_SAME : same_children(x, y) ? ALIKE_REARRANGED : ALIKE_NOT;
    s2s_buf_fini(&ours);
    s2s_buf_fini(&theirs);
    return how;
}
