/* arena.h - memory that lives and dies with one object (settings, one status answer).
 * For:    many small values whose lifetimes are the same.
 * Never:  gives single pieces back; never gives NULL: without memory the program ends with a message.
 * Owner:  whoever made it; one thread.                                      */
#ifndef APP_ARENA_H
#define APP_ARENA_H

#include <stddef.h>

typedef struct app_arena app_arena;

app_arena *app_arena_new(void);
void app_arena_free(app_arena *a); /* NULL is fine */

void *app_arena_take(app_arena *a, size_t size); /* zeroed, aligned for anything */
char *app_arena_text(app_arena *a, const char *bytes, size_t len); /* a NUL-terminated copy */
char *app_arena_print(app_arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A list that doubles: gives room for one more item of `size` bytes behind `n` of them. Old places stay
 * as they are until the arena goes. */
void *app_arena_more(app_arena *a, void *items, size_t n, size_t size);

/* malloc and friends for the few objects outside an arena; end the program when there is no memory. */
void *app_take(size_t size); /* zeroed; for free() */
void *app_retake(void *p, size_t size);

#endif
