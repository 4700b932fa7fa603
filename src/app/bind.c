#include "app/bind.h"

#include <stdio.h>
#include <string.h>

/* ---- what fed asks for ---- */

static uint64_t now(void *w)
{
    const app_bind *b = w;
    return io_loop_now(b->loop);
}

static void random_octets(void *w, void *out, size_t n)
{
    (void)w;
    io_random(out, n);
}

static void woken(void *ctx)
{
    const app_bind *b = ctx;
    fed_tick(b->fed);
}

static void wake_at(void *w, uint64_t ms)
{
    app_bind *b = w;
    if (ms == UINT64_MAX)
        io_timer_clear(b->loop, &b->wake);
    else
        io_timer_set(b->loop, &b->wake, ms, woken, b);
}

static void dialback_key(void *w, fed_side side, const s2s_domain *receiving,
                         const s2s_domain *originating, s2s_span id, char out[65])
{
    const app_bind *b = w;
    _Static_assert(IO_DIALBACK_KEY == 65, "fed_world's size");
    io_key_dialback(&b->key[side], receiving, originating, id, out);
}

static void write_log(void *w, fed_level level, const char *event, const fed_field *fields,
                      size_t n)
{
    const app_bind *b = w;
    app_log_write(b->log, level, event, fields, n);
}

const fed_world app_world = {
    .now = now,
    .random = random_octets,
    .wake_at = wake_at,
    .resolve = app_bind_resolve,
    .posh = app_bind_posh,
    .dial = app_bind_dial,
    .start_tls = app_bind_start_tls,
    .judge = app_bind_judge,
    .found = app_bind_found,
    .flush = app_bind_flush,
    .pause = app_bind_pause,
    .acked = app_bind_acked,
    .close = app_bind_close,
    .dialback_key = dialback_key,
    .log = write_log,
};

/* ---- life ---- */

static const char *read_secret(const app_settings *s, char *out, size_t size)
{
    FILE *in = fopen(s->secret_file, "re");
    const char *line = in ? fgets(out, (int)size, in) : NULL;
    if (in) fclose(in);
    if (!line) return "dialback.secret_file cannot be read";
    out[strcspn(out, "\r\n")] = '\0';
    return NULL;
}

/* One secret, two keys: what the inside face signs says nothing outside. */
const char *app_bind_secret(app_bind *b)
{
    const app_settings *s = b->settings;
    char secret[512];
    const char *why = NULL;
    if (!io_random_ready()) return "the kernel has no random octets yet";
    if (s->secret_file)
        why = read_secret(s, secret, sizeof secret);
    else if (s->secret)
        snprintf(secret, sizeof secret, "%s", s->secret);
    size_t len = s->secret_file || s->secret ? strlen(why ? "" : secret) : 32;
    if (why) return why;
    if (!s->secret_file && !s->secret) io_random(secret, len);
    io_key_init(&b->key[FED_OUTSIDE], (s2s_span){secret, len});
    io_key_init_for(&b->key[FED_INSIDE], (s2s_span){secret, len}, "inside");
    explicit_bzero(secret, sizeof secret);
    return NULL;
}

const char *app_bind_fed(app_bind *b)
{
    b->fed = fed_new(b->config, &app_world, b);
    return b->fed ? NULL : "out of memory";
}

void app_bind_close_dns(app_bind *b)
{
    app_bind_close_fetches(b);
    if (b->resolver) io_resolver_free(b->resolver);
    b->resolver = NULL;
    for (size_t i = 0; i < b->n_answerers; i++)
        io_answerer_free(b->answerers[i]);
    b->n_answerers = 0;
}

void app_bind_fini(app_bind *b)
{
    if (b->fed) fed_free(b->fed);
    b->fed = NULL;
    app_bind_close_dns(b);
    if (b->loop) io_timer_clear(b->loop, &b->wake);
    io_sessions_free(b->sessions);
    io_keys_free(b->keys);
    if (b->tls[FED_INSIDE] != b->tls[FED_OUTSIDE]) io_tls_free(b->tls[FED_INSIDE]);
    io_tls_free(b->tls[FED_OUTSIDE]);
    for (size_t i = 0; i < APP_SIDES; i++)
        io_verdicts_free(b->verdicts[i]);
    if (b->store[FED_INSIDE] != b->store[FED_OUTSIDE]) X509_STORE_free(b->store[FED_INSIDE]);
    X509_STORE_free(b->store[FED_OUTSIDE]);
    io_key_forget(&b->key[FED_OUTSIDE]);
    io_key_forget(&b->key[FED_INSIDE]);
}
