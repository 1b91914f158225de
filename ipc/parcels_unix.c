/* Descriptors by sendmsg. */
#include "parcels.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ipc_parcel {
    struct ipc_parcel *next;
    uint64_t at;     /* the byte it leaves with */
    int fd;
};

int ipc_parcels_add(struct ipc_parcels *parcels, const struct ipc_buffer *out, int fd)
{
    struct ipc_parcel **last = &parcels->first, *parcel = malloc(sizeof *parcel);
    if (!parcel)
        return -1;
    *parcel = (struct ipc_parcel){ .at = parcels->sent_bytes + ipc_buffer_length(out), .fd = fd };
    while (*last)
        last = &(*last)->next;
    *last = parcel;
    return 0;
}

static void drop_first(struct ipc_parcels *parcels)
{
    struct ipc_parcel *parcel = parcels->first;
    parcels->first = parcel->next;
    close(parcel->fd);
    free(parcel);
}

static ssize_t send_first(struct ipc_parcels *parcels, int socket, struct iovec *iovec, int flags)
{
    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control
        = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct msghdr message = { .msg_iov = iovec, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    memcpy(CMSG_DATA(&control.header), &parcels->first->fd, sizeof(int));
    ssize_t sent = sendmsg(socket, &message, flags);
    if (sent > 0)
        drop_first(parcels);
    return sent;
}

/* Up to the byte that has a descriptor, or that one. */
static ssize_t send_some(struct ipc_parcels *parcels, int socket, const struct ipc_buffer *out, int flags)
{
    struct iovec iovec = { ipc_buffer_data(out), ipc_buffer_length(out) };
    if (!parcels->first)
        return send(socket, iovec.iov_base, iovec.iov_len, flags);
    uint64_t before = parcels->first->at - parcels->sent_bytes;
    if (before > 0)
        return send(socket, iovec.iov_base, before < iovec.iov_len ? (size_t)before : iovec.iov_len, flags);
    iovec.iov_len = 1;
    return send_first(parcels, socket, &iovec, flags);
}

ssize_t ipc_parcels_send(struct ipc_parcels *parcels, int socket, struct ipc_buffer *out, int flags)
{
    ssize_t sent = send_some(parcels, socket, out, flags);
    if (sent > 0) {
        ipc_buffer_consume(out, (size_t)sent);
        parcels->sent_bytes += (uint64_t)sent;
    }
    return sent;
}

void ipc_parcels_drop(struct ipc_parcels *parcels)
{
    while (parcels->first)
        drop_first(parcels);
    parcels->sent_bytes = 0;
}
