/* The header section of an answer, collected line by line as libcurl gives it: in order, names as
 * received, interim (1xx) sections left out, bounded in bytes and in number; and the trailers. Pure. */
#ifndef WORKER_HEADERS_H
#define WORKER_HEADERS_H

#include "ipc/buffer.h"
#include "ipc/message.h"

#define HEADERS_COUNT_MAX 5000

enum headers_event {
    HEADERS_MORE,
    HEADERS_COMPLETE,    /* the empty line of a final answer: status, version and fields are there */
    HEADERS_TRAILER,     /* a line after that */
    HEADERS_TOO_LARGE,
    HEADERS_NO_MEMORY,
};

struct headers_field { uint32_t name, name_length, value, value_length; };   /* offsets into `text` */

struct headers {
    struct ipc_buffer text;
    struct headers_field *fields;
    size_t count, capacity;
    size_t trailers;                      /* of the fields, those behind `count` */
    size_t received_bytes, limit_bytes;   /* with interim sections and trailers, so that none is endless */
    unsigned status;
    char version[4];                      /* "1.1", "2" */
    bool complete;
};

void headers_init(struct headers *headers);
void headers_finish(struct headers *headers);

/* For the next answer. Small memory is kept. */
void headers_reset(struct headers *headers, size_t limit_bytes);

/* One line with its line end. A status line begins a new section. */
enum headers_event headers_take(struct headers *headers, const char *line, size_t length);

/* The value of the first field of this lower-case name; data is NULL when there is none. */
struct ipc_bytes headers_find(const struct headers *headers, const char *lower_case);

/* Fills `items`, which has room for headers->count pairs. They borrow from `headers`. */
struct ipc_pairs headers_pairs(const struct headers *headers, struct ipc_pair *items);

/* The same for the headers->trailers fields behind the body. */
struct ipc_pairs headers_trailers(const struct headers *headers, struct ipc_pair *items);

#endif
