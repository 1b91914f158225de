/* A body that goes up: pieces of memory and files one after the other, read in order and, where the
 * files allow it, again from the start. */
#ifndef CLIENT_BODY_H
#define CLIENT_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct body_piece {
    char *memory;              /* NULL for a file */
    int fd;                    /* -1 for memory */
    uint64_t size;             /* UINT64_MAX: until it ends */
};

struct body {
    struct body_piece *pieces;
    size_t count;
    uint64_t length;           /* in all, UINT64_MAX when not known */
    bool rewindable;
    size_t at;                 /* the piece that is read */
    uint64_t done;             /* of it */
    uint64_t start;            /* left out of the first piece */
};

void body_init(struct body *body);
void body_finish(struct body *body);

/* Copies it. 0, or -1 with errno set. */
int body_add_memory(struct body *body, const void *data, size_t size);

/* Opens the file, stdin for "-". 0, or -1 with errno set. */
int body_add_file(struct body *body, const char *path);

/* The next bytes; 0 at the end, -1 with errno set. A file that is shorter than it was is EIO: what was
 * announced can't be sent. */
ssize_t body_read(struct body *body, char *buffer, size_t size);

/* The descriptor that the next read may have to wait for, or -1. */
int body_wait_fd(const struct body *body);

/* Back to the start. 0, or -1 when that can't be. */
int body_rewind(struct body *body);

/* Leaves out the first bytes of a body that is one file, now and after each rewind. -1 when it is something
 * else, or shorter. */
int body_begin_at(struct body *body, uint64_t offset);

#endif
