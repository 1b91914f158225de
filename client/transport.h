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

/* Connects to `address` without waiting; on Windows at most 2 seconds for a free instance of the pipe. The socket, its directory and the process that listens must be
 * those of users whom trust.h names: nobody else may pose as the daemon.
 * The descriptor, non-blocking and closed on exec; -1 with *ret_failure set. */
int transport_connect(const char *address, struct transport_failure *ret_failure);

/* For its two halves: -1, with *failure set, and somebody may listen there. */
int __attribute__((format(gnu_printf, 3, 4))) transport_fail(struct transport_failure *failure,
                                                             enum ipc_error_code code, const char *format, ...);

/* How to start a daemon here. */
extern const char transport_start_hint[];

#endif
