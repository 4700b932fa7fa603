/* bind_tls.c - certificates of ours, and whom we trust. */
#include <string.h>
#include <sys/stat.h>

#include "app/bind.h"

static const char *fault_text(const app_bind *b, const char *file, const char *fault)
{
    return app_arena_print(b->settings->arena, "%s: %s", file, fault);
}

/* ---- certificates of ours ---- */

/* The first certificate is the default. */
static bool is_default(const app_settings *s, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (s->domains[j].certificate) return false;
    return true;
}

/* One identity for all the domains that show it. */
static s2s_err show(app_bind *b, size_t i, io_identity *id)
{
    const app_settings *s = b->settings;
    s2s_err err = S2S_E_OK;
    if (i == s->n_domains) return io_tls_add(b->tls[FED_INSIDE], NULL, id);
    for (size_t j = 0; j < s->n_domains && err == S2S_E_OK; j++)
        if (s->domains[j].shown == i)
            err = io_tls_add(b->tls[FED_OUTSIDE], &s->domains[j].name, id);
    if (is_default(s, i) && err == S2S_E_OK) err = io_tls_add(b->tls[FED_OUTSIDE], NULL, id);
    return err;
}

static const char *not_covered(const app_settings *s, size_t i, const io_identity *id)
{
    for (size_t j = 0; j < s->n_domains; j++)
        if (s->domains[j].shown == i && !io_identity_covers(id, &s->domains[j].name))
            return "it does not name all the domains that show it";
    return NULL;
}

const char *app_bind_certificate(app_bind *b, size_t i)
{
    const app_settings *s = b->settings;
    bool inside = i == s->n_domains;
    io_cert_fault fault = IO_CERT_OK;
    int64_t from, until;
    io_identity *id = io_identity_load(inside ? s->inside_certificate : s->domains[i].certificate,
                                       inside ? s->inside_key : s->domains[i].key_file, &fault);
    if (!id) return io_cert_fault_text(fault);
    io_identity_dates(id, &from, &until);
    const char *why = inside ? NULL : not_covered(s, i, id);
    s2s_err err = why ? S2S_E_OK : show(b, i, id);
    io_identity_free(id);
    if (!why && err != S2S_E_OK) why = s2s_err_of(err)->sentence;
    if (!why) b->until[i] = until;
    return why;
}

static const char *add_domains(app_bind *b)
{
    const app_settings *s = b->settings;
    for (size_t i = 0; i < s->n_domains; i++) {
        if (!s->domains[i].certificate) continue;
        const char *why = app_bind_certificate(b, i);
        if (why) return fault_text(b, s->domains[i].certificate, why);
    }
    return NULL;
}

static const char *add_inside(app_bind *b)
{
    const app_settings *s = b->settings;
    if (!s->inside_certificate) {
        b->tls[FED_INSIDE] = b->tls[FED_OUTSIDE];
        return NULL;
    }
    b->tls[FED_INSIDE] = io_tls_new();
    if (!b->tls[FED_INSIDE]) return "out of memory";
    const char *why = app_bind_certificate(b, s->n_domains);
    return why ? fault_text(b, s->inside_certificate, why) : NULL;
}

/* ---- whom we trust ---- */

static const char *load_store(app_bind *b, const char *path, X509_STORE **out)
{
    char why[128] = "";
    struct stat st;
    bool system = !strcmp(path, "system");
    bool folder = !system && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    *out = io_store_load(system || folder ? NULL : path, folder ? path : NULL, why);
    return *out ? NULL : fault_text(b, path, why);
}

enum { VERDICTS = 4096 /* chains, some 60 octets each */ };

static const char *make_verdicts(app_bind *b)
{
    for (size_t i = 0; i < APP_SIDES; i++) {
        b->verdicts[i] = io_verdicts_new(b->store[i], VERDICTS);
        if (!b->verdicts[i]) return "out of memory";
    }
    return NULL;
}

enum { KEYS = 8192 /* domains, some 50 octets each */ };

static const char *make_keys(app_bind *b)
{
    b->keys = io_keys_new(KEYS);
    return b->keys ? NULL : "out of memory";
}

static const char *make_sessions(app_bind *b)
{
    io_sessions_limits limits;
    uint32_t seed;
    io_sessions_limits_init(&limits);
    limits.places = b->settings->tls_sessions;
    io_random(&seed, sizeof seed);
    b->sessions = io_sessions_new(&limits, seed);
    return b->sessions ? NULL : "out of memory";
}

const char *app_bind_tls(app_bind *b)
{
    const app_settings *s = b->settings;
    b->until = app_arena_take(s->arena, (s->n_domains + 1) * sizeof *b->until);
    b->tls[FED_OUTSIDE] = io_tls_new();
    if (!b->tls[FED_OUTSIDE]) return "out of memory";
    const char *why = add_domains(b);
    if (!why) why = add_inside(b);
    if (!why) why = make_sessions(b);
    if (!why) why = make_keys(b);
    if (!why) why = load_store(b, s->ca, &b->store[FED_OUTSIDE]);
    if (!why && s->inside_ca)
        why = load_store(b, s->inside_ca, &b->store[FED_INSIDE]);
    else
        b->store[FED_INSIDE] = b->store[FED_OUTSIDE];
    return why ? why : make_verdicts(b);
}
