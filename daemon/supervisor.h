/* One worker's life: spawn, settings, ready, beats, hang, death, back-off, again. It carries frames
 * between requests and the worker and knows which request each id stands for; what a message means
 * for a request is request.c's. */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

#include "crew.h"
#include "health.h"
#include "child.h"

#include "ipc/channel.h"
#include "ipc/credit.h"
#include "ipc/message.h"
#include "ipc/origin.h"

#include <stdbool.h>
#include <uv.h>

struct daemon;
struct request;

/* supervisor.c's table says what each event does in each state. */
enum supervisor_state {
    SUPERVISOR_WAITING,    /* no process; one is started when the back-off is over */
    SUPERVISOR_STARTING,   /* a process, not READY yet */
    SUPERVISOR_READY,
    SUPERVISOR_DRAINING,   /* takes nothing new, ends what it has */
    SUPERVISOR_ABORTING,   /* hung; SIGABRT was sent, SIGKILL follows */
    SUPERVISOR_DYING,      /* channel or process has ended, or is made to; its requests move when both have */
    SUPERVISOR_STOPPED,    /* for good */
    SUPERVISOR_STATES,
};

enum supervisor_event {
    SUPERVISOR_SPAWN,      /* the back-off is over */
    SUPERVISOR_HELLO,      /* READY came */
    SUPERVISOR_SILENCE,    /* no frame, or no progress, within the time that this state allows */
    SUPERVISOR_BREACH,     /* it said what it may not say */
    SUPERVISOR_HANGUP,     /* its channel ended: all it said has been read */
    SUPERVISOR_EXIT,       /* its process was reaped: how it died is known */
    SUPERVISOR_GONE,       /* both, and all handles closed */
    SUPERVISOR_DRAIN,      /* asked to finish and leave */
    SUPERVISOR_STOP,       /* asked to die now, and stay so */
    SUPERVISOR_EVENTS,
};

#define SUPERVISOR_UNSTARTED 64   /* requests given to a worker that are not with its curl yet */
#define SUPERVISOR_FORGOTTEN 64

struct supervisor {
    struct daemon *daemon;
    struct supervisor *prev, *next;   /* in the crew's list of those without a seat */
    struct supervisor *predecessor;   /* whose seat it will take */
    enum crew_reason renewal;         /* why, then */
    uint32_t seat;                    /* in the pool, from 0, or CREW_NO_SEAT */
    unsigned number;                  /* what people see, from 1 */
    enum supervisor_state state;
    bool stays_down;                  /* after GONE: not started again */
    bool exited, hung_up;             /* reaped; channel closed */
    bool was_ready;                   /* the current process has been */
    bool hung, breached, killed;      /* why we ended it, if we did; SIGKILL was sent */
    bool deaf;                        /* what we sent it no longer fits; it is ended in the next turn */
    int exit_signal;
    int64_t exit_status;
    unsigned open_handles;            /* channel, process and log of the current process */

    struct ipc_channel channel;
    struct child child;
    uv_pipe_t log;
    uv_timer_t timer;                 /* the state's deadline */
    char log_line[1024];
    size_t log_length;

    struct request *requests;         /* by worker_id */
    uint32_t last_id, started_id;
    uint32_t forgotten[SUPERVISOR_FORGOTTEN];   /* ids told to forget last, in a ring */
    unsigned forgotten_at;
    int64_t upload_credit;            /* the connection's, for DATA towards the worker */
    struct ipc_buffer held;           /* DATA frames that wait for it */
    struct ipc_window window;         /* the connection's, for DATA from the worker */

    uint32_t pid;
    uint64_t started_ms, heard_ms, drain_until_ms;   /* the loop's clock */
    uint64_t busy_ms;                                /* when a solo worker was last seen at work */
    char last_origin[IPC_ORIGIN_BYTES];              /* of a worker outside the pool, */
    unsigned last_group;                             /* and for whom it worked */
    uint64_t backoff_ms;
    uint64_t served, served_here, failed, restarts;   /* served_here: by the current process */
    struct ipc_beat beat;
    struct health health;
};

/* A supervisor without a process; SUPERVISOR_SPAWN starts one. NULL without memory. */
struct supervisor *supervisor_create(struct daemon *daemon, uint32_t seat, unsigned number);

/* Only in the state STOPPED. The memory goes when its timer has closed. */
void supervisor_destroy(struct supervisor *supervisor);

void supervisor_event(struct supervisor *supervisor, enum supervisor_event event, const char *why);
const char *supervisor_state_name(enum supervisor_state state);
const char *supervisor_event_name(enum supervisor_event event);

/* The worker said something about an id or in a state where it may not: it is killed. */
void supervisor_breach(struct supervisor *supervisor, const char *why);

/* True when it may be given one request more. */
bool supervisor_has_room(const struct supervisor *supervisor);

/* Enters a request, under an id that is new to this worker. */
void supervisor_enter(struct supervisor *supervisor, struct request *request);
void supervisor_leave(struct supervisor *supervisor, struct request *request);

/* Enters a request under the id it has: one of this worker's that another has just left. */
void supervisor_adopt(struct supervisor *supervisor, struct request *request);

/* Tells a worker that waits for GO to forget an id. Its DONE may be on the way: the request's time can
 * have run out meanwhile. */
void supervisor_forget(struct supervisor *supervisor, uint32_t id);

/* To the worker. A worker that can't take it is lost. */
void supervisor_send(struct supervisor *supervisor, unsigned number, uint32_t id, const void *message);
/* A message without fields, and a descriptor, which is taken over. */
void supervisor_send_descriptor(struct supervisor *supervisor, unsigned number, uint32_t id, int fd);
void supervisor_send_data(struct supervisor *supervisor, uint32_t id, const void *data, size_t bytes);

/* Passes on a client's MESSAGE with a payload of so many bytes. */
void supervisor_send_message(struct supervisor *supervisor, uint32_t id, const struct ipc_frame *frame,
                             size_t payload_bytes);

#endif
