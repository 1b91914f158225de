/* A worker's process, once it is born: how it is ended, and how it ended. A death is told as on Unix, by a
 * signal or a status; process_windows.c makes signals of exit codes. */
#ifndef DAEMON_PROCESS_H
#define DAEMON_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct process {
    union { uv_process_t process; uv_async_t async; uv_handle_t handle; } uv;   /* Windows: the second */
    bool open;                        /* it has to be closed */
    uint32_t pid;
    void *owner;                      /* the caller's */
    void (*on_exit)(struct process *process, int64_t status, int signal);
    void (*on_closed)(struct process *process);
    void *handle, *wait, *job;        /* Windows */
    int ended_by;                     /* Windows: the signal that we sent, in our words */
};

/* Starts it as libuv's options say, but for their exit_cb. 0 or a libuv error; `open` tells whether it has to be
 * closed all the same. Unix alone. */
int process_spawn(struct process *process, uv_loop_t *loop, uv_process_options_t *options);

/* It hangs: it shall die, and leave a trace of where it stood if the system keeps such. */
void process_abort(struct process *process);

/* Nothing survives it. */
void process_kill(struct process *process);

/* After on_exit, or when it was never born; on_closed comes in a later turn. */
void process_close(struct process *process, void (*on_closed)(struct process *process));

/* True for a signal that code brings upon itself, false for one from outside. */
bool process_is_fault(int signal);
const char *process_signal_name(int signal);

#endif
