/* How a worker is born confined: a fresh exec with the channel as stdin, its log as stderr, an
 * empty environment and nothing else of ours. */
#ifndef DAEMON_SPAWN_H
#define DAEMON_SPAWN_H

#include "child.h"

struct spawn_order {
    const char *program;       /* an absolute path */
    bool unconfined;           /* for a debugger */
    uint64_t memory_bytes;     /* more than that it can't have, where the system can hold it to that; 0: no limit */
};

struct spawned {
    int channel_fd;   /* ours to own */
    int log_fd;
};

/* Starts a worker, whose `owner` and `on_exit` are set. 0 or a libuv error: then it has to be closed if it is
 * `open`. */
int spawn_worker(uv_loop_t *loop, struct child *child, const struct spawn_order *order,
                 struct spawned *ret_spawned);

#endif
