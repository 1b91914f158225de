/* What a client may say, and when: one table from message to handler. */
#ifndef DAEMON_METHODS_H
#define DAEMON_METHODS_H

#include "session.h"

#include "ipc/frame.h"

/* Runs the handler of one frame, or ends the session for one that is not allowed. */
void methods_dispatch(struct session *session, const struct ipc_frame *frame);

#endif
