/* How a worker is born confined: a fresh exec with the channel as stdin, its log as stderr, an
 * empty environment and nothing else of ours. */
#ifndef DAEMON_SPAWN_H
#define DAEMON_SPAWN_H

#include <uv.h>

struct spawned {
    int channel_fd;   /* ours to own */
    int log_fd;
};

/* Starts `program`, an absolute path. On failure the handle `process` still has to be closed
 * (uv_spawn initialises it first). 0 or a libuv error. */
int spawn_worker(uv_loop_t *loop, uv_process_t *process, const char *program, uv_exit_cb on_exit,
                 struct spawned *ret_spawned);

#endif
