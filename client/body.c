/* Bodies in pieces. */
#include "body.h"

#include "opening.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void body_init(struct body *body)
{
    *body = (struct body){ .rewindable = true };
}

void body_finish(struct body *body)
{
    for (size_t i = 0; i < body->count; i++) {
        free(body->pieces[i].memory);
        if (body->pieces[i].fd > STDIN_FILENO)
            close(body->pieces[i].fd);
    }
    free(body->pieces);
    body_init(body);
}

static int add_piece(struct body *body, struct body_piece piece)
{
    struct body_piece *pieces = realloc(body->pieces, (body->count + 1) * sizeof *pieces);
    if (!pieces)
        return -1;
    body->pieces = pieces;
    body->pieces[body->count++] = piece;
    if (piece.size == UINT64_MAX || body->length == UINT64_MAX)
        body->length = UINT64_MAX;
    else
        body->length += piece.size;
    return 0;
}

int body_add_memory(struct body *body, const void *data, size_t size)
{
    char *copy = malloc(size + 1);
    if (!copy)
        return -1;
    if (size > 0)
        memcpy(copy, data, size);
    if (add_piece(body, (struct body_piece){ copy, -1, size }) == 0)
        return 0;
    free(copy);
    return -1;
}

static int close_with(int fd, int error)
{
    if (fd > STDIN_FILENO)
        close(fd);
    errno = error;
    return -1;
}

int body_add_file(struct body *body, const char *path)
{
    struct stat status;
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : opening_read(path);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) < 0)
        return close_with(fd, errno);
    if (S_ISDIR(status.st_mode))
        return close_with(fd, EISDIR);
    bool is_file = S_ISREG(status.st_mode) && fd != STDIN_FILENO;
    if (add_piece(body, (struct body_piece){ NULL, fd, is_file ? (uint64_t)status.st_size : UINT64_MAX }) < 0)
        return close_with(fd, ENOMEM);
    body->rewindable = body->rewindable && is_file;
    return 0;
}

static ssize_t read_file(const struct body *body, const struct body_piece *piece, char *buffer, size_t size)
{
    ssize_t got;
    do
        got = piece->size == UINT64_MAX ? read(piece->fd, buffer, size)
                                        : pread(piece->fd, buffer, size, (off_t)body->done);
    while (got < 0 && errno == EINTR);
    if (got == 0 && piece->size != UINT64_MAX) {
        errno = EIO;
        return -1;
    }
    return got;
}

static ssize_t read_piece(const struct body *body, char *buffer, size_t size)
{
    const struct body_piece *piece = &body->pieces[body->at];
    if (piece->size != UINT64_MAX && size > piece->size - body->done)
        size = (size_t)(piece->size - body->done);
    if (size == 0)
        return 0;
    if (!piece->memory)
        return read_file(body, piece, buffer, size);
    memcpy(buffer, piece->memory + body->done, size);
    return (ssize_t)size;
}

ssize_t body_read(struct body *body, char *buffer, size_t size)
{
    while (body->at < body->count) {
        ssize_t got = read_piece(body, buffer, size);
        if (got != 0) {
            body->done += got > 0 ? (uint64_t)got : 0;
            return got;
        }
        body->at++;
        body->done = 0;
    }
    return 0;
}

int body_wait_fd(const struct body *body)
{
    bool waits = body->at < body->count && !body->pieces[body->at].memory
        && body->pieces[body->at].size == UINT64_MAX;
    return waits ? body->pieces[body->at].fd : -1;
}

int body_rewind(struct body *body)
{
    if (!body->rewindable)
        return -1;
    body->at = 0;
    body->done = body->start;
    return 0;
}

int body_begin_at(struct body *body, uint64_t offset)
{
    if (body->count != 1 || body->length == UINT64_MAX || offset > body->length)
        return -1;
    body->start = offset;
    return body_rewind(body);
}
