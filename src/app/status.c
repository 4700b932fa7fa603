#include "app/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/status_priv.h"

static const app_column SERVERS[] = {
    {"name", "SERVER", APP_CELL_TEXT},           {"state", "STATE", APP_CELL_TEXT},
    {"endpoint", "ENDPOINT", APP_CELL_TEXT},     {"pairs", "PAIRS", APP_CELL_NUMBER},
    {"queued", "QUEUED", APP_CELL_NUMBER},       {"queued_bytes", NULL, APP_CELL_NUMBER},
    {"backoff_ms", "WAITS MS", APP_CELL_NUMBER}, {"why", "LAST FAILURE", APP_CELL_TEXT},
};
static const app_column LINKS[] = {
    {"id", "ID", APP_CELL_NUMBER},           {"side", "SIDE", APP_CELL_TEXT},
    {"role", "ROLE", APP_CELL_TEXT},         {"state", "STATE", APP_CELL_TEXT},
    {"peer", "PEER", APP_CELL_TEXT},         {"ours", "OURS", APP_CELL_TEXT},
    {"theirs", "THEIRS", APP_CELL_TEXT},     {"server", "SERVER", APP_CELL_TEXT},
    {"tls", "TLS", APP_CELL_TEXT},           {"version", "VERSION", APP_CELL_TEXT},
    {"resumed", "RESUMED", APP_CELL_FLAG},   {"cipher", NULL, APP_CELL_TEXT},
    {"peer_proof", "PROOF", APP_CELL_TEXT},  {"bidi", "BIDI", APP_CELL_FLAG},
    {"pairs", "PAIRS", APP_CELL_NUMBER},     {"stanzas_in", "IN", APP_CELL_NUMBER},
    {"stanzas_out", "OUT", APP_CELL_NUMBER}, {"sm", "SM", APP_CELL_FLAG},
    {"unacked", "UNACKED", APP_CELL_NUMBER}, {"untaken", NULL, APP_CELL_NUMBER},
    {"age_ms", NULL, APP_CELL_NUMBER},
};
static const app_column PAIRS[] = {
    {"from", "FROM", APP_CELL_TEXT},         {"to", "TO", APP_CELL_TEXT},
    {"way", "WAY", APP_CELL_TEXT},           {"open", "OPEN", APP_CELL_FLAG},
    {"proof", "PROOF", APP_CELL_TEXT},       {"link", "LINK", APP_CELL_LINK},
    {"stanzas", "STANZAS", APP_CELL_NUMBER}, {"queued", "QUEUED", APP_CELL_NUMBER},
    {"queued_bytes", NULL, APP_CELL_NUMBER}, {"why", "LAST FAILURE", APP_CELL_TEXT},
};
static const app_column REMOTES[] = {
    {"domain", "DOMAIN", APP_CELL_TEXT},         {"state", "STATE", APP_CELL_TEXT},
    {"backoff_ms", "WAITS MS", APP_CELL_NUMBER}, {"endpoint", "ENDPOINT", APP_CELL_TEXT},
    {"why", "LAST FAILURE", APP_CELL_TEXT},
};
static const app_column WHYS[] = {
    {"what", "WHAT", APP_CELL_TEXT},
    {"why", "WHY", APP_CELL_TEXT},
    {"stage", "STAGE", APP_CELL_TEXT},
    {"count", "COUNT", APP_CELL_NUMBER},
};

#define COLUMNS(a) a, sizeof(a) / sizeof *(a)
static const app_table TABLES[APP_TABLES] = {
    [APP_SERVERS] = {"servers", "Local servers", COLUMNS(SERVERS), NULL, 0, 0, {0}},
    [APP_LINKS] = {"links", "Links", COLUMNS(LINKS), NULL, 0, 0, {0}},
    [APP_PAIRS] = {"pairs", "Pairs", COLUMNS(PAIRS), NULL, 0, 0, {0}},
    [APP_REMOTES] = {"remotes", "Remote domains", COLUMNS(REMOTES), NULL, 0, 0, {0}},
    [APP_WHYS] = {"whys", "Endings", COLUMNS(WHYS), NULL, 0, 0, {0}},
};

