/* The channel over a named pipe. libuv writes nothing at once there (uv_try_write is UV_EAGAIN): a write has
 * either gone into the pipe when uv_write returns, or waits in the kernel for a reader and would be lost with this
 * process. So what waits stays in `out` and counts as unsent; what the kernel reads is a copy. */
#include "channel_platform.h"

#include "secret.h"

#include <io.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define WRITE_BYTES ((size_t)64 * 1024)
#define WAITING_BYTES ((size_t)256 * 1024)   /* so that the next one is there when the reader has taken the first */

/* Freed by its callback, which comes in a later turn also when it had gone at once. */
struct ipc_pipe_write {
    uv_write_t write;
    struct ipc_channel *channel;    /* whose `out` still holds the bytes; NULL: nobody's any more */
    struct ipc_pipe_write *next;    /* of those that wait */
    size_t length;
    uint8_t bytes[];
};

/* ---- in ---- */

/* The end of a frame that has begun goes where its beginning lies, all else to the scratch memory. libuv reads
 * right after this, and only what is there. */
static void on_uv_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_memory)
{
    struct ipc_channel *channel = handle->data;
    (void)suggested;
    size_t size = ipc_buffer_length(&channel->in) > 0 ? ipc_channel_wanted(channel) : 0;
    if (size == 0)
        *ret_memory = uv_buf_init((char *)channel->hub->scratch, IPC_SCRATCH_BYTES);
    else
        *ret_memory = uv_buf_init((char *)ipc_buffer_reserve(&channel->in, size), (unsigned)size);
}

static void on_uv_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *memory)
{
    struct ipc_channel *channel = stream->data;
    if (got == UV_EOF)
        ipc_channel_ended(channel, 0, "the peer closed");
    else if (got == UV_ENOBUFS)
        ipc_channel_ended(channel, UV_ENOMEM, "no memory for a frame");
    else if (got < 0)
        ipc_channel_ended(channel, (int)got, "the connection broke");
    else if (got > 0 && memory->base == (char *)channel->hub->scratch)
        ipc_channel_received_more(channel, channel->hub->scratch, (size_t)got);
    else if (got > 0)
        ipc_channel_received_in_place(channel, (size_t)got);
}

void ipc_channel_platform_listen(struct ipc_channel *channel)
{
    uv_stream_t *stream = (uv_stream_t *)channel->uv.pipe;
    if (channel->reading == (channel->polled != 0))
        return;
    channel->polled = channel->reading;
    if (channel->reading)
        uv_read_start(stream, on_uv_alloc, on_uv_read);
    else
        uv_read_stop(stream);
}

/* ---- out ---- */

/* They are not the channel's any more: nothing is counted when they end. */
static void forget_waiting(struct ipc_channel *channel)
{
    for (struct ipc_pipe_write *own = channel->waiting; own; own = own->next)
        own->channel = NULL;
    channel->waiting = channel->last_waiting = NULL;
    channel->waiting_bytes = 0;
}

/* As on a socket: nobody will read this, and reading tells, so that there is one end. */
static void on_peer_gone(struct ipc_channel *channel)
{
    forget_waiting(channel);
    ipc_buffer_consume(&channel->out, ipc_buffer_length(&channel->out));
    channel->reading = true;
    ipc_channel_platform_listen(channel);
}

/* True when the pipe's other end is closed, which a reader hears too. */
static bool says_gone(int status)
{
    return status == UV_EPIPE || status == UV_EOF || status == UV_ENOTCONN || status == UV_ECONNRESET;
}

static void drop_first_waiting(struct ipc_channel *channel)
{
    struct ipc_pipe_write *own = channel->waiting;
    channel->waiting = own->next;
    if (!own->next)
        channel->last_waiting = NULL;
    channel->waiting_bytes -= own->length;
    ipc_buffer_consume(&channel->out, own->length);
    own->channel = NULL;
}

/* Writes to a pipe end in the order in which they began. One that has ended is in the pipe, also before libuv says
 * so: who flushes in one turn of the loop sees it. */
static void count_written(struct ipc_channel *channel)
{
    while (channel->waiting) {
        const OVERLAPPED *overlapped = &channel->waiting->write.u.io.overlapped;
        if (!HasOverlappedIoCompleted(overlapped) || (LONG)overlapped->Internal < 0)
            return;
        drop_first_waiting(channel);
    }
}

static void on_failed(struct ipc_channel *channel, int status)
{
    forget_waiting(channel);
    if (!channel->open || channel->ended)
        return;
    if (says_gone(status))
        on_peer_gone(channel);
    else
        ipc_channel_ended(channel, status, "writing failed");
}

