#include "app/renew.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* What tells one version of a file from the next. */
typedef struct look {
    ino_t inode;
    off_t size;
    struct timespec changed;
} look;

typedef struct certificate {
    size_t i; /* of the settings' domain; n_domains: the inside one */
    const char *domain, *file, *key_file;
    look seen[2];  /* the certificate's and the key's */
    unsigned told; /* how many steps of its end */
} certificate;

struct app_renew {
    app_bind *bind;
    size_t n;
    certificate list[];
};

/* ---- files ---- */

static look look_at(const char *file)
{
    struct stat st;
    look l;
    memset(&l, 0, sizeof l);
    if (!file || stat(file, &st) != 0) return l;
    l.inode = st.st_ino;
    l.size = st.st_size;
    l.changed = st.st_mtim;
    return l;
}

static bool same(const look *a, const look *b)
{
    return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Notes what they look like now. */
static bool changed(certificate *c)
{
    const look now[2] = {look_at(c->file), look_at(c->key_file)};
    bool yes = !same(&now[0], &c->seen[0]) || !same(&now[1], &c->seen[1]);
    c->seen[0] = now[0];
    c->seen[1] = now[1];
    return yes;
}

/* ---- life ---- */

static void add(app_renew *r, size_t i, const char *domain, const char *file, const char *key_file)
{
    if (!file) return;
    certificate *c = &r->list[r->n++];
    *c = (certificate){.i = i, .domain = domain, .file = file, .key_file = key_file};
    (void)changed(c);
}

app_renew *app_renew_new(app_bind *b)
{
    const app_settings *s = b->settings;
    app_renew *r = calloc(1, sizeof *r + (s->n_domains + 1) * sizeof r->list[0]);
    if (!r) return NULL;
    r->bind = b;
    for (size_t i = 0; i < s->n_domains; i++)
        add(r, i, s->domains[i].name.text, s->domains[i].certificate, s->domains[i].key_file);
    add(r, s->n_domains, "inside", s->inside_certificate, s->inside_key);
    return r;
}

void app_renew_free(app_renew *r)
{
    free(r);
}

/* ---- its end ---- */

enum { DAY = 24 * 3600 };

static unsigned step_of(int64_t left)
{
    return left < 0 ? 3 : left < 3 * DAY ? 2 : left < 14 * DAY ? 1 : 0;
}

static const char *date(int64_t at, char out[24])
{
    const time_t t = (time_t)at;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) out[0] = '\0';
    return out;
}

static void tell_end(const app_renew *r, certificate *c, int64_t now)
{
    char until[24], days[24];
    int64_t end = r->bind->until[c->i];
    unsigned step = step_of(end - now);
    if (step <= c->told) return;
    c->told = step;
    snprintf(days, sizeof days, "%" PRId64, (end - now) / DAY);
    app_log_say(r->bind->log, step == 3 ? FED_ERROR : FED_WARN,
                step == 3 ? "certificate_expired" : "certificate_expires", "domain", c->domain,
                "file", c->file, "until", date(end, until), "days", days, NULL);
}

/* ---- looking ---- */

static bool read_again(const app_renew *r, certificate *c)
{
    char until[24];
    const char *why = app_bind_certificate(r->bind, c->i);
    if (why)
        app_log_say(r->bind->log, FED_ERROR, "certificate_kept", "domain", c->domain, "file",
                    c->file, "why", why, "hint",
                    "the one read before is shown until this is mended", NULL);
    else
        app_log_say(r->bind->log, FED_NOTICE, "certificate_renewed", "domain", c->domain, "file",
                    c->file, "until", date(r->bind->until[c->i], until), NULL);
    if (!why) c->told = 0;
    return !why;
}

void app_renew_look(app_renew *r, int64_t now)
{
    for (size_t i = 0; i < r->n; i++) {
        certificate *c = &r->list[i];
        if (changed(c)) (void)read_again(r, c);
        tell_end(r, c, now);
    }
}

size_t app_renew_all(app_renew *r, int64_t now)
{
    size_t shown = 0;
    for (size_t i = 0; i < r->n; i++) {
        certificate *c = &r->list[i];
        (void)changed(c);
        shown += read_again(r, c);
        tell_end(r, c, now);
    }
    return shown;
}
