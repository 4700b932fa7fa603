/* status_take.c - the picture of a live fed. */
#include "app/status_priv.h"

static void add_server(void *ctx, const fed_server_view *v)
{
    app_status_add_server(ctx, v);
}

static void add_conn(void *ctx, const fed_conn_view *v)
{
    app_status_add_conn(ctx, v);
}

static void add_pair(void *ctx, const fed_pair_view *v)
{
    app_status_add_pair(ctx, v);
}

static void add_remote(void *ctx, const fed_remote_view *v)
{
    app_status_add_remote(ctx, v);
}

static void add_why(void *ctx, const char *what, const s2s_err_info *why, uint64_t count)
{
    app_status_add_why(ctx, what, why, count);
}

app_status *app_status_take(fed *f, const app_status_facts *facts)
{
    app_status *s = app_status_new(facts);
    fed_ledger_read(f, FED_INBOUND, &s->ledger[FED_INBOUND]);
    fed_ledger_read(f, FED_OUTBOUND, &s->ledger[FED_OUTBOUND]);
    fed_each_server(f, add_server, s);
    fed_each_conn(f, add_conn, s);
    fed_each_pair(f, add_pair, s);
    fed_each_remote(f, add_remote, s);
    fed_each_why(f, add_why, s);
    return s;
}
