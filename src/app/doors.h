/* doors.h - the addresses Causeway listens on.
 * For:    binding all of them or none, and telling which side a connection came in by, and whether TLS comes first there.
 * Never:  accepts before the loop runs.
 * Owner:  one loop; lists live as long as the settings.
 *
 * An outside "*:5269" may stand beside an inside "10.0.0.5:5269": what reaches the inside address is inside, everything
 * else is outside. The same goes for listen.direct_tls. */
#ifndef APP_DOORS_H
#define APP_DOORS_H

#include "app/settings.h"
#include "fed/world.h"
#include "io/listener.h"

typedef struct app_doors app_doors;

/* Takes fd. */
typedef void app_doors_fn(void *ctx, fed_side side, bool direct, int fd, const io_addr *peer);

/* NULL: `why` is "file:line:column: reason". `accepted` is called from the loop only. */
app_doors *app_doors_open(io_loop *loop, app_settings *s, app_doors_fn *accepted, void *ctx,
                          const char **why);
void app_doors_close(app_doors *d); /* no more connections; NULL is fine */

/* Every address of ours with the ports we listen on, those of all interfaces where it says "*": never to be dialled as
 * a remote. Lent. */
const fed_addr *app_doors_own(const app_doors *d, size_t *n);

#endif
