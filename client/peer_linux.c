#include "peer.h"

#include <sys/socket.h>

int peer_user(int fd, uid_t *ret_user)
{
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
        return -1;
    *ret_user = credentials.uid;
    return 0;
}
