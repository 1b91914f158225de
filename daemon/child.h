/* A worker's process, once it is born: how it is ended, and how it ended. A death is told as on Unix, by a
 * signal or a status; child_windows.c makes signals of exit codes. */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct child {
    union { uv_process_t process; uv_async_t async; uv_handle_t handle; } uv;   /* Windows: the second */
    bool open;                        /* it has to be closed */
    uint32_t pid;
    void *owner;                      /* the caller's */
    void (*on_exit)(struct child *child, int64_t status, int signal);
    void (*on_closed)(struct child *child);
    void *handle, *wait, *job;        /* Windows */
    int ended_by;                     /* Windows: the signal that we sent, in our words */
};

/* Starts it as libuv's options say, but for their exit_cb. 0 or a libuv error; `open` tells whether it has to be
 * closed all the same. Unix alone. */
int child_spawn(struct child *child, uv_loop_t *loop, uv_process_options_t *options);

/* Watches one that was just started: the handles of the process and of its job are taken over, also when that fails
 * (with `open` set, as above). Windows alone. */
int child_watch(struct child *child, uv_loop_t *loop, void *handle, void *job, uint32_t pid);

/* It hangs: it shall die, and leave a trace of where it stood if the system keeps such. */
void child_abort(struct child *child);

/* Nothing survives it. */
void child_kill(struct child *child);

/* After on_exit, or when it was never born; on_closed comes in a later turn. */
void child_close(struct child *child, void (*on_closed)(struct child *child));

/* True for a signal that code brings upon itself, false for one from outside. */
bool child_is_fault(int signal);
const char *child_signal_name(int signal);

/* What a status says to who knows it, as " (words)"; "" for most. */
const char *child_status_name(int64_t status);

#endif
