/* A whole daemon in this process for targets that speak to it: real loop, channels, sessions, requests and
 * supervisors. Its workers are no processes: their channels' other ends are the target's, and their deaths
 * are told when the daemon kills them, or the target does. */
#ifndef FUZZ_STAGE_H
#define FUZZ_STAGE_H

#include "end.h"

#include "daemon/daemon.h"

#define STAGE_ENDS 24

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

void end_say(struct end *end, unsigned number, uint32_t id, const void *message);
void end_hang_up(struct end *end);

/* What a well-behaved client's requests carry that is nobody's to read. */
#define STAGE_SECRET "hush-hush-"

#endif
