/* document.h - a settings file as a tree whose every node knows its place.
 * For:    one YAML document of mappings, lists and scalars.
 * Never:  guesses types: every scalar is text. Anchors, aliases, tags and further documents are refused.
 * Owner:  the arena it was read into.                                       */
#ifndef APP_DOCUMENT_H
#define APP_DOCUMENT_H

#include "app/arena.h"
#include "app/problems.h"

#define APP_DOCUMENT_SIZE_MAX                                                                      \
    1000000 /* bytes: a settings file of this size is a mistake, not a settings file */

typedef enum app_node_kind { APP_SCALAR, APP_LIST, APP_MAP } app_node_kind;

typedef struct app_node {
    app_node_kind kind;
    app_mark at;
    const char *text; /* scalar */
    bool quoted;
    struct app_node *
        *item; /* list: the items; map: key, value, key, value ... (keys may be of any kind) */
    size_t n;  /* number of `item`s */
} app_node;

/* Reads a whole file. NULL: could not, and `problems` says why (all of what can be said of it). */
const app_node *app_document_read(const char *file, app_arena *arena, app_problems *problems);
/* The same from memory. */
const app_node *app_document_parse(const char *text, size_t len, app_arena *arena,
                                   app_problems *problems);

/* The value of a key of a map; NULL: no such key, not a map, or NULL was given. */
const app_node *app_node_get(const app_node *map, const char *key);
app_mark app_node_mark(const app_node *node);         /* of NULL: the file as a whole */
const char *app_node_kind_name(const app_node *node); /* "a list", "a mapping", "text" */

/* After a syntax error: finds every "*..." and "[...]:port" that stands without quotes and says to quote it.
 * How many were found. */
size_t app_document_find_unquoted(const char *text, size_t len, app_problems *problems);

#endif
