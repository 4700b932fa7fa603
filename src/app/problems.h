/* problems.h - what is wrong with a settings file, each with its place and a hint.
 * For:    saying all of it at once, in the order of the file.
 * Never:  prints by itself while reading.
 * Owner:  whoever made it; one thread.                                      */
#ifndef APP_PROBLEMS_H
#define APP_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A place in the file, both counted from 1; line 0: the file as a whole. */
typedef struct app_mark {
    size_t line, column;
} app_mark;

typedef struct app_problems app_problems;

app_problems *app_problems_new(const char *file); /* copies the name */
void app_problems_free(app_problems *p);

/* `hint` may be NULL; both texts are copied. One place gets each sentence once. */
void app_refuse(app_problems *p, app_mark at, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void app_warn(app_problems *p, app_mark at, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

size_t app_problems_errors(const app_problems *p);
size_t app_problems_warnings(const app_problems *p);

/* "file:line:column: reason" and, indented on the next line, the hint; sorted by place. */
void app_problems_print(app_problems *p, FILE *out);

#endif
