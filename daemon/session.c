/* One client connection. */
#include "session.h"

#include "access.h"
#include "account.h"
#include "daemon.h"
#include "descriptors.h"
#include "jar_control.h"
#include "log.h"
#include "methods.h"
#include "principal.h"
#include "quota.h"
#include "request.h"

#include "ipc/frame.h"
#include "ipc/pack.h"
#include "ipc/secret.h"
#include "ipc/unpack.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

/* Above the connection's window: what may wait besides DATA, mostly response headers. */
#define CONTROL_BYTES ((size_t)16 * 1024 * 1024)
#define CHECK_MS 1000
#define REFUSALS_MS 10000   /* one line in the log for each user who tries again and again */

/* ---- life ---- */

static void on_handle_closed(struct session *session)
{
    if (--session->open_handles > 0)
        return;
    daemon_session_closed(session->daemon, session);
    ipc_buffer_finish(&session->held);
    peer_finish(&session->peer);
    free(session);
}

static void on_channel_closed(struct ipc_channel *channel)
{
    on_handle_closed(channel->owner);
}

static void on_uv_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

void session_close(struct session *session)
{
    if (session->closing)
        return;
    session->closing = true;
    if (session->principal)
        session->principal->sessions--;
    while (session->requests)
        request_event(session->requests, REQUEST_HANGUP, NULL);
    if (session->binds)
        jar_control_unbind(session);
    uv_close((uv_handle_t *)&session->timer, on_uv_closed);
    ipc_channel_close(&session->channel);
    log_debug("session %u: closed", session->number);
}

static void log_failure(const struct session *session, enum ipc_error_code code, const char *message)
{
    char user[ACCOUNT_NAME_BYTES] = "user not known yet";
    if (session->principal)
        account_describe(session->peer.user, user, sizeof user);
    log_warning("session %u: %s pid %u: %s: %s, closing", session->number, user, session->peer.pid,
                ipc_error_name(code), message);
}

static void send_error(struct session *session, enum ipc_error_code code, const char *message)
{
    struct ipc_error error = { .name = ipc_text(ipc_error_name(code)), .message = ipc_text(message) };
    ipc_channel_send(&session->channel, IPC_ERROR, 0, &error);
    session_close(session);
}

void session_fail(struct session *session, enum ipc_error_code code, const char *message)
{
    if (session->closing)
        return;
    log_failure(session, code, message);
    send_error(session, code, message);
}

/* ---- who may be here ---- */

static void refuse(struct session *session, enum ipc_error_code code, const char *message)
{
    uint64_t now_ms = uv_now(&session->daemon->loop);
    struct principal *principal = session->principal;
    if (session->closing)
        return;
    if (principal->refused_ms == 0 || now_ms - principal->refused_ms >= REFUSALS_MS) {
        principal->refused_ms = now_ms;
        log_failure(session, code, message);
    }
    send_error(session, code, message);
}

struct quota session_quota(const struct session *session)
{
    return (struct quota){ session->daemon->conf, session->class, session->admin };
}

void session_judge(struct session *session)
{
    const struct conf *conf = session->daemon->conf;
    const struct peer *peer = &session->peer;
    enum access access = access_of(conf, peer, account_own());
    if (!session->principal)
        return;   /* it is judged when it is known */
    session->admin = access == ACCESS_ADMIN;
    session->class = conf_class(conf, peer->user, peer->groups, peer->group_count);
    if (peer->pid != 0 && crew_has_process(&session->daemon->crew, peer->pid))
        refuse(session, IPC_ERROR_ACCESS_DENIED, "a worker of this daemon is no client");
    else if (access == ACCESS_DENIED)
        refuse(session, IPC_ERROR_ACCESS_DENIED, "your user may not use this daemon ([access] allow, deny)");
}

static uint64_t sessions_most(const struct daemon *daemon, uint64_t configured)
{
    uint64_t room = descriptors_for_clients(daemon->crew.size);
    return configured < room ? configured : room;
}

