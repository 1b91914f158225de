/* What STATUS answers: counted here, never asked of a worker, so it is told while they are busy. */
#include "status.h"

#include "daemon.h"
#include "supervisor.h"

#include <stdlib.h>

static void fill_worker(const struct supervisor *supervisor, struct ipc_worker_status *ret_status)
{
    const struct daemon *daemon = supervisor->daemon;
    bool alive = supervisor->state != SUPERVISOR_WAITING && supervisor->state != SUPERVISOR_STOPPED;
    *ret_status = (struct ipc_worker_status){
        .worker = supervisor->number,
        .state = ipc_text(supervisor_state_name(supervisor->state)),
        .pid = alive ? supervisor->pid : 0,
        .age_ms = alive ? uv_now(&daemon->loop) - supervisor->started_ms : 0,
        .in_flight = daemon->pool.seats[supervisor->seat].load,
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
    struct ipc_worker_status *workers = calloc(daemon->worker_count, sizeof *workers);
    struct ipc_status_reply reply;
    size_t rss_bytes = 0;
    if (!workers) {
        session_fail(session, IPC_ERROR_OUT_OF_MEMORY, "no memory for the status");
        return;
    }
    for (unsigned i = 0; i < daemon->worker_count; i++)
        fill_worker(&daemon->workers[i], &workers[i]);
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
    reply.workers.items = workers;
    reply.workers.count = daemon->worker_count;
    session_send(session, IPC_STATUS_REPLY, id, &reply);
    free(workers);
}
