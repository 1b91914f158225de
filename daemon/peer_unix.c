/* Users and groups of a Unix socket's peer, by the kernel's word. */
#include "peer.h"

#include "credentials.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/types.h>
#include <uv.h>

#define FIRST_GROUPS 64
#define MOST_GROUPS 65536   /* Linux' own limit */

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
        ssize_t count = credentials_groups(fd, groups, room);
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
    int status = credentials_read(fd, &user, &group, &peer.pid);
    if (status == 0 && credentials_are_shared(user))
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
