/* settings_files.c - what a settings file says of other files, of users, and of this machine. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/privileges.h"
#include "app/settings_priv.h"
#include "io/anchors.h"
#include "io/tls.h"

enum { SECRET_LEAST = 16, DESCRIPTORS_SPARE = 256, SOON = 14 * 24 * 3600 /* s */ };

typedef struct visit {
    app_settings *s;
    app_problems *problems;
    app_service service;
} visit;

static app_mark mark_in(const app_node *key, const app_node *map, const char *name)
{
    const app_node *node = app_node_get(map, name);
    return node ? node->at : app_node_mark(key);
}

static const char *why_not(const visit *v, const char *file)
{
    switch (app_service_can_read(&v->service, file)) {
    case APP_READABLE: return NULL;
    case APP_CANNOT_TELL:
        if (access(file, R_OK) == 0) return NULL;
        break;
    case APP_UNREADABLE: break;
    }
    if (access(file, F_OK) != 0) return "there is no such file";
    return v->service.user ? "the service user cannot read it" : "it cannot be read";
}

/* False: refused. */
static bool check_readable(visit *v, app_mark at, const char *what, const char *file)
{
    const char *why = why_not(v, file);
    char hint[128];
    if (!why) return true;
    snprintf(hint, sizeof hint, "it must be readable by the user %.64s, its folders too",
             v->service.user ? v->service.user : "who runs the daemon");
    app_refuse(v->problems, at, strstr(why, "no such") ? NULL : hint, "%s %s: %s", what, file, why);
    return false;
}

static void check_secrecy(visit *v, app_mark at, const char *what, const char *file)
{
    struct stat st;
    if (stat(file, &st) == 0 && (st.st_mode & (S_IROTH | S_IWOTH)))
        app_warn(v->problems, at, "chmod o-rw", "%s %s can be read or written by everybody", what,
                 file);
}

/* ---- certificates ---- */

static bool check_key(visit *v, app_mark at, const char *key_file)
{
    if (!check_readable(v, at, "the key", key_file)) return false;
    check_secrecy(v, at, "the key", key_file);
    return true;
}

static bool is_of_key(io_cert_fault fault)
{
    return fault == IO_CERT_KEY_MISSING || fault == IO_CERT_KEY_UNREADABLE ||
           fault == IO_CERT_KEY_FORMAT || fault == IO_CERT_KEY_MISMATCH;
}

static const char *check_dates(const io_identity *id)
{
    int64_t from = 0, until = 0, now = (int64_t)time(NULL);
    io_identity_dates(id, &from, &until);
    if (until < now) return "has expired";
    if (from > now) return "is not valid yet";
    return until < now + SOON ? "expires within 14 days" : NULL;
}

/* Gives the certificate with its key, or NULL when it was refused. */
static io_identity *check_pair(visit *v, app_mark at, app_mark key_at, const char *file,
                               const char *key_file)
{
    io_cert_fault fault = IO_CERT_OK;
    bool readable = check_readable(v, at, "the certificate", file);
    if (!check_key(v, key_at, key_file ? key_file : file) || !readable) return NULL;
    io_identity *id = io_identity_load(file, key_file, &fault);
    if (!id) {
        const char *text = io_cert_fault_text(fault);
        if (is_of_key(fault))
            app_refuse(v->problems, key_at, NULL, "the key %s: %s", key_file ? key_file : file,
                       text);
        else
            app_refuse(v->problems, at, NULL, "the certificate %s: %s", file, text);
        return NULL;
    }
    const char *why = check_dates(id);
    if (why) app_warn(v->problems, at, NULL, "the certificate %s %s", file, why);
    return id;
}

static void check_cover(visit *v, const app_domain *d, const app_domain *shown,
                        const io_identity *id)
{
    if (io_identity_covers(id, &d->name)) return;
    if (d == shown)
        app_refuse(v->problems, mark_in(d->key, d->node, "certificate"), NULL,
                   "the certificate %s does not name %s", d->certificate, d->name.text);
    else
        app_refuse(v->problems, d->key->at, "give it a certificate of its own",
                   "%s has no certificate, and that of %s does not cover it", d->name.text,
                   shown->name.text);
}

/* Each certificate once, with all the domains that show it. */
static void check_domain(visit *v, size_t i)
{
    const app_domain *d = &v->s->domains[i];
    if (!d->certificate) return;
    io_identity *id = check_pair(v, mark_in(d->key, d->node, "certificate"),
                                 mark_in(d->key, d->node, d->key_file ? "key" : "certificate"),
                                 d->certificate, d->key_file);
    for (size_t j = 0; id && j < v->s->n_domains; j++)
        if (v->s->domains[j].shown == i) check_cover(v, &v->s->domains[j], d, id);
    io_identity_free(id);
}

static void check_inside(visit *v)
{
    const app_settings *s = v->s;
    if (!s->inside_certificate) return;
    io_identity *id =
        check_pair(v, app_settings_mark(s, "tls", "inside_certificate"),
                   app_settings_mark(s, "tls", s->inside_key ? "inside_key" : "inside_certificate"),
                   s->inside_certificate, s->inside_key);
    io_identity_free(id);
}

