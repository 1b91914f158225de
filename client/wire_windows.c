/* The bytes of one connection, over a named pipe opened for overlapped use. What is under way has one event, which
 * is set when there is something to do, so that a program can wait for it as for a descriptor elsewhere.
 *
 * A read of no bytes waits for bytes to come and takes none, so nothing is ever read into memory that moves. A write
 * that waits stays in `out`; the kernel reads a copy. */
#include "pipe_windows.h"
#include "wire_platform.h"

#include "ipc/secret.h"

#include <errno.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define WRITE_BYTES ((size_t)128 * 1024)

struct wire_pipe {
    HANDLE handle;             /* of the wire's descriptor */
    HANDLE event, read_event;  /* of all that waits; of what does not */
    OVERLAPPED arrival, departure;
    bool arrival_waits;        /* a read of no bytes was begun */
    bool arrival_due;          /* ... or could not be: look */
    bool rung;
    size_t leaving;            /* the first bytes of `out` that were given to the kernel */
    uint8_t *copy;             /* of them */
};

int pipe_make(struct wire *wire)
{
    if (wire->pipe)
        return 0;
    struct wire_pipe *pipe = calloc(1, sizeof *pipe);
    if (!pipe)
        return -1;
    wire->pipe = pipe;
    pipe->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    pipe->read_event = CreateEventW(NULL, TRUE, FALSE, NULL);
    pipe->copy = ipc_secret_alloc(WRITE_BYTES);
    if (pipe->event && pipe->read_event && pipe->copy)
        return 0;
    pipe_free(wire);
    return -1;
}

void pipe_free(struct wire *wire)
{
    struct wire_pipe *pipe = wire->pipe;
    if (!pipe)
        return;
    if (pipe->event)
        CloseHandle(pipe->event);
    if (pipe->read_event)
        CloseHandle(pipe->read_event);
    ipc_secret_free(pipe->copy);
    free(pipe);
    wire->pipe = NULL;
}

void *pipe_event(const struct wire *wire)
{
    return wire->pipe->event;
}

/* ---- the event ---- */

static bool is_due(const struct wire_pipe *pipe)
{
    return pipe->arrival_due || (pipe->arrival_waits && HasOverlappedIoCompleted(&pipe->arrival))
        || (pipe->leaving > 0 && HasOverlappedIoCompleted(&pipe->departure));
}

/* Beginning something resets the event, and what ends at once sets it: so it is made true after each. What ends
 * behind the look at it sets it itself. */
static void settle(struct wire_pipe *pipe, bool heeds_bell)
{
    ResetEvent(pipe->event);
    if (is_due(pipe) || (heeds_bell && pipe->rung))
        SetEvent(pipe->event);
}

void pipe_ring(struct wire *wire, bool rung)
{
    if (!wire->pipe || wire->pipe->rung == rung)
        return;
    wire->pipe->rung = rung;
    settle(wire->pipe, true);
}

int wire_wait(struct wire *wire, int timeout_ms)
{
    struct wire_pipe *pipe = wire->pipe;
    settle(pipe, false);
    DWORD ended = WaitForSingleObject(pipe->event, timeout_ms < 0 ? INFINITE : (DWORD)timeout_ms);
    settle(pipe, true);
    return ended == WAIT_OBJECT_0;
}

/* ---- life ---- */

static void await_arrival(struct wire_pipe *pipe)
{
    static char nothing;
    if (pipe->arrival_waits)
        return;
    pipe->arrival = (OVERLAPPED){ .hEvent = pipe->event };
    pipe->arrival_waits = ReadFile(pipe->handle, &nothing, 0, NULL, &pipe->arrival)
        || GetLastError() == ERROR_IO_PENDING;
    pipe->arrival_due = !pipe->arrival_waits;
}

int wire_open(struct wire *wire, int fd)
{
    if (wire_begin(wire, fd) < 0 || pipe_make(wire) < 0) {
        wire->fd = -1;
        _close(fd);
        return -1;
    }
    wire->pipe->handle = (HANDLE)_get_osfhandle(fd);
    await_arrival(wire->pipe);
    settle(wire->pipe, true);
    return 0;
}

static bool is_under_way(const struct wire_pipe *pipe)
{
    return (pipe->arrival_waits && !HasOverlappedIoCompleted(&pipe->arrival))
        || (pipe->leaving > 0 && !HasOverlappedIoCompleted(&pipe->departure));
}

/* The kernel must have let go of our memory. */
static void take_back(struct wire_pipe *pipe)
{
    CancelIoEx(pipe->handle, NULL);
    for (;;) {
        ResetEvent(pipe->event);
        if (!is_under_way(pipe))
            break;
        WaitForSingleObject(pipe->event, INFINITE);
    }
    pipe->arrival_waits = pipe->arrival_due = false;
    pipe->leaving = 0;
    ipc_secret_wipe(pipe->copy, WRITE_BYTES);
}

