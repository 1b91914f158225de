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

int far_pair(int *ret_near, int *ret_far)
{
    int pair[2];
    if (far_channels(pair) < 0)
        return -1;
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    *ret_near = pair[0];
    *ret_far = pair[1];
    return 0;
}

ssize_t far_read(int far, void *place, size_t size)
{
    return recv(far, place, size, 0);
}

ssize_t far_write(int far, const void *data, size_t size)
{
    return write(far, data, size);
}

void far_close(int far)
{
    close(far);
}

int far_none(void)
{
    FILE *file = tmpfile();
    int fd = dup(fileno(file));
    fclose(file);
    return fd;
}
