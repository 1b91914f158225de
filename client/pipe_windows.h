/* Between wire_windows.c and poller_windows.c: the event, which outlives connections. */
#ifndef CLIENT_PIPE_WINDOWS_H
#define CLIENT_PIPE_WINDOWS_H

#include "wire.h"

/* Makes the event, once. 0, or -1 without memory or handles. */
int pipe_make(struct wire *wire);
void pipe_free(struct wire *wire);

/* The HANDLE. */
void *pipe_event(const struct wire *wire);

/* Sets the event whatever the connection does, until it is told not to. */
void pipe_ring(struct wire *wire, bool rung);

#endif
