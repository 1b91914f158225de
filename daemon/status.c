/* What STATUS answers: counted here, never asked of a worker, so it is told while they are busy. */
#include "status.h"

#include "daemon.h"
#include "request.h"
#include "supervisor.h"

#include <stdlib.h>

#define STATUS_WORKERS 1024   /* as in messages.def */

struct filling { struct ipc_worker_status *workers; size_t count, capacity; };

static void fill_worker(struct supervisor *supervisor, void *context)
{
    struct filling *filling = context;
    const struct daemon *daemon = supervisor->daemon;
    bool alive = supervisor->state != SUPERVISOR_WAITING && supervisor->state != SUPERVISOR_STOPPED;
    if (filling->count == filling->capacity)
        return;
    filling->workers[filling->count++] = (struct ipc_worker_status){
        .worker = supervisor->number,
        .state = ipc_text(supervisor_state_name(supervisor->state)),
        .pid = alive ? supervisor->pid : 0,
        .age_ms = alive ? uv_now(&daemon->loop) - supervisor->started_ms : 0,
        .in_flight = HASH_CNT(worker_handle, supervisor->requests),
        .served = supervisor->served,
        .failed = supervisor->failed,
        .restarts = supervisor->restarts,
        .rss_bytes = supervisor->beat.rss_bytes,
        .open_fds = supervisor->beat.open_fds,
        .connections = supervisor->beat.connections,
        .tls_handshakes = supervisor->beat.tls_handshakes,
        .tls_failures = supervisor->beat.tls_failures,
    };
}

void status_send(struct session *session, uint32_t id)
{
    struct daemon *daemon = session->daemon;
    struct filling filling = { .capacity = STATUS_WORKERS };
    filling.workers = calloc(filling.capacity, sizeof *filling.workers);
    struct ipc_status_reply reply;
    size_t rss_bytes = 0;
    if (!filling.workers) {
        session_fail(session, IPC_ERROR_OUT_OF_MEMORY, "no memory for the status");
        return;
    }
    crew_visit(&daemon->crew, fill_worker, &filling);
    uv_resident_set_memory(&rss_bytes);
    IPC_INIT(STATUS_REPLY, &reply);
    reply.server = IPC_TEXT("fetchd " FETCHD_VERSION);
    reply.instance = ipc_text(daemon->instance);
    reply.state = ipc_text(daemon->state == DAEMON_RUNNING ? "running" : "draining");
    reply.pid = (uint64_t)uv_os_getpid();
    reply.uptime_ms = uv_now(&daemon->loop) - daemon->started_ms;
    reply.sessions = daemon->session_count;
    reply.in_flight = daemon->in_flight;
    reply.accepted = daemon->accepted;
    reply.succeeded = daemon->succeeded;
    reply.failed = daemon->failed;
    reply.rss_bytes = rss_bytes;
    reply.workers.items = filling.workers;
    reply.workers.count = filling.count;
    session_send(session, IPC_STATUS_REPLY, id, &reply);
    free(filling.workers);
}
