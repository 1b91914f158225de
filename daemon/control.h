/* What an operator asks of the daemon over the protocol: METRICS, RELOAD, DRAIN. */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "session.h"

/* Of everyone for an admin, else of the session's own user. */
void control_metrics(struct session *session, uint32_t id);

/* Only for admins; others get access.denied. */
void control_reload(struct session *session, uint32_t id);
void control_drain(struct session *session, uint32_t id);

#endif
