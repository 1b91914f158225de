/* The user database (getpwnam(3)). */
#include "member.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_ID (UINT32_MAX - 1)   /* the last one stands for "no change" in chown and others */

static const char *find_user(const char *name, uint64_t *ret_id)
{
    const struct passwd *entry = getpwnam(name);
    if (!entry)
        return "names a user that this system does not know; a group is written with an @";
    *ret_id = entry->pw_uid;
    return NULL;
}

static const char *find_group(const char *name, uint64_t *ret_id)
{
    const struct group *entry = getgrnam(name);
    if (!entry)
        return "names a group that this system does not know";
    *ret_id = entry->gr_gid;
    return NULL;
}

/* Digits alone are always a number, as for chown and ps: a name that looks so can't pass for one. */
static const char *find_number(const char *digits, uint64_t *ret_id)
{
    errno = 0;
    unsigned long long number = strtoull(digits, NULL, 10);
    if (errno == ERANGE || number > LARGEST_ID)
        return "has a number that no user or group can have";
    *ret_id = number;
    return NULL;
}

const char *conf_member_find(const char *name, bool group, uint64_t *ret_id)
{
    if (name[strspn(name, "0123456789")] == '\0')
        return find_number(name, ret_id);
    return group ? find_group(name, ret_id) : find_user(name, ret_id);
}
