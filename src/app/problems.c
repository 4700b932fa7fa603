#include "app/problems.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "app/arena.h"

typedef struct problem {
    app_mark at;
    size_t order; /* of finding */
    bool warning;
    const char *text, *hint;
} problem;

struct app_problems {
    app_arena *arena;
    const char *file;
    problem *list;
    size_t n, errors;
};

app_problems *app_problems_new(const char *file)
{
    app_problems *p = app_take(sizeof *p);
    p->arena = app_arena_new();
    p->file = app_arena_text(p->arena, file, strlen(file));
    return p;
}

void app_problems_free(app_problems *p)
{
    if (!p) return;
    app_arena_free(p->arena);
    free(p);
}

static bool is_known(const app_problems *p, const problem *x)
{
    for (size_t i = 0; i < p->n; i++) {
        const problem *y = &p->list[i];
        if (y->at.line == x->at.line && y->at.column == x->at.column && !strcmp(y->text, x->text))
            return true;
    }
    return false;
}

static void add(app_problems *p, problem x, const char *hint, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = app_arena_take(p->arena, (size_t)(n < 0 ? 0 : n) + 1);
    vsnprintf(text, (size_t)(n < 0 ? 0 : n) + 1, format, again);
    va_end(again);
    x.text = text;
    if (is_known(p, &x)) return;
    x.hint = hint ? app_arena_text(p->arena, hint, strlen(hint)) : NULL;
    x.order = p->n;
    p->list = app_arena_more(p->arena, p->list, p->n, sizeof *p->list);
    p->list[p->n++] = x;
    p->errors += !x.warning;
}

void app_refuse(app_problems *p, app_mark at, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(p, (problem){.at = at}, hint, format, args);
    va_end(args);
}

void app_warn(app_problems *p, app_mark at, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(p, (problem){.at = at, .warning = true}, hint, format, args);
    va_end(args);
}

size_t app_problems_errors(const app_problems *p)
{
    return p->errors;
}

size_t app_problems_warnings(const app_problems *p)
{
    return p->n - p->errors;
}

static int by_place(const void *a, const void *b)
{
    const problem *x = a, *y = b;
    if (x->at.line != y->at.line) return x->at.line < y->at.line ? -1 : 1;
    if (x->at.column != y->at.column) return x->at.column < y->at.column ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

void app_problems_print(app_problems *p, FILE *out)
{
    if (p->n) qsort(p->list, p->n, sizeof *p->list, by_place);
    for (size_t i = 0; i < p->n; i++) {
        const problem *x = &p->list[i];
        fprintf(out, "%s:", p->file);
        if (x->at.line) fprintf(out, "%zu:%zu:", x->at.line, x->at.column);
        fprintf(out, " %s%s\n", x->warning ? "warning: " : "", x->text);
        if (x->hint) fprintf(out, "    hint: %s\n", x->hint);
    }
}
