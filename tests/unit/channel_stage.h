/* channel.c over a real local stream and a real loop. The far end is a bare descriptor that the test reads and writes
 * itself. */
#ifndef UNIT_CHANNEL_STAGE_H
#define UNIT_CHANNEL_STAGE_H

#include "ipc/channel.h"

#include <stdint.h>

extern uv_loop_t stage_loop;
extern struct ipc_hub stage_hub;
extern const struct ipc_channel_calls stage_calls;

/* What a channel told its owner. */
struct owner {
    struct ipc_channel channel;
    int other;                     /* the other end */
    unsigned frames, ends, closed, sents;
    unsigned types[64];
    uint32_t last_id;
    uint64_t bytes;                /* of bodies */
    uint8_t *copy;                 /* of the last frame's body */
    size_t copy_length;
    int end_status;
    char end_reason[80];
    unsigned close_after;          /* frames, 0: never */
    unsigned pause_after;
};

/* A loop, a hub, and an owner whose channel may hold so much unsent. */
void stage_begin(struct owner *owner, size_t limit_bytes);
void stage_end(struct owner *owner);

/* More owners on that loop. */
void stage_open_owner(struct owner *owner, size_t limit_bytes);
void stage_open_over(struct owner *owner, int own, int other, size_t limit_bytes);
void stage_close_owner(struct owner *owner);

/* Turns of the loop that find nothing more to do. */
void stage_turn(void);

void stage_send_pings(struct owner *owner, int count);

/* Writes all of it at the far end, turning the loop whenever the stream is full. */
void stage_write_far(struct owner *owner, const void *data, size_t length);
void stage_write_pings(struct owner *owner, int count);

/* How much, 0 at the end, -1 for nothing yet. */
ssize_t stage_read_far(struct owner *owner, void *place, size_t size);

#endif
