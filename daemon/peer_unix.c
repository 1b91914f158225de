/* Peer credentials of a Unix socket: SO_PEERCRED on Linux, getpeereid elsewhere. */
#include "peer.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>
#include <uv.h>

#ifdef SO_PEERCRED
int peer_read(int fd, struct peer *ret_peer)
{
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return uv_translate_sys_error(errno);
    *ret_peer = (struct peer){ credentials.uid, credentials.gid, (uint32_t)credentials.pid };
    return 0;
}
#else
int peer_read(int fd, struct peer *ret_peer)
{
    uid_t user;
    gid_t group;
    if (getpeereid(fd, &user, &group) < 0)
        return uv_translate_sys_error(errno);
    *ret_peer = (struct peer){ user, group, 0 };
    return 0;
}
#endif
