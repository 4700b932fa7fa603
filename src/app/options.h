/* options.h - the table of options (options.def) as data.
 * For:    the settings reader, the sample and the man page: nothing else says what an option is.
 * Never:  holds a value.
 * Owner:  constants.                                                        */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Type in the file, and the C type of its member in settings.h. */
typedef enum app_option_type {
    APP_OPT_BOOL,      /* bool */
    APP_OPT_COUNT,     /* unsigned */
    APP_OPT_SIZE,      /* size_t, bytes */
    APP_OPT_RATE,      /* uint64_t, bytes per second */
    APP_OPT_TIME,      /* uint32_t, ms */
    APP_OPT_MODE,      /* unsigned: file permissions */
    APP_OPT_CHOICE,    /* int: index of the word */
    APP_OPT_CHOICES,   /* unsigned: a bit per word */
    APP_OPT_NAME,      /* const char *: a plain name */
    APP_OPT_SECRET,    /* const char *: never printed */
    APP_OPT_PATH,      /* const char *: a path; absolute when given */
    APP_OPT_FILE,      /* const char *: the same, of a file that is there already */
    APP_OPT_CA,        /* const char *: a FILE or folder; "system" stays as it is */
    APP_OPT_DOMAIN,    /* s2s_domain */
    APP_OPT_TEXTS,     /* app_texts */
    APP_OPT_ENDPOINTS, /* app_endpoints */
    APP_OPT_HOSTS,     /* app_endpoints without ports */
    APP_OPT_ADDRESSES, /* app_addresses: endpoints or one domain */
    APP_OPT_BLOCKS,    /* app_blocks */
    APP_OPT_PINS,      /* app_pins */
    APP_OPT_TRUST,     /* app_trust: blocks and words */
    APP_OPT_LATER,     /* not available yet */
    APP_OPT_SECTION    /* not an option: opens a section */
} app_option_type;

typedef struct app_option {
    const char *path;
    app_option_type type;
    size_t offset;        /* in app_settings, app_domain, app_server or app_peer */
    const char *fallback; /* the default, as written */
    uint64_t least, most;
    const char *words;
    bool reload;
    const char *example;
    const char *help;
} app_option;

extern const app_option app_options[]; /* ends with a NULL path */

/* The row of a path whose names are already written as *. NULL: none. */
const app_option *app_option_find(const char *path);
/* Is there an option below this path ("listen", "domains.*")? */
bool app_option_is_section(const char *path);

/* The right name nearest to a mistaken one in `section` ("" is the top), written to out; or, when that very word
 * stands in another section, its whole path. */
typedef enum app_near { APP_NEAR_NONE, APP_NEAR_HERE, APP_NEAR_ELSEWHERE } app_near;
app_near app_option_nearest(const char *section, const char *wrong, char *out, size_t size);
/* The nearest word of a space-separated list; NULL when none is near. Writes into out. */
const char *app_word_nearest(const char *words, const char *wrong, char *out, size_t size);
/* Insertions, deletions, changes and swaps of neighbours between two words (at most 63 bytes are looked at). */
unsigned app_word_distance(const char *a, const char *b);
bool app_word_is_near(const char *right, const char *wrong);

/* Walks "one two ~three four=one": gives false at the end. */
typedef struct app_word {
    char text[32];
    char means[32]; /* "" unless it is another way to write a choice */
    bool later;
    int index; /* among those that are choices; of `means` not set */
} app_word;
bool app_word_next(const char **cursor, int *index, app_word *out);
/* "one of: a, b, c", without those to come later. */
void app_word_list(const char *words, char *out, size_t size);

/* The annotated sample, and the source of causeway.yaml(5). */
void app_options_print_sample(FILE *out);
void app_options_print_man(FILE *out);

#endif