static void check_authorities(visit *v, const char *name, const char *path)
{
    struct stat st;
    char why[128] = "";
    app_mark at = app_settings_mark(v->s, "tls", name);
    if (!path || !strcmp(path, "system") || !check_readable(v, at, "the authorities", path)) return;
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    X509_STORE *store = io_store_load(folder ? NULL : path, folder ? path : NULL, why);
    if (!store) app_refuse(v->problems, at, NULL, "the authorities %s: %s", path, why);
    X509_STORE_free(store);
}

/* ---- the rest ---- */

static void check_secret_file(visit *v)
{
    const app_settings *s = v->s;
    char line[512];
    if (!s->secret_file) return;
    app_mark at = app_settings_mark(s, "dialback", "secret_file");
    if (!check_readable(v, at, "the secret", s->secret_file)) return;
    check_secrecy(v, at, "the secret", s->secret_file);
    FILE *in = fopen(s->secret_file, "re");
    if (!in || !fgets(line, sizeof line, in) || strcspn(line, "\r\n") < SECRET_LEAST)
        app_refuse(v->problems, at, "`openssl rand -hex 32` makes a good one",
                   "the secret %s: its first line has fewer than %d characters", s->secret_file,
                   SECRET_LEAST);
    if (in) fclose(in);
}

static void check_admin_folder(visit *v)
{
    struct stat st;
    char folder[256];
    if (!v->s->admin) return;
    const char *slash = strrchr(v->s->admin, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - v->s->admin) : 1,
             slash ? v->s->admin : ".");
    if (!folder[0]) folder[0] = '/', folder[1] = '\0';
    if (stat(folder, &st) == 0 && S_ISDIR(st.st_mode)) return;
    app_warn(v->problems, app_settings_mark(v->s, "listen", "admin"),
             "systemd makes it with RuntimeDirectory=causeway", "there is no folder %s for %s",
             folder, v->s->admin);
}

static void check_settings_file(visit *v)
{
    struct stat st;
    if (stat(v->s->file, &st) == 0 && (st.st_mode & S_IWOTH))
        app_refuse(v->problems, (app_mark){0, 0}, "chmod o-w",
                   "everybody can write to this file: it decides whose word is taken");
}

static void check_service(visit *v)
{
    const app_settings *s = v->s;
    const char *unknown = app_service_find(s->user, s->group, &v->service);
    if (!unknown) return;
    app_refuse(v->problems, app_settings_mark(s, "", unknown), "adduser --system --group causeway",
               "this machine has no %s %s", unknown, *unknown == 'u' ? s->user : s->group);
    v->service.user = NULL;
}

static const char *any_anchor(void *ctx, const char *record)
{
    (void)ctx;
    (void)record;
    return NULL;
}

static void check_anchors(visit *v)
{
    const app_settings *s = v->s;
    const app_mark at = app_settings_mark(s, "dns", "anchor");
    io_anchors_fault fault;
    if (!s->anchor || !check_readable(v, at, "the trust anchors", s->anchor)) return;
    if (io_anchors_read(s->anchor, any_anchor, NULL, &fault)) return;
    if (fault.line > 0)
        app_refuse(v->problems, at, "DS or DNSKEY records, as in /usr/share/dns/root.key",
                   "the trust anchors %s:%zu: %s", s->anchor, fault.line, fault.reason);
    else
        app_refuse(v->problems, at, NULL, "the trust anchors %s: %s", s->anchor, fault.reason);
}

void app_settings_check_files(app_settings *s, app_problems *problems)
{
    visit v = {.s = s, .problems = problems};
    check_service(&v);
    check_settings_file(&v);
    for (size_t i = 0; i < s->n_domains; i++)
        check_domain(&v, i);
    check_inside(&v);
    check_authorities(&v, "ca", s->ca);
    check_authorities(&v, "inside_ca", s->inside_ca);
    check_anchors(&v);
    check_secret_file(&v);
    check_admin_folder(&v);
}

/* Besides the strangers: one connection out for each, the trunks, DNS, listeners, files. */
uint64_t app_settings_descriptors(const app_settings *s)
{
    return 2 * (uint64_t)s->limits.conns_outside + 4 * s->n_servers + DESCRIPTORS_SPARE;
}

void app_settings_check_caps(app_settings *s, app_problems *problems, uint64_t descriptors)
{
    S2S_ASSERT(s->limits.conns_outside > 0);
    uint64_t need = app_settings_descriptors(s);
    if (need <= descriptors) return;
    uint64_t spare = 4 * s->n_servers + DESCRIPTORS_SPARE;
    uint64_t fits = descriptors > spare + 2 ? (descriptors - spare) / 2 : 1;
    char hint[128];
    snprintf(hint, sizeof hint, "LimitNOFILE=%llu in the unit, or conns_outside: %llu",
             (unsigned long long)need, (unsigned long long)fits);
    if (app_settings_has(s, "limits", "conns_outside"))
        app_refuse(problems, app_settings_mark(s, "limits", "conns_outside"), hint,
                   "limits.conns_outside: %u needs %llu file descriptors, and there are only %llu",
                   s->limits.conns_outside, (unsigned long long)need,
                   (unsigned long long)descriptors);
    else
        s->limits.conns_outside = (unsigned)fits;
}
