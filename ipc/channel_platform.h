/* Between channel.c and its platform half; nobody else includes it. */
#ifndef IPC_CHANNEL_PLATFORM_H
#define IPC_CHANNEL_PLATFORM_H

#include "channel.h"

#define IPC_SCRATCH_BYTES ((size_t)128 * 1024)

/* What channel_unix.c and channel_windows.c provide. */
int ipc_channel_platform_open(struct ipc_channel *channel, int fd);
void ipc_channel_platform_write(struct ipc_channel *channel);      /* takes what it can from `out` */
void ipc_channel_platform_listen(struct ipc_channel *channel);     /* after reading or wants_write changed */
void ipc_channel_platform_wait(struct ipc_channel *channel, int timeout_ms);   /* until more can be written, perhaps */
void ipc_channel_platform_close(struct ipc_channel *channel);      /* calls ipc_channel_closed later */

/* Queues `fd` to leave with the byte that is queued next. -1 without memory, or where that can't be: the
 * descriptor is still the caller's then. */
int ipc_channel_platform_attach(struct ipc_channel *channel, int fd);

/* What they call. */

/* `bytes` came from the peer. Whole frames are delivered, the rest is kept. */
void ipc_channel_received(struct ipc_channel *channel, const uint8_t *bytes, size_t length);

/* As above, for bytes that were written behind channel->in's end. */
void ipc_channel_received_in_place(struct ipc_channel *channel, size_t length);

/* As the first, for bytes that came together with those of the call before. */
void ipc_channel_received_more(struct ipc_channel *channel, const uint8_t *bytes, size_t length);

/* What the frame that has begun in channel->in still lacks (or its length does), at most
 * IPC_SCRATCH_BYTES: room is made as bytes come, not as a length claims. */
size_t ipc_channel_wanted(const struct ipc_channel *channel);

void ipc_channel_ended(struct ipc_channel *channel, int status, const char *reason);

/* The same a little later, from where no callback may be made. */
void ipc_channel_broke(struct ipc_channel *channel, int status);
void ipc_channel_closed(struct ipc_channel *channel);

#endif
