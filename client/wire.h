/* The bytes of one connection to the daemon: what came and is not yet told, what is to be sent.
 * Never waits, raises no signal; knows no message. */
#ifndef CLIENT_WIRE_H
#define CLIENT_WIRE_H

#include "ipc/buffer.h"
#include "ipc/frame.h"
#include "ipc/parcels.h"

#include <stdbool.h>

struct wire {
    int fd;                    /* -1: not connected */
    struct ipc_buffer out;
    struct ipc_parcels parcels;   /* descriptors on their way out */
    bool out_full;             /* the kernel took less than there was */
    bool out_broken;           /* nothing can be sent any more */
    bool ended;                /* nothing comes any more */
    int ended_errno;           /* 0 for an orderly end */
    uint8_t *in;
    size_t in_start, in_end, in_capacity;
    struct wire_pipe *pipe;    /* Windows: what is under way */
};

void wire_init(struct wire *wire);
void wire_finish(struct wire *wire);

/* Takes over what transport_connect() returned. 0, or -1 without memory, the descriptor closed. */
int wire_open(struct wire *wire, int fd);

/* Closes; bytes that were read stay where they are until the wire is opened again. */
void wire_close(struct wire *wire);

/* Has a copy of this descriptor leave with the byte that is queued next. 0, or -1. */
int wire_attach(struct wire *wire, int fd);

void wire_write(struct wire *wire);
void wire_read(struct wire *wire);

/* Waits until something can be read, or written when `out_full`: 1; 0 when the time (-1: forever) is over, -1 after a
 * signal. */
int wire_wait(struct wire *wire, int timeout_ms);

/* The first whole frame. IPC_FRAME_PARTIAL also when memory for a large one is short, `ended` is
 * set then. */
enum ipc_frame_result wire_frame(struct wire *wire, struct ipc_frame *ret_frame);
void wire_consume(struct wire *wire, const struct ipc_frame *frame);

/* True when the other side has closed although nothing was asked. */
bool wire_is_stale(struct wire *wire);

#endif