#define LEDGER(name, title, summed)                                                                \
    {                                                                                              \
#name, title, offsetof(fed_ledger_view, name), summed                                      \
    }
const app_ledger_column app_ledger_columns[] = {
    LEDGER(accepted, "ACCEPTED", false), LEDGER(acked, "ACKED", true),
    LEDGER(written, "WRITTEN", true),    LEDGER(bounced, "BOUNCED", true),
    LEDGER(dropped, "DROPPED", true),    LEDGER(in_doubt, "IN DOUBT", true),
    LEDGER(queued, "QUEUED", true),      LEDGER(resent, "RESENT", false),
    LEDGER(own, "OWN", false),
};
const size_t app_ledger_columns_n = sizeof app_ledger_columns / sizeof *app_ledger_columns;

const char *app_way_name(fed_way way)
{
    return way == FED_INBOUND ? "inbound" : "outbound";
}

uint64_t app_ledger_cell(const fed_ledger_view *v, size_t column)
{
    return *(const uint64_t *)((const char *)v + app_ledger_columns[column].offset);
}

/* ---- filling ---- */

app_status *app_status_new(const app_status_facts *facts)
{
    app_status *s = app_take(sizeof *s);
    s->arena = app_arena_new();
    s->facts = *facts;
    memcpy(s->table, TABLES, sizeof s->table);
    for (size_t t = 0; t < APP_TABLES; t++)
        for (size_t c = 0; c < s->table[t].n_columns; c++)
            if (TABLES[t].columns[c].title)
                s->table[t].width[c] = (unsigned)strlen(TABLES[t].columns[c].title);
    return s;
}

void app_status_free(app_status *s)
{
    if (!s) return;
    for (size_t t = 0; t < APP_TABLES; t++)
        free(s->table[t].cells);
    app_arena_free(s->arena);
    free(s);
}

static unsigned digits(uint64_t n)
{
    unsigned d = 1;
    for (; n >= 10; n /= 10)
        d++;
    return d;
}

static void measure(app_table *t, const union app_value *row)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        unsigned width = 3; /* yes */
        if (t->columns[c].cell == APP_CELL_TEXT) width = (unsigned)strlen(row[c].text);
        if (t->columns[c].cell == APP_CELL_NUMBER || t->columns[c].cell == APP_CELL_LINK)
            width = digits(row[c].number);
        if (width > t->width[c]) t->width[c] = width;
    }
}

static void add_row(app_status *s, unsigned table, const union app_value *row)
{
    app_table *t = &s->table[table];
    size_t bytes = t->n_columns * sizeof *row;
    if (t->n == t->size) {
        t->size = t->size ? 2 * t->size : 32;
        t->cells = app_retake(t->cells, t->size * bytes);
    }
    memcpy(t->cells + t->n++ * t->n_columns, row, bytes);
    measure(t, row);
}

static union app_value number(uint64_t n)
{
    return (union app_value){.number = n};
}

/* Texts that live for ever. */
static union app_value constant(const char *text)
{
    return (union app_value){.text = text ? text : ""};
}

static union app_value copied(app_status *s, const char *text)
{
    return constant(text && *text ? app_arena_text(s->arena, text, strlen(text)) : "");
}

static union app_value domain(app_status *s, const s2s_domain *d)
{
    return constant(d->len ? app_arena_text(s->arena, d->text, d->len) : "");
}

static union app_value address(app_status *s, const fed_addr *a)
{
    char text[FED_ADDR_TEXT];
    return a->family ? copied(s, fed_addr_print(a, text)) : constant("");
}

