/* commands.c - the commands that do not run the daemon: check, status, flush. */
#include "app/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/admin.h"
#include "app/settings.h"
#include "io/listener.h"

int app_command_check(const char *file)
{
    app_problems *problems = app_problems_new(file);
    app_settings *s = app_settings_load(file, problems);
    if (s) {
        app_settings_check_files(s, problems);
        app_settings_check_caps(s, problems, io_descriptors_raise());
    }
    size_t errors = app_problems_errors(problems), warnings = app_problems_warnings(problems);
    app_problems_print(problems, stderr);
    if (errors)
        fprintf(stderr, "%s: refused, %zu %s\n", file, errors, errors == 1 ? "error" : "errors");
    else
        printf("%s: good: %zu domains, %zu servers, %zu warnings\n", file, s->n_domains,
               s->n_servers, warnings);
    app_settings_free(s);
    app_problems_free(problems);
    return errors ? APP_EXIT_NO : APP_EXIT_OK;
}

/* ---- asking the running daemon ---- */

/* The end of an answer says how it went. */
typedef struct answer {
    char tail[256];
    size_t n, total;
    bool quiet;
} answer;

static void take(void *ctx, const char *bytes, size_t n)
{
    answer *a = ctx;
    if (!a->quiet) fwrite(bytes, 1, n, stdout);
    a->total += n;
    size_t part = n < sizeof a->tail - 1 ? n : sizeof a->tail - 1;
    size_t stays = sizeof a->tail - 1 - part < a->n ? sizeof a->tail - 1 - part : a->n;
    memmove(a->tail, a->tail + a->n - stays, stays);
    memcpy(a->tail + stays, bytes + n - part, part);
    a->n = stays + part;
    a->tail[a->n] = '\0';
}

static bool ends_with(const answer *a, const char *text)
{
    size_t len = strlen(text);
    return a->n >= len && !strcmp(a->tail + a->n - len, text);
}

/* The path of the socket, for free(); NULL: said why. Only the shape of the file matters here. */
static char *admin_path(const char *file)
{
    char *path = NULL;
    app_problems *problems = app_problems_new(file);
    app_settings *s = app_settings_load(file, problems);
    if (!s)
        app_problems_print(problems, stderr);
    else if (!s->admin)
        fprintf(stderr, "%s: listen.admin is not set, so a daemon cannot be asked\n", file);
    else
        path = strdup(s->admin);
    app_settings_free(s);
    app_problems_free(problems);
    return path;
}

static bool ask(const char *file, const char *question, answer *a)
{
    char *path = admin_path(file);
    if (!path) return false;
    bool fine = app_admin_ask(path, question, take, a) == 0;
    if (!fine)
        fprintf(stderr, "causeway: %s: %s%s\n", path, strerror(errno),
                errno == ENOENT || errno == ECONNREFUSED ? ": is the daemon running?" : "");
    free(path);
    return fine;
}

int app_command_status(const char *file, bool as_json)
{
    answer a = {.n = 0};
    if (!ask(file, as_json ? "status json" : "status text", &a)) return APP_EXIT_NO;
    fflush(stdout);
    /* JSON is whole when its last line is there; who reads it looks at `balanced`. */
    bool fine = as_json ? ends_with(&a, "}}\n") : ends_with(&a, "\n" APP_STATUS_BALANCED "\n");
    return fine ? APP_EXIT_OK : APP_EXIT_NO;
}

int app_command_flush(const char *file, const char *domain)
{
    char question[APP_ADMIN_LINE];
    answer a = {.quiet = true};
    int n = snprintf(question, sizeof question, "flush %s", domain);
    if (n < 0 || (size_t)n >= sizeof question - 1 || strchr(domain, '\n')) {
        fputs("causeway: that is not a domain\n", stderr);
        return APP_EXIT_USAGE;
    }
    if (!ask(file, question, &a)) return APP_EXIT_NO;
    if (ends_with(&a, "ok\n")) return APP_EXIT_OK;
    fprintf(stderr, "causeway: %s", a.tail);
    return APP_EXIT_NO;
}
