/* links_options.c - see links_options.h. */
#include "links_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool take(const links_option *o, const char *value)
{
    if (o->text) {
        *o->text = value;
        return true;
    }
    if (o->pids) return usage_parse(o->pids, value);
    if (o->flag) {
        *o->flag = !strcmp(value, o->yes);
        return *o->flag || !strcmp(value, o->no);
    }
    char *end;
    *o->number = strtod(value, &end);
    return *value && !*end && *o->number >= 0 && *o->number <= o->at_most;
}

void links_common_options(links_plan *p, bool *shows, links_option into[LINKS_COMMON])
{
    const links_option options[LINKS_COMMON] = {
        {.name = "--ca", .text = &p->ca},
        {.name = "--outside", .text = &p->outside},
        {.name = "--inside", .text = &p->inside},
        {.name = "--remotes", .text = &p->remotes},
        {.name = "--locals", .text = &p->locals},
        {.name = "--remote-cert", .text = &p->remote_cert},
        {.name = "--remote-key", .text = &p->remote_key},
        {.name = "--local-cert", .text = &p->local_cert},
        {.name = "--local-key", .text = &p->local_key},
        {.name = "--issuer", .text = &p->issuer},
        {.name = "--issuer-key", .text = &p->issuer_key},
        {.name = "--json", .text = &p->json},
        {.name = "--pid", .pids = &p->pids},
        {.name = "--proof", .yes = "dialback", .no = "external", .flag = &p->dialback},
        {.name = "--tls", .yes = "direct", .no = "starttls", .flag = &p->direct},
        {.name = "--peer-cert", .yes = "yes", .no = "no", .flag = shows},
    };
    memcpy(into, options, sizeof options);
}

bool links_read(const links_option *options, size_t n, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const links_option *o = options;
        while (o < options + n && strcmp(o->name, argv[i]) != 0)
            o++;
        if (o == options + n || i + 1 == argc || !take(o, argv[i + 1])) {
            fprintf(stderr, "causeway-load %s: what is %s %s?\n", argv[0], argv[i],
                    i + 1 < argc ? argv[i + 1] : "");
            return false;
        }
    }
    return true;
}

bool links_whole(const links_plan *p)
{
    bool addresses = p->ca && p->outside && p->inside && p->remotes && p->locals;
    bool certs = (p->remote_cert || p->issuer) && p->remote_key && !p->issuer == !p->issuer_key &&
                 !p->local_cert == !p->local_key;
    return addresses && certs && p->count > 0 && p->at_once > 0 && p->stall_s > 0 &&
           (p->dialback || !p->bare) && (p->way == LINKS_OUT || !p->resume);
}
