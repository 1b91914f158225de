/* Read ahead and gathered writing by two blocks of memory, which go round: what a stream has not used up by the
 * end of a turn is rare. */
#include "stream.h"

#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TLS_HEAD_BYTES 5   /* BoringSSL asks for these, then for the rest of the record */
#define SPARES 2

ssize_t __real_recv(int fd, void *place, size_t length, int flags);
ssize_t __wrap_recv(int fd, void *place, size_t length, int flags);
ssize_t __real_send(int fd, const void *data, size_t length, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t length, int flags);

/* ---- memory ---- */

static uint8_t *spares[SPARES];
static unsigned spare_count;

static uint8_t *take_block(void)
{
    return spare_count > 0 ? spares[--spare_count] : malloc(STREAM_BYTES);
}

static void give_block(uint8_t **block)
{
    if (*block && spare_count < SPARES)
        spares[spare_count++] = *block;
    else
        free(*block);
    *block = NULL;
}

/* ---- in ---- */

static ssize_t take_input(struct stream *stream, void *place, size_t length)
{
    size_t left = stream->in_end - stream->in_at;
    if (length > left)
        length = left;
    memcpy(place, stream->in + stream->in_at, length);
    stream->in_at += length;
    if (stream->in_at == stream->in_end)
        give_block(&stream->in);
    return (ssize_t)length;
}

/* libcurl looks for answers each time it has sent a request: once a turn is enough, for the loop tells. */
static ssize_t receive(struct stream *stream, int fd, void *place, size_t length)
{
    if (stream->empty) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t got = __real_recv(fd, place, length, 0);
    stream->empty = got < 0 && errno == EAGAIN;
    if (stream->empty) {
        watches_note_stream(fd);
        errno = EAGAIN;
    }
    return got;
}

ssize_t stream_read(struct stream *stream, int fd, void *place, size_t length)
{
    if (stream->in)
        return take_input(stream, place, length);
    uint8_t *block = length == TLS_HEAD_BYTES ? take_block() : NULL;
    if (!block)
        return receive(stream, fd, place, length);
    ssize_t got = receive(stream, fd, block, STREAM_BYTES);
    stream->in = block;
    stream->in_at = 0;
    stream->in_end = got > 0 ? (size_t)got : 0;
    if (got > 0)
        return take_input(stream, place, length);
    int error = errno;
    give_block(&stream->in);
    errno = error;
    return got;
}

ssize_t __wrap_recv(int fd, void *place, size_t length, int flags)
{
    struct stream *stream = flags == 0 ? watches_stream(fd) : NULL;
    return stream ? stream_read(stream, fd, place, length) : __real_recv(fd, place, length, flags);
}

bool stream_answers_poll(struct pollfd *fds, unsigned count)
{
    const struct stream *stream = count == 1 && (fds->events & POLLIN) ? watches_stream(fds->fd) : NULL;
    if (!stream || !stream_has_input(stream))
        return false;
    fds->revents = POLLIN;
    return true;
}

/* ---- out ---- */

void stream_flush(struct stream *stream, int fd)
{
    size_t at = 0;
    stream->blocked = false;
    while (at < stream->out_length && !stream->error && !stream->blocked) {
        ssize_t sent = __real_send(fd, stream->out + at, stream->out_length - at, MSG_NOSIGNAL);
        if (sent >= 0)
            at += (size_t)sent;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            stream->blocked = true;
        else if (errno != EINTR)
            stream->error = errno;
    }
    stream->out_length = stream->error ? 0 : stream->out_length - at;
    if (stream->out_length > 0)
        memmove(stream->out, stream->out + at, stream->out_length);
    else
        give_block(&stream->out);
}

static ssize_t fail(int error)
{
    errno = error;
    return -1;
}

ssize_t stream_write(struct stream *stream, int fd, const void *data, size_t length)
{
    if (stream->out_length > 0 && length > STREAM_BYTES - stream->out_length)
        stream_flush(stream, fd);
    if (stream->error)
        return fail(stream->error);
    if (length > STREAM_BYTES - stream->out_length)
        return stream->out_length > 0 ? fail(EAGAIN) : __real_send(fd, data, length, MSG_NOSIGNAL);
    if (!stream->out && !(stream->out = take_block()))
        return __real_send(fd, data, length, MSG_NOSIGNAL);
    memcpy(stream->out + stream->out_length, data, length);
    stream->out_length += length;
    watches_note_stream(fd);
    return (ssize_t)length;
}

ssize_t __wrap_send(int fd, const void *data, size_t length, int flags)
{
    struct stream *stream = watches_stream(fd);
    return stream ? stream_write(stream, fd, data, length) : __real_send(fd, data, length, flags);
}

void stream_finish(struct stream *stream)
{
    give_block(&stream->in);
    give_block(&stream->out);
    *stream = (struct stream){ .shared = false };
}
