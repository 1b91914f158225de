/* What the daemon gives up for itself once it listens: new privileges, being looked into by others of its
 * user (it holds what its clients ask for), and the system calls that neither it nor a worker needs.
 *
 * A filter of system calls is inherited by whoever is started, so this one can't forbid what only workers
 * need: sockets of the network. Theirs is narrower, and their own (worker/sandbox.h). */
#ifndef DAEMON_CONFINE_H
#define DAEMON_CONFINE_H

#include <stddef.h>

/* 0 with what holds in ret_text, or -1 with what went wrong. */
int confine_daemon(char *ret_text, size_t size);

#endif
