/* Root, ourselves, and one user by name. */
#include "trust.h"

#include "ipc/endpoint.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define ENTRY_BYTES 16384

static const char *configured_user(const char *address)
{
#ifdef __GLIBC__
    const char *user = secure_getenv("FETCHD_USER");
#else
    const char *user = issetugid() ? NULL : getenv("FETCHD_USER");
#endif
    if (user && *user)
        return user;
    return ipc_endpoint_is_system(address) ? FETCHD_SERVICE_USER : NULL;
}

/* Digits are a number, whatever users may be called. */
static bool is_user(uid_t uid, const char *name)
{
    struct passwd entry, *found = NULL;
    char buffer[ENTRY_BYTES];
    if (name[strspn(name, "0123456789")] == '\0')
        return strtoull(name, NULL, 10) == uid;
    return getpwnam_r(name, &entry, buffer, sizeof buffer, &found) == 0 && found && found->pw_uid == uid;
}

bool trust_user(const void *user, const char *address)
{
    uid_t uid = *(const uid_t *)user;
    if (uid == 0 || uid == geteuid())
        return true;
    const char *name = configured_user(address);
    return name && is_user(uid, name);
}
