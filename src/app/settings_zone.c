/* settings_zone.c - the records of dns.zone: read once here, so that a wrong one has a place. */
#include <ldns/ldns.h>
#include <string.h>

#include "app/settings_priv.h"

/* The owner of a record in lower case without the last dot, or NULL: *why says why. */
static const char *read_record(app_arena *arena, const char *line, const char **why)
{
    ldns_rr *rr = NULL;
    ldns_status status = ldns_rr_new_frm_str(&rr, line, 3600, NULL, NULL);
    if (status != LDNS_STATUS_OK) {
        *why = ldns_get_errorstr_by_id(status);
        return NULL;
    }
    ldns_dname2canonical(ldns_rr_owner(rr));
    char *owner = ldns_rdf2str(ldns_rr_owner(rr));
    ldns_rr_free(rr);
    size_t len = strlen(owner);
    if (len > 1 && owner[len - 1] == '.') len--;
    const char *name = app_arena_text(arena, owner, len);
    LDNS_FREE(owner);
    return name;
}

static bool is_known(const app_texts *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (!strcmp(names->item[i], name)) return true;
    return false;
}

static void add_name(app_reader *r, const char *name)
{
    app_texts *names = &r->settings->zone_names;
    if (is_known(names, name)) return;
    names->item = app_arena_more(r->arena, names->item, names->n, sizeof *names->item);
    names->item[names->n++] = name;
}

/* A way laid by hand is the only one: the DNS must not add the other kind of SRV record to it (XEP-0368). */
static void add_other_service(app_reader *r, const char *name)
{
    static const char *const prefix[] = {"_xmpp-server._tcp.", "_xmpps-server._tcp."};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(prefix[i]);
        if (strncmp(name, prefix[i], len) == 0)
            add_name(r, app_arena_print(r->arena, "%s%s", prefix[1 - i], name + len));
    }
}

void app_zone_check(app_reader *r)
{
    app_settings *s = r->settings;
    const app_node *list = app_node_get(app_node_get(s->root, "dns"), "zone");
    for (size_t i = 0; i < s->zone.n; i++) {
        const char *why = NULL, *owner = read_record(r->arena, s->zone.item[i], &why);
        const app_node *at = list && list->kind == APP_LIST ? list->item[i] : list;
        if (!owner)
            app_refuse(r->problems, app_node_mark(at), "s.far.example. 60 IN A 192.0.2.7",
                       "dns.zone: \"%.80s\" is not a record: %s", s->zone.item[i], why);
        else {
            add_name(r, owner);
            add_other_service(r, owner);
        }
    }
}
