/* run.c - `causeway run`: from the settings to the loop, and back.
 *
 * Start: read and check everything, bind every address, become the service user, load what the daemon needs, and only then
 * say "ready". Whatever fails before is said and nothing has been accepted, answered or sent.
 * Stop: SIGTERM drains; a second one ends at once. Either way the ledger is the last thing in the log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/admin.h"
#include "app/bind.h"
#include "app/commands.h"
#include "app/doors.h"
#include "app/notify.h"
#include "app/privileges.h"
#include "app/renew.h"

enum { TICK_MS = 1000, LOOK_MS = 20, RENEW_TICKS = 5, SIGNALS = 3 };

typedef struct daemon {
    app_settings *settings;
    app_service service;
    fed_config config;
    app_bind bind;
    app_doors *doors;
    app_admin *admin;
    app_renew *renew;
    unsigned ticks;
    int admin_fd;
    uint64_t started_ms;
    uv_signal_t signals[SIGNALS];
    uv_timer_t tick; /* the log's; while stopping: looks how far it is */
    bool handles, draining, hurry;
} app_daemon;

/* ---- stopping ---- */

static void stop(app_daemon *d)
{
    io_loop_stop(d->bind.loop);
}

static void look_drained(uv_timer_t *h)
{
    app_daemon *d = h->data;
    app_log_tick(d->bind.log);
    if (fed_drained(d->bind.fed)) stop(d);
}

static void drain(app_daemon *d)
{
    app_notify("STOPPING=1");
    app_log_say(d->bind.log, FED_NOTICE, "stopping", NULL);
    d->draining = true;
    app_doors_close(d->doors);
    fed_drain(d->bind.fed, d->settings->drain_ms);
    S2S_ASSERT(uv_timer_start(&d->tick, look_drained, LOOK_MS, LOOK_MS) == 0);
    if (fed_drained(d->bind.fed)) stop(d);
}

static const char *number_text(size_t n, char out[24])
{
    snprintf(out, 24, "%zu", n);
    return out;
}

static void reload(const app_daemon *d)
{
    char shown[24];
    size_t n = app_renew_all(d->renew, (int64_t)time(NULL));
    app_log_say(d->bind.log, FED_NOTICE, "reloaded", "certificates", number_text(n, shown), "hint",
                "other changes of the settings need a restart", NULL);
}

static void signalled(uv_signal_t *h, int number)
{
    app_daemon *d = h->data;
    if (number == SIGHUP) {
        if (!d->draining) reload(d);
    } else if (d->draining) {
        app_log_say(d->bind.log, FED_WARN, "stopping_at_once", NULL);
        d->hurry = true;
        stop(d);
    } else {
        drain(d);
    }
}

static const char *ledger_number(uint64_t n, char out[24])
{
    snprintf(out, 24, "%llu", (unsigned long long)n);
    return out;
}

static bool log_ledger(app_daemon *d, fed_way way)
{
    fed_ledger_view v;
    char n[8][24];
    fed_ledger_read(d->bind.fed, way, &v);
    bool balanced = fed_ledger_balanced(&v);
    app_log_say(d->bind.log, balanced ? FED_NOTICE : FED_ERROR, "ledger", "way",
                way == FED_INBOUND ? "inbound" : "outbound", "accepted",
                ledger_number(v.accepted, n[0]), "acked", ledger_number(v.acked, n[1]), "written",
                ledger_number(v.written, n[2]), "bounced", ledger_number(v.bounced, n[3]),
                "dropped", ledger_number(v.dropped, n[4]), "in_doubt",
                ledger_number(v.in_doubt, n[5]), "queued", ledger_number(v.queued, n[6]), "own",
                ledger_number(v.own, n[7]), "balanced", balanced ? "yes" : "no", NULL);
    return balanced;
}

static void count_connection(uv_handle_t *h, void *n)
{
    if (h->type == UV_POLL && !uv_is_closing(h)) ++*(size_t *)n;
}

static void woken(uv_timer_t *h)
{
    (void)h;
}

/* The streams have ended; what the kernel has is still to be taken by the other side, else a reset could overtake the
 * last words. All that is polled by now are connections in their orderly end. */
