/* The channel over a Unix socket: recvmsg, so that descriptors can come along with a frame (a libuv
 * pipe can't receive a regular file), and send, over one uv_poll. */
#include "channel_platform.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef MSG_CMSG_CLOEXEC
#define RECEIVE_FLAGS MSG_CMSG_CLOEXEC
#else
#define RECEIVE_FLAGS 0
#endif
#ifdef MSG_NOSIGNAL
#define SEND_FLAGS MSG_NOSIGNAL
#else
#define SEND_FLAGS 0   /* the programs ignore SIGPIPE */
#endif

#define DESCRIPTORS (sizeof ((struct ipc_channel *)0)->descriptors / sizeof(int))

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS)];
};

static void keep_descriptor(struct ipc_channel *channel, int fd)
{
    if (channel->descriptor_count == DESCRIPTORS) {
        close(fd);
        return;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    channel->descriptors[channel->descriptor_count++] = fd;
}

static void keep_descriptors(struct ipc_channel *channel, struct msghdr *message)
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            keep_descriptor(channel, fd);
        }
    }
}

/* The end of a frame that has begun goes where its beginning lies, what follows to the scratch memory. */
static ssize_t receive(struct ipc_channel *channel, void *place, size_t size)
{
    union control control;
    struct iovec iovec[] = { { place, size }, { channel->hub->scratch, IPC_SCRATCH_BYTES } };
    struct msghdr message = { .msg_iov = size > 0 ? iovec : iovec + 1, .msg_iovlen = size > 0 ? 2 : 1,
                              .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
    ssize_t got;
    do
        got = recvmsg(channel->fd, &message, RECEIVE_FLAGS);
    while (got < 0 && errno == EINTR);
    if (got >= 0 && message.msg_controllen > 0)
        keep_descriptors(channel, &message);
    return got;
}

/* `got` bytes: the first `size` of them behind those in channel->in. */
static void take(struct ipc_channel *channel, size_t size, size_t got)
{
    size_t in_place = got < size ? got : size;
    if (in_place > 0)
        ipc_channel_received_in_place(channel, in_place);
    if (got > in_place)
        ipc_channel_received_more(channel, channel->hub->scratch, got - in_place);
}

/* False when there was nothing, or it was the end. */
static bool on_readable(struct ipc_channel *channel)
{
    bool fresh = ipc_buffer_length(&channel->in) == 0;
    size_t size = fresh ? 0 : ipc_channel_wanted(channel);
    uint8_t *place = fresh ? NULL : ipc_buffer_reserve(&channel->in, size);
    if (!fresh && !place) {
        ipc_channel_ended(channel, UV_ENOMEM, "no memory for a frame");
        return false;
    }
    ssize_t got = receive(channel, place, size);
    if (got == 0)
        ipc_channel_ended(channel, 0, "the peer closed");
    else if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        ipc_channel_ended(channel, uv_translate_sys_error(errno), "reading failed");
    else if (got > 0)
        take(channel, size, (size_t)got);
    return got > 0;
}

/* A peer that dies with something of ours unread leaves an error on the socket, yet what it said before
 * lies there too: a worker's SENDING, say, without which its POST would be sent twice. libuv says EBADF
 * whenever the kernel reports an error. */
static void on_broken(struct ipc_channel *channel, int status)
{
    while (channel->open && !channel->ended && on_readable(channel))
        ;
    ipc_channel_ended(channel, status == UV_EBADF ? UV_ECONNRESET : status, "the connection broke");
}

static void on_uv_poll(uv_poll_t *poll, int status, int events)
{
    struct ipc_channel *channel = poll->data;
    if (status < 0) {
        on_broken(channel, status);
        return;
    }
    if ((events & UV_READABLE) && channel->open && !channel->ended)
        on_readable(channel);
    if ((events & UV_WRITABLE) && channel->open && !channel->ended)
        ipc_channel_flush(channel);
}

void ipc_channel_platform_listen(struct ipc_channel *channel)
{
    int events = (channel->reading ? UV_READABLE : 0) | (channel->wants_write ? UV_WRITABLE : 0);
    if (events == channel->polled)
        return;
    channel->polled = events;
    if (events == 0)
        uv_poll_stop(&channel->uv.poll);
    else
        uv_poll_start(&channel->uv.poll, events, on_uv_poll);
}

int ipc_channel_platform_open(struct ipc_channel *channel, int fd)
{
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    int status = uv_poll_init(channel->hub->loop, &channel->uv.poll, fd);
    if (status < 0) {
        close(fd);
        return status;
    }
    channel->fd = fd;
    channel->uv.poll.data = channel;
    ipc_channel_platform_listen(channel);
    return 0;
}

int ipc_channel_platform_attach(struct ipc_channel *channel, int fd)
{
    return ipc_parcels_add(&channel->parcels, &channel->out, fd);
}

void ipc_channel_platform_write(struct ipc_channel *channel)
{
    struct ipc_buffer *out = &channel->out;
    while (ipc_buffer_length(out) > 0) {
        ssize_t sent = ipc_parcels_send(&channel->parcels, channel->fd, out, SEND_FLAGS);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (sent < 0) {
            /* The peer is gone: nobody will read this. Reading tells, so that there is one end. If it was
             * another failure, the peer must not wait for what is lost here. */
            ipc_buffer_consume(out, ipc_buffer_length(out));
            shutdown(channel->fd, SHUT_WR);
            channel->reading = true;
            return;
        }
    }
}

void ipc_channel_platform_wait(struct ipc_channel *channel, int timeout_ms)
{
    struct pollfd wait = { .fd = channel->fd, .events = POLLOUT };
    poll(&wait, 1, timeout_ms);
}

static void on_uv_closed(uv_handle_t *handle)
{
    struct ipc_channel *channel = handle->data;
    close(channel->fd);
    for (unsigned i = 0; i < channel->descriptor_count; i++)
        close(channel->descriptors[i]);
    channel->descriptor_count = 0;
    ipc_parcels_drop(&channel->parcels);
    ipc_channel_closed(channel);
}

void ipc_channel_platform_close(struct ipc_channel *channel)
{
    uv_close(&channel->uv.handle, on_uv_closed);
}
