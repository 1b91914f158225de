/* Structs to frames. Pure: writes into a buffer, no I/O. */
#ifndef IPC_PACK_H
#define IPC_PACK_H

#include "buffer.h"
#include "message.h"

/* Appends one frame. `message` is the struct of `number` (struct ipc_fetch for IPC_FETCH);
 * fields at their initial value are left out. Fields with the rule TRUSTED are written only when
 * `speaker` is IPC_DAEMON_TO_WORKER or IPC_WORKER. NULL means a message without fields.
 * A byte of a TEXT that is not UTF-8 goes as U+FFFD; limits of fields are the caller's to keep.
 * 0, or -1 when the frame would exceed IPC_FRAME_BYTES or the buffer its limit; the buffer is
 * unchanged then. */
int ipc_pack(struct ipc_buffer *out, enum ipc_speaker speaker, unsigned number, uint32_t id,
             const void *message);

/* Appends a DATA frame of at most IPC_DATA_BYTES. 0 or -1 as above. */
int ipc_pack_data(struct ipc_buffer *out, uint32_t id, const void *data, size_t bytes);

/* Appends a frame whose body is already msgpack: the relay's way. 0 or -1. */
int ipc_pack_body(struct ipc_buffer *out, unsigned number, uint32_t id, const uint8_t *body,
                  size_t body_length);

#endif