static void linger(app_daemon *d)
{
    uint64_t end = io_loop_now(d->bind.loop) + d->settings->limits.close_ms;
    app_bind_close_dns(&d->bind);
    uv_timer_start(&d->tick, woken, LOOK_MS, LOOK_MS);
    for (size_t n = 1; n > 0 && !d->hurry && io_loop_now(d->bind.loop) < end;) {
        io_loop_turn(d->bind.loop, true);
        n = 0;
        uv_walk(io_loop_uv(d->bind.loop), count_connection, &n);
    }
}

/* ---- what the operator asks ---- */

static app_status *picture(void *ctx)
{
    const app_daemon *d = ctx;
    uint64_t now = io_loop_now(d->bind.loop);
    const app_status_facts facts = {.version = CAUSEWAY_VERSION,
                                    .uptime_ms = now - d->started_ms,
                                    .now_ms = now,
                                    .log_dropped = app_log_dropped(d->bind.log),
                                    .log_held_back = app_log_held_back(d->bind.log)};
    return app_status_take(d->bind.fed, &facts);
}

static void flush(void *ctx, const s2s_domain *remote)
{
    const app_daemon *d = ctx;
    app_log_say(d->bind.log, FED_NOTICE, "flush", "domain", remote->text, NULL);
    fed_flush(d->bind.fed, remote);
}

/* ---- starting ---- */

static void accepted(void *ctx, fed_side side, bool direct, int fd, const io_addr *peer)
{
    app_daemon *d = ctx;
    app_bind_accept(&d->bind, side, direct, fd, peer);
}

static const char *open_loop(app_daemon *d)
{
    io_loop_settings how;
    io_loop_settings_init(&how);
    how.user_timeout_ms = d->settings->limits.send_ms;
    how.close_ms = d->settings->limits.close_ms;
    d->bind.loop = io_loop_new(&how);
    return d->bind.loop ? NULL : "no event loop could be made";
}

static const char *open_doors(app_daemon *d)
{
    const char *why = NULL;
    size_t n_own = 0;
    d->doors = app_doors_open(d->bind.loop, d->settings, accepted, d, &why);
    if (!d->doors) return why;
    const fed_addr *own = app_doors_own(d->doors, &n_own);
    app_fed_config_fill(d->settings, own, n_own, &d->config);
    d->bind.config = &d->config;
    return app_bind_answerers(&d->bind);
}

static const char *open_admin(app_daemon *d)
{
    const app_settings *s = d->settings;
    const char *why = NULL;
    if (!s->admin) return NULL;
    d->admin_fd = app_admin_bind(s->admin, s->admin_mode, &why);
    app_mark at = app_settings_mark(s, "listen", "admin");
    if (d->admin_fd < 0)
        return app_arena_print(s->arena, "%s:%zu:%zu: listen.admin: cannot listen on %s: %s",
                               s->file, at.line, at.column, s->admin, why);
    if (s->user && geteuid() == 0 && chown(s->admin, d->service.uid, d->service.gid) != 0)
        return app_arena_print(s->arena, "%s: %s", s->admin, strerror(errno));
    return NULL;
}

/* Everything that needs root, then the end of root. */
static const char *bind_all(app_daemon *d)
{
    const char *why = open_loop(d);
    if (!why) why = open_doors(d);
    if (!why) why = open_admin(d);
    if (why) return why;
    const char *failed = app_service_become(&d->service);
    if (failed)
        return app_arena_print(d->settings->arena, "cannot become the user %s: %s",
                               d->service.user ? d->service.user : "itself", failed);
    return NULL;
}

static const char *load_all(app_daemon *d)
{
    const app_admin_desk desk = {picture, flush, d};
    const char *why = app_bind_secret(&d->bind);
    d->renew = app_renew_new(&d->bind);
    if (!why && !d->renew) why = "out of memory";
    if (!why) why = app_bind_tls(&d->bind);
    if (!why) why = app_bind_resolver(&d->bind);
    if (!why) why = app_bind_fetches(&d->bind);
    if (!why) why = app_bind_fed(&d->bind);
    if (why || d->admin_fd < 0) return why;
    d->admin = app_admin_new(io_loop_uv(d->bind.loop), d->admin_fd, d->settings->admin, &desk);
    d->admin_fd = -1;
    return NULL;
}

