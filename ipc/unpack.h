/* Frames to checked structs. A body is scanned first (depth, counts and lengths against the bytes
 * really there, so that nothing is allocated for what is not), then read into the struct and
 * checked against the table of its message in one pass. Pure: no I/O, no clock. */
#ifndef IPC_UNPACK_H
#define IPC_UNPACK_H

#include "frame.h"
#include "message.h"

#include <msgpack/zone.h>

/* Reusable memory for one decoded message at a time. */
struct ipc_decoder {
    msgpack_zone zone;
    char reason[160];   /* after a failure: what was wrong, for people; escaped, bounded */
};

int ipc_decoder_init(struct ipc_decoder *decoder);   /* 0, or -1 without memory */
void ipc_decoder_finish(struct ipc_decoder *decoder);

/* Decodes frame->body into *ret_message, the struct of frame->type. The frame's type must be one
 * that `speaker` may say. Unknown keys are ignored; so are TRUSTED ones from a client. What it
 * returns borrows from the frame's bytes and from the decoder, until the decoder's next use.
 * 0, or -1 with decoder->reason set. */
int ipc_unpack(struct ipc_decoder *decoder, enum ipc_speaker speaker, const struct ipc_frame *frame,
               void *ret_message);

/* The payload of a DATA frame, borrowed. At most IPC_DATA_BYTES. 0 or -1. */
int ipc_unpack_data(struct ipc_decoder *decoder, const struct ipc_frame *frame,
                    struct ipc_bytes *ret_payload);

#endif
