/* scan.c - see scan.h. */
#include "scan.h"

#include <string.h>

enum { TEXT, OPENED, START, QUOTED, END };

/* Behind the '>' of a tag: is that the end of a first-level element? */
static bool tag_ended(scan *s, bool end_tag)
{
    s->state = TEXT;
    if (end_tag) {
        if (s->depth > 0) s->depth--;
        return s->depth == 0;
    }
    if (s->last != '/') s->depth++;
    return s->depth == 0;
}

static const char *to_char(const char *p, const char *end, char c)
{
    const char *found = memchr(p, c, (size_t)(end - p));
    return found ? found : end;
}

static const char *in_start(scan *s, const char *p, const char *end)
{
    const char *from = p;
    while (p < end && *p != '>' && *p != '\'' && *p != '"')
        p++;
    if (p > from) s->last = p[-1];
    return p;
}

size_t scan_run(scan *s, const char *bytes, size_t n, bool *whole)
{
    const char *p = bytes, *end = bytes + n;
    *whole = false;
    while (p < end && !*whole) {
        switch (s->state) {
        case TEXT:
            p = to_char(p, end, '<');
            if (p < end) s->state = OPENED;
            break;
        case OPENED:
            s->state = *p == '/' ? END : START;
            s->last = *p;
            break;
        case START:
            p = in_start(s, p, end);
            if (p == end) break;
            if (*p == '>')
                *whole = tag_ended(s, false);
            else {
                s->quote = *p;
                s->state = QUOTED;
            }
            break;
        case QUOTED:
            p = to_char(p, end, s->quote);
            if (p < end) s->state = START;
            s->last = s->quote;
            break;
        default:
            p = to_char(p, end, '>');
            if (p < end) *whole = tag_ended(s, true);
            break;
        }
        if (p < end) p++;
    }
    return (size_t)(p - bytes);
}

bool scan_between(const scan *s)
{
    return s->state == TEXT && s->depth == 0;
}
