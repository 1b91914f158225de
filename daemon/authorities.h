/* The certificates of [tls] ca_file, as workers are sent them: read at the start, at a reload, and when the
 * file changes. */
#ifndef DAEMON_AUTHORITIES_H
#define DAEMON_AUTHORITIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which version of a file it is. */
struct authorities_stamp { uint64_t device, inode, bytes, changed_ns; };

struct authorities {
    uint8_t *pem;
    size_t length;
    bool in_store;                         /* the system's own, which workers look into themselves */
    struct authorities_stamp read, seen;   /* of what was read; of what was there at the last look */
};

/* Replaces them; `setting` is a path, "system", or "" for none. On failure the old ones stay: -1 with a sentence. */
int authorities_read(struct authorities *authorities, const char *setting, char *ret_reason, size_t size);

/* True when the file has changed, and is not being written any more as far as two looks can tell. */
bool authorities_changed(struct authorities *authorities, const char *setting);

/* The file in which this system keeps them, or where one would be; NULL when it has a store instead. */
const char *authorities_of_system(void);

void authorities_finish(struct authorities *authorities);

/* Whether it holds certificates, all of them whole. What is in them only a worker can judge; a file that
 * was cut off would end every worker that is started with it. */
bool authorities_are_whole(const uint8_t *pem, size_t length);

#endif
