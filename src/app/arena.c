#include "app/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s2s/base.h"

enum { CHUNK = 16 * 1024, ALIGN = 16 };

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(ALIGN) char bytes[];
} chunk;

struct app_arena {
    chunk *last;
};

static void end_without_memory(void)
{
    fputs("causeway: out of memory\n", stderr);
    abort();
}

void *app_take(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p) end_without_memory();
    return p;
}

void *app_retake(void *p, size_t size)
{
    void *more = realloc(p, size ? size : 1);
    if (!more) end_without_memory();
    return more;
}

app_arena *app_arena_new(void)
{
    return app_take(sizeof(app_arena));
}

void app_arena_free(app_arena *a)
{
    if (!a) return;
    for (chunk *c = a->last, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

void *app_arena_take(app_arena *a, size_t size)
{
    S2S_ASSERT(size < SIZE_MAX / 2);
    size_t need = (size + ALIGN - 1) / ALIGN * ALIGN;
    chunk *c = a->last;
    if (!c || c->size - c->used < need) {
        size_t room = need > CHUNK ? need : CHUNK;
        c = app_take(sizeof *c + room);
        c->size = room;
        c->next = a->last;
        a->last = c;
    }
    void *p = c->bytes + c->used;
    c->used += need;
    return p;
}

char *app_arena_text(app_arena *a, const char *bytes, size_t len)
{
    char *copy = app_arena_take(a, len + 1);
    if (len) memcpy(copy, bytes, len);
    return copy;
}

char *app_arena_print(app_arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    S2S_ASSERT(n >= 0);
    char *text = app_arena_take(a, (size_t)n + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

/* Full when n is 0 or a power of two: then twice the room is taken. */
void *app_arena_more(app_arena *a, void *items, size_t n, size_t size)
{
    if (n != 0 && (n & (n - 1)) != 0) return items;
    S2S_ASSERT(n < SIZE_MAX / 4 / size);
    void *more = app_arena_take(a, (n ? 2 * n : 1) * size);
    if (n) memcpy(more, items, n * size);
    return more;
}