static void ticked(uv_timer_t *h)
{
    app_daemon *d = h->data;
    app_log_tick(d->bind.log);
    if (d->ticks++ % RENEW_TICKS == 0) app_renew_look(d->renew, (int64_t)time(NULL));
}

static void open_handles(app_daemon *d)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    uv_loop_t *loop = io_loop_uv(d->bind.loop);
    for (size_t i = 0; i < SIGNALS; i++) {
        S2S_ASSERT(uv_signal_init(loop, &d->signals[i]) == 0);
        d->signals[i].data = d;
        S2S_ASSERT(uv_signal_start(&d->signals[i], signalled, numbers[i]) == 0);
    }
    S2S_ASSERT(uv_timer_init(loop, &d->tick) == 0);
    d->tick.data = d;
    S2S_ASSERT(uv_timer_start(&d->tick, ticked, TICK_MS, TICK_MS) == 0);
    d->handles = true;
}

static void say_ready(const app_daemon *d)
{
    char domains[24], servers[24];
    app_log *log = d->bind.log;
    if (geteuid() == 0)
        app_log_say(log, FED_WARN, "runs_as_root", "hint",
                    "set `user`, or start it as another user", NULL);
    app_log_say(log, FED_NOTICE, "ready", "version", CAUSEWAY_VERSION, "settings",
                d->settings->file, "domains", ledger_number(d->settings->n_domains, domains),
                "servers", ledger_number(d->settings->n_servers, servers), NULL);
    app_notify("READY=1");
}

/* ---- the whole ---- */

static void close_handles(app_daemon *d)
{
    for (size_t i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&d->signals[i], NULL);
    uv_close((uv_handle_t *)&d->tick, NULL);
}

static void undo(app_daemon *d)
{
    app_doors_close(d->doors);
    app_admin_free(d->admin);
    if (d->admin_fd >= 0) {
        close(d->admin_fd);
        unlink(d->settings->admin);
    }
    app_bind_fini(&d->bind);
    app_renew_free(d->renew);
    if (d->handles) close_handles(d);
    if (d->bind.loop) io_loop_free(d->bind.loop);
}

/* Until a signal has ended it. */
static bool serve(app_daemon *d)
{
    d->started_ms = io_loop_now(d->bind.loop);
    open_handles(d);
    say_ready(d);
    io_loop_run(d->bind.loop);
    app_doors_close(d->doors);
    app_admin_free(d->admin);
    d->admin = NULL;
    bool in = log_ledger(d, FED_INBOUND), outward = log_ledger(d, FED_OUTBOUND);
    if (!d->hurry) linger(d);
    app_log_say(d->bind.log, FED_NOTICE, "stopped", NULL);
    return in && outward;
}

static int run(app_settings *s)
{
    app_daemon d = {.settings = s, .admin_fd = -1};
    d.bind.settings = s;
    d.bind.log = app_log_new(STDERR_FILENO, (fed_level)s->log_level);
    app_service_find(s->user, s->group, &d.service); /* checked with the settings */
    io_descriptors_widen(app_settings_descriptors(s));
    const char *why = bind_all(&d);
    if (!why) why = load_all(&d);
    if (why) fprintf(stderr, "%s\n", why);
    bool fine = !why && serve(&d);
    undo(&d);
    app_log_free(d.bind.log);
    return fine ? APP_EXIT_OK : APP_EXIT_NO;
}

int app_command_run(const char *file)
{
    app_problems *problems = app_problems_new(file);
    app_settings *s = app_settings_load(file, problems);
    if (s) {
        app_settings_check_files(s, problems);
        app_settings_check_caps(s, problems, io_descriptors_raise());
    }
    app_problems_print(problems, stderr);
    size_t errors = app_problems_errors(problems);
    if (errors)
        fprintf(stderr, "%s: refused, %zu %s\n", file, errors, errors == 1 ? "error" : "errors");
    app_problems_free(problems);
    int code = errors ? APP_EXIT_NO : run(s);
    app_settings_free(s);
    return code;
}
