/* Sockets that are descriptors. */
#include "socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined SOCK_CLOEXEC && defined SOCK_NONBLOCK
#define TYPE_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)
#else
#define TYPE_FLAGS 0   /* macOS: libcurl and libuv make it non-blocking, and a worker starts no process */
#endif

curl_socket_t socket_open(const struct curl_sockaddr *address)
{
    return socket(address->family, address->socktype | TYPE_FLAGS, address->protocol);
}

int socket_close(curl_socket_t fd)
{
    return close(fd);
}

void socket_shut(curl_socket_t fd)
{
    shutdown(fd, SHUT_RDWR);
}

bool socket_is_one(curl_socket_t fd)
{
    int type;
    socklen_t length = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
}
