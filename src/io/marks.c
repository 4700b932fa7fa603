/* marks.c - see marks.h. */
#include "io/marks.h"

#include <stdlib.h>
#include <string.h>

enum { SIZE_FIRST = 16 };

void io_marks_init(io_marks *m, uint64_t plain)
{
    *m = (io_marks){.plain = plain};
}

void io_marks_fini(io_marks *m)
{
    free(m->item);
    m->item = NULL;
    m->first = m->n = m->size = 0;
}

static bool make_room(io_marks *m)
{
    if (m->first + m->n < m->size) return true;
    if (m->first > 0) {
        memmove(m->item, m->item + m->first, m->n * sizeof *m->item);
        m->first = 0;
        return true;
    }
    size_t size = m->size > 0 ? 2 * m->size : SIZE_FIRST;
    if (size > IO_MARKS_MAX) return false;
    io_mark *item = realloc(m->item, size * sizeof *item);
    if (!item) return false;
    m->item = item;
    m->size = size;
    return true;
}

void io_marks_add(io_marks *m, uint64_t plain, uint64_t wire)
{
    if (make_room(m)) m->n++;
    /* Not even one: what is written now is acknowledged with what comes next, or never. */
    if (m->n == 0) return;
    m->item[m->first + m->n - 1] = (io_mark){plain, wire};
}

bool io_marks_full(const io_marks *m)
{
    return m->n == IO_MARKS_MAX;
}

uint64_t io_marks_acked(io_marks *m, uint64_t wire)
{
    while (m->n > 0 && m->item[m->first].wire <= wire) {
        m->plain = m->item[m->first].plain;
        m->first++;
        m->n--;
    }
    if (m->n == 0) io_marks_fini(m);
    return m->plain;
}
