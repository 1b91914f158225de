/* A whole daemon in this process for targets that speak to it: real loop, channels, sessions, requests and
 * supervisors. Its workers are no processes: their channels' other ends are the target's, and their deaths
 * are told when the daemon kills them, or the target does. */
#ifndef FUZZ_STAGE_H
#define FUZZ_STAGE_H

#include "target.h"

#include "daemon/daemon.h"

#include "ipc/message.h"

#define STAGE_ENDS 24
#define STAGE_IDS 32      /* of a client's requests that are followed to their DONE */

/* One end of a channel. */
struct end {
    int fd;                       /* -1: none */
    enum ipc_speaker speaker;     /* as whom the target speaks there */
    struct ipc_buffer in;
    uint32_t newest_id;           /* of the requests that came */
    unsigned fetches[STAGE_IDS], dones[STAGE_IDS];   /* by id, of a client's */
    uv_process_t *process;        /* a worker's */
    uv_exit_cb on_exit;
    int killed_by;
    bool ready;
    int sockets[2];               /* what the daemon holds of it besides: its log */
};

struct stage {
    struct daemon *daemon;
    struct end workers[STAGE_ENDS], clients[STAGE_ENDS];
    unsigned worker_count, client_count;
    struct ipc_decoder decoder;
    bool secretive;               /* no log line may hold STAGE_SECRET */
};

extern struct stage stage;

void stage_open(unsigned workers);

/* Everybody leaves, and the daemon must have nothing left: no request, no memory of one. */
void stage_close(void);

bool stage_is_down(void);                               /* the daemon has stopped of itself */

/* Turns the loop until nothing happens any more; takes what came at every end. */
void stage_settle(void);

struct end *stage_connect(void);                        /* a client that has greeted */
struct end *stage_worker(unsigned number);              /* one that lives, or NULL */

void end_send(struct end *end, const void *bytes, size_t length);
void end_say(struct end *end, unsigned number, uint32_t id, const void *message);
void end_hang_up(struct end *end);

/* What a well-behaved client's requests carry that is nobody's to read. */
#define STAGE_SECRET "hush-hush-"

#endif