static void on_uv_write(uv_write_t *write, int status)
{
    struct ipc_pipe_write *own = write->data;
    struct ipc_channel *channel = own->channel;
    if (channel && status < 0)
        on_failed(channel, status);
    else if (channel)
        ipc_channel_flush(channel);
    ipc_secret_free(own);
}

static void keep_waiting(struct ipc_channel *channel, struct ipc_pipe_write *own)
{
    if (channel->last_waiting)
        channel->last_waiting->next = own;
    else
        channel->waiting = own;
    channel->last_waiting = own;
    channel->waiting_bytes += own->length;
    own->channel = channel;
}

static struct ipc_pipe_write *make_write(struct ipc_channel *channel, size_t length)
{
    struct ipc_pipe_write *own = ipc_secret_alloc(sizeof *own + length);
    if (!own)
        return NULL;
    own->write.data = own;
    own->channel = NULL;
    own->next = NULL;
    own->length = length;
    memcpy(own->bytes, ipc_buffer_data(&channel->out) + channel->waiting_bytes, length);
    return own;
}

/* Gives the next bytes to the kernel. libuv counts those that wait there, not those that have gone. */
static int write_some(struct ipc_channel *channel, size_t length)
{
    uv_stream_t *stream = (uv_stream_t *)channel->uv.pipe;
    size_t before = uv_stream_get_write_queue_size(stream);
    struct ipc_pipe_write *own = make_write(channel, length);
    if (!own)
        return UV_ENOMEM;
    uv_buf_t buffer = uv_buf_init((char *)own->bytes, (unsigned)length);
    int status = uv_write(&own->write, stream, &buffer, 1, on_uv_write);
    if (status < 0)
        ipc_secret_free(own);
    else if (uv_stream_get_write_queue_size(stream) > before)
        keep_waiting(channel, own);
    else
        ipc_buffer_consume(&channel->out, length);
    return status;
}

void ipc_channel_platform_write(struct ipc_channel *channel)
{
    count_written(channel);
    while (channel->waiting_bytes < WAITING_BYTES && ipc_buffer_length(&channel->out) > channel->waiting_bytes) {
        size_t length = ipc_buffer_length(&channel->out) - channel->waiting_bytes;
        int status = write_some(channel, length < WRITE_BYTES ? length : WRITE_BYTES);
        if (status < 0) {
            on_peer_gone(channel);
            if (!says_gone(status))
                ipc_channel_broke(channel, status);
            return;
        }
    }
}

/* Pipes tell nobody but their loop; this is for what lasts a moment. */
void ipc_channel_platform_wait(struct ipc_channel *channel, int timeout_ms)
{
    (void)channel;
    Sleep((DWORD)timeout_ms);
}

int ipc_channel_platform_attach(struct ipc_channel *channel, int fd)
{
    (void)channel, (void)fd;
    return -1;
}

/* ---- life ---- */

static void on_uv_freed(uv_handle_t *handle)
{
    free(handle);
}

/* A handle that another process inherits would keep the channel open when we close it. */
static int open_pipe(struct ipc_channel *channel, int fd)
{
    SetHandleInformation((HANDLE)_get_osfhandle(fd), HANDLE_FLAG_INHERIT, 0);
    channel->uv.pipe = calloc(1, sizeof *channel->uv.pipe);
    if (!channel->uv.pipe)
        return UV_ENOMEM;
    uv_pipe_init(channel->hub->loop, channel->uv.pipe, 0);
    int status = uv_pipe_open(channel->uv.pipe, fd);
    if (status < 0)
        uv_close((uv_handle_t *)channel->uv.pipe, on_uv_freed);
    return status;
}

int ipc_channel_platform_open(struct ipc_channel *channel, int fd)
{
    int status = open_pipe(channel, fd);
    if (status < 0) {
        _close(fd);
        return status;
    }
    channel->uv.pipe->data = channel;
    ipc_channel_platform_listen(channel);
    return 0;
}

static void on_uv_closed(uv_handle_t *handle)
{
    struct ipc_channel *channel = handle->data;
    free(handle);
    ipc_channel_closed(channel);
}

/* What still waits would keep the handle from closing for as long as the peer does not read. */
void ipc_channel_platform_close(struct ipc_channel *channel)
{
    uv_os_fd_t pipe;
    forget_waiting(channel);
    if (uv_fileno((uv_handle_t *)channel->uv.pipe, &pipe) == 0)
        CancelIoEx(pipe, NULL);
    uv_close((uv_handle_t *)channel->uv.pipe, on_uv_closed);
}
