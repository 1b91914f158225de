/* One fetch in flight. */
#include "request.h"

#include "daemon.h"
#include "feature.h"
#include "jar.h"
#include "log.h"
#include "output.h"
#include "principal.h"
#include "quota.h"
#include "retry.h"
#include "session.h"
#include "sleeper.h"
#include "supervisor.h"

#include "ipc/credit.h"
#include "ipc/error.h"
#include "ipc/pack.h"
#include "ipc/redirect.h"
#include "ipc/secret.h"
#include "ipc/unpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <utlist.h>

#define EGRESS_RULES 256   /* of a class, as in messages.def */
#define LEAST_GRANT_BYTES ((int64_t)16 * 1024)
#define FETCH_BYTES (IPC_FRAME_BYTES - 16 * 1024)   /* room for what is added for a worker: cookies, mostly */

static const char *const state_names[REQUEST_STATES] = {
    [REQUEST_QUEUED] = "queued", [REQUEST_WAITING] = "waiting", [REQUEST_PLACED] = "placed", [REQUEST_ANSWERED] = "answered",
    [REQUEST_ABANDONED] = "abandoned",
};
static const char *const event_names[REQUEST_EVENTS] = {
    [REQUEST_ASSIGN] = "assign", [REQUEST_WAKE] = "wake", [REQUEST_REFUSE] = "refuse", [REQUEST_EXPIRE] = "expire", [REQUEST_SENDING] = "sending",
    [REQUEST_HOP] = "hop", [REQUEST_RESPONSE] = "response", [REQUEST_DATA] = "data",
    [REQUEST_MESSAGE] = "message", [REQUEST_FLUSHED] = "flushed", [REQUEST_TELL] = "tell", [REQUEST_FLUSH] = "flush",
    [REQUEST_OUTPUT] = "output",
    [REQUEST_UPLOAD_CREDIT] = "upload credit", [REQUEST_DONE] = "done", [REQUEST_LOST] = "lost",
    [REQUEST_BODY] = "body", [REQUEST_CREDIT] = "credit", [REQUEST_REWOUND] = "rewound",
    [REQUEST_CANCEL] = "cancel", [REQUEST_HANGUP] = "hangup", [REQUEST_SHUTDOWN] = "shutdown",
};

const char *request_state_name(enum request_state state) { return state_names[state]; }
const char *request_event_name(enum request_event event) { return event_names[event]; }

/* ---- its place at the origin ---- */

static void leave_origin(struct request *request)
{
    struct origin *origin = request->origin;
    if (!request->counts_at_origin)
        return;
    request->counts_at_origin = false;
    if (!request->noted_at_origin)
        origin_note_nothing(origin);
    origin_leave(origin);
    request_move_line(origin);
}

static void enter_origin(struct request *request)
{
    request->counts_at_origin = true;
    request->noted_at_origin = false;
    origin_enter(request->origin);
}

/* One alarm for all that wait there. */
static void set_alarm(struct origin *origin, uint64_t due_ms)
{
    if (!origin->alarmed)
        origin->alarmed = line_first(&origin->line);
    if (origin->alarmed)
        sleep_until(origin->alarmed, due_ms);
}

void request_move_line(struct origin *origin)
{
    set_alarm(origin, 0);
}

/* Held back by a limit of the origin. Who comes while others wait is not asked for, and knows no time. */
void request_park(struct request *request, bool in_front, uint64_t until_ms)
{
    request->parked = true;
    line_push(&request->origin->line, request, session_principal(request->session), request->session->number,
              in_front);
    if (until_ms != UINT64_MAX)
        set_alarm(request->origin, until_ms);
}

static void unpark(struct request *request, bool served)
{
    struct origin *origin = request->origin;
    if (!request->parked)
        return;
    request->parked = false;
    line_remove(&origin->line, request, served);
    if (origin->alarmed == request)
        origin->alarmed = NULL;
}

/* False: another WebSocket handshake of this user to this origin is under way, and it is told when it is over. */
static bool pass_gate(struct request *request)
{
    struct daemon *daemon = request->daemon;
    if (request->gate)
        return !request->at_gate;
    return !request->websocket
        || gate_pass(&daemon->gates, request, session_principal(request->session),
                     origin_handshakes(&daemon->origins, request->origin));
}

static void leave_gate(struct request *request)
{
    struct daemon *daemon = request->daemon;
    if (!request->gate)
        return;
    struct request *next = gate_leave(&daemon->gates, request, origin_handshakes(&daemon->origins, request->origin));
    if (next)
        sleep_until(next, 0);
}

static void note_outcome(struct request *request, bool success)
{
    struct origin *origin = request->origin;
    if (request->noted_at_origin || !request->counts_at_origin)
        return;
    request->noted_at_origin = true;
    if (origin_note(&request->daemon->origins, origin, success, uv_now(&request->daemon->loop)))
        log_notice("origin %s: breaker %s", origin->key, origin_breaker_name(origin->breaker));
}

static void note_pooled(struct request *request, enum ipc_error_code code)
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

/* ---- life ---- */

static void set_retrying(struct request *request, bool retrying)
{
    if (request->retrying == retrying)
        return;
    request->retrying = retrying;
    request->daemon->retrying += retrying ? 1u : -1u;
}

