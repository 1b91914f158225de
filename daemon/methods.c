/* What a client may say, and when. */
#include "methods.h"

#include "control.h"
#include "daemon.h"
#include "feature.h"
#include "jar_control.h"
#include "log.h"
#include "request.h"
#include "status.h"

#include "ipc/unpack.h"

#include <stdio.h>
#include <unistd.h>

static void violation(struct session *session, const char *message)
{
    session_fail(session, IPC_ERROR_PROTOCOL_VIOLATION, message);
}

/* ---- connection ---- */

static void on_hello(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    const struct ipc_hello *hello = &message->hello;
    struct ipc_welcome welcome;
    (void)frame;
    if (hello->version_max < IPC_VERSION_MIN || hello->version_min > IPC_VERSION_MAX) {
        char text[128];
        snprintf(text, sizeof text, "you speak versions %llu to %llu, this daemon %d to %d",
                 (unsigned long long)hello->version_min, (unsigned long long)hello->version_max, IPC_VERSION_MIN,
                 IPC_VERSION_MAX);
        session_fail(session, IPC_ERROR_PROTOCOL_VERSION, text);
        return;
    }
    char lack[160];
    if (features_lack(&hello->require, lack, sizeof lack)) {
        session_fail(session, IPC_ERROR_REQUEST_UNSUPPORTED, lack);
        return;
    }
    session->greeted = true;
    session->credit = (int64_t)hello->window;
    IPC_INIT(WELCOME, &welcome);
    welcome.version = hello->version_max < IPC_VERSION_MAX ? hello->version_max : IPC_VERSION_MAX;
    welcome.version_min = IPC_VERSION_MIN;
    welcome.version_max = IPC_VERSION_MAX;
    welcome.server = IPC_TEXT("fetchd " FETCHD_VERSION);
    welcome.instance = ipc_text(session->daemon->instance);
    welcome.streams = session->daemon->conf->streams;
    welcome.features = features_all();
    session_send(session, IPC_WELCOME, 0, &welcome);
    if (session->daemon->state != DAEMON_RUNNING)
        session_say_goaway(session);
    log_debug("session %u: is %.*s", session->number, (int)hello->client.length, hello->client.data);
}

static void on_ping(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    struct ipc_pong pong = { .token = message->ping.token };
    session_send(session, IPC_PONG, frame->id, &pong);
}

static void on_pong(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    (void)session;
    (void)frame;
    (void)message;
}

/* ---- requests ---- */

/* Ids only grow: a new one is above all others, an old one that is not open is late and ignored. */
static bool take_new_id(struct session *session, uint32_t id)
{
    if (id <= session->last_id) {
        violation(session, "an id was used twice, or does not grow");
        return false;
    }
    session->last_id = id;
    return true;
}

static void on_fetch(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    if (take_new_id(session, frame->id))
        request_accept(session, frame->id, frame, &message->fetch);
}

static void pass_on(struct session *session, const struct ipc_frame *frame, enum request_event event,
                    const struct request_detail *detail)
{
    struct request *request;
    HASH_FIND(client_handle, session->requests, &frame->id, sizeof frame->id, request);
    if (request)
        request_event(request, event, detail);
    else if (frame->id > session->last_id)
        violation(session, "a message for a request that was never opened");
}

static void on_credit(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    struct request_detail detail = { .frame = frame, .message = message };
    if (frame->id != 0)
        pass_on(session, frame, REQUEST_CREDIT, &detail);
    else if (!ipc_credit_add(&session->credit, message->credit.bytes))
        violation(session, "more credit than a connection can have");
    else
        session_release_held(session);
}

static void on_cancel(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    struct request_detail detail = { .frame = frame, .message = message };
    pass_on(session, frame, REQUEST_CANCEL, &detail);
}

static void on_rewind(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    struct request_detail detail = { .frame = frame, .message = message };
    pass_on(session, frame, REQUEST_REWOUND, &detail);
}

static void on_flush(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    struct request_detail detail = { .frame = frame, .message = message };
    pass_on(session, frame, REQUEST_FLUSH, &detail);
}

/* Late ones have their descriptor closed all the same. */
static void on_output(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    int fd = ipc_channel_take_descriptor(&session->channel);
    struct request_detail detail = { .frame = frame, .message = message, .descriptor = &fd };
    pass_on(session, frame, REQUEST_OUTPUT, &detail);
    if (fd >= 0)
        close(fd);
}

/* Payload takes of the connection's window, and is consumed as soon as it is here: each request's own
 * credit bounds what then waits for its worker. */
