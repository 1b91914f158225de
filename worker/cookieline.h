/* The Cookie line of a request in a session. Pure. */
#ifndef WORKER_COOKIELINE_H
#define WORKER_COOKIELINE_H

#include "ipc/message.h"

/* Room for the line and its NUL; 0 when the session has no cookie for it, and the client's own header, if
 * it has one, goes as it is. */
size_t cookieline_bytes(const struct ipc_fetch *fetch);

/* "Cookie: a=1; b=2" with a NUL: those of the session first, then what the client's own Cookie headers
 * hold, as curl does. One that the client names itself is left out of the session's: its word counts.
 * Returns the place behind the NUL. */
char *cookieline_write(char *at, const struct ipc_fetch *fetch);

#endif
