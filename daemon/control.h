/* What an operator asks of the daemon over the protocol: METRICS, RELOAD, DRAIN. */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "session.h"

void control_metrics(struct session *session, uint32_t id);

/* Only for the daemon's own user and for root; others get access.denied. */
void control_reload(struct session *session, uint32_t id);
void control_drain(struct session *session, uint32_t id);

#endif
