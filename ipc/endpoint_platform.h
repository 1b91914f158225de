/* Between endpoint.c and its platform half; nobody else includes it. */
#ifndef IPC_ENDPOINT_PLATFORM_H
#define IPC_ENDPOINT_PLATFORM_H

#include <stddef.h>

/* Writes the address of the daemon that this user runs for himself. 1, 0 when there can be none, -1 when `size` is
 * too small. */
int ipc_endpoint_of_user(char *ret_address, size_t size);

/* A variable of the environment that is set and not empty, or NULL. */
const char *ipc_endpoint_variable(const char *name);

#endif
