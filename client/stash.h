/* Frames kept for later, in order: what came for one request while another was waited for. */
#ifndef CLIENT_STASH_H
#define CLIENT_STASH_H

#include "ipc/frame.h"

#include <stddef.h>

struct stash_item {
    struct stash_item *next;
    size_t taken_bytes;        /* of a DATA payload, by fetchd_read() */
    struct ipc_frame frame;    /* in `bytes` */
    uint8_t bytes[];
};

struct stash {
    struct stash_item *first, *last;
    size_t bytes;
};

/* Appends a copy of the frame. The item, or NULL without memory. */
struct stash_item *stash_put(struct stash *stash, const struct ipc_frame *frame);

/* Takes the first item out; it is the caller's to free(). */
struct stash_item *stash_take(struct stash *stash);

void stash_finish(struct stash *stash);

#endif