/* Only at its birth: a reload that lowers a limit ends nobody's connection. */
static void check_quota(struct session *session)
{
    struct quota quota = session_quota(session);
    char reason[QUOTA_REASON_BYTES];
    if (!quota_takes_session(&quota, session->principal, reason))
        refuse(session, IPC_ERROR_QUOTA_EXCEEDED, reason);
    else if (session->daemon->session_count > sessions_most(session->daemon, quota_sessions(&quota)))
        refuse(session, IPC_ERROR_OVERLOADED, "too many client connections ([daemon] sessions)");
}

/* ---- who it is ---- */

static unsigned group_of(const struct daemon *daemon, const struct peer *peer)
{
    return crew_group(&daemon->crew, conf_class(daemon->conf, peer->user, peer->groups, peer->group_count)->name);
}

static int enroll(struct session *session)
{
    struct daemon *daemon = session->daemon;
    struct principal *principal = principals_find(&daemon->principals, session->peer.user);
    unsigned group = group_of(daemon, &session->peer);
    struct queue_flow *flow = principal ? principal_flow(principal, group) : NULL;
    if (!flow)
        return UV_ENOMEM;
    session->principal = principal;
    session->group = group;
    queue_flow_init(&session->flow, flow);
    principal->sessions++;
    return 0;
}

static void log_connected(const struct session *session)
{
    char user[ACCOUNT_NAME_BYTES];
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    account_describe(session->peer.user, user, sizeof user);
    log_debug("session %u: %s pid %u connected", session->number, user, session->peer.pid);
}

/* Not all systems tell before the client has said something (peer.h): `last` when it has. */
static void identify(struct session *session, bool last)
{
    int status = peer_read(session->fd, &session->peer);
    if (status == UV_EAGAIN && !last)
        return;
    if (status == 0)
        status = enroll(session);
    if (status < 0) {
        log_error("session %u: can't tell who connects: %s, closing", session->number, uv_strerror(status));
        session_close(session);
        return;
    }
    log_connected(session);
    session_judge(session);
    check_quota(session);
}

/* ---- time: a greeting that does not come, a frame that stays half sent ---- */

static void on_uv_timer(uv_timer_t *timer)
{
    struct session *session = timer->data;
    uint64_t now_ms = uv_now(&session->daemon->loop), limit_ms = session->daemon->conf->handshake_timeout_ms;
    if (session->deaf) {
        session_fail(session, IPC_ERROR_OVERLOADED, "it does not read what it asked for");
        return;
    }
    bool partial = ipc_buffer_length(&session->channel.in) > 0 && session->channel.reading;
    if (!partial)
        session->partial_since_ms = 0;
    else if (session->partial_since_ms == 0)
        session->partial_since_ms = now_ms;
    else if (now_ms - session->partial_since_ms >= limit_ms)
        session_fail(session, IPC_ERROR_PROTOCOL_VIOLATION, "a frame stayed half sent ([daemon] handshake_timeout)");
}

static void on_uv_greeting_timeout(uv_timer_t *timer)
{
    struct session *session = timer->data;
    if (!session->greeted)
        session_fail(session, IPC_ERROR_PROTOCOL_VIOLATION, "no HELLO came ([daemon] handshake_timeout)");
    else
        uv_timer_start(timer, on_uv_timer, CHECK_MS, CHECK_MS);
}

/* ---- frames in ---- */

static void on_frame(struct ipc_channel *channel, const struct ipc_frame *frame)
{
    struct session *session = channel->owner;
    session->partial_since_ms = 0;
    if (!session->principal)
        identify(session, true);
    if (session->closing)
        return;
    methods_dispatch(session, frame);
    /* Its credentials are where they are needed by now. The bytes are the channel's own. */
    if (frame->type == IPC_FETCH)
        ipc_secret_wipe((void *)(uintptr_t)frame->body, frame->body_length);
}

/* A client that closed only its sending side can give no credit and take nothing back: as if it had hung
 * up, but it may be told. */
