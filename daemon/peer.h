/* Who is at the other end of a local socket, by the kernel's word. */
#ifndef DAEMON_PEER_H
#define DAEMON_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer {
    uint64_t user;       /* the uid; on Windows a number made of the SID (conf/sid.h) */
    bool root;           /* whom nothing here could keep out: uid 0; LocalSystem or an Administrator */
    uint64_t *groups;    /* the effective one first, then the supplementary ones */
    size_t group_count;
    uint32_t pid;        /* for the log; may be gone, or another's, by now */
};

/* 0 or a libuv error; peer_finish frees what it holds. UV_EAGAIN where the system tells only once something was
 * read from the peer (Windows), with the pid alone filled in: to be asked again then. UV_EACCES when the kernel does not say which
 * user it is: one of another user namespace, of whom there may be many under one number. */
int peer_read(int fd, struct peer *ret_peer);
void peer_finish(struct peer *peer);

#endif
