/* The bytes of one connection, over a local stream socket. */
#include "wire.h"

#include "ipc/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_BYTES ((size_t)256 * 1024)
#define READ_BYTES ((size_t)64 * 1024)          /* least room for a read */
#define OUT_BYTES ((size_t)64 * 1024 * 1024)    /* a daemon that reads nothing costs no more */

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0   /* the socket has SO_NOSIGPIPE there */
#endif

void wire_init(struct wire *wire)
{
    *wire = (struct wire){ .fd = -1 };
    ipc_buffer_init(&wire->out, OUT_BYTES);
    wire->out.wipes = true;
}

void wire_finish(struct wire *wire)
{
    wire_close(wire);
    free(wire->in);
    wire->in = NULL;
}

int wire_open(struct wire *wire, int fd)
{
    if (!wire->in) {
        wire->in = malloc(IN_BYTES);
        wire->in_capacity = IN_BYTES;
    }
    if (!wire->in) {
        close(fd);
        return -1;
    }
    wire->fd = fd;
    wire->in_start = wire->in_end = 0;
    wire->out_full = wire->out_broken = wire->ended = false;
    wire->ended_errno = 0;
    return 0;
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

static void break_out(struct wire *wire)
{
    wire->out_broken = true;
    wire->out_full = false;
    ipc_buffer_consume(&wire->out, ipc_buffer_length(&wire->out));
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
            break_out(wire);
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
            break_out(wire);
            return;
        }
        wire->out_full = (size_t)sent < length && !parcels;
        if (wire->out_full)
            return;
    }
}

static void make_room(struct wire *wire)
{
    size_t length = wire->in_end - wire->in_start;
    if (length == 0) {
        wire->in_start = wire->in_end = 0;
    } else if (wire->in_start > 0 && wire->in_capacity - wire->in_end < READ_BYTES) {
        memmove(wire->in, wire->in + wire->in_start, length);
        wire->in_start = 0;
        wire->in_end = length;
    }
}

void wire_read(struct wire *wire)
{
    if (wire->fd < 0 || wire->ended)
        return;
    make_room(wire);
    size_t room = wire->in_capacity - wire->in_end;
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

/* A frame's length was checked before it comes here, so this stays within 1 MiB and a bit. */
static int grow(struct wire *wire, size_t capacity)
{
    if (capacity <= wire->in_capacity)
        return 0;
    uint8_t *in = realloc(wire->in, capacity);
    if (!in)
        return -1;
    wire->in = in;
    wire->in_capacity = capacity;
    return 0;
}

enum ipc_frame_result wire_frame(struct wire *wire, struct ipc_frame *ret_frame)
{
    if (wire->in_start == wire->in_end)
        return IPC_FRAME_PARTIAL;
    size_t length = wire->in_end - wire->in_start, missing;
    enum ipc_frame_result result = ipc_frame_read(wire->in + wire->in_start, length, ret_frame, &missing);
    if (result == IPC_FRAME_PARTIAL && grow(wire, length + missing) < 0) {
        wire->ended = true;
        wire->ended_errno = ENOMEM;
    }
    return result;
}

void wire_consume(struct wire *wire, const struct ipc_frame *frame)
{
    wire->in_start += frame->whole_length;
}

bool wire_is_stale(struct wire *wire)
{
    char byte;
    if (wire->ended || wire->out_broken)
        return true;
    ssize_t got = recv(wire->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}
