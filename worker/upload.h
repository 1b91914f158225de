/* A request body that the client streams: DATA from the daemon waits here, under a window of our
 * own, until libcurl reads it. Pure. (A body that came inline is given to libcurl as it is.) */
#ifndef WORKER_UPLOAD_H
#define WORKER_UPLOAD_H

#include "ipc/buffer.h"
#include "ipc/credit.h"

#define UPLOAD_WINDOW (64 * 1024)

enum upload_result {
    UPLOAD_OK,
    UPLOAD_VIOLATION,   /* more than was granted, or after the end: the daemon errs */
    UPLOAD_TOO_LONG,    /* more than body_length promised */
    UPLOAD_TOO_SHORT,   /* it ended before */
    UPLOAD_NO_MEMORY,
};

struct upload {
    struct ipc_buffer pending;
    struct ipc_window window;
    uint64_t expected_bytes;   /* UINT64_MAX: unknown */
    uint64_t received_bytes, read_bytes;
    bool open;                 /* credit was granted */
    bool ended;                /* the client's end came */
    bool paused;               /* libcurl asked for more than there was, and waits */
};

void upload_init(struct upload *upload);
void upload_finish(struct upload *upload);

/* For a new body. Nothing may come before upload_open(). */
void upload_reset(struct upload *upload, uint64_t expected_bytes);

/* The first grant, once: bytes for a CREDIT, 0 the second time. */
int64_t upload_open(struct upload *upload);

/* A DATA; one of length 0 is the end. */
enum upload_result upload_receive(struct upload *upload, const void *data, size_t length);

/* Up to `size` bytes for libcurl. 0 with upload->paused set when there are none yet; 0 without at
 * the end. *ret_grant is what to give back by a CREDIT, or 0. */
size_t upload_read(struct upload *upload, void *place, size_t size, int64_t *ret_grant);

#endif
