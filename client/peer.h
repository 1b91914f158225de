/* Who listens at the other end of a Unix socket, by the kernel's word. */
#ifndef CLIENT_PEER_H
#define CLIENT_PEER_H

#include <sys/types.h>

/* 0, or -1 with errno. */
int peer_user(int fd, uid_t *ret_user);

#endif
