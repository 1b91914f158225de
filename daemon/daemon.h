/* The daemon: owns the loop and all parts, and takes them through start, reload, drain and stop. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "account.h"
#include "authorities.h"
#include "crew.h"
#include "exporter.h"
#include "gate.h"
#include "listener.h"
#include "origin.h"
#include "paths.h"
#include "principal.h"
#include "proxy.h"
#include "proxypool.h"
#include "queue.h"
#include "signals.h"
#include "store.h"

#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/error.h"
#include "ipc/unpack.h"

#include <stdbool.h>
#include <uv.h>

struct session;
struct supervisor;
struct request;

#define DAEMON_HEADERS 256   /* most headers of a request, as in messages.def */

enum daemon_state {
    DAEMON_RUNNING,
    DAEMON_DRAINING,   /* accepts nothing new, answers what it has */
    DAEMON_STOPPING,   /* everything is answered; workers and sessions close */
};

/* The command line: what it sets holds against the file. NULL for what it does not. */
struct daemon_arguments {
    const char *conf_file, *listen, *workers;
    bool no_sandbox;   /* for a debugger */
};

struct daemon {
    uv_loop_t loop;
    struct ipc_hub hub;
    enum daemon_state state;
    struct conf *conf;
    struct daemon_arguments arguments;
    char worker_program[PATHS_BYTES];
    char instance[33];
    uint64_t started_ms;

    struct listener listener;
    struct exporter exporter;
    uv_signal_t signals[SIGNALS];       /* as signals.h has them */
    uv_timer_t tick;                    /* each second */
    uv_timer_t drain_timer;
    uint64_t tick_due_ms, linger_until_ms;
    bool overslept;
    uint64_t ticks;

    struct crew crew;
    struct account worker_account;
    struct authorities authorities;

    struct principals principals;
    struct suffixes *suffixes;
    struct store store;
    struct session *sessions;
    unsigned session_count, last_session;
    struct queue queues[CREW_GROUPS];   /* one for each group of workers */
    struct line solo;                   /* of requests that wait for a worker of their own */
    struct request *suspects;           /* wait for a quarantine worker, in order */
    uv_timer_t queue_timer;             /* zero: the queue moves in the loop's next turn */
    unsigned in_flight;                 /* requests whose client has no DONE yet */
    unsigned retrying;                  /* requests at, or waiting for, another attempt */
    uint64_t accepted, succeeded, failed, retries;
    uint64_t errors[IPC_ERROR_COUNT];   /* by name */
    struct origins origins;
    struct gates gates;
    struct proxies proxies;
    struct proxypools proxypools;
    uint32_t random;                    /* the state of daemon_random */

    struct ipc_decoder decoder;         /* for what is being read */
    struct ipc_decoder kept_decoder;    /* for a kept FETCH meanwhile */
    struct ipc_pair header_scratch[DAEMON_HEADERS];
    char log_scratch[16384];
    char reload_error[CONF_ERROR_BYTES];   /* of the last reload; empty when it was taken */
    char told[CONF_ERROR_BYTES + 200];     /* to the service manager last */
};

/* Runs until stopped; returns the exit code. Takes over `conf`, which holds the arguments already. */
int daemon_run(struct conf *conf, const struct daemon_arguments *arguments);

/* Reads the configuration again and applies it, or refuses it whole: -1 with a sentence. */
int daemon_reload(struct daemon *daemon, char ret_error[CONF_ERROR_BYTES]);

/* Takes nothing new, answers what it has, stops. A second call makes haste. */
void daemon_drain(struct daemon *daemon);

/* ---- what the parts tell it ---- */

void daemon_session_closed(struct daemon *daemon, struct session *session);
void daemon_request_left(struct daemon *daemon);

void daemon_crew_is_down(struct daemon *daemon);

/* ---- what they ask it ---- */

/* Puts a request where it waits for a worker and lets the queue move. */
void daemon_enqueue(struct daemon *daemon, struct request *request, bool in_front);

/* Takes it out, nothing when it does not wait. `served` when a worker takes it. */
void daemon_dequeue(struct daemon *daemon, struct request *request, bool served);

/* Requests that wait for a worker, of all groups. */
unsigned daemon_queued(const struct daemon *daemon);

/* Gives workers what they have room for, now or in the loop's next turn. */
void daemon_run_queue(struct daemon *daemon);
void daemon_wake_queue(struct daemon *daemon);

void daemon_send_settings(struct daemon *daemon, struct supervisor *supervisor);

/* The credit that a frame which was packed here, or checked, costs: 0 for one without payload. */
int64_t daemon_frame_cost(struct daemon *daemon, enum ipc_speaker speaker, const struct ipc_frame *frame);

/* What holds for jars just now. */
struct jar_rules daemon_jar_rules(const struct daemon *daemon);

/* 32 bits for jitter; not for secrets. */
uint32_t daemon_random(struct daemon *daemon);

/* True when this loop itself was held up lately, so that nobody else's silence may be judged. */
bool daemon_overslept(const struct daemon *daemon);

#endif
