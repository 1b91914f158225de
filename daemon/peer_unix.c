/* Peer credentials of a Unix socket: SO_PEERCRED and SO_PEERGROUPS on Linux, getpeereid elsewhere. */
#include "peer.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>
#include <uv.h>

#define FIRST_GROUPS 64
#define MOST_GROUPS 65536   /* Linux' own limit */

#ifdef SO_PEERCRED
static int read_credentials(int fd, uid_t *ret_user, gid_t *ret_group, uint32_t *ret_pid)
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
#else
static int read_credentials(int fd, uid_t *ret_user, gid_t *ret_group, uint32_t *ret_pid)
{
    *ret_pid = 0;
    return getpeereid(fd, ret_user, ret_group) < 0 ? uv_translate_sys_error(errno) : 0;
}
#endif

/* ---- who has no name here ---- */

#ifdef __linux__
#define OVERFLOW_UID 65534   /* as /proc/sys/kernel/overflowuid is everywhere */

/* In a user namespace all users that it has no number for look like this one. */
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

static bool is_nobody_in_particular(uid_t user)
{
    return user == OVERFLOW_UID && !all_users_have_numbers();
}
#else
static bool is_nobody_in_particular(uid_t user)
{
    (void)user;
    return false;
}
#endif

/* ---- groups ---- */

static int keep_groups(struct peer *peer, gid_t first, const gid_t *others, size_t count)
{
    peer->groups = calloc(count + 1, sizeof *peer->groups);
    if (!peer->groups)
        return UV_ENOMEM;
    peer->groups[peer->group_count++] = first;
    for (size_t i = 0; i < count; i++)
        if (others[i] != first)
            peer->groups[peer->group_count++] = others[i];
    return 0;
}

/* What the process had when it connected. */
static ssize_t read_kernel_groups(int fd, gid_t *groups, size_t room)
{
#ifdef SO_PEERGROUPS
    socklen_t size = (socklen_t)(room * sizeof *groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
        return (ssize_t)(size / sizeof *groups);
    return errno == ERANGE ? (ssize_t)(size / sizeof *groups) : -1;
#else
    (void)fd;
    (void)groups;
    (void)room;
    return -1;
#endif
}

/* What the user would get at a login, where the kernel does not tell. */
static ssize_t read_login_groups(uid_t user, gid_t group, gid_t *groups, size_t room)
{
    const struct passwd *entry = getpwuid(user);
    int count = (int)room;
    if (!entry)
        return 0;
#ifdef __APPLE__
    getgrouplist(entry->pw_name, (int)group, (int *)groups, &count);
#else
    getgrouplist(entry->pw_name, group, groups, &count);
#endif
    return count;
}

/* Two rounds: a few fit at once, for more the first one told how many there are. */
static int read_groups(int fd, uid_t user, gid_t group, struct peer *peer)
{
    size_t room = FIRST_GROUPS;
    int status = UV_ENOMEM;
    for (int round = 0; round < 2; round++) {
        gid_t *groups = calloc(room, sizeof *groups);
        if (!groups)
            return UV_ENOMEM;
        ssize_t count = read_kernel_groups(fd, groups, room);
        if (count < 0)
            count = read_login_groups(user, group, groups, room);
        bool whole = (size_t)count <= room;
        if (whole)
            status = keep_groups(peer, group, groups, (size_t)count);
        free(groups);
        if (whole || count > MOST_GROUPS)
            return status;
        room = (size_t)count;
    }
    return status;
}

int peer_read(int fd, struct peer *ret_peer)
{
    struct peer peer = { .groups = NULL };
    uid_t user = 0;
    gid_t group = 0;
    int status = read_credentials(fd, &user, &group, &peer.pid);
    if (status == 0 && is_nobody_in_particular(user))
        status = UV_EACCES;
    if (status == 0)
        status = read_groups(fd, user, group, &peer);
    if (status < 0)
        return status;
    peer.user = user;
    peer.root = user == 0;
    *ret_peer = peer;
    return 0;
}

void peer_finish(struct peer *peer)
{
    free(peer->groups);
    peer->groups = NULL;
    peer->group_count = 0;
}
