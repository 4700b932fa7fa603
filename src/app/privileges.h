/* privileges.h - the user a daemon becomes.
 * For:    looking it up, asking whether it can read a file, becoming it for good.
 * Never:  keeps a way back.
 * Owner:  values.                                                           */
#ifndef APP_PRIVILEGES_H
#define APP_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct app_service {
    const char *user; /* NULL: stay who we are */
    uid_t uid;
    gid_t gid;
} app_service;

/* NULL when found, else which of both is unknown ("user" or "group"). `user` NULL: ourselves. */
const char *app_service_find(const char *user, const char *group, app_service *out);

typedef enum app_access { APP_READABLE, APP_UNREADABLE, APP_CANNOT_TELL } app_access;
/* Whether the service will be able to read it, folders and ACLs included: tried in a child that has become it. */
app_access app_service_can_read(const app_service *s, const char *file);

/* Groups, group, user, no new privileges; and makes sure that there is no way back. NULL, or what failed. Only root can
 * become somebody else; whoever is the user already stays. */
const char *app_service_become(const app_service *s);

#endif
