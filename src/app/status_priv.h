/* status_priv.h - the tables of a status picture, described once for both forms.
 * For:    status.c and status_take.c (fill them), status_json.c and status_text.c (write them).
 * Never:  included from outside these.
 * Owner:  the picture.                                                      */
#ifndef APP_STATUS_PRIV_H
#define APP_STATUS_PRIV_H

#include "app/arena.h"
#include "app/status.h"

typedef enum app_cell {
    APP_CELL_TEXT,
    APP_CELL_NUMBER,
    APP_CELL_FLAG,
    APP_CELL_LINK
} app_cell; /* LINK: 0 is none */

typedef struct app_column {
    const char *key;   /* JSON */
    const char *title; /* for people; NULL: not shown */
    app_cell cell;
} app_column;

enum { APP_COLUMNS_MAX = 24 };

typedef struct app_table {
    const char *key, *title;
    const app_column *columns;
    size_t n_columns;
    /* n rows of n_columns cells: texts and numbers in one kind of place. */
    union app_value {
        const char *text;
        uint64_t number;
    } * cells;
    size_t n, size;
    unsigned width[APP_COLUMNS_MAX];
} app_table;

enum { APP_SERVERS, APP_LINKS, APP_PAIRS, APP_REMOTES, APP_WHYS, APP_TABLES };

struct app_status {
    app_arena *arena;
    app_status_facts facts;
    app_table table[APP_TABLES];
    fed_ledger_view ledger[2]; /* by fed_way */
    /* where writing has come to */
    unsigned stage;
    size_t row;
};

typedef struct app_ledger_column {
    const char *key, *title;
    size_t offset; /* in fed_ledger_view, uint64_t */
    bool summed;   /* a fate */
} app_ledger_column;
extern const app_ledger_column app_ledger_columns[];
extern const size_t app_ledger_columns_n;

const char *app_way_name(fed_way way); /* "inbound" "outbound" */
uint64_t app_ledger_cell(const fed_ledger_view *v, size_t column);

void app_status_put(s2s_buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool app_status_next_json(app_status *s, s2s_buf *out);
bool app_status_next_text(app_status *s, s2s_buf *out);
void app_status_json_ledger(const app_status *s, s2s_buf *out);

#endif
