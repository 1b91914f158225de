/* One end of a channel, the target's. */
#ifndef FUZZ_END_H
#define FUZZ_END_H

#include "target.h"

#include "ipc/buffer.h"
#include "ipc/message.h"

#include <uv.h>

#define STAGE_IDS 32      /* of a client's requests that are followed to their DONE */

struct end {
    int fd;                       /* -1: none */
    enum ipc_speaker speaker;     /* as whom the target speaks there */
    struct ipc_buffer in;
    uint32_t newest_id;           /* of the requests that came, or were sent */
    unsigned fetches[STAGE_IDS], dones[STAGE_IDS];   /* by id, of a client's */
    struct child *child;      /* a worker's */
    int killed_by;
    bool ready;
    int sockets[2];               /* what the daemon holds of it besides: its log */
};

void end_send(struct end *end, const void *bytes, size_t length);

#endif
