/* Where the daemon listens: an address is a string, "unix:/path" or "pipe:\\.\pipe\name". */
#ifndef IPC_ENDPOINT_H
#define IPC_ENDPOINT_H

#include <stddef.h>

/* The default address: $FETCHD_ADDRESS, else the user's socket under $XDG_RUNTIME_DIR, else the
 * system's (a client tries the user's first; see ipc_endpoint_candidates). Writes a
 * NUL-terminated string; 0, or -1 when `size` is too small. */
int ipc_endpoint_default(char *ret_address, size_t size);

/* The path in "unix:PATH" (or the pipe name), checked against what the platform can bind.
 * NULL with *ret_reason set to a sentence that says what to do. Borrows from `address`. */
const char *ipc_endpoint_path(const char *address, const char **ret_reason);

#endif
