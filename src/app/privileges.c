#include "app/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *app_service_find(const char *user, const char *group, app_service *out)
{
    *out = (app_service){.user = user, .uid = geteuid(), .gid = getegid()};
    if (!user) return NULL;
    const struct passwd *pw = getpwnam(user);
    if (!pw) return "user";
    out->uid = pw->pw_uid;
    out->gid = pw->pw_gid;
    if (!group) return NULL;
    const struct group *gr = getgrnam(group);
    if (!gr) return "group";
    out->gid = gr->gr_gid;
    return NULL;
}

static bool is_ourselves(const app_service *s)
{
    return !s->user || (geteuid() == s->uid && getegid() == s->gid);
}

static app_access try_open(const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return APP_UNREADABLE;
    close(fd);
    return APP_READABLE;
}

static const char *become(const app_service *s)
{
    if (initgroups(s->user, s->gid) != 0) return "setgroups";
    if (setresgid(s->gid, s->gid, s->gid) != 0) return "setgid";
    if (setresuid(s->uid, s->uid, s->uid) != 0) return "setuid";
    return NULL;
}

app_access app_service_can_read(const app_service *s, const char *file)
{
    if (is_ourselves(s)) return try_open(file);
    if (geteuid() != 0) return APP_CANNOT_TELL;
    pid_t child = fork();
    if (child < 0) return APP_CANNOT_TELL;
    if (child == 0) _exit((int)(become(s) ? APP_CANNOT_TELL : try_open(file)));
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return APP_CANNOT_TELL;
    return WIFEXITED(status) ? (app_access)WEXITSTATUS(status) : APP_CANNOT_TELL;
}

const char *app_service_become(const app_service *s)
{
    if (!is_ourselves(s)) {
        if (geteuid() != 0) return "only root can become another user";
        const char *failed = become(s);
        if (failed) return failed;
        if (s->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0)) return "root could be regained";
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return "no_new_privs";
    return NULL;
}
