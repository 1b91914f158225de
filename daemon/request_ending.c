/* The one DONE, and what ends with it. */
#include "request_steps.h"

#include "daemon.h"
#include "jar.h"
#include "log.h"
#include "principal.h"
#include "session.h"
#include "sleeper.h"
#include "supervisor.h"

#include "ipc/secret.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void request_set_retrying(struct request *request, bool retrying)
{
    if (request->retrying == retrying)
        return;
    request->retrying = retrying;
    request->daemon->retrying += retrying ? 1u : -1u;
}

/* It has no worker any more. */
void request_leave_worker(struct request *request)
{
    request_leave_gate(request);
    request_leave_origin(request);
    supervisor_leave(request->supervisor, request);
    if (request->session)
        session_starve(request->session, request, false);
}

void request_destroy(struct request *request)
{
    request_leave_gate(request);
    request_leave_waiting(request);
    if (request->supervisor)
        request_leave_worker(request);
    if (request->session)
        session_leave(request->session, request);
    request_set_retrying(request, false);
    if (request->jar)
        jar_release(request->jar, (uint64_t)time(NULL));
    if (request->origin)
        origins_release(&request->daemon->origins, request->origin);
    if (request->pooled)
        pooled_proxy_release(request->pooled);
    ipc_secret_free(request->kept);
    free(request);
}

static void count_done(struct session *session, const struct ipc_done *done)
{
    struct daemon *daemon = session->daemon;
    struct principal *principal = session->principal;
    if (done->error) {
        enum ipc_error_code code = ipc_error_find(done->error->name.data, done->error->name.length);
        daemon->failed++;
        principal->failed++;
        daemon->errors[code]++;
        principal->errors[code]++;
    } else {
        daemon->succeeded++;
        principal->succeeded++;
    }
}

void request_send_done(struct request *request, const struct ipc_done *done)
{
    count_done(request->session, done);
    log_debug("session %u request %u: %s", request->session->number, request->client_id,
              done->error ? "failed" : "done");
    session_send(request->session, IPC_DONE, request->client_id, done);
}

static void init_failure(struct ipc_failure *failure, enum ipc_error_code code, const char *message)
{
    memset(failure, 0, sizeof *failure);
    failure->name = ipc_text(ipc_error_name(code));
    failure->message = ipc_text(message ? message : ipc_error_text(code));
}

/* Tells the client how it ended; the worker, if there is one, may still owe its own DONE. */
void request_fail(struct request *request, enum ipc_error_code code, bool retryable, const char *message)
{
    struct ipc_failure failure;
    struct ipc_done done;
    IPC_INIT(DONE, &done);
    init_failure(&failure, code, message);
    failure.retryable = retryable;
    failure.phase = ipc_text(request->supervisor ? "worker" : "queue");
    failure.attempts = done.attempts = request->attempts;
    if (request->supervisor)
        failure.worker = done.worker = request->supervisor->number;
    done.error = &failure;
    done.redirects = request->redirects;
    request_send_done(request, &done);
}

/* The client is done with it. The worker is told to stop, and its DONE ends the request. */
void request_abandon(struct request *request)
{
    session_leave(request->session, request);
    request_leave_gate(request);
    request_leave_origin(request);
    request_set_retrying(request, false);
    supervisor_send(request->supervisor, IPC_CANCEL, request->worker_id, NULL);
    request->state = REQUEST_ABANDONED;
}

void request_refuse(struct session *session, uint32_t id, enum ipc_error_code code, bool retryable,
                    const char *message)
{
    struct ipc_failure failure;
    struct ipc_done done;
    IPC_INIT(DONE, &done);
    init_failure(&failure, code, message);
    failure.retryable = retryable;
    failure.phase = IPC_TEXT("queue");
    done.error = &failure;
    count_done(session, &done);
    session_send(session, IPC_DONE, id, &done);
}
