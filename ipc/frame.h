/* Frames: u32 length (big-endian), then one msgpack array [type, id, body]. ipc/README.md has the
 * format with hexdumps. Pure: no I/O. */
#ifndef IPC_FRAME_H
#define IPC_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define IPC_FRAME_PREFIX 4

struct ipc_frame {
    unsigned type;
    uint32_t id;
    const uint8_t *body;      /* one msgpack value: a map, or a bin for DATA; not yet scanned */
    size_t body_length;
    const uint8_t *whole;     /* with the length prefix */
    size_t whole_length;
};

enum ipc_frame_result {
    IPC_FRAME_OK,
    IPC_FRAME_PARTIAL,        /* more bytes are needed */
    IPC_FRAME_TOO_LARGE,      /* the length is above IPC_FRAME_BYTES; nothing was read further */
    IPC_FRAME_MALFORMED,      /* not [type, id, body] */
};

/* The first frame in `bytes`. It borrows from them. On PARTIAL, *ret_missing (when not NULL) is
 * how many more bytes complete the frame, or the prefix when even that is not whole. */
enum ipc_frame_result ipc_frame_read(const uint8_t *bytes, size_t length, struct ipc_frame *ret_frame,
                                     size_t *ret_missing);

const char *ipc_frame_result_text(enum ipc_frame_result result);

#endif