/* It has no worker any more. */
static void leave_worker(struct request *request)
{
    leave_gate(request);
    leave_origin(request);
    supervisor_leave(request->supervisor, request);
    if (request->session)
        session_starve(request->session, request, false);
}

/* Who stood in its origin's line may have had the alarm, or the turn to ask: they pass on. */
static void leave_waiting(struct request *request)
{
    bool in_line = request->parked || request->unparked;
    sleep_cancel(request);
    unpark(request, false);
    daemon_dequeue(request->daemon, request, false);
    if (in_line)
        request_move_line(request->origin);
}

static void destroy(struct request *request)
{
    leave_gate(request);
    leave_waiting(request);
    if (request->supervisor)
        leave_worker(request);
    if (request->session)
        session_leave(request->session, request);
    set_retrying(request, false);
    if (request->jar)
        jar_release(request->jar, (uint64_t)time(NULL));
    if (request->origin)
        origins_release(&request->daemon->origins, request->origin);
    if (request->pooled)
        pooled_proxy_release(request->pooled);
    ipc_secret_free(request->kept);
    free(request);
}

/* It may hold credentials, and ends with the request. */
static int keep(struct request *request, const uint8_t *body, size_t length)
{
    uint8_t *copy = ipc_secret_alloc(length);
    if (!copy)
        return -1;
    memcpy(copy, body, length);
    ipc_secret_free(request->kept);
    if (request->session)
        request->session->principal->kept_bytes += length - request->kept_length;
    request->kept = copy;
    request->kept_length = length;
    return 0;
}

struct request *request_of_worker(struct supervisor *supervisor, uint32_t worker_id)
{
    struct request *request;
    HASH_FIND(worker_handle, supervisor->requests, &worker_id, sizeof worker_id, request);
    return request;
}

/* ---- the one DONE ---- */

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

static void send_done(struct request *request, const struct ipc_done *done)
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
static void fail(struct request *request, enum ipc_error_code code, bool retryable, const char *message)
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
    send_done(request, &done);
}

/* The client is done with it. The worker is told to stop, and its DONE ends the request. */
static void abandon(struct request *request)
{
    session_leave(request->session, request);
    leave_gate(request);
    leave_origin(request);
    set_retrying(request, false);
    supervisor_send(request->supervisor, IPC_CANCEL, request->worker_id, NULL);
    request->state = REQUEST_ABANDONED;
}

/* ---- placement ---- */

/* What the worker may have outstanding: less for each stream when the session has many, so that a
 * client which stops reading leaves little behind. */
static int64_t grant_target(const struct request *request)
{
    int64_t share = (int64_t)request->daemon->conf->backlog_bytes / (int64_t)session_streams(request->session);
    return share < LEAST_GRANT_BYTES ? LEAST_GRANT_BYTES : share > IPC_STREAM_WINDOW ? IPC_STREAM_WINDOW : share;
}

/* How much to grant now: up to the target, within the client's own credit. */
static int64_t grant_size(const struct request *request)
{
    int64_t target = grant_target(request);
    int64_t least = target < request->client_credit ? target : request->client_credit;
    return least > request->granted ? least - request->granted : 0;
}

/* At least a moment, so that 0 does not stand for the daemon's setting. */
static uint64_t time_left_ms(const struct request *request)
{
    uint64_t now_ms = uv_now(&request->daemon->loop);
    return request->expires_ms > now_ms ? request->expires_ms - now_ms : 1;
}

/* The cookies of its session for this URL, as they are just now; borrowed from the jar. */
static struct ipc_pairs pick_cookies(struct request *request, struct ipc_text url, struct ipc_pair *pairs)
{
    struct jar_rules rules = daemon_jar_rules(request->daemon);
    return (struct ipc_pairs){ pairs, jar_pick(request->jar, url, &rules, pairs) };
}

