/* settings_priv.h - what the parts of the settings reader share.
 * For:    settings.c (walks the file), settings_value.c (reads one option), settings_rules.c and settings_zone.c (what
 *         options say of each other), settings_files.c (what they say of files).
 * Never:  included from outside these.
 * Owner:  the reader lives while one file is read.                          */
#ifndef APP_SETTINGS_PRIV_H
#define APP_SETTINGS_PRIV_H

#include "app/options.h"
#include "app/settings.h"

typedef struct app_reader {
    app_settings *settings;
    app_arena *arena;
    app_problems *problems;
    const char *element; /* the operator's name for what is being read, "" outside */
} app_reader;

/* The path of an option with its * replaced; for messages. */
const char *app_reader_path(app_reader *r, const app_option *o);
/* Reads `node` as `o` into base + o->offset; leaves it as it is when it is wrong (and says so). */
void app_reader_value(app_reader *r, const app_option *o, const app_node *node, void *base);
/* Sets every option of a section ("domains.*", "" for those of app_settings) to its default. */
void app_reader_defaults(app_reader *r, const char *section, void *base);

void app_rules_check(app_reader *r);
/* Reads the records of dns.zone; sets zone_names. */
void app_zone_check(app_reader *r);

/* The certificate shown for domain i. */
size_t app_domain_shown(const app_settings *s, size_t i);

#endif
