/* What a kernel says of the process at the other end of a Unix socket. Each kind of system has its own way. */
#ifndef DAEMON_CREDENTIALS_H
#define DAEMON_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* 0 or a libuv error. ret_pid is 0 where the system does not tell. */
int credentials_read(int fd, uid_t *ret_user, gid_t *ret_group, uint32_t *ret_pid);

/* The supplementary groups that the process had when it connected: how many, perhaps more than there was `room` for;
 * -1 where the system does not tell. */
ssize_t credentials_groups(int fd, gid_t *ret_groups, size_t room);

/* Whether many users may stand behind this number. */
bool credentials_are_shared(uid_t user);

#endif