static bool charge_window(struct session *session, size_t payload_bytes)
{
    if (!ipc_window_spend(&session->window, payload_bytes)) {
        violation(session, "payload beyond the connection's credit");
        return false;
    }
    struct ipc_credit credit = { .bytes = (uint64_t)ipc_window_consume(&session->window, payload_bytes) };
    if (credit.bytes > 0)
        session_send(session, IPC_CREDIT, 0, &credit);
    return true;
}

static void on_message(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    struct request_detail detail = { .frame = frame, .message = message };
    if (charge_window(session, message->message.data.length))
        pass_on(session, frame, REQUEST_TELL, &detail);
}

static void on_data(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    struct request_detail detail = { .frame = frame };
    (void)message;
    if (ipc_unpack_data(&session->daemon->decoder, frame, &detail.payload) < 0)
        violation(session, session->daemon->decoder.reason);
    else if (charge_window(session, detail.payload.length))
        pass_on(session, frame, REQUEST_BODY, &detail);
}

/* ---- control ---- */

static void on_status(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    (void)message;
    if (take_new_id(session, frame->id))
        status_send(session, frame->id);
}

static void on_metrics(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    (void)message;
    if (take_new_id(session, frame->id))
        control_metrics(session, frame->id);
}

static void on_reload(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    (void)message;
    if (take_new_id(session, frame->id))
        control_reload(session, frame->id);
}

static void on_drain(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    (void)message;
    if (take_new_id(session, frame->id))
        control_drain(session, frame->id);
}

/* ---- what users call sessions ---- */

static void on_session_create(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    if (take_new_id(session, frame->id))
        jar_control_create(session, frame->id, &message->session_create);
}

static void on_session_list(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    (void)message;
    if (take_new_id(session, frame->id))
        jar_control_list(session, frame->id);
}

static void on_session_destroy(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    if (take_new_id(session, frame->id))
        jar_control_destroy(session, frame->id, &message->session_destroy);
}

static void on_session_read(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    if (take_new_id(session, frame->id))
        jar_control_read(session, frame->id, &message->session_read);
}

static void on_session_write(struct session *session, const struct ipc_frame *frame, const union ipc_any *message)
{
    if (take_new_id(session, frame->id))
        jar_control_write(session, frame->id, &message->session_write);
}

/* THE table of what a client may say. */
enum place { CONNECTION, STREAM, EITHER };

static const struct method {
    unsigned number;
    enum place place;
    void (*handle)(struct session *session, const struct ipc_frame *frame, const union ipc_any *message);
} methods[] = {
    { IPC_HELLO, CONNECTION, on_hello },
    { IPC_PING, CONNECTION, on_ping },
    { IPC_PONG, CONNECTION, on_pong },
    { IPC_CREDIT, EITHER, on_credit },
    { IPC_FETCH, STREAM, on_fetch },
    { IPC_DATA, STREAM, on_data },
    { IPC_CANCEL, STREAM, on_cancel },
    { IPC_REWIND, STREAM, on_rewind },
    { IPC_MESSAGE, STREAM, on_message },
    { IPC_FLUSH, STREAM, on_flush },
    { IPC_OUTPUT, STREAM, on_output },
    { IPC_STATUS, STREAM, on_status },
    { IPC_METRICS, STREAM, on_metrics },
    { IPC_RELOAD, STREAM, on_reload },
    { IPC_DRAIN, STREAM, on_drain },
    { IPC_SESSION_CREATE, STREAM, on_session_create },
    { IPC_SESSION_LIST, STREAM, on_session_list },
    { IPC_SESSION_DESTROY, STREAM, on_session_destroy },
    { IPC_SESSION_READ, STREAM, on_session_read },
    { IPC_SESSION_WRITE, STREAM, on_session_write },
};

static const struct method *find_method(unsigned number)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].number == number)
            return &methods[i];
    return NULL;
}

void methods_dispatch(struct session *session, const struct ipc_frame *frame)
{
    const struct method *method = find_method(frame->type);
    union ipc_any message;
    char text[96];
    if (!method) {
        snprintf(text, sizeof text, "message %u is unknown or not a client's", frame->type);
        violation(session, text);
    } else if (session->greeted == (frame->type == IPC_HELLO)) {
        violation(session, session->greeted ? "HELLO came twice" : "the first message must be HELLO");
    } else if (method->place != EITHER && (method->place == CONNECTION) != (frame->id == 0)) {
        violation(session, frame->id ? "a message of the connection came with an id" : "a request came with id 0");
    } else if (frame->type == IPC_DATA) {
        method->handle(session, frame, NULL);
    } else if (ipc_unpack(&session->daemon->decoder, IPC_CLIENT, frame, &message) < 0) {
        violation(session, session->daemon->decoder.reason);
    } else {
        method->handle(session, frame, &message);
    }
}
