/* A pair of sockets. */
#include "far.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int far_channels(int ret_pair[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_pair);
}

int far_pair(int *ret_own, int *ret_other)
{
    int pair[2];
    if (far_channels(pair) < 0)
        return -1;
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    *ret_own = pair[0];
    *ret_other = pair[1];
    return 0;
}

ssize_t far_read(int stream, void *place, size_t size)
{
    return recv(stream, place, size, 0);
}

ssize_t far_write(int stream, const void *data, size_t size)
{
    return write(stream, data, size);
}

void far_close(int stream)
{
    close(stream);
}

int far_none(void)
{
    FILE *file = tmpfile();
    int fd = dup(fileno(file));
    fclose(file);
    return fd;
}
