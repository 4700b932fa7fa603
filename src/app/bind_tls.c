/* bind_tls.c - certificates of ours, and whom we trust. */
#include <string.h>
#include <sys/stat.h>

#include "app/bind.h"

static const char *fault_text(const app_bind *b, const char *file, const char *fault)
{
    return app_arena_print(b->settings->arena, "%s: %s", file, fault);
}

/* One identity for all the domains that show it; the first certificate is the default. */
static const char *add_domain(app_bind *b, size_t i, bool is_default)
{
    const app_settings *s = b->settings;
    const app_domain *d = &s->domains[i];
    io_cert_fault fault = IO_CERT_OK;
    s2s_err err = S2S_E_OK;
    io_identity *id = io_identity_load(d->certificate, d->key_file, &fault);
    if (!id) return fault_text(b, d->certificate, io_cert_fault_text(fault));
    for (size_t j = 0; j < s->n_domains && err == S2S_E_OK; j++)
        if (s->domains[j].shown == i)
            err = io_tls_add(b->tls[FED_OUTSIDE], &s->domains[j].name, id);
    if (is_default && err == S2S_E_OK) err = io_tls_add(b->tls[FED_OUTSIDE], NULL, id);
    io_identity_free(id);
    return err == S2S_E_OK ? NULL : fault_text(b, d->certificate, s2s_err_of(err)->sentence);
}

static const char *add_domains(app_bind *b)
{
    const app_settings *s = b->settings;
    const char *why = NULL;
    bool first = true;
    for (size_t i = 0; i < s->n_domains && !why; i++) {
        if (!s->domains[i].certificate) continue;
        why = add_domain(b, i, first);
        first = false;
    }
    return why;
}

static const char *add_inside(app_bind *b)
{
    const app_settings *s = b->settings;
    io_cert_fault fault = IO_CERT_OK;
    if (!s->inside_certificate) {
        b->tls[FED_INSIDE] = b->tls[FED_OUTSIDE];
        return NULL;
    }
    b->tls[FED_INSIDE] = io_tls_new();
    if (!b->tls[FED_INSIDE]) return "out of memory";
    io_identity *id = io_identity_load(s->inside_certificate, s->inside_key, &fault);
    if (!id) return fault_text(b, s->inside_certificate, io_cert_fault_text(fault));
    s2s_err err = io_tls_add(b->tls[FED_INSIDE], NULL, id);
    io_identity_free(id);
    return err == S2S_E_OK ? NULL : fault_text(b, s->inside_certificate, s2s_err_of(err)->sentence);
}

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
    b->tls[FED_OUTSIDE] = io_tls_new();
    if (!b->tls[FED_OUTSIDE]) return "out of memory";
    const char *why = add_domains(b);
    if (!why) why = add_inside(b);
    if (!why) why = make_sessions(b);
    if (!why) why = load_store(b, s->ca, &b->store[FED_OUTSIDE]);
    if (!why && s->inside_ca)
        why = load_store(b, s->inside_ca, &b->store[FED_INSIDE]);
    else
        b->store[FED_INSIDE] = b->store[FED_OUTSIDE];
    return why ? why : make_verdicts(b);
}
