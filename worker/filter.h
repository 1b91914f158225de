/* The system calls that are left to a worker. */
#ifndef WORKER_FILTER_H
#define WORKER_FILTER_H

#include <stdbool.h>
#include <stddef.h>

/* From here on every other system call ends the process by SIGSYS, after a log line with its number. With
 * `local_sockets` name look-ups may talk to a service over a Unix socket. 0 with what holds in ret_text, or
 * -1 with what went wrong. */
int filter_enter(bool local_sockets, char *ret_text, size_t size);

#endif
