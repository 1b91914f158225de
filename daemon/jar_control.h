/* What a client asks of its user's jars: SESSION_CREATE, _LIST, _DESTROY, _READ and _WRITE; and what time
 * does to them. */
#ifndef DAEMON_JAR_CONTROL_H
#define DAEMON_JAR_CONTROL_H

#include "session.h"

void jar_control_create(struct session *session, uint32_t id, const struct ipc_session_create *create);
void jar_control_list(struct session *session, uint32_t id);
void jar_control_destroy(struct session *session, uint32_t id, const struct ipc_session_destroy *destroy);
void jar_control_read(struct session *session, uint32_t id, const struct ipc_session_read *read);
void jar_control_write(struct session *session, uint32_t id, const struct ipc_session_write *write);

/* Forgets those that end with this connection. */
void jar_control_unbind(struct session *session);

/* Forgets those that nobody used for long, and saves what is dirty; once a second. */
void jar_control_sweep(struct daemon *daemon);

/* Saves what is dirty, waiting for the disk; after the loop has ended. */
void jar_control_save_all(struct daemon *daemon);

#endif
