/* status_text.c - a status picture for people: aligned tables, and last what they add up to. */
#include <stdio.h>
#include <string.h>

#include "app/status_priv.h"

enum { ROWS = 64 };

static void put_padded(s2s_buf *out, const char *text, unsigned width, bool right, bool last)
{
    unsigned len = (unsigned)strlen(text), pad = width > len ? width - len : 0;
    if (right) app_status_put(out, "%*s", (int)pad, "");
    S2S_ASSERT(s2s_buf_puts(out, text) == S2S_E_OK);
    if (!right && !last) app_status_put(out, "%*s", (int)pad, "");
    app_status_put(out, "%s", last ? "\n" : "  ");
}

static size_t last_shown(const app_table *t)
{
    size_t last = t->n_columns - 1;
    while (last > 0 && !t->columns[last].title)
        last--;
    return last;
}

static bool is_right(const app_column *c)
{
    return c->cell == APP_CELL_NUMBER || c->cell == APP_CELL_LINK;
}

static void put_titles(const app_table *t, s2s_buf *out)
{
    app_status_put(out, "\n%s (%zu)\n", t->title, t->n);
    if (t->n == 0) return;
    size_t last = last_shown(t);
    for (size_t c = 0; c <= last; c++)
        if (t->columns[c].title)
            put_padded(out, t->columns[c].title, t->width[c], is_right(&t->columns[c]), c == last);
}

static void put_row(const app_table *t, size_t row, s2s_buf *out)
{
    size_t last = last_shown(t);
    for (size_t c = 0; c <= last; c++) {
        const app_column *column = &t->columns[c];
        const union app_value *v = &t->cells[row * t->n_columns + c];
        char text[24];
        if (!column->title) continue;
        snprintf(text, sizeof text, "%llu", (unsigned long long)v->number);
        const char *shown = column->cell == APP_CELL_TEXT   ? (v->text[0] ? v->text : "-")
                            : column->cell == APP_CELL_FLAG ? (v->number ? "yes" : "no")
                            : column->cell == APP_CELL_LINK && !v->number ? "-"
                                                                          : text;
        put_padded(out, shown, t->width[c], is_right(column), c == last);
    }
}

static void put_table(app_status *s, const app_table *t, s2s_buf *out)
{
    if (s->row == 0) put_titles(t, out);
    for (size_t i = 0; i < ROWS && s->row < t->n; i++, s->row++)
        put_row(t, s->row, out);
    if (s->row < t->n) return;
    s->stage++;
    s->row = 0;
}

static void put_uptime(s2s_buf *out, uint64_t ms)
{
    unsigned long long seconds = ms / 1000, days = seconds / 86400;
    app_status_put(out, "up ");
    if (days) app_status_put(out, "%llud ", days);
    app_status_put(out, "%lluh %02llum %02llus\n", seconds / 3600 % 24, seconds / 60 % 60,
                   seconds % 60);
}

static void put_ledger(const app_status *s, s2s_buf *out)
{
    app_status_put(out, "\nLedger\n%-8s", "WAY");
    for (size_t c = 0; c < app_ledger_columns_n; c++)
        app_status_put(out, "  %10s", app_ledger_columns[c].title);
    for (unsigned way = 0; way < 2; way++) {
        app_status_put(out, "\n%-8s", app_way_name((fed_way)way));
        for (size_t c = 0; c < app_ledger_columns_n; c++)
            app_status_put(out, "  %10llu",
                           (unsigned long long)app_ledger_cell(&s->ledger[way], c));
    }
    app_status_put(out, "\n");
}

static bool put_imbalance(const fed_ledger_view *v, fed_way way, s2s_buf *out)
{
    uint64_t fates = 0;
    if (fed_ledger_balanced(v)) return false;
    for (size_t c = 0; c < app_ledger_columns_n; c++)
        if (app_ledger_columns[c].summed) fates += app_ledger_cell(v, c);
    app_status_put(out, "LEDGER NOT BALANCED: %s: accepted %llu, but the fates add up to %llu\n",
                   app_way_name(way), (unsigned long long)v->accepted, (unsigned long long)fates);
    return true;
}

static void put_closing(const app_status *s, s2s_buf *out)
{
    if (s->facts.log_dropped || s->facts.log_held_back)
        app_status_put(out, "\nlog: %llu lines dropped, %llu held back\n",
                       (unsigned long long)s->facts.log_dropped,
                       (unsigned long long)s->facts.log_held_back);
    put_ledger(s, out);
    app_status_put(out, "\n");
    bool in = put_imbalance(&s->ledger[FED_INBOUND], FED_INBOUND, out);
    bool outward = put_imbalance(&s->ledger[FED_OUTBOUND], FED_OUTBOUND, out);
    if (!in && !outward) app_status_put(out, "%s\n", APP_STATUS_BALANCED);
}

bool app_status_next_text(app_status *s, s2s_buf *out)
{
    if (s->stage == 0 && s->row == 0) {
        app_status_put(out, "causeway %s, ", s->facts.version);
        put_uptime(out, s->facts.uptime_ms);
    }
    if (s->stage < APP_TABLES) {
        put_table(s, &s->table[s->stage], out);
        return true;
    }
    put_closing(s, out);
    return false;
}
