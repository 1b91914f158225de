/* The way of an answer's body: encoded bytes from libcurl, decoded when asked to, and out as DATA
 * against the credit of the stream and of the connection, or into a file of the client's. What finds no room waits here, at most one
 * of libcurl's pieces (16 KiB, encoded), and then libcurl is told to pause. */
#ifndef WORKER_BODY_H
#define WORKER_BODY_H

#include "ipc/error.h"
#include "outflow.h"

struct decoder;

enum body_result {
    BODY_TAKEN,      /* everything; more may come */
    BODY_WAITING,    /* no room for the rest, which is kept */
    BODY_FAILED,     /* see body->error */
};

struct body {
    struct outflow *outflow;
    uint32_t id;
    int64_t credit;                       /* the stream's */
    int64_t least_credit;                 /* below it, more is awaited rather than spent in crumbs */
    struct decoder *decoder;
    uint8_t *rest;                        /* what waits */
    size_t rest_at, rest_length;
    uint64_t taken_bytes;                 /* as they came, so encoded */
    uint64_t delivered_bytes, limit_bytes;
    uint64_t rate_bytes;                  /* a second; 0: no limit */
    int64_t allowance;                    /* what the rate allows now */
    uint64_t allowance_ms;                /* when it was last raised */
    int output;                           /* a file that it goes to instead of DATA; -1 for none */
    enum ipc_error_code error;
    const char *problem;
    char text[96];                        /* what `problem` may point to */
};

void body_init(struct body *body, struct outflow *outflow);

/* For a new request with this first window; limit and rate 0: none. */
void body_reset(struct body *body, uint32_t id, uint64_t window_bytes, uint64_t limit_bytes,
                uint64_t rate_bytes);
void body_finish(struct body *body);

/* Decode what comes from here on. False for a coding that is not ours, and without memory. */
bool body_decode(struct body *body, struct ipc_bytes content_encoding);

/* What follows goes to this file, now ours, and needs no credit. */
void body_write_to(struct body *body, int fd);

/* Takes all of `data`. Only when nothing waits. */
enum body_result body_take(struct body *body, const void *data, size_t length);

/* Sends on what waits. */
enum body_result body_resume(struct body *body);
bool body_waits(const struct body *body);

/* The body has ended: BODY_FAILED when a coded stream stopped before its end. */
enum body_result body_end(struct body *body);

/* Milliseconds until the rate allows more; 0 when it is not the rate that holds the rest back. */
uint64_t body_rate_wait_ms(const struct body *body);

/* True when the next grant of stream credit may let the rest go on. */
bool body_lacks_credit(const struct body *body);

#endif
