/* The bytes of one connection, over a local stream socket. */
#include "wire_platform.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0   /* the socket has SO_NOSIGPIPE there */
#endif

int wire_open(struct wire *wire, int fd)
{
    if (wire_begin(wire, fd) == 0)
        return 0;
    close(fd);
    return -1;
}

void wire_close(struct wire *wire)
{
    if (wire->fd >= 0)
        close(wire->fd);
    ipc_parcels_drop(&wire->parcels);
    wire->fd = -1;
    wire->in_start = wire->in_end = 0;
    ipc_buffer_finish(&wire->out);
}

void wire_finish(struct wire *wire)
{
    wire_close(wire);
    wire_forget(wire);
}

int wire_attach(struct wire *wire, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy >= 0 && ipc_parcels_add(&wire->parcels, &wire->out, copy) == 0)
        return 0;
    if (copy >= 0)
        close(copy);
    return -1;
}

void wire_write(struct wire *wire)
{
    while (wire->fd >= 0 && ipc_buffer_length(&wire->out) > 0) {
        size_t length = ipc_buffer_length(&wire->out);
        if (wire->out_broken) {
            wire_break_out(wire);
            return;
        }
        bool parcels = wire->parcels.first;
        ssize_t sent = ipc_parcels_send(&wire->parcels, wire->fd, &wire->out, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)) {
            wire->out_full = true;
            return;
        }
        if (sent < 0) {
            wire_break_out(wire);
            return;
        }
        wire->out_full = (size_t)sent < length && !parcels;
        if (wire->out_full)
            return;
    }
}

void wire_read(struct wire *wire)
{
    if (wire->fd < 0 || wire->ended)
        return;
    size_t room = wire_make_room(wire);
    if (room == 0)
        return;
    ssize_t got;
    do
        got = recv(wire->fd, wire->in + wire->in_end, room, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        wire->in_end += (size_t)got;
        return;
    }
    bool nothing_yet = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (nothing_yet && !wire->out_broken)
        return;
    wire->ended = true;
    wire->ended_errno = got < 0 && !nothing_yet ? errno : 0;
}

int wire_wait(struct wire *wire, int timeout_ms)
{
    struct pollfd socket = { .fd = wire->fd, .events = wire->out_full ? POLLIN | POLLOUT : POLLIN };
    int ready = poll(&socket, 1, timeout_ms);
    if (ready < 0 && errno == EINTR)
        return -1;
    return ready > 0;
}

bool wire_is_stale(struct wire *wire)
{
    char byte;
    if (wire->ended || wire->out_broken)
        return true;
    ssize_t got = recv(wire->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}