static void say_cancelled(struct session *session)
{
    struct ipc_error error = { .name = ipc_text(ipc_error_name(IPC_ERROR_CANCELLED)),
                               .message = IPC_TEXT("you closed your side of the connection: what was open is cancelled") };
    session->channel.ended = false;
    ipc_channel_send(&session->channel, IPC_ERROR, 0, &error);
}

static void on_end(struct ipc_channel *channel, int status, const char *reason)
{
    struct session *session = channel->owner;
    if (status == UV_EPROTO) {
        channel->ended = false;   /* the ERROR can still be told */
        session_fail(session, IPC_ERROR_PROTOCOL_VIOLATION, reason);
        return;
    }
    if (status < 0)
        log_info("session %u: %s: %s", session->number, reason, uv_strerror(status));
    else if (session->streams > 0)
        say_cancelled(session);
    session_close(session);
}

/* ---- frames out ---- */

static void note_deaf(struct session *session)
{
    if (session->deaf || session->closing)
        return;
    session->deaf = true;
    uv_timer_start(&session->timer, on_uv_timer, 0, 0);
}

/* A client that does not read is not read from either, so that it can't pile up answers. */
static void check_room(struct session *session)
{
    bool full = ipc_channel_unsent(&session->channel) > 2 * session->daemon->conf->backlog_bytes;
    ipc_channel_pause(&session->channel, full);
}

bool session_has_room(const struct session *session)
{
    return ipc_channel_unsent(&session->channel) + ipc_buffer_length(&session->held)
         < session->daemon->conf->backlog_bytes / 2;
}

static void on_sent(struct ipc_channel *channel, size_t unsent)
{
    struct session *session = channel->owner;
    (void)unsent;
    if (session->closing)
        return;
    check_room(session);
    /* Each grant takes one off the list, or puts it back when there is no room after all. */
    struct request *request, *next;
    DL_FOREACH_SAFE2(session->starved, request, next, starved_next) {
        if (!session_has_room(session))
            break;
        request_grant(request);
    }
}

static void sent(struct session *session, int result)
{
    if (result < 0)
        note_deaf(session);
    else if (ipc_channel_unsent(&session->channel) > 2 * session->daemon->conf->backlog_bytes)
        check_room(session);
}

static bool must_wait(const struct session *session)
{
    return ipc_buffer_length(&session->held) > 0;
}

void session_send(struct session *session, unsigned number, uint32_t id, const void *message)
{
    if (must_wait(session) && id != 0)
        sent(session, ipc_pack(&session->held, IPC_DAEMON_TO_CLIENT, number, id, message));
    else
        sent(session, ipc_channel_send(&session->channel, number, id, message));
}

void session_send_body(struct session *session, unsigned number, uint32_t id, const uint8_t *body,
                       size_t body_length)
{
    if (must_wait(session))
        sent(session, ipc_pack_body(&session->held, number, id, body, body_length));
    else
        sent(session, ipc_channel_send_body(&session->channel, number, id, body, body_length));
}

/* Takes the connection's credit for a payload; false when it must be held until there is more. */
static bool take_credit(struct session *session, size_t payload_bytes)
{
    int64_t cost = ipc_credit_cost(payload_bytes);
    if (must_wait(session) || cost > session->credit)
        return false;
    session->credit -= cost;
    return true;
}

void session_send_data(struct session *session, uint32_t id, const void *data, size_t bytes)
{
    sent(session, take_credit(session, bytes) ? ipc_channel_send_data(&session->channel, id, data, bytes)
                                              : ipc_pack_data(&session->held, id, data, bytes));
}

void session_send_message(struct session *session, uint32_t id, const struct ipc_frame *frame, size_t payload_bytes)
{
    sent(session, take_credit(session, payload_bytes)
         ? ipc_channel_send_body(&session->channel, IPC_MESSAGE, id, frame->body, frame->body_length)
         : ipc_pack_body(&session->held, IPC_MESSAGE, id, frame->body, frame->body_length));
}

/* False when the frame must wait on. */
static bool release_frame(struct session *session, const struct ipc_frame *frame)
{
    int64_t cost = daemon_frame_cost(session->daemon, IPC_WORKER, frame);
    if (cost > session->credit)
        return false;
    session->credit -= cost;
    sent(session, ipc_channel_send_body(&session->channel, frame->type, frame->id, frame->body, frame->body_length));
    return true;
}

