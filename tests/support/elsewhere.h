/* Makes this system look like one that is not Linux, as far as its headers can: included before every file of ours by
 * tests/elsewhere.py, together with -D_DEFAULT_SOURCE in place of _GNU_SOURCE. What is asked for by #ifdef is gone, and what
 * the BSDs and macOS have besides POSIX is there. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/types.h>

#undef MSG_CMSG_CLOEXEC
#undef MSG_NOSIGNAL
#undef SOCK_CLOEXEC
#undef SOCK_NONBLOCK
#undef SO_PEERCRED
#undef SO_PEERGROUPS
#undef TCP_INFO
#undef __GLIBC__
#define SO_NOSIGPIPE 0x1022

void *memmem(const void *data, size_t length, const void *wanted, size_t wanted_length);
int getpeereid(int fd, uid_t *user, gid_t *group);
int issetugid(void);
