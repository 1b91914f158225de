/* The end of what the peer sent, once all before it was read. */
#include "socket.h"

#include <sys/socket.h>

bool socket_is_left(curl_socket_t fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}
