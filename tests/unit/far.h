/* The far end of a local stream, as a test reads and writes it itself: never waiting. */
#ifndef UNIT_FAR_H
#define UNIT_FAR_H

#include <sys/types.h>

/* A connected pair: one for ipc_channel_open(), one to be closed by far_close(). 0 or -1. */
int far_pair(int *ret_own, int *ret_other);

/* Two for ipc_channel_open(). */
int far_channels(int ret_pair[2]);

/* How much, 0 at the end, -1 with EAGAIN, or another errno. */
ssize_t far_read(int stream, void *place, size_t size);
ssize_t far_write(int stream, const void *data, size_t size);

void far_close(int stream);

/* A descriptor that is no stream. */
int far_none(void);

#endif
