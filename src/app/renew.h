/* renew.h - certificates of ours that are replaced while we run.
 * For:    noticing that a file has changed, showing the new certificate when it is good and keeping the old one when it is
 *         not; telling in good time that one ends.
 * Never:  reads other settings anew; ends a connection.
 * Owner:  the daemon. Borrows the bind. Times are seconds since 1970.        */
#ifndef APP_RENEW_H
#define APP_RENEW_H

#include "app/bind.h"

typedef struct app_renew app_renew;

/* Before app_bind_tls: what changes from then on is noticed. NULL: no memory. */
app_renew *app_renew_new(app_bind *b);
void app_renew_free(app_renew *r); /* NULL is fine */

/* Looks at the files (stat) and reads those that changed. Events: certificate_renewed; certificate_kept, once for each change;
 * certificate_expires 14 and 3 days ahead, certificate_expired. */
void app_renew_look(app_renew *r, int64_t now);
/* The same, and reads all files, whether they changed or not. Gives how many of them are shown now. */
size_t app_renew_all(app_renew *r, int64_t now);

#endif
