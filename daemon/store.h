/* Persistent jars in files: one each, `sessions/UID-NAME.session` in the state folder, readable by the
 * daemon's user alone. A file holds the messages that would make the session again, SESSION_CREATE and
 * SESSION_WRITE, as frames; the first one's id says how many there are. It is written beside its place,
 * synced and renamed, in a thread, so that neither a crash nor a slow disk does harm. */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include "folder.h"
#include "jar.h"

#include <uv.h>

#define STORE_ERROR_BYTES 512

struct ipc_decoder;
struct principals;

struct store {
    uv_loop_t *loop;
    struct folder folder;    /* not open: there is none, nothing is persistent */
};

/* Opens the folder, which is made when it is missing; an empty path is no folder. 0, or -1 with a sentence.
 */
int store_open(struct store *store, uv_loop_t *loop, const char *state_folder,
               char ret_error[STORE_ERROR_BYTES]);
void store_close(struct store *store);

static inline bool store_is_open(const struct store *store)
{
    return store->folder.open;
}

/* Makes the jars of all files. One that can't be read is set aside as NAME.damaged, and the log says so. */
void store_load(const struct store *store, struct principals *principals, struct ipc_decoder *decoder,
                const struct jar_rules *rules);

/* Writes a dirty jar, now and waiting for the disk, or in a thread; nothing when that is under way already.
 */
void store_save_now(const struct store *store, struct jar *jar, uint64_t now_s);
void store_save(const struct store *store, struct jar *jar, uint64_t now_s);

/* Removes its file, at the latest when a write under way is over. */
void store_remove(const struct store *store, const struct jar *jar);

#endif
