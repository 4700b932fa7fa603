/* status_json.c - a status picture as JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "app/status_priv.h"

enum { ROWS = 64 }; /* of one piece */

static json_t *cell(const app_column *c, const union app_value *v)
{
    switch (c->cell) {
    case APP_CELL_NUMBER: return json_integer((json_int_t)v->number);
    case APP_CELL_FLAG: return json_boolean(v->number);
    case APP_CELL_LINK: return v->number ? json_integer((json_int_t)v->number) : json_null();
    case APP_CELL_TEXT: {
        json_t *text = json_string(v->text);
        return text ? text : json_string("?"); /* not UTF-8 */
    }
    }
    return json_null();
}

static void put_json(s2s_buf *out, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    json_decref(value);
    S2S_ASSERT(text != NULL && s2s_buf_puts(out, text) == S2S_E_OK);
    free(text);
}

static void put_row(const app_table *t, size_t row, s2s_buf *out)
{
    json_t *object = json_object();
    for (size_t c = 0; c < t->n_columns; c++)
        json_object_set_new(object, t->columns[c].key,
                            cell(&t->columns[c], &t->cells[row * t->n_columns + c]));
    put_json(out, object);
}

static void put_rows(app_status *s, const app_table *t, s2s_buf *out)
{
    if (s->row == 0) app_status_put(out, "\"%s\":[", t->key);
    for (size_t i = 0; i < ROWS && s->row < t->n; i++, s->row++) {
        app_status_put(out, "%s\n", s->row ? "," : "");
        put_row(t, s->row, out);
    }
    if (s->row < t->n) return;
    app_status_put(out, "],\n");
    s->stage++;
    s->row = 0;
}

void app_status_json_ledger(const app_status *s, s2s_buf *out)
{
    json_t *both = json_object();
    for (unsigned way = 0; way < 2; way++) {
        const fed_ledger_view *v = &s->ledger[way];
        json_t *one = json_object();
        for (size_t c = 0; c < app_ledger_columns_n; c++)
            json_object_set_new(one, app_ledger_columns[c].key,
                                json_integer((json_int_t)app_ledger_cell(v, c)));
        json_object_set_new(one, "balanced", json_boolean(fed_ledger_balanced(v)));
        json_object_set_new(both, app_way_name((fed_way)way), one);
    }
    put_json(out, both);
}

bool app_status_next_json(app_status *s, s2s_buf *out)
{
    if (s->stage == 0 && s->row == 0)
        app_status_put(out, "{\"version\":\"%s\",\"uptime_ms\":%llu,\n", s->facts.version,
                       (unsigned long long)s->facts.uptime_ms);
    if (s->stage < APP_TABLES) {
        put_rows(s, &s->table[s->stage], out);
        return true;
    }
    app_status_put(out, "\"ledger\":");
    app_status_json_ledger(s, out);
    app_status_put(out, ",\n\"log\":{\"dropped\":%llu,\"held_back\":%llu}}\n",
                   (unsigned long long)s->facts.log_dropped,
                   (unsigned long long)s->facts.log_held_back);
    return false;
}
