/* status.h - what a running daemon tells of itself, as JSON and for people.
 * For:    one picture of one moment, then written out piece by piece, so that a slow reader or a hundred thousand
 *         pairs do not hold up the loop.
 * Never:  keeps anything lent by fed.
 * Owner:  whoever took it.                                                  */
#ifndef APP_STATUS_H
#define APP_STATUS_H

#include "fed/fed.h"
#include "s2s/buf.h"

typedef struct app_status app_status;

typedef struct app_status_facts {
    const char *version; /* a constant */
    uint64_t uptime_ms;
    uint64_t now_ms; /* fed_world.now */
    uint64_t log_dropped, log_held_back;
} app_status_facts;

/* The picture: sweeps the ledger, walks servers, connections, pairs, remotes and counters. */
app_status *app_status_take(fed *f, const app_status_facts *facts);
void app_status_free(app_status *s);

/* The pieces of it, for tests. Views are copied. */
app_status *app_status_new(const app_status_facts *facts);
void app_status_add_server(app_status *s, const fed_server_view *v);
void app_status_add_conn(app_status *s, const fed_conn_view *v);
void app_status_add_pair(app_status *s, const fed_pair_view *v);
void app_status_add_remote(app_status *s, const fed_remote_view *v);
void app_status_add_why(app_status *s, const char *what, const s2s_err_info *why, uint64_t count);
void app_status_set_ledger(app_status *s, fed_way way, const fed_ledger_view *v);

typedef enum app_status_form {
    APP_STATUS_JSON,
    APP_STATUS_TEXT,
    APP_STATUS_LEDGER
} app_status_form;

/* Appends the next piece (some 10 KiB) to `out`, which has no cap. False: that was the last; do not ask again. */
bool app_status_next(app_status *s, app_status_form form, s2s_buf *out);

/* The last line for people when all is well. */
#define APP_STATUS_BALANCED "ledger balanced"

#endif
