/* What a client asks for becomes a request, or is refused at once. */
#include "request_steps.h"

#include "daemon.h"
#include "feature.h"
#include "jar.h"
#include "principal.h"
#include "quota.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* RFC 9110, 9.2.2. An unknown method is taken for one that is not. */
bool request_is_idempotent(struct ipc_text method)
{
    static const char *const methods[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" };
    if (method.length == 0)
        return true;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (ipc_text_is(method, methods[i]))
            return true;
    return false;
}

/* `frame` is NULL when `fetch` is not any more as it came. */
static int keep_accepted(struct request *request, const struct ipc_frame *frame,
                         const struct ipc_fetch *fetch)
{
    return frame ? request_keep(request, frame->body, frame->body_length) : request_keep_packed(request, fetch);
}

static struct request *create(struct session *session, uint32_t id, const struct ipc_frame *frame,
                              const struct ipc_fetch *fetch, const struct ipc_origin *origin, struct jar *jar)
{
    const struct conf *conf = session->daemon->conf;
    struct request *request = calloc(1, sizeof *request);
    if (!request || !(request->origin = origins_hold(&session->daemon->origins, origin))
        || keep_accepted(request, frame, fetch) < 0) {
        if (request && request->origin)
            origins_release(&session->daemon->origins, request->origin);
        free(request);
        return NULL;
    }
    request->daemon = session->daemon;
    request->queued_ms = uv_now(&session->daemon->loop);
    request->client_id = id;
    request->group = session->group;
    request->idempotent = request_is_idempotent(fetch->method);
    request->follow = fetch->follow;
    request->max_redirects = (unsigned)fetch->max_redirects;
    request->client_credit = (int64_t)fetch->window;
    request->streamed = fetch->body_streamed;
    request->rewindable = fetch->rewindable;
    request->retry_5xx = fetch->retry_5xx;
    request->websocket = ipc_text_is(origin->scheme, "ws") || ipc_text_is(origin->scheme, "wss");
    request->reconnect = fetch->reconnect;
    request->solo = ipc_text_is(origin->scheme, "ftp") || ipc_text_is(origin->scheme, "ftps");
    request->trusts_tls = !fetch->insecure;
    if ((request->jar = jar))
        jar_hold(jar);
    request->proxy = proxies_find(&session->daemon->proxies, fetch->proxy);
    request->max_attempts = (unsigned)(fetch->attempts ? fetch->attempts : conf->retry_attempts);
    uint64_t total_ms = fetch->total_timeout_ms ? fetch->total_timeout_ms : conf->total_timeout_ms;
    request->expires_ms = total_ms ? uv_now(&session->daemon->loop) + total_ms : 0;
    session_enter(session, request);
    return request;
}

/* What the operator does not let requests ask for. */
static const char *not_allowed(const struct conf *conf, const struct ipc_fetch *fetch)
{
    if ((fetch->insecure || fetch->proxy_insecure) && !conf->tls_insecure)
        return "certificates are checked here: the operator can let requests switch that off by [tls] insecure = yes; "
               "to trust a certificate of your own give its authority (fetchctl --cacert)";
    return NULL;
}

/* A request has one proxy, and a pool that is there. */
static bool pool_is_wrong(const struct daemon *daemon, const struct ipc_fetch *fetch, char *ret_reason,
                          size_t size)
{
    if (fetch->proxy_pool.length == 0)
        return false;
    if (fetch->proxy.length > 0)
        snprintf(ret_reason, size, "a request has a proxy or a proxy_pool, not both");
    else if (!proxypools_find(&daemon->proxypools, fetch->proxy_pool))
        snprintf(ret_reason, size, "there is no [proxy_pool \"%.*s\"], or none with urls",
                 (int)fetch->proxy_pool.length, fetch->proxy_pool.data);
    else
        return false;
    return true;
}

static bool over_quota(const struct session *session, size_t bytes, char ret_reason[QUOTA_REASON_BYTES])
{
    struct quota quota = session_quota(session);
    return !quota_takes_request(&quota, session->principal, bytes, uv_now(&session->daemon->loop), ret_reason);
}

/* Of a URL that ipc_origin_parse() has read. */
bool request_has_allowed_scheme(const struct conf *conf, struct ipc_text url)
{
    for (size_t i = 0; i < conf->egress_schemes.count; i++) {
        const char *scheme = conf->egress_schemes.items[i];
        size_t length = strlen(scheme);
        if (length < url.length && url.data[length] == ':' && strncasecmp(url.data, scheme, length) == 0)
            return true;
    }
    return false;
}

static void enqueue_new(struct session *session, uint32_t id, const struct ipc_frame *frame,
                        const struct ipc_fetch *fetch, struct jar *jar)
{
    struct ipc_origin origin;
    const char *reason;
    if (ipc_origin_parse(fetch->url, &origin, &reason) < 0) {
        request_refuse(session, id, IPC_ERROR_REQUEST_INVALID, false, reason);
        return;
    }
    if (!request_has_allowed_scheme(session->daemon->conf, fetch->url)) {
        request_refuse(session, id, IPC_ERROR_POLICY_DENIED, false,
                       "the URL's scheme is not among [egress] schemes");
        return;
    }
    struct request *request = create(session, id, frame, fetch, &origin, jar);
    if (!request)
        request_refuse(session, id, IPC_ERROR_OUT_OF_MEMORY, true, NULL);
    else if (request_pass_gate(request))
        daemon_enqueue(session->daemon, request, false);
}

/* Within its session, which may know that the host wants TLS. */
static void accept_in_jar(struct session *session, uint32_t id, const struct ipc_frame *frame,
                          const struct ipc_fetch *fetch, struct jar *jar)
{
    struct jar_rules rules = daemon_jar_rules(session->daemon);
    struct ipc_fetch upgraded = *fetch;
    bool failed;
    char *url = hsts_upgrade(&jar->hsts, fetch->url, rules.now_s, &failed);
    upgraded.url = ipc_text(url);
    if (failed)
        request_refuse(session, id, IPC_ERROR_OUT_OF_MEMORY, true, NULL);
    else
        enqueue_new(session, id, url ? NULL : frame, url ? &upgraded : fetch, jar);
    free(url);
}

void request_accept(struct session *session, uint32_t id, const struct ipc_frame *frame,
                    const struct ipc_fetch *fetch)
{
    struct daemon *daemon = session->daemon;
    struct jar *jar = fetch->session.length > 0 ? jars_find(&session->principal->jars, fetch->session) : NULL;
    char text[QUOTA_REASON_BYTES];
    const char *reason;
    daemon->accepted++;
    session->principal->accepted++;
    if (daemon->state != DAEMON_RUNNING) {
        request_refuse(session, id, IPC_ERROR_DRAINING, true, NULL);
    } else if (features_lack(&fetch->require, text, sizeof text)) {
        request_refuse(session, id, IPC_ERROR_REQUEST_UNSUPPORTED, false, text);
    } else if ((reason = not_allowed(daemon->conf, fetch))) {
        request_refuse(session, id, IPC_ERROR_ACCESS_DENIED, false, reason);
    } else if (pool_is_wrong(daemon, fetch, text, sizeof text)) {
        request_refuse(session, id, IPC_ERROR_REQUEST_INVALID, false, text);
    } else if (session_streams(session) >= daemon->conf->streams) {
        request_refuse(session, id, IPC_ERROR_OVERLOADED, true,
                       "too many requests open on this connection ([daemon] streams)");
    } else if (daemon->in_flight >= daemon->conf->requests) {
        request_refuse(session, id, IPC_ERROR_OVERLOADED, true, "too many requests open ([limits] requests)");
    } else if (daemon_queued(daemon) >= daemon->conf->queue_limit) {
        request_refuse(session, id, IPC_ERROR_OVERLOADED, true,
                       "too many requests wait for a worker ([limits] queue)");
    } else if (over_quota(session, frame->body_length, text)) {
        request_refuse(session, id, IPC_ERROR_QUOTA_EXCEEDED, true, text);
    } else if (frame->body_length > REQUEST_FETCH_BYTES) {
        request_refuse(session, id, IPC_ERROR_REQUEST_INVALID, false,
                       "the request is too large; stream its body");
    } else if (fetch->session.length > 0 && !jar) {
        request_refuse(session, id, IPC_ERROR_SESSION_UNKNOWN, false, NULL);
    } else if (jar) {
        accept_in_jar(session, id, frame, fetch, jar);
    } else {
        enqueue_new(session, id, frame, fetch, NULL);
    }
}
