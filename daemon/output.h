/* A client's file that a body may go to: which descriptors may be passed on to a worker. */
#ifndef DAEMON_OUTPUT_H
#define DAEMON_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* True for a regular file or memfd, open for writing, on a file system of this machine: a remote one, or one
 * that a program serves, could hold up the worker for as long as it likes. Asks the kernel alone, never the
 * file system. Otherwise *ret_reason says what it is; it lives until the next call. */
bool output_may_be(int fd, const char **ret_reason);

/* This system can pass descriptors on. */
bool output_is_supported(void);

#endif
