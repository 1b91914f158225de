/* A folder of private files, this user's alone: it is looked up by its path once, checked and locked; then all
 * goes by what was opened. Names are those of jars with what store.c adds, never a path. The calls that change a
 * file may be made from another thread. */
#ifndef DAEMON_FOLDER_H
#define DAEMON_FOLDER_H

#include "ipc/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOLDER_PATH_BYTES 4096

struct folder {
    bool open;
    int fd;                          /* Unix */
    void *handle, *lock;             /* Windows */
    char path[FOLDER_PATH_BYTES];
};

/* Makes `path` and the folder it stands in when they are missing, for this user alone; takes the lock. 0, or -1 with
 * what is wrong, which lives until the next call. */
int folder_open(struct folder *folder, const char *path, const char **ret_reason);
void folder_close(struct folder *folder);   /* also one that is not open */

/* Written beside its place, to the disk, and moved into its place, which then is on the disk too. 0 or a libuv
 * error. */
int folder_replace(const struct folder *folder, const char *name, const struct ipc_buffer *content);

/* A file of this user, whole, as a secret (ipc/secret.h), with the time of its last change. NULL with what is wrong. */
uint8_t *folder_read(const struct folder *folder, const char *name, size_t limit_bytes, size_t *ret_length,
                     uint64_t *ret_changed_s, const char **ret_problem);

void folder_remove(const struct folder *folder, const char *name);
bool folder_rename(const struct folder *folder, const char *name, const char *new_name);

/* Calls `visit` for each file; what a fall left half written is removed. `visit` may rename. */
void folder_visit(const struct folder *folder, void (*visit)(void *context, const char *name), void *context);

#endif
