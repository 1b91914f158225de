/* A request goes to a worker. */
#include "request_steps.h"

#include "daemon.h"
#include "log.h"
#include "session.h"
#include "supervisor.h"

#include "ipc/unpack.h"

#define EGRESS_RULES 256   /* of a class, as in messages.def */

/* At least a moment, so that 0 does not stand for the daemon's setting. */
static uint64_t time_left_ms(const struct request *request)
{
    uint64_t now_ms = uv_now(&request->daemon->loop);
    return request->expires_ms > now_ms ? request->expires_ms - now_ms : 1;
}

static struct ipc_texts borrow_rules(const struct conf_list *rules, struct ipc_text room[EGRESS_RULES])
{
    size_t count = rules->count < EGRESS_RULES ? rules->count : EGRESS_RULES;
    for (size_t i = 0; i < count; i++)
        room[i] = ipc_text(rules->items[i]);
    return (struct ipc_texts){ room, count };
}

static void send_fetch(struct request *request, struct ipc_fetch *fetch)
{
    struct supervisor *supervisor = request->supervisor;
    const struct conf_class *class = request->session->class;
    struct ipc_pair pairs[COOKIES_SENT_MOST];
    struct ipc_text allow[EGRESS_RULES], deny[EGRESS_RULES];
    request_fill_session(request, fetch, pairs);
    fetch->egress_allow = borrow_rules(&class->egress_allow, allow);
    fetch->egress_deny = borrow_rules(&class->egress_deny, deny);
    request->granted = 0;
    request->granted = request_grant_size(request);
    fetch->window = (uint64_t)request->granted;
    fetch->principal = session_pool(request->session);
    fetch->from_public = request->from_public;
    fetch->announce = request->announces = !request->idempotent;
    if (request->expires_ms)
        fetch->total_timeout_ms = time_left_ms(request);
    supervisor_send(supervisor, IPC_FETCH, request->worker_id, fetch);
    log_debug("session %u request %u: placed on worker %u as %u, attempt %u", request->session->number,
              request->client_id, supervisor->number, request->worker_id, request->attempts);
}

static void note_start(struct request *request)
{
    uint64_t now_ms = uv_now(&request->daemon->loop);
    request->waited_ms = now_ms - request->queued_ms;
    request->hop_ms = now_ms;
    if (request->begun_ms == 0)
        request->begun_ms = now_ms;
}

/* Again and again the same, until it fails: its hops are of one request. */
static bool take_pooled(struct request *request, const struct ipc_fetch *fetch)
{
    struct daemon *daemon = request->daemon;
    struct proxypool *pool = proxypools_find(&daemon->proxypools, fetch->proxy_pool);
    struct proxypool_key key = { session_principal(request->session),
                                 fetch->proxy_key.length > 0 ? fetch->proxy_key : fetch->session };
    struct pooled_proxy *old = request->pooled;
    if (old && !request->pooled_failed)
        return true;
    request->pooled = pool ? proxypool_take(pool, key, old, uv_now(&daemon->loop)) : NULL;
    request->pooled_failed = false;
    if (old)
        pooled_proxy_release(old);
    if (request->pooled)
        request->proxy = proxies_find(&daemon->proxies, ipc_text(request->pooled->url));
    return request->pooled != NULL;
}

/* What a worker is told is a proxy, and that the operator named it. */
static bool set_pooled(struct request *request, struct ipc_fetch *fetch)
{
    if (fetch->proxy_pool.length == 0)
        return true;
    if (!take_pooled(request, fetch))
        return false;
    fetch->proxy = ipc_text(request->pooled->url);
    fetch->proxy_exempt = true;
    fetch->proxy_pool = fetch->proxy_key = (struct ipc_text){ NULL, 0 };
    return true;
}

void request_place(struct request *request, struct supervisor *supervisor)
{
    struct ipc_fetch fetch;
    if (request_read_kept(request, &fetch) < 0) {
        request_fail(request, IPC_ERROR_INTERNAL, false, request->daemon->kept_decoder.reason);
        request_destroy(request);
        return;
    }
    if (!set_pooled(request, &fetch)) {
        request_fail(request, IPC_ERROR_PROXY_UNAVAILABLE, true, NULL);
        request_destroy(request);
        return;
    }
    request->state = REQUEST_PLACED;
    request->attempts++;
    request->sending = false;
    note_start(request);
    request_enter_origin(request);
    supervisor_enter(supervisor, request);
    send_fetch(request, &fetch);
}
