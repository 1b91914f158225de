/* What STATUS answers. */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include "session.h"

void status_send(struct session *session, uint32_t id);

/* The same in a few words, for the service manager. */
void status_line(const struct daemon *daemon, char *ret_text, size_t size);

#endif
