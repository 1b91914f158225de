/* What an attempt says of its origin, its proxy and its worker. */
#include "request_steps.h"

#include "daemon.h"
#include "log.h"
#include "supervisor.h"

void request_note_outcome(struct request *request, bool success)
{
    struct origin *origin = request->origin;
    if (request->noted_at_origin || !request->counts_at_origin)
        return;
    request->noted_at_origin = true;
    if (origin_note(&request->daemon->origins, origin, success, uv_now(&request->daemon->loop)))
        log_notice("origin %s: breaker %s", origin->key, origin_breaker_name(origin->breaker));
}

void request_note_proxy(struct request *request, enum ipc_error_code code)
{
    struct pooled_proxy *proxy = request->pooled;
    if (!proxy || request->pooled_failed)
        return;
    if (code == IPC_ERROR_NONE) {
        pooled_proxy_note_success(proxy);
    } else if (pooled_proxy_is_fault(code)) {
        request->pooled_failed = true;
        if (pooled_proxy_note_failure(proxy, uv_now(&request->daemon->loop)))
            log_notice("proxy %s: %u failures in a row, the last: %s; not used for %llu ms", proxy->label,
                       proxy->in_row, ipc_error_name(code), (unsigned long long)proxy->cooldown_ms);
    }
}

/* Who shook hands how, for workers, origins and proxies. A failure blames the worker only where the
 * origin's other handshakes succeed. */
void request_note_handshake(struct request *request, const struct ipc_done *done)
{
    struct health *healths[] = { &request->supervisor->health, &request->origin->health,
                                 request->proxy ? &request->proxy->health : NULL };
    enum health_reason reason = HEALTH_REASONS;
    if (done->error)
        reason = health_reason_of(ipc_error_find(done->error->name.data, done->error->name.length));
    bool failed = reason != HEALTH_REASONS, blames = request->origin->health.handshakes > 0;
    if (!failed && (done->reused || done->tls_us == 0))
        return;
    for (size_t i = 0; i < sizeof healths / sizeof healths[0]; i++) {
        if (healths[i] && failed)
            health_note_failure(healths[i], reason, blames);
        else if (healths[i])
            health_note_success(healths[i]);
    }
}
