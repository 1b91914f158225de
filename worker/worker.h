/* The worker: a loop, the channel to the daemon, and the transfers it asked for. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "ipc/unpack.h"
#include "transfer.h"

#define WORKER_EXIT_BREACH 70   /* the daemon broke the protocol, or we can't go on */

struct worker {
    uv_loop_t loop;
    struct ipc_hub hub;
    struct ipc_channel channel;
    struct ipc_decoder decoder;
    struct turn turn;
    struct settings settings;
    struct multi_hub multis;
    struct outflow outflow;
    struct ipc_window uploads;      /* the connection's window for what the daemon sends */
    struct transfers transfers;
    uv_timer_t beat, drain;
    uint64_t beat_ms;               /* when the last beat was said */
    struct turn_task started;       /* says STARTED once a turn, when FETCHes came */
    uint32_t newest_id;
    bool ready;                     /* SETTINGS came */
    bool draining;                  /* GOAWAY came */
    int exit_code;
};

/* Takes over `fd`, the channel. 0, or -1 after a log line. */
int worker_open(struct worker *worker, int fd);

/* Until the daemon is gone, or there is nothing left to do after GOAWAY. Returns the exit code. */
int worker_run(struct worker *worker);

#endif