void session_release_held(struct session *session)
{
    struct ipc_frame frame;
    struct ipc_buffer *held = &session->held;
    while (ipc_frame_read(ipc_buffer_data(held), ipc_buffer_length(held), &frame, NULL) == IPC_FRAME_OK
           && release_frame(session, &frame))
        ipc_buffer_consume(held, frame.whole_length);
}

void session_say_goaway(struct session *session)
{
    struct ipc_goaway goaway = { .last_id = session->last_id, .reason = IPC_TEXT("the daemon stops") };
    session_send(session, IPC_GOAWAY, 0, &goaway);
}

/* ---- requests ---- */

void session_enter(struct session *session, struct request *request)
{
    request->session = session;
    HASH_ADD(client_handle, session->requests, client_id, sizeof request->client_id, request);
    session->streams++;
    session->principal->in_flight++;
    session->principal->kept_bytes += request->kept_length;
    session->daemon->in_flight++;
}

void session_leave(struct session *session, struct request *request)
{
    session_starve(session, request, false);
    HASH_DELETE(client_handle, session->requests, request);
    session->streams--;
    session->principal->in_flight--;
    session->principal->kept_bytes -= request->kept_length;
    request->session = NULL;
    daemon_request_left(session->daemon);
}

void session_starve(struct session *session, struct request *request, bool starved)
{
    if (request->starved == starved)
        return;
    request->starved = starved;
    if (starved)
        DL_APPEND2(session->starved, request, starved_prev, starved_next);
    else
        DL_DELETE2(session->starved, request, starved_prev, starved_next);
}

unsigned session_streams(const struct session *session)
{
    return session->streams;
}

uint32_t session_principal(const struct session *session)
{
    return session->principal->number;
}

/* Principals count from 1 and never come so far. */
uint32_t session_pool(const struct session *session)
{
    const struct conf *conf = session->daemon->conf;
    size_t place = 0;
    if (conf->isolation_pool == CONF_POOL_USER)
        return session->principal->number;
    if (conf->isolation_pool == CONF_POOL_CLASS)
        while (conf->classes.records[place] != session->class)
            place++;
    return UINT32_MAX - (uint32_t)place;
}

/* ---- birth ---- */

static const struct ipc_channel_calls channel_calls = { on_frame, on_end, on_sent, on_channel_closed };

/* Those who are not known yet must not take the room of all others. */
static void check_strangers(struct session *session)
{
    struct daemon *daemon = session->daemon;
    if (!session->principal && !session->closing && daemon->session_count > sessions_most(daemon, daemon->conf->sessions))
        send_error(session, IPC_ERROR_OVERLOADED, "too many client connections ([daemon] sessions)");
}

struct session *session_create(struct daemon *daemon, int fd, unsigned number)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        log_error("session %u: not enough memory, closing", number);
        close(fd);
        return NULL;
    }
    session->daemon = daemon;
    session->number = number;
    session->fd = fd;
    ipc_buffer_init(&session->held, IPC_CONNECTION_WINDOW + CONTROL_BYTES);
    ipc_window_init(&session->window, IPC_CONNECTION_WINDOW);
    int status = ipc_channel_open(&session->channel, &daemon->hub, fd, IPC_DAEMON_TO_CLIENT,
                                  IPC_CONNECTION_WINDOW + CONTROL_BYTES, &channel_calls, session);
    if (status < 0) {
        log_error("session %u: %s, closing", number, uv_strerror(status));
        free(session);
        return NULL;
    }
    daemon->session_count++;
    session->channel.in.wipes = true;
    session->open_handles = 2;
    uv_timer_init(&daemon->loop, &session->timer);
    session->timer.data = session;
    uv_timer_start(&session->timer, on_uv_greeting_timeout, daemon->conf->handshake_timeout_ms, 0);
    identify(session, false);
    check_strangers(session);
    return session;
}
