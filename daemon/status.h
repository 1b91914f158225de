/* What STATUS answers. */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include "session.h"

void status_send(struct session *session, uint32_t id);

#endif
