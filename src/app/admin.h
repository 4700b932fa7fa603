/* admin.h - the socket on which the operator asks a running daemon.
 * For:    one line of question, an answer streamed piece by piece, then the end:
 *           status json | status text | ledger | flush DOMAIN
 *         Anything else is answered "error: ...".
 * Never:  waits, or holds more than one picture and one piece per client.
 * Needs:  SIGPIPE ignored by the process.
 * Owner:  one loop. The file goes with the object.                          */
#ifndef APP_ADMIN_H
#define APP_ADMIN_H

#include <uv.h>

#include "app/status.h"

typedef struct app_admin app_admin;

enum {
    APP_ADMIN_CLIENTS = 8,     /* at a time; more wait in the kernel's queue */
    APP_ADMIN_LINE = 512,      /* bytes of a question */
    APP_ADMIN_PATIENCE = 30000 /* ms without progress before a client is let go */
};

/* What it needs of the daemon. */
typedef struct app_admin_desk {
    app_status *(*picture)(void *ctx); /* gives */
    void (*flush)(void *ctx, const s2s_domain *remote);
    void *ctx;
} app_admin_desk;

/* Binds a UNIX socket at `path` with these permissions, replacing one that nobody listens on any more. The descriptor
 * listens; -1: *why is a sentence (lives until the next call). */
int app_admin_bind(const char *path, unsigned mode, const char **why);

/* Takes the descriptor; copies path and desk. */
app_admin *app_admin_new(uv_loop_t *loop, int fd, const char *path, const app_admin_desk *desk);
/* Closes all; the memory goes with the loop's next turns. Takes the file away if it is still ours. NULL is fine. */
void app_admin_free(app_admin *a);

/* The other end: asks one question, hands every byte of the answer to `take`. 0, or -1 with errno. */
int app_admin_ask(const char *path, const char *question,
                  void (*take)(void *ctx, const char *bytes, size_t n), void *ctx);

#endif
