/* Who is at the other end of a local socket, by the kernel's word. */
#ifndef DAEMON_PEER_H
#define DAEMON_PEER_H

#include <stdint.h>

struct peer {
    uint64_t user;   /* uid on Unix */
    uint64_t group;
    uint32_t pid;    /* for the log; may be gone, or another's, by now */
};

int peer_read(int fd, struct peer *ret_peer);   /* 0 or a libuv error */

#endif
