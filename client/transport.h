/* The way to the daemon's socket, and who is behind it. */
#ifndef CLIENT_TRANSPORT_H
#define CLIENT_TRANSPORT_H

#include "ipc/error.h"

#include <stdbool.h>

struct transport_failure {
    enum ipc_error_code code;
    bool absent;               /* nobody listens there; another address may do */
    char reason[320];
};

/* Connects to `address` without waiting. The socket, its directory and the process that listens must be
 * those of users whom trust.h names: nobody else may pose as the daemon.
 * The descriptor, non-blocking and closed on exec; -1 with *ret_failure set. */
int transport_connect(const char *address, struct transport_failure *ret_failure);

/* How to start a daemon here. */
extern const char transport_start_hint[];

#endif
