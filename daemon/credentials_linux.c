/* SO_PEERCRED and SO_PEERGROUPS (unix(7)). */
#include "credentials.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <uv.h>

#define OVERFLOW_UID 65534   /* as /proc/sys/kernel/overflowuid is everywhere */

int credentials_read(int fd, uid_t *ret_user, gid_t *ret_group, uint32_t *ret_pid)
{
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return uv_translate_sys_error(errno);
    *ret_user = credentials.uid;
    *ret_group = credentials.gid;
    *ret_pid = (uint32_t)credentials.pid;
    return 0;
}

ssize_t credentials_groups(int fd, gid_t *ret_groups, size_t room)
{
    socklen_t size = (socklen_t)(room * sizeof *ret_groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret_groups, &size) == 0 || errno == ERANGE)
        return (ssize_t)(size / sizeof *ret_groups);
    return -1;
}

static bool all_users_have_numbers(void)
{
    unsigned long inside = 1, outside = 1, length = 0;
    FILE *map = fopen("/proc/self/uid_map", "re");
    if (!map)
        return true;   /* a kernel without user namespaces */
    int fields = fscanf(map, "%lu %lu %lu", &inside, &outside, &length);
    fclose(map);
    return fields == 3 && inside == 0 && outside == 0 && length >= UINT32_MAX;
}

/* In a user namespace all users that it has no number for look like this one. */
bool credentials_are_shared(uid_t user)
{
    return user == OVERFLOW_UID && !all_users_have_numbers();
}
