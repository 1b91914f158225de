/* What is kept of a connection's bytes. */
#include "wire_platform.h"

#include "ipc/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IN_BYTES ((size_t)256 * 1024)
#define READ_BYTES ((size_t)64 * 1024)          /* least room for a read */
#define OUT_BYTES ((size_t)64 * 1024 * 1024)    /* a daemon that reads nothing costs no more */

void wire_init(struct wire *wire)
{
    *wire = (struct wire){ .fd = -1 };
    ipc_buffer_init(&wire->out, OUT_BYTES);
    wire->out.wipes = true;
}

int wire_begin(struct wire *wire, int fd)
{
    if (!wire->in) {
        wire->in = malloc(IN_BYTES);
        wire->in_capacity = IN_BYTES;
    }
    if (!wire->in)
        return -1;
    wire->fd = fd;
    wire->in_start = wire->in_end = 0;
    wire->out_full = wire->out_broken = wire->ended = false;
    wire->ended_errno = 0;
    return 0;
}

void wire_forget(struct wire *wire)
{
    free(wire->in);
    wire->in = NULL;
}

void wire_break_out(struct wire *wire)
{
    wire->out_broken = true;
    wire->out_full = false;
    ipc_buffer_consume(&wire->out, ipc_buffer_length(&wire->out));
}

size_t wire_make_room(struct wire *wire)
{
    size_t length = wire->in_end - wire->in_start;
    if (length == 0) {
        wire->in_start = wire->in_end = 0;
    } else if (wire->in_start > 0 && wire->in_capacity - wire->in_end < READ_BYTES) {
        memmove(wire->in, wire->in + wire->in_start, length);
        wire->in_start = 0;
        wire->in_end = length;
    }
    return wire->in_capacity - wire->in_end;
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
