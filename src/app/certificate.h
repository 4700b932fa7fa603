/* certificate.h - looking at a certificate and its key before they are used.
 * For:    `causeway check`: what is wrong with them, as a half sentence.
 * Never:  keeps a key.
 * Owner:  the caller frees.                                                 */
#ifndef APP_CERTIFICATE_H
#define APP_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

#include "s2s/domain.h"

typedef struct app_certificate app_certificate;

/* The first certificate of a PEM file. NULL: *why says why (a constant). */
app_certificate *app_certificate_load(const char *file, const char **why);
void app_certificate_free(app_certificate *c); /* NULL is fine */

/* Each NULL when all is well. */
const char *app_certificate_check_key(const app_certificate *c, const char *key_file);
const char *app_certificate_check_dates(const app_certificate *c,
                                        bool *expired); /* expired, not yet valid, soon */

/* dNSName, wildcards as a whole left label only; the common name does not count (RFC 6120 13.7.1.2). */
bool app_certificate_covers(const app_certificate *c, const s2s_domain *domain);

/* Number of certificates in a PEM file; 0: none, or unreadable. */
size_t app_certificate_count(const char *file);

#endif
