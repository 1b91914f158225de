/* Of the BSDs and macOS. */
#include "peer.h"

#include <unistd.h>

int peer_user(int fd, uid_t *ret_user)
{
    gid_t group;
    return getpeereid(fd, ret_user, &group);
}