void app_status_add_server(app_status *s, const fed_server_view *v)
{
    const union app_value row[] = {
        copied(s, v->name), copied(s, v->state),     copied(s, v->endpoint), number(v->pairs),
        number(v->queued),  number(v->queued_bytes), number(v->backoff_ms),  copied(s, v->why),
    };
    _Static_assert(sizeof row / sizeof *row == sizeof SERVERS / sizeof *SERVERS,
                   "a cell per column");
    add_row(s, APP_SERVERS, row);
}

void app_status_add_conn(app_status *s, const fed_conn_view *v)
{
    uint64_t now = s->facts.now_ms;
    const union app_value row[] = {
        number(v->id),
        constant(v->side == FED_INSIDE ? "inside" : "outside"),
        constant(v->role == S2S_INITIATING ? "initiating" : "receiving"),
        copied(s, v->state),
        address(s, &v->peer),
        domain(s, &v->ours),
        domain(s, &v->theirs),
        copied(s, v->server),
        constant(!v->tls     ? ""
                 : v->direct ? "direct"
                             : "starttls"),
        copied(s, v->tls ? v->tls->version : ""),
        number(v->tls && v->tls->resumed),
        copied(s, v->tls ? v->tls->cipher : ""),
        constant(v->peer_proof == S2S_PROOF_NONE ? "" : s2s_proof_name(v->peer_proof)),
        number(v->bidi),
        number(v->pairs),
        number(v->stanzas_in),
        number(v->stanzas_out),
        number(v->sm),
        number(v->unacked),
        number(v->untaken),
        number(now > v->since_ms ? now - v->since_ms : 0),
    };
    _Static_assert(sizeof row / sizeof *row == sizeof LINKS / sizeof *LINKS, "a cell per column");
    add_row(s, APP_LINKS, row);
}

void app_status_add_pair(app_status *s, const fed_pair_view *v)
{
    const union app_value row[] = {
        domain(s, &v->from),
        domain(s, &v->to),
        constant(app_way_name(v->way)),
        number(v->open),
        constant(v->proof == S2S_PROOF_NONE ? "" : s2s_proof_name(v->proof)),
        number(v->conn),
        number(v->stanzas),
        number(v->queued),
        number(v->queued_bytes),
        copied(s, v->why),
    };
    _Static_assert(sizeof row / sizeof *row == sizeof PAIRS / sizeof *PAIRS, "a cell per column");
    add_row(s, APP_PAIRS, row);
}

void app_status_add_remote(app_status *s, const fed_remote_view *v)
{
    const union app_value row[] = {
        domain(s, &v->domain),  copied(s, v->state), number(v->backoff_ms),
        copied(s, v->endpoint), copied(s, v->why),
    };
    _Static_assert(sizeof row / sizeof *row == sizeof REMOTES / sizeof *REMOTES,
                   "a cell per column");
    add_row(s, APP_REMOTES, row);
}

void app_status_add_why(app_status *s, const char *what, const s2s_err_info *why, uint64_t count)
{
    const union app_value row[] = {copied(s, what), constant(why->name), constant(why->stage),
                                   number(count)};
    _Static_assert(sizeof row / sizeof *row == sizeof WHYS / sizeof *WHYS, "a cell per column");
    if (count) add_row(s, APP_WHYS, row);
}

void app_status_set_ledger(app_status *s, fed_way way, const fed_ledger_view *v)
{
    s->ledger[way] = *v;
}

/* ---- writing ---- */

void app_status_put(s2s_buf *out, const char *format, ...)
{
    char small[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    S2S_ASSERT(n >= 0 && (size_t)n < sizeof small);
    S2S_ASSERT(s2s_buf_put(out, (s2s_span){small, (size_t)n}) == S2S_E_OK);
}

bool app_status_next(app_status *s, app_status_form form, s2s_buf *out)
{
    switch (form) {
    case APP_STATUS_JSON: return app_status_next_json(s, out);
    case APP_STATUS_TEXT: return app_status_next_text(s, out);
    case APP_STATUS_LEDGER:
        app_status_json_ledger(s, out);
        app_status_put(out, "\n");
        return false;
    }
    return false;
}