/* The session's name is nothing that a worker needs. */
static void fill_session(struct request *request, struct ipc_fetch *fetch, struct ipc_pair *pairs)
{
    fetch->session = (struct ipc_text){ NULL, 0 };
    fetch->in_session = request->jar != NULL;
    fetch->jar = request->jar ? request->jar->number : 0;
    if (request->jar)
        fetch->cookies = pick_cookies(request, fetch->url, pairs);
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
    fill_session(request, fetch, pairs);
    fetch->egress_allow = borrow_rules(&class->egress_allow, allow);
    fetch->egress_deny = borrow_rules(&class->egress_deny, deny);
    request->granted = 0;
    request->granted = grant_size(request);
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

/* What was kept: the client's own frame may be long gone. */
static int read_kept(struct request *request, struct ipc_fetch *ret_fetch)
{
    struct ipc_frame frame = { .type = IPC_FETCH, .body = request->kept, .body_length = request->kept_length };
    return ipc_unpack(&request->daemon->kept_decoder, IPC_CLIENT, &frame, ret_fetch);
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

static void place(struct request *request, struct supervisor *supervisor)
{
    struct ipc_fetch fetch;
    if (read_kept(request, &fetch) < 0) {
        fail(request, IPC_ERROR_INTERNAL, false, request->daemon->kept_decoder.reason);
        destroy(request);
        return;
    }
    if (!set_pooled(request, &fetch)) {
        fail(request, IPC_ERROR_PROXY_UNAVAILABLE, true, NULL);
        destroy(request);
        return;
    }
    request->state = REQUEST_PLACED;
    request->attempts++;
    request->sending = false;
    note_start(request);
    enter_origin(request);
    supervisor_enter(supervisor, request);
    send_fetch(request, &fetch);
}

/* Back to wait for a worker: it was there before, so it comes before others of its connection. */
static void queue_again(struct request *request)
{
    request->state = REQUEST_QUEUED;
    request->queued_ms = uv_now(&request->daemon->loop);
    if (pass_gate(request))
        daemon_enqueue(request->daemon, request, true);
}

/* The body must come again from its start; nothing of what is on the way counts. */
static void ask_rewind(struct request *request)
{
    request->rewinds_due++;
    request->body_asked = request->body_ended = request->end_waits = false;
    session_send(request->session, IPC_REWIND, request->client_id, NULL);
}

/* What the worker granted is void. Without credit a client can only have said the end, which is kept. */
static void start_body_over(struct request *request)
{
    request->upload_credit = request->upload_withheld = 0;
    if (request->streamed && request->body_asked)
        ask_rewind(request);
    else
        request->end_waits = request->streamed && request->body_ended;
}

/* ---- acceptance ---- */

/* RFC 9110, 9.2.2. An unknown method is taken for one that is not. */
static bool is_idempotent(struct ipc_text method)
{
    static const char *const methods[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" };
    if (method.length == 0)
        return true;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (ipc_text_is(method, methods[i]))
            return true;
    return false;
}

static void refuse(struct session *session, uint32_t id, enum ipc_error_code code, bool retryable,
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

/* As it is to be sent again. */
static int keep_packed(struct request *request, const struct ipc_fetch *fetch)
{
    struct ipc_buffer packed;
    struct ipc_frame frame;
    ipc_buffer_init(&packed, FETCH_BYTES + 64);
    packed.wipes = true;
    int result = ipc_pack(&packed, IPC_CLIENT, IPC_FETCH, 0, fetch);
    if (result == 0 && ipc_frame_read(ipc_buffer_data(&packed), ipc_buffer_length(&packed), &frame, NULL)
                           == IPC_FRAME_OK)
        result = keep(request, frame.body, frame.body_length);
    ipc_buffer_finish(&packed);
    return result;
}

/* `frame` is NULL when `fetch` is not any more as it came. */
static int keep_accepted(struct request *request, const struct ipc_frame *frame,
                         const struct ipc_fetch *fetch)
{
    return frame ? keep(request, frame->body, frame->body_length) : keep_packed(request, fetch);
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
    request->idempotent = is_idempotent(fetch->method);
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
static bool has_allowed_scheme(const struct conf *conf, struct ipc_text url)
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
        refuse(session, id, IPC_ERROR_REQUEST_INVALID, false, reason);
        return;
    }
    if (!has_allowed_scheme(session->daemon->conf, fetch->url)) {
        refuse(session, id, IPC_ERROR_POLICY_DENIED, false, "the URL's scheme is not among [egress] schemes");
        return;
    }
    struct request *request = create(session, id, frame, fetch, &origin, jar);
    if (!request)
        refuse(session, id, IPC_ERROR_OUT_OF_MEMORY, true, NULL);
    else if (pass_gate(request))
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
        refuse(session, id, IPC_ERROR_OUT_OF_MEMORY, true, NULL);
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
        refuse(session, id, IPC_ERROR_DRAINING, true, NULL);
    } else if (features_lack(&fetch->require, text, sizeof text)) {
        refuse(session, id, IPC_ERROR_REQUEST_UNSUPPORTED, false, text);
    } else if ((reason = not_allowed(daemon->conf, fetch))) {
        refuse(session, id, IPC_ERROR_ACCESS_DENIED, false, reason);
    } else if (pool_is_wrong(daemon, fetch, text, sizeof text)) {
        refuse(session, id, IPC_ERROR_REQUEST_INVALID, false, text);
    } else if (session_streams(session) >= daemon->conf->streams) {
        refuse(session, id, IPC_ERROR_OVERLOADED, true, "too many requests open on this connection ([daemon] streams)");
    } else if (daemon->in_flight >= daemon->conf->requests) {
        refuse(session, id, IPC_ERROR_OVERLOADED, true, "too many requests open ([limits] requests)");
    } else if (daemon_queued(daemon) >= daemon->conf->queue_limit) {
        refuse(session, id, IPC_ERROR_OVERLOADED, true, "too many requests wait for a worker ([limits] queue)");
    } else if (over_quota(session, frame->body_length, text)) {
        refuse(session, id, IPC_ERROR_QUOTA_EXCEEDED, true, text);
    } else if (frame->body_length > FETCH_BYTES) {
        refuse(session, id, IPC_ERROR_REQUEST_INVALID, false, "the request is too large; stream its body");
    } else if (fetch->session.length > 0 && !jar) {
        refuse(session, id, IPC_ERROR_SESSION_UNKNOWN, false, NULL);
    } else if (jar) {
        accept_in_jar(session, id, frame, fetch, jar);
    } else {
        enqueue_new(session, id, frame, fetch, NULL);
    }
}

/* ---- credit for the answer ---- */

static void set_starved(struct request *request, bool starved)
{
    if (request->starved != starved)
        session_starve(request->session, request, starved);
}

void request_grant(struct request *request)
{
    if (!request->supervisor)
        return;
    int64_t size = grant_size(request);
    bool wanted = request->granted < grant_target(request) / 2 && size > 0;
    bool room = session_has_room(request->session);
    set_starved(request, wanted && !room);
    if (!wanted || !room)
        return;
    struct ipc_credit credit = { .bytes = (uint64_t)size };
    request->granted += size;
    supervisor_send(request->supervisor, IPC_CREDIT, request->worker_id, &credit);
}

/* ---- what the events do ---- */

typedef void reaction(struct request *request, const struct request_detail *detail);

static void assign(struct request *request, const struct request_detail *detail)
{
    place(request, detail->supervisor);
}

/* Its gate is open, or it has the alarm of its origin's line; whose turn it is there may be another's. */
static void wake_queued(struct request *request, const struct request_detail *detail)
{
    struct origin *origin = request->origin;
    struct request *next = line_first(&origin->line);
    (void)detail;
    if (!request->parked) {
        daemon_enqueue(request->daemon, request, false);
        return;
    }
    origin->alarmed = NULL;
    if (!next)
        return;
    unpark(next, true);
    next->unparked = true;
    daemon_enqueue(next->daemon, next, true);
}

static void wake_waiting(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    queue_again(request);
}

static void refuse_queued(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    fail(request, IPC_ERROR_ORIGIN_UNAVAILABLE, true, NULL);
    destroy(request);
}

/* One held back by its origin's limits is not told that workers were missing. */
static void fail_at_limit(struct request *request)
{
    const struct origin *origin = request->origin;
    char text[IPC_ORIGIN_BYTES + 128];
    snprintf(text, sizeof text, "the limit of %s held it back too long ([origin] %s, [limits] queue_timeout)",
             origin->key, origin_limit_name(&request->daemon->origins, request->origin));
    fail(request, IPC_ERROR_OVERLOADED, true, text);
}

static void expire(struct request *request, const struct request_detail *detail)
{
    bool own = request->expires_ms && uv_now(&request->daemon->loop) >= request->expires_ms;
    (void)detail;
    if (own)
        fail(request, IPC_ERROR_TIMEOUT_TOTAL, true, NULL);
    else if (request->at_gate)
        fail(request, IPC_ERROR_OVERLOADED, true,
             "other WebSocket handshakes of this user to this origin did not end in time ([origin] handshakes)");
    else if (request->parked || request->unparked)
        fail_at_limit(request);
    else
        fail(request, IPC_ERROR_OVERLOADED, true, "no worker could take it in time ([limits] queue_timeout)");
    destroy(request);
}

/* Once a hop, for a worker that was asked to: a redirect can have made it a GET since. */
static void note_sending(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    if (!request->announces || request->sending)
        supervisor_breach(request->supervisor, "SENDING unasked");
    else
        request->sending = true;
}

static void go_on_here(struct request *request)
{
    struct ipc_go go = { .here = true };
    request->hop_ms = uv_now(&request->daemon->loop);
    struct ipc_pair pairs[COOKIES_SENT_MOST];
    struct ipc_fetch fetch;
    if (request->jar && read_kept(request, &fetch) == 0) {
        go.cookies = pick_cookies(request, fetch.url, pairs);
        go.url = request->upgraded ? fetch.url : go.url;
    }
    supervisor_send(request->supervisor, IPC_GO, request->worker_id, &go);
}

/* What was kept becomes what the redirect makes of it: a later placement starts from there. */
static int keep_redirected(struct request *request, const struct ipc_fetch *fetch)
{
    request->idempotent = is_idempotent(fetch->method);
    request->body_dropped = request->body_dropped || (request->streamed && !fetch->body_streamed);
    request->streamed = fetch->body_streamed;
    return keep_packed(request, fetch);
}

static int redirect(struct request *request, const struct ipc_hop *hop, const char **ret_reason)
{
    struct daemon *daemon = request->daemon;
    struct ipc_redirect_headers headers = { daemon->header_scratch, DAEMON_HEADERS };
    struct ipc_fetch fetch;
    struct ipc_origin origin;
    *ret_reason = daemon->kept_decoder.reason;
    if (read_kept(request, &fetch) < 0
        || ipc_redirect_apply(&fetch, (unsigned)hop->status, hop->url, &headers, ret_reason) < 0
        || ipc_origin_parse(fetch.url, &origin, ret_reason) < 0)
        return -1;
    *ret_reason = "with its URL the request is too large, or memory is short";
    struct origin *next = origins_hold(&daemon->origins, &origin);
    if (!next)
        return -1;
    leave_gate(request);
    leave_origin(request);
    origins_release(&daemon->origins, request->origin);
    request->origin = next;
    return keep_redirected(request, &fetch);
}

/* The worker waits for GO; here it is told to go on, or to forget it, or to give it up. */
static void end_at_hop(struct request *request, enum ipc_error_code code, const char *message)
{
    fail(request, code, false, message);
    supervisor_forget(request->supervisor, request->worker_id);
    destroy(request);
}

/* The worker for where the request leads now; it does not weigh on the one it is about to leave. */
static struct supervisor *choose_next(struct request *request)
{
    struct crew *crew = &request->daemon->crew;
    uint32_t seat = request->supervisor->seat;
    crew_remove_load(crew, seat);
    struct supervisor *wanted = crew_choose(crew, request);
    crew_add_load(crew, seat);
    return wanted;
}

/* To the new origin: here if this worker is the one for it and the origin takes one more at once,
 * else through the queue. It is no further attempt. */
static void move_on(struct request *request)
{
    struct daemon *daemon = request->daemon;
    struct supervisor *wanted = choose_next(request);
    uint64_t until_ms;
    bool stays = !wanted || wanted == request->supervisor;
    if (stays && pass_gate(request) && line_is_empty(&request->origin->line)
        && origin_admit(&daemon->origins, request->origin, uv_now(&daemon->loop), &until_ms) == ORIGIN_GO) {
        enter_origin(request);
        go_on_here(request);
        return;
    }
    supervisor_forget(request->supervisor, request->worker_id);
    leave_worker(request);
    request->attempts--;
    queue_again(request);
}

static void take_hop(struct request *request, const struct ipc_hop *hop)
{
    const char *reason;
    bool had_body = request->streamed && request->body_asked;
    note_outcome(request, true);
    note_pooled(request, IPC_ERROR_NONE);
    request->from_public = hop->from_public;
    if (request->redirects >= request->max_redirects) {
        end_at_hop(request, IPC_ERROR_REDIRECT_LIMIT, NULL);
        return;
    }
    request->redirects++;
    session_send(request->session, IPC_HOP, request->client_id, hop);
    if (redirect(request, hop, &reason) < 0) {
        end_at_hop(request, IPC_ERROR_REDIRECT_INVALID, reason);
        return;
    }
    if (!has_allowed_scheme(request->daemon->conf, hop->url)) {
        end_at_hop(request, IPC_ERROR_POLICY_DENIED, "the redirect's scheme is not among [egress] schemes");
        return;
    }
    if (request->streamed && had_body && !request->rewindable) {
        end_at_hop(request, IPC_ERROR_BODY_REWIND, NULL);
        return;
    }
    start_body_over(request);
    request->sending = false;
    move_on(request);
}

/* What an answer asks the session to remember; the rules are applied here again, to a worker's word. False
 * when that can't be believed: the worker is on its way out then. */
static bool remember(struct request *request, const struct ipc_cookie *cookies, size_t count,
                     const struct ipc_hsts *hsts)
{
    struct jar_rules rules = daemon_jar_rules(request->daemon);
    struct ipc_fetch fetch;
    const char *problem = NULL;
    if (count == 0 && !hsts)
        return true;
    if (!request->jar)
        problem = "cookies for a request in no session";
    else if (read_kept(request, &fetch) == 0)
        problem = jar_take(request->jar, fetch.url, cookies, count, hsts, request->trusts_tls, &rules);
    if (problem)
        supervisor_breach(request->supervisor, problem);
    return !problem;
}

/* Where a hop leads may want TLS: *ret_url is the URL then, to be freed. -1 without memory. */
static int upgrade_hop(struct request *request, struct ipc_hop *hop, char **ret_url)
{
    bool failed = false;
    uint64_t now_s = (uint64_t)time(NULL);
    *ret_url = request->jar ? hsts_upgrade(&request->jar->hsts, hop->url, now_s, &failed) : NULL;
    request->upgraded = *ret_url != NULL;
    if (*ret_url)
        hop->url = ipc_text(*ret_url);
    return failed ? -1 : 0;
}

static void follow_hop(struct request *request, const struct request_detail *detail)
{
    struct ipc_hop hop = detail->message->hop;
    char *upgraded;
    if (!request->follow) {
        supervisor_breach(request->supervisor, "HOP unasked");
    } else if (remember(request, hop.set_cookies.items, hop.set_cookies.count, hop.hsts)) {
        if (upgrade_hop(request, &hop, &upgraded) < 0)
            end_at_hop(request, IPC_ERROR_OUT_OF_MEMORY, NULL);
        else
            take_hop(request, &hop);
        free(upgraded);
    }
}

/* ---- trying again ---- */

/* Safe to start over: nothing reached the client, and either doing it twice is harmless or no byte
 * of it can have left. */
static bool may_start_over(const struct request *request)
{
    bool body_is_there = !request->streamed || !request->body_asked || request->rewindable;
    return (request->idempotent || !request->sending) && body_is_there;
}

static bool may_retry(const struct request *request)
{
    const struct daemon *daemon = request->daemon;
    unsigned others = daemon->retrying - request->retrying;
    return request->attempts < request->max_attempts && may_start_over(request)
        && retry_within_budget(others, daemon->in_flight - others, daemon->conf->retry_budget);
}

/* False when the time it would have to wait is longer than it may. */
static bool retry_later(struct request *request, uint64_t at_least_ms)
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
    set_retrying(request, true);
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
    leave_worker(request);
    supervisor_adopt(supervisor, shell);
    supervisor_send(supervisor, IPC_CANCEL, shell->worker_id, NULL);
    return true;
}

/* A status that asks to come again: the client does not see it if that is possible. */
static bool retry_answer(struct request *request, const struct ipc_response *response)
{
    uint64_t after_ms;
    if (!retry_status(response, request->retry_5xx, (int64_t)time(NULL), &after_ms) || !may_retry(request)
        || !request->idempotent || !retry_later(request, after_ms))
        return false;
    if (!leave_shell(request)) {
        sleep_cancel(request);
        request->state = REQUEST_PLACED;
        return false;
    }
    start_body_over(request);
    return true;
}

static void answer(struct request *request, const struct request_detail *detail)
{
    const struct ipc_response *response = &detail->message->response;
    note_outcome(request, response->status < 500);
    note_pooled(request, IPC_ERROR_NONE);
    if (!remember(request, response->set_cookies.items, response->set_cookies.count, response->hsts)
        || retry_answer(request, response))
        return;
    request->state = REQUEST_ANSWERED;
    leave_gate(request);
    if (request->jar)
        session_send(request->session, IPC_RESPONSE, request->client_id, response);   /* less the cookies */
    else
        session_send_body(request->session, IPC_RESPONSE, request->client_id, detail->frame->body,
                          detail->frame->body_length);
}

/* Who shook hands how, for workers, origins and proxies. A failure blames the worker only where the
 * origin's other handshakes succeed. */
static void note_handshake(struct request *request, const struct ipc_done *done)
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

/* Through another proxy of the pool all may be well, whatever this one's fault. */
static struct retry_class classify(const struct request *request, enum ipc_error_code code)
{
    if (request->pooled && pooled_proxy_is_fault(code))
        return (struct retry_class){ .origins_fault = false, .passing = true, .nothing_arrived = true };
    return retry_classify(code);
}

static bool retry_failure(struct request *request, const struct ipc_failure *failure)
{
    enum ipc_error_code code = ipc_error_find(failure->name.data, failure->name.length);
    struct retry_class class = classify(request, code);
    if (request->state == REQUEST_PLACED)
        note_pooled(request, code);
    if (class.origins_fault)
        note_outcome(request, false);
    if (request->state != REQUEST_PLACED || !class.passing || !may_retry(request)
        || !(request->idempotent || class.nothing_arrived) || !retry_later(request, 0))
        return false;
    leave_worker(request);
    start_body_over(request);
    return true;
}

static bool charge_worker(struct request *request, size_t payload_bytes)
{
    int64_t cost = ipc_credit_cost(payload_bytes);
    if (cost > request->granted) {
        supervisor_breach(request->supervisor, "payload beyond its credit");
        return false;
    }
    request->granted -= cost;
    request->client_credit -= cost;
    return true;
}

static void forward_data(struct request *request, const struct request_detail *detail)
{
    if (!charge_worker(request, detail->payload.length))
        return;
    session_send_data(request->session, request->client_id, detail->payload.data, detail->payload.length);
    request_grant(request);
}

static void forward_message(struct request *request, const struct request_detail *detail)
{
    size_t payload_bytes = detail->message->message.data.length;
    if (!request->websocket) {
        supervisor_breach(request->supervisor, "MESSAGE for a request that is no WebSocket");
        return;
    }
    if (!charge_worker(request, payload_bytes))
        return;
    session_send_message(request->session, request->client_id, detail->frame, payload_bytes);
    request_grant(request);
}

static void forward_flushed(struct request *request, const struct request_detail *detail)
{
    session_send(request->session, IPC_FLUSHED, request->client_id, &detail->message->flushed);
}

/* The end costs a client no credit, so that an empty body can end at once; towards the worker it is a
 * DATA like any other. */
static void pass_end(struct request *request)
{
    request->end_waits = request->upload_credit < ipc_credit_cost(0);
    if (request->end_waits)
        return;
    request->upload_credit -= ipc_credit_cost(0);
    supervisor_send_data(request->supervisor, request->worker_id, NULL, 0);
}

static void take_upload_credit(struct request *request, const struct request_detail *detail)
{
    uint64_t bytes = detail->message->credit.bytes;
    int64_t *credit = request->rewinds_due ? &request->upload_withheld : &request->upload_credit;
    if (!(request->streamed || request->websocket) || !ipc_credit_add(credit, bytes)) {
        supervisor_breach(request->supervisor, "upload credit unasked");
    } else if (request->end_waits) {
        pass_end(request);
    } else if (!request->rewinds_due && !request->body_ended) {
        request->body_asked = true;
        session_send(request->session, IPC_CREDIT, request->client_id, &detail->message->credit);
    }
}

static void finish(struct request *request, const struct request_detail *detail)
{
    struct ipc_done done = detail->message->done;
    struct ipc_failure failure;
    if (!done.error && request->state != REQUEST_ANSWERED) {
        supervisor_breach(request->supervisor, "DONE without a RESPONSE");
        return;
    }
    note_handshake(request, &done);
    if (done.error && retry_failure(request, done.error))
        return;
    done.attempts = request->attempts;
    done.redirects = request->redirects;
    done.queue_us = request->waited_ms * 1000;
    done.redirect_us = request->redirects > 0 ? (request->hop_ms - request->begun_ms) * 1000 : 0;
    done.worker = request->supervisor->number;
    if (done.error) {
        failure = *done.error;
        failure.attempts = done.attempts;
        failure.worker = done.worker;
        done.error = &failure;
        request->supervisor->failed++;
    }
    request->supervisor->served++;
    request->supervisor->served_here++;
    send_done(request, &done);
    destroy(request);
}

static void discard(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    destroy(request);
}

/* A poison request is with fewer others from its second suspicious death on, and at last only with itself. */
static bool is_poison(struct request *request, const struct request_detail *detail)
{
    if (!detail->suspicious)
        return false;
    request->deaths++;
    return request->deaths > REQUEST_MOST_DEATHS || (request->deaths > REQUEST_SUSPECT_DEATHS && detail->alone);
}

static void lose_placed(struct request *request, const struct request_detail *detail)
{
    bool poison = is_poison(request, detail), too_often = ++request->losses > REQUEST_MOST_LOSSES;
    if (poison || too_often || !may_start_over(request)) {
        fail(request, IPC_ERROR_WORKER_LOST, request->idempotent && !detail->suspicious,
             too_often ? "worker after worker died while it had it" : NULL);
        destroy(request);
        return;
    }
    leave_worker(request);
    start_body_over(request);
    queue_again(request);
}

/* A WebSocket that asked for it is opened again; what was on its way is gone, and the client knows. What it
 * says before it has answered with REWIND was meant for the old socket: on the new one it would be out of
 * place, and beyond its credit. */
static void reopen(struct request *request)
{
    struct ipc_reopen reopened = { .attempt = request->attempts };
    leave_worker(request);
    request->rewinds_due++;
    request->upload_credit = request->upload_withheld = 0;
    session_send(request->session, IPC_REOPEN, request->client_id, &reopened);
    request->attempts = 1;
    if (retry_later(request, 0))
        return;
    fail(request, IPC_ERROR_WORKER_LOST, true, "the worker died, and no time is left to open the WebSocket again");
    destroy(request);
}

static void lose_answered(struct request *request, const struct request_detail *detail)
{
    if (request->websocket && request->reconnect && !is_poison(request, detail)) {
        reopen(request);
        return;
    }
    fail(request, IPC_ERROR_WORKER_LOST, request->idempotent, "the worker died in the midst of the body");
    destroy(request);
}

/* Sent before the client saw REWIND, or the redirect that left no body. */
static bool is_void(const struct request *request)
{
    return request->rewinds_due > 0 || request->body_dropped;
}

static void refuse_body(struct request *request)
{
    session_fail(request->session, IPC_ERROR_PROTOCOL_VIOLATION,
                 "DATA beyond the request's credit, after its end, or without body_streamed");
}

static void forward_body(struct request *request, const struct request_detail *detail)
{
    int64_t cost = ipc_credit_cost(detail->payload.length);
    bool ends = detail->payload.length == 0;
    if (is_void(request))
        return;
    if (!request->streamed || request->body_ended || (!ends && cost > request->upload_credit)) {
        refuse_body(request);
    } else if (ends) {
        request->body_ended = true;
        pass_end(request);
    } else {
        request->upload_credit -= cost;
        supervisor_send_data(request->supervisor, request->worker_id, detail->payload.data, detail->payload.length);
    }
}

static void forward_tell(struct request *request, const struct request_detail *detail)
{
    size_t payload_bytes = detail->message->message.data.length;
    int64_t cost = ipc_credit_cost(payload_bytes);
    if (request->rewinds_due)
        return;
    if (!request->websocket || cost > request->upload_credit) {
        session_fail(request->session, IPC_ERROR_PROTOCOL_VIOLATION,
                     "MESSAGE beyond the WebSocket's credit, or for a request that is none");
        return;
    }
    request->upload_credit -= cost;
    supervisor_send_message(request->supervisor, request->worker_id, detail->frame, payload_bytes);
}

static void forward_flush(struct request *request, const struct request_detail *detail)
{
    if (!request->rewinds_due)
        supervisor_send(request->supervisor, IPC_FLUSH, request->worker_id, &detail->message->flush);
}

static void refuse_output(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    session_fail(request->session, IPC_ERROR_PROTOCOL_VIOLATION,
                 "OUTPUT before RESPONSE, without a descriptor, or while DATA may still come");
}

/* From here on the worker needs no credit: nothing of the body passes through here. */
static void forward_output(struct request *request, const struct request_detail *detail)
{
    const char *reason;
    if (*detail->descriptor < 0 || request->websocket || ipc_credit_payload(request->client_credit) > 0) {
        refuse_output(request, detail);
    } else if (!output_may_be(*detail->descriptor, &reason)) {
        struct ipc_output_refused refused = { .reason = ipc_text(reason) };
        session_send(request->session, IPC_OUTPUT_REFUSED, request->client_id, &refused);
    } else {
        supervisor_send_descriptor(request->supervisor, IPC_OUTPUT, request->worker_id, *detail->descriptor);
        *detail->descriptor = -1;
    }
}

/* An empty body may end before a worker has it; no credit exists for anything more. */
static void queued_body(struct request *request, const struct request_detail *detail)
{
    if (is_void(request))
        return;
    if (request->streamed && !request->body_ended && detail->payload.length == 0)
        request->body_ended = request->end_waits = true;
    else
        refuse_body(request);
}

static void take_credit(struct request *request, const struct request_detail *detail)
{
    if (!ipc_credit_add(&request->client_credit, detail->message->credit.bytes))
        session_fail(request->session, IPC_ERROR_PROTOCOL_VIOLATION, "more credit than a stream can have");
    else
        request_grant(request);
}

static void rewound(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    if (request->rewinds_due == 0) {
        session_fail(request->session, IPC_ERROR_PROTOCOL_VIOLATION, "REWIND unasked");
        return;
    }
    struct ipc_credit credit = { .bytes = (uint64_t)request->upload_withheld };
    if (--request->rewinds_due > 0)
        return;   /* its socket was lost again meanwhile */
    request->upload_credit = request->upload_withheld;
    request->upload_withheld = 0;
    request->body_asked = credit.bytes > 0;
    if (credit.bytes > 0)
        session_send(request->session, IPC_CREDIT, request->client_id, &credit);
}

static void cancel_queued(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    fail(request, IPC_ERROR_CANCELLED, true, NULL);
    destroy(request);
}

static void cancel_placed(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    fail(request, IPC_ERROR_CANCELLED, true, NULL);
    abandon(request);
}

static void hangup_placed(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    abandon(request);
}

static void shut_queued(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    fail(request, IPC_ERROR_DRAINING, true, "the daemon stopped before it could be done");
    destroy(request);
}

static void shut_placed(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    fail(request, IPC_ERROR_DRAINING, request->idempotent, "the daemon stopped before it was done");
    abandon(request);
}

static void ignore(struct request *request, const struct request_detail *detail)
{
    (void)request;
    (void)detail;
}

/* TELL and FLUSH are ignored while a WebSocket is being opened again: they were sent before the client
 * saw REOPEN. */

/* THE table of a request's life. NULL: who says that breaks the protocol, or it can't happen. */
static reaction *const reactions[REQUEST_STATES][REQUEST_EVENTS] = {
    [REQUEST_QUEUED] = {
        [REQUEST_OUTPUT] = refuse_output,
        [REQUEST_TELL] = ignore, [REQUEST_FLUSH] = ignore, [REQUEST_ASSIGN] = assign, [REQUEST_WAKE] = wake_queued, [REQUEST_REFUSE] = refuse_queued, [REQUEST_EXPIRE] = expire, [REQUEST_BODY] = queued_body,
        [REQUEST_CREDIT] = take_credit, [REQUEST_REWOUND] = rewound, [REQUEST_CANCEL] = cancel_queued,
        [REQUEST_HANGUP] = discard, [REQUEST_SHUTDOWN] = shut_queued,
    },
    [REQUEST_WAITING] = {
        [REQUEST_OUTPUT] = refuse_output,
        [REQUEST_TELL] = ignore, [REQUEST_FLUSH] = ignore, [REQUEST_WAKE] = wake_waiting, [REQUEST_EXPIRE] = expire, [REQUEST_BODY] = queued_body,
        [REQUEST_CREDIT] = take_credit, [REQUEST_REWOUND] = rewound, [REQUEST_CANCEL] = cancel_queued,
        [REQUEST_HANGUP] = discard, [REQUEST_SHUTDOWN] = shut_queued,
    },
    [REQUEST_PLACED] = {
        [REQUEST_OUTPUT] = refuse_output,
        [REQUEST_TELL] = ignore, [REQUEST_FLUSH] = ignore,
        [REQUEST_SENDING] = note_sending, [REQUEST_HOP] = follow_hop, [REQUEST_RESPONSE] = answer,
        [REQUEST_UPLOAD_CREDIT] = take_upload_credit, [REQUEST_DONE] = finish, [REQUEST_LOST] = lose_placed,
        [REQUEST_BODY] = forward_body, [REQUEST_CREDIT] = take_credit, [REQUEST_REWOUND] = rewound,
        [REQUEST_CANCEL] = cancel_placed, [REQUEST_HANGUP] = hangup_placed, [REQUEST_SHUTDOWN] = shut_placed,
    },
    [REQUEST_ANSWERED] = {
        [REQUEST_OUTPUT] = forward_output,
        [REQUEST_MESSAGE] = forward_message, [REQUEST_FLUSHED] = forward_flushed, [REQUEST_TELL] = forward_tell,
        [REQUEST_FLUSH] = forward_flush,
        [REQUEST_DATA] = forward_data, [REQUEST_UPLOAD_CREDIT] = take_upload_credit, [REQUEST_DONE] = finish,
        [REQUEST_LOST] = lose_answered, [REQUEST_BODY] = forward_body, [REQUEST_CREDIT] = take_credit,
        [REQUEST_REWOUND] = rewound, [REQUEST_CANCEL] = cancel_placed, [REQUEST_HANGUP] = hangup_placed,
        [REQUEST_SHUTDOWN] = shut_placed,
    },
    [REQUEST_ABANDONED] = {
        [REQUEST_SENDING] = ignore, [REQUEST_HOP] = ignore, [REQUEST_RESPONSE] = ignore, [REQUEST_DATA] = ignore,
        [REQUEST_MESSAGE] = ignore, [REQUEST_FLUSHED] = ignore, [REQUEST_UPLOAD_CREDIT] = ignore, [REQUEST_DONE] = discard, [REQUEST_LOST] = discard,
    },
};

/* Events that a worker causes by what it says. */
static bool is_workers(enum request_event event)
{
    return event >= REQUEST_SENDING && event <= REQUEST_DONE;
}

void request_event(struct request *request, enum request_event event, const struct request_detail *detail)
{
    reaction *react = reactions[request->state][event];
    if (react) {
        react(request, detail);
        return;
    }
    char text[96];
    snprintf(text, sizeof text, "%s for a request that is %s", event_names[event], state_names[request->state]);
    if (is_workers(event) && request->supervisor)
        supervisor_breach(request->supervisor, text);
    else
        log_error("request %u: %s, which can't happen; ignoring", request->client_id, text);
}
