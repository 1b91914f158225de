/* The daemon: owns the loop and all parts, and takes them through start, reload, drain and stop. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "listener.h"
#include "pool.h"
#include "principal.h"

#include "conf/conf.h"
#include "ipc/channel.h"
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

struct daemon {
    uv_loop_t loop;
    struct ipc_hub hub;
    enum daemon_state state;
    struct conf *conf;
    const char *conf_file;              /* NULL without one */
    char worker_program[4096];
    char instance[33];
    uint64_t started_ms;

    struct listener listener;
    uv_signal_t terminate, interrupt, hangup;
    uv_timer_t tick;                    /* each second */
    uv_timer_t drain_timer;
    uint64_t tick_due_ms, linger_until_ms;
    bool overslept;

    struct pool pool;
    struct supervisor *workers;
    unsigned worker_count;
    uint8_t *ca_pem;
    size_t ca_length;

    struct principals principals;
    struct session *sessions;
    unsigned session_count, last_session;
    struct request *queue;
    unsigned queue_length;
    unsigned in_flight;                 /* requests whose client has no DONE yet */
    uint64_t accepted, succeeded, failed;

    struct ipc_decoder decoder;         /* for what is being read */
    struct ipc_decoder kept_decoder;    /* for a kept FETCH meanwhile */
    struct ipc_pair header_scratch[DAEMON_HEADERS];
    char log_scratch[16384];
};

/* Runs until stopped; returns the exit code. Takes over `conf`, and reads `conf_file` (NULL for none)
 * again at a reload. */
int daemon_run(struct conf *conf, const char *conf_file);

/* ---- what the parts tell it ---- */

void daemon_session_closed(struct daemon *daemon, struct session *session);
void daemon_request_left(struct daemon *daemon);

void daemon_worker_ready(struct daemon *daemon, struct supervisor *supervisor, bool ready);
void daemon_worker_came(struct daemon *daemon);       /* one became ready: the queue moves */
void daemon_worker_stopped(struct daemon *daemon);    /* one is down for good */

/* ---- what they ask it ---- */

/* The worker for an origin, NULL when none is ready. */
struct supervisor *daemon_choose_worker(struct daemon *daemon, const char *origin);

void daemon_enqueue(struct daemon *daemon, struct request *request);
void daemon_dequeue(struct daemon *daemon, struct request *request);   /* nothing when it is not queued */

void daemon_send_settings(struct daemon *daemon, struct supervisor *supervisor);

/* True when this loop itself was held up lately, so that nobody else's silence may be judged. */
bool daemon_overslept(const struct daemon *daemon);

#endif
