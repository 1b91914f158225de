/* Descriptors on their way out over a local stream socket, each with one byte of the stream (unix(7), SCM_RIGHTS):
 * whoever reads that byte has the descriptor. The writer counts the bytes. */
#ifndef IPC_PARCELS_H
#define IPC_PARCELS_H

#include "buffer.h"

#include <stdint.h>
#include <sys/types.h>

struct ipc_parcel;

/* Zeros: none. */
struct ipc_parcels {
    struct ipc_parcel *first;    /* they leave in this order */
    uint64_t sent_bytes;         /* of the stream, so far */
};

/* Takes `fd` over, to leave with the first byte that is not yet in `out`. 0, or -1 without memory, `fd` still the
 * caller's. */
int ipc_parcels_add(struct ipc_parcels *parcels, const struct ipc_buffer *out, int fd);

/* Sends some of `out` to a stream socket, with what has to go along, and takes it out of there. As send(2): how
 * much, or -1 with errno. */
ssize_t ipc_parcels_send(struct ipc_parcels *parcels, int socket, struct ipc_buffer *out, int flags);

/* Closes those that have not left, for a stream that ends; the next begins at 0. */
void ipc_parcels_drop(struct ipc_parcels *parcels);

#endif
