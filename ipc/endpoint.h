/* Where the daemon listens: an address is a string, "unix:/path" or "pipe:\\.\pipe\name". Reads the
 * environment and who we are, touches no file. */
#ifndef IPC_ENDPOINT_H
#define IPC_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef _WIN32
#define IPC_ENDPOINT_SYSTEM "pipe:\\\\.\\pipe\\fetchd"
#define IPC_ENDPOINT_PATH_BYTES 255
#else
#define IPC_ENDPOINT_SYSTEM "unix:/run/fetchd/fetchd.sock"
#ifdef __linux__
#define IPC_ENDPOINT_PATH_BYTES 107   /* sun_path holds 108 with the NUL, 104 on the BSDs and macOS */
#else
#define IPC_ENDPOINT_PATH_BYTES 103
#endif
#endif

/* The default address: $FETCHD_ADDRESS, else the user's socket under $XDG_RUNTIME_DIR (on Windows the user's pipe,
 * \\.\pipe\fetchd-SID), else the system's. Writes a NUL-terminated string; 0, or -1 when `size` is too small. */
int ipc_endpoint_default(char *ret_address, size_t size);

/* The addresses that a client tries, in this order: $FETCHD_ADDRESS alone, or the user's socket and
 * then the system's. Writes number `index`, 0 the first. 1, 0 when there are no more, -1 when
 * `size` is too small. */
int ipc_endpoint_candidate(unsigned index, char *ret_address, size_t size);

/* The path in "unix:PATH" (or the pipe name), checked against what the platform can bind.
 * NULL with *ret_reason set to a sentence that says what to do. Borrows from `address`. */
const char *ipc_endpoint_path(const char *address, const char **ret_reason);

/* True for the address that only the system's administrator can create. */
bool ipc_endpoint_is_system(const char *address);

#endif