void wire_close(struct wire *wire)
{
    if (wire->fd >= 0) {
        take_back(wire->pipe);
        _close(wire->fd);
        settle(wire->pipe, true);
    }
    wire->fd = -1;
    wire->in_start = wire->in_end = 0;
    ipc_buffer_finish(&wire->out);
}

void wire_finish(struct wire *wire)
{
    wire_close(wire);
    pipe_free(wire);
    wire_forget(wire);
}

int wire_attach(struct wire *wire, int fd)
{
    (void)wire, (void)fd;
    return -1;   /* a pipe carries bytes only */
}

/* ---- out ---- */

/* True when nothing of ours is with the kernel any more. */
static bool has_left(struct wire *wire)
{
    struct wire_pipe *pipe = wire->pipe;
    DWORD bytes;
    if (pipe->leaving == 0)
        return true;
    if (!HasOverlappedIoCompleted(&pipe->departure))
        return false;
    bool sent = GetOverlappedResult(pipe->handle, &pipe->departure, &bytes, FALSE) && bytes == pipe->leaving;
    ipc_buffer_consume(&wire->out, pipe->leaving);
    pipe->leaving = 0;
    if (!sent)
        wire_break_out(wire);
    return true;
}

/* Gives the next bytes to the kernel. False when they wait there. */
static bool send_some(struct wire *wire)
{
    struct wire_pipe *pipe = wire->pipe;
    size_t length = ipc_buffer_length(&wire->out);
    if (length > WRITE_BYTES)
        length = WRITE_BYTES;
    memcpy(pipe->copy, ipc_buffer_data(&wire->out), length);
    pipe->departure = (OVERLAPPED){ .hEvent = pipe->event };
    if (WriteFile(pipe->handle, pipe->copy, (DWORD)length, NULL, &pipe->departure)) {
        ipc_buffer_consume(&wire->out, length);
        return true;
    }
    if (GetLastError() == ERROR_IO_PENDING) {
        pipe->leaving = length;
        return has_left(wire);
    }
    wire_break_out(wire);
    return true;
}

void wire_write(struct wire *wire)
{
    if (wire->fd < 0)
        return;
    bool left = has_left(wire);
    while (left && ipc_buffer_length(&wire->out) > 0 && !wire->out_broken)
        left = send_some(wire);
    if (wire->out_broken)
        wire_break_out(wire);
    else
        wire->out_full = !left;
    settle(wire->pipe, true);
}

/* ---- in ---- */

static int end_errno(DWORD error)
{
    return error == ERROR_BROKEN_PIPE || error == ERROR_PIPE_NOT_CONNECTED ? 0 : EIO;
}

static void end_in(struct wire *wire, int error)
{
    wire->ended = true;
    wire->ended_errno = error;
}

/* There are that many, and nobody else reads: it does not wait. */
static void read_some(struct wire *wire, DWORD length)
{
    struct wire_pipe *pipe = wire->pipe;
    OVERLAPPED now = { .hEvent = pipe->read_event };
    DWORD got = 0;
    if (!ReadFile(pipe->handle, wire->in + wire->in_end, length, NULL, &now) && GetLastError() != ERROR_IO_PENDING)
        end_in(wire, end_errno(GetLastError()));
    else if (!GetOverlappedResult(pipe->handle, &now, &got, TRUE))
        end_in(wire, end_errno(GetLastError()));
    wire->in_end += got;
}

static void read_what_is_there(struct wire *wire)
{
    struct wire_pipe *pipe = wire->pipe;
    size_t room = wire_make_room(wire);
    DWORD there;
    if (room == 0)
        return;
    if (!PeekNamedPipe(pipe->handle, NULL, 0, NULL, &there, NULL))
        end_in(wire, end_errno(GetLastError()));
    else if (there > 0)
        read_some(wire, there < room ? there : (DWORD)room);
    else if (wire->out_broken)
        end_in(wire, 0);
}

void wire_read(struct wire *wire)
{
    struct wire_pipe *pipe = wire->pipe;
    if (wire->fd < 0 || wire->ended)
        return;
    read_what_is_there(wire);
    if (pipe->arrival_waits && HasOverlappedIoCompleted(&pipe->arrival))
        pipe->arrival_waits = false;
    if (!wire->ended)
        await_arrival(pipe);
    settle(pipe, true);
}

bool wire_is_stale(struct wire *wire)
{
    DWORD there;
    return wire->ended || wire->out_broken || !PeekNamedPipe(wire->pipe->handle, NULL, 0, NULL, &there, NULL);
}
