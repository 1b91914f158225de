/* getpeereid(3), of the BSDs and macOS. */
#include "credentials.h"

#include <errno.h>
#include <unistd.h>
#include <uv.h>

int credentials_read(int fd, uid_t *ret_user, gid_t *ret_group, uint32_t *ret_pid)
{
    *ret_pid = 0;
    return getpeereid(fd, ret_user, ret_group) < 0 ? uv_translate_sys_error(errno) : 0;
}

ssize_t credentials_groups(int fd, gid_t *ret_groups, size_t room)
{
    (void)fd;
    (void)ret_groups;
    (void)room;
    return -1;
}

bool credentials_are_shared(uid_t user)
{
    (void)user;
    return false;
}
