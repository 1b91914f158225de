/* What libcurl reads and writes of an HTTP/2 connection, in larger pieces. By itself it asks the kernel twice for
 * each TLS record and gives it each request alone; through here, by the linker's --wrap of recv and send
 * (worker/meson.build), a record's head brings along what has come besides, and what a turn of the loop sends
 * leaves together. Only for connections that requests share: elsewhere libcurl must see in the kernel what comes
 * unasked, and FTP waits for an answer within a call. watch.c owns one for each socket that libcurl opened. */
#ifndef WORKER_STREAM_H
#define WORKER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pollfd;   /* the system's, or on Windows Winsock's */

struct stream {
    bool shared;            /* HTTP/2: the rest is in use */
    bool empty;             /* the kernel had nothing, in this turn of the loop */
    bool blocked;           /* the kernel takes no more, until the loop tells */
    int error;              /* of a write that libcurl believes done; the next one hears of it */
    uint8_t *in, *out;      /* STREAM_BYTES each, or NULL without content */
    size_t in_at, in_end, out_length;
};

#define STREAM_BYTES ((size_t)16 * 1024)

/* As recv(2) and send(2) do it, with errno. */
ssize_t stream_read(struct stream *stream, int fd, void *place, size_t length);
ssize_t stream_write(struct stream *stream, int fd, const void *data, size_t length);

/* Read from the kernel and not yet by libcurl. */
static inline bool stream_has_input(const struct stream *stream)
{
    return stream->in != NULL;
}

/* libcurl asks the kernel whether a connection at rest has input, before it uses it again: true, with that for an
 * answer, when it is here. */
bool stream_answers_poll(struct pollfd *fds, unsigned count);

/* Sends what is kept. */
void stream_flush(struct stream *stream, int fd);

/* Drops what is kept. */
void stream_finish(struct stream *stream);

#endif
