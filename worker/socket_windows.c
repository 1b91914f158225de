/* Winsock's. libcurl and libuv have started it. */
#include "socket.h"

#include <winsock2.h>

curl_socket_t socket_open(const struct curl_sockaddr *address)
{
    u_long on = 1;
    SOCKET fd = WSASocketW(address->family, address->socktype, address->protocol, NULL, 0,
                           WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (fd == INVALID_SOCKET || ioctlsocket(fd, (long)FIONBIO, &on) == 0)
        return fd;
    closesocket(fd);
    return CURL_SOCKET_BAD;
}

int socket_close(curl_socket_t fd)
{
    return closesocket(fd) == 0 ? 0 : -1;
}

void socket_shut(curl_socket_t fd)
{
    shutdown(fd, SD_BOTH);
}

bool socket_is_one(curl_socket_t fd)
{
    (void)fd;
    return true;
}

bool socket_is_left(curl_socket_t fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK) == 0;
}
