/* Trying again, where that is safe. */
#include "request_steps.h"

#include "daemon.h"
#include "log.h"
#include "retry.h"
#include "session.h"
#include "sleeper.h"
#include "supervisor.h"

#include <stdlib.h>
#include <time.h>

/* Safe to start over: nothing reached the client, and either doing it twice is harmless or no byte
 * of it can have left. */
bool request_may_start_over(const struct request *request)
{
    bool body_is_there = !request->streamed || !request->body_asked || request->rewindable;
    return (request->idempotent || !request->sending) && body_is_there;
}

static bool may_retry(const struct request *request)
{
    const struct daemon *daemon = request->daemon;
    unsigned others = daemon->retrying - request->retrying;
    return request->attempts < request->max_attempts && request_may_start_over(request)
        && retry_within_budget(others, daemon->in_flight - others, daemon->conf->retry_budget);
}

/* False when the time it would have to wait is longer than it may. */
bool request_retry_later(struct request *request, uint64_t at_least_ms)
{
    const struct daemon *daemon = request->daemon;
    const struct conf *conf = daemon->conf;
    uint64_t now_ms = uv_now(&daemon->loop);
    uint64_t wait_ms = retry_delay_ms(request->attempts, conf->retry_delay_ms, conf->retry_max_delay_ms,
                                      daemon_random(request->daemon));
    if (at_least_ms > conf->retry_max_delay_ms)
        return false;
    if (wait_ms < at_least_ms)
        wait_ms = at_least_ms;
    if (request->expires_ms && now_ms + wait_ms >= request->expires_ms)
        return false;
    log_debug("session %u request %u: attempt %u failed, again in %llu ms", request->session->number,
              request->client_id, request->attempts, (unsigned long long)wait_ms);
    request_set_retrying(request, true);
    request->daemon->retries++;
    request->state = REQUEST_WAITING;
    sleep_until(request, now_ms + wait_ms);
    return true;
}

/* The worker still holds the id of an attempt that the request itself has left: a shell stays in its
 * place until the worker's DONE. */
static bool leave_shell(struct request *request)
{
    struct request *shell = calloc(1, sizeof *shell);
    if (!shell)
        return false;
    struct supervisor *supervisor = request->supervisor;
    shell->daemon = request->daemon;
    shell->state = REQUEST_ABANDONED;
    shell->worker_id = request->worker_id;
    request_leave_worker(request);
    supervisor_adopt(supervisor, shell);
    supervisor_send(supervisor, IPC_CANCEL, shell->worker_id, NULL);
    return true;
}

/* A status that asks to come again: the client does not see it if that is possible. */
bool request_retry_answer(struct request *request, const struct ipc_response *response)
{
    uint64_t after_ms;
    if (!retry_status(response, request->retry_5xx, (int64_t)time(NULL), &after_ms) || !may_retry(request)
        || !request->idempotent || !request_retry_later(request, after_ms))
        return false;
    if (!leave_shell(request)) {
        sleep_cancel(request);
        request->state = REQUEST_PLACED;
        return false;
    }
    request_start_body_over(request);
    return true;
}

/* Through another proxy of the pool all may be well, whatever this one's fault. */
static struct retry_class classify(const struct request *request, enum ipc_error_code code)
{
    if (request->pooled && pooled_proxy_is_fault(code))
        return (struct retry_class){ .origins_fault = false, .passing = true, .nothing_arrived = true };
    return retry_classify(code);
}

bool request_retry_failure(struct request *request, const struct ipc_failure *failure)
{
    enum ipc_error_code code = ipc_error_find(failure->name.data, failure->name.length);
    struct retry_class class = classify(request, code);
    if (request->state == REQUEST_PLACED)
        request_note_proxy(request, code);
    if (class.origins_fault)
        request_note_outcome(request, false);
    if (request->state != REQUEST_PLACED || !class.passing || !may_retry(request)
        || !(request->idempotent || class.nothing_arrived) || !request_retry_later(request, 0))
        return false;
    request_leave_worker(request);
    request_start_body_over(request);
    return true;
}
