/* What the daemon says, frame by frame: one table says who hears it. Frames about the connection and
 * its credit are acted on here; the others become the front, for the application. */
#include "core.h"

#include "describe.h"
#include "websocket.h"

#include <string.h>

#define STASH_BYTES ((size_t)8 * 1024 * 1024)   /* kept for one request besides its window */

enum arrival {
    QUIET,      /* acted on */
    TOLD,       /* the application has to hear it */
    BROKEN,     /* it must not be: the connection is lost */
};

typedef enum arrival on_frame(struct fetchd_client *client, struct fetchd_request *request,
                              const struct ipc_frame *frame);

/* ---- what is wrong ---- */

static enum arrival violation(struct fetchd_client *client, const struct ipc_frame *frame, const char *what)
{
    const char *name = ipc_message_name(frame->type);
    client_lose(client, IPC_ERROR_PROTOCOL_VIOLATION, "the daemon at %s broke the protocol: %s %s",
                client->reached, name ? name : "a message", what);
    return BROKEN;
}

static bool decode(struct fetchd_client *client, const struct ipc_frame *frame, void *message)
{
    if (ipc_unpack(&client->decoder, IPC_DAEMON_TO_CLIENT, frame, message) == 0)
        return true;
    client_lose(client, IPC_ERROR_PROTOCOL_VIOLATION, "the daemon at %s broke the protocol: %s",
                client->reached, client->decoder.reason);
    return false;
}

/* ---- the connection ---- */

static int keep_daemon(struct fetchd_client *client, const struct ipc_welcome *welcome)
{
    struct words *words = &client->daemon_words;
    size_t bytes = welcome->features.count * (sizeof(char *) + 1) + words_size(welcome->server.length)
        + words_size(welcome->instance.length);
    for (size_t i = 0; i < welcome->features.count; i++)
        bytes += welcome->features.items[i].length;
    if (words_begin(words, bytes) < 0)
        return -1;
    const char **features = words_array(words, welcome->features.count * sizeof(char *));
    for (size_t i = 0; i < welcome->features.count; i++)
        features[i] = words_add(words, welcome->features.items[i].data, welcome->features.items[i].length);
    client->daemon = (struct fetchd_daemon){
        .address = client->reached,
        .server = words_add(words, welcome->server.data, welcome->server.length),
        .instance = words_add(words, welcome->instance.data, welcome->instance.length),
        .protocol = (unsigned)welcome->version, .max_requests = (unsigned)welcome->streams,
        .features = features, .feature_count = welcome->features.count,
    };
    return 0;
}

static enum arrival on_welcome(struct fetchd_client *client, struct fetchd_request *request,
                               const struct ipc_frame *frame)
{
    struct ipc_welcome welcome;
    (void)request;
    if (client->welcomed)
        return violation(client, frame, "came twice");
    if (!decode(client, frame, &welcome))
        return BROKEN;
    if (welcome.version < IPC_VERSION_MIN || welcome.version > IPC_VERSION_MAX) {
        client_lose(client, IPC_ERROR_PROTOCOL_VERSION,
                    "the daemon at %s speaks protocol %u, this libfetchd %d to %d: install matching versions",
                    client->reached, (unsigned)welcome.version, IPC_VERSION_MIN, IPC_VERSION_MAX);
        return BROKEN;
    }
    if (keep_daemon(client, &welcome) < 0) {
        client_lose(client, IPC_ERROR_OUT_OF_MEMORY, "memory is short");
        return BROKEN;
    }
    client->welcomed = true;
    client->credit = (int64_t)welcome.window;
    client->notices |= 1u << FETCHD_EVENT_CONNECTED;
    upload_continue_all(client);
    return client->wire.fd < 0 ? BROKEN : QUIET;
}

static enum arrival on_ping(struct fetchd_client *client, struct fetchd_request *request,
                            const struct ipc_frame *frame)
{
    struct ipc_ping ping;
    struct ipc_pong pong;
    (void)request;
    if (!decode(client, frame, &ping))
        return BROKEN;
    IPC_INIT(PONG, &pong);
    pong.token = ping.token;
    client_say(client, IPC_PONG, 0, &pong);
    return client->wire.fd < 0 ? BROKEN : QUIET;
}

static enum arrival on_pong(struct fetchd_client *client, struct fetchd_request *request,
                            const struct ipc_frame *frame)
{
    struct ipc_pong pong;
    (void)request;
    if (!decode(client, frame, &pong))
        return BROKEN;
    if (client->question.token != 0 && pong.token == client->question.token)
        client->question.answered = true;
    return QUIET;
}

/* Requests the daemon will never have taken end here; they can be asked again elsewhere. */
static enum arrival on_goaway(struct fetchd_client *client, struct fetchd_request *request,
                              const struct ipc_frame *frame)
{
    struct ipc_goaway goaway;
    if (!decode(client, frame, &goaway))
        return BROKEN;
    client->draining = true;
    failure_set(&client->drained, IPC_ERROR_DRAINING, "the daemon at %s takes nothing new: %.*s",
                client->reached, goaway.reason.length ? (int)goaway.reason.length : 14,
                goaway.reason.length ? goaway.reason.data : "it is stopping");
    client->drained.error.retryable = true;
    client->notices |= 1u << FETCHD_EVENT_DRAINING;
    for (request = client->requests; request; request = request->next)
        if (request->state == REQUEST_OPEN && request->id > goaway.last_id)
            request_end(request, IPC_ERROR_DRAINING);
    return QUIET;
}

/* Its last word: why the connection ends. */
static enum arrival on_error(struct fetchd_client *client, struct fetchd_request *request,
                             const struct ipc_frame *frame)
{
    struct ipc_error error;
    (void)request;
    if (!decode(client, frame, &error))
        return BROKEN;
    enum ipc_error_code code = ipc_error_find(error.name.data, error.name.length);
    client_lose(client, code, "the daemon at %s ended the connection: %.*s (%.*s)", client->reached,
                (int)error.message.length, error.message.length ? error.message.data : "",
                (int)error.name.length, error.name.data);
    return BROKEN;
}

static enum arrival on_connection_credit(struct fetchd_client *client, const struct ipc_frame *frame,
                                         uint64_t bytes)
{
    if (!ipc_credit_add(&client->credit, bytes))
        return violation(client, frame, "gives more than the protocol allows");
    upload_continue_all(client);
    return client->wire.fd < 0 ? BROKEN : QUIET;
}

static enum arrival on_credit(struct fetchd_client *client, struct fetchd_request *request,
                              const struct ipc_frame *frame)
{
    struct ipc_credit credit;
    if (!decode(client, frame, &credit))
        return BROKEN;
    if (frame->id == 0)
        return on_connection_credit(client, frame, credit.bytes);
    if (!request)
        return QUIET;
    if (!ipc_credit_add(&request->credit, credit.bytes))
        return violation(client, frame, "gives more than the protocol allows");
    if (request->streamed && !request->websocket && !request->finishing)
        request->starved = true;   /* whoever streams wants to know of the first credit, too */
    upload_continue(request);
    return client->wire.fd < 0 ? BROKEN : QUIET;
}

/* ---- questions ---- */

static bool is_asked(const struct fetchd_client *client, const struct ipc_frame *frame)
{
    return client->question.id != 0 && frame->id == client->question.id && !client->question.answered;
}

static void fail_question(struct fetchd_client *client, const struct ipc_failure *failure)
{
    failure_set(&client->question.failure, ipc_error_find(failure->name.data, failure->name.length), "%.*s",
                (int)failure->message.length, failure->message.length ? failure->message.data : "");
}

static enum arrival on_status_reply(struct fetchd_client *client, struct fetchd_request *request,
                                    const struct ipc_frame *frame)
{
    struct ipc_status_reply reply;
    struct question *question = &client->question;
    (void)request;
    if (!is_asked(client, frame))
        return QUIET;
    if (!decode(client, frame, &reply))
        return BROKEN;
    if (question->as_json)
        describe_json(&question->answer, ipc_table(IPC_STATUS_REPLY), &reply);
    else
        describe_text(&question->answer, ipc_table(IPC_STATUS_REPLY), &reply);
    question->answered = true;
    return QUIET;
}

static enum arrival on_metrics_reply(struct fetchd_client *client, struct fetchd_request *request,
                                     const struct ipc_frame *frame)
{
    struct ipc_metrics_reply reply;
    (void)request;
    if (!is_asked(client, frame))
        return QUIET;
    if (!decode(client, frame, &reply))
        return BROKEN;
    text_add(&client->question.answer, reply.text.data, reply.text.length);
    client->question.answered = true;
    return QUIET;
}

static enum arrival on_control_reply(struct fetchd_client *client, struct fetchd_request *request,
                                     const struct ipc_frame *frame)
{
    struct ipc_control_reply reply;
    (void)request;
    if (!is_asked(client, frame))
        return QUIET;
    if (!decode(client, frame, &reply))
        return BROKEN;
    if (reply.error)
        fail_question(client, reply.error);
    client->question.answered = true;
    return QUIET;
}

/* As it came: session.c makes structs of it. */
static enum arrival keep_answer(struct fetchd_client *client, const struct ipc_frame *frame)
{
    text_add(&client->question.answer, frame->body, frame->body_length);
    client->question.type = frame->type;
    client->question.answered = true;
    return QUIET;
}

static enum arrival on_session_reply(struct fetchd_client *client, struct fetchd_request *request,
                                     const struct ipc_frame *frame)
{
    struct ipc_session_reply reply;
    (void)request;
    if (!is_asked(client, frame))
        return QUIET;
    if (!decode(client, frame, &reply))
        return BROKEN;
    if (reply.error)
        fail_question(client, reply.error);
    return keep_answer(client, frame);
}

static enum arrival on_session_state(struct fetchd_client *client, struct fetchd_request *request,
                                     const struct ipc_frame *frame)
{
    (void)request;
    return is_asked(client, frame) ? keep_answer(client, frame) : QUIET;
}

/* A question that is refused ends as a request would. */
static enum arrival on_question_done(struct fetchd_client *client, const struct ipc_frame *frame)
{
    struct ipc_done done;
    if (!decode(client, frame, &done))
        return BROKEN;
    if (done.error)
        fail_question(client, done.error);
    else
        failure_set(&client->question.failure, IPC_ERROR_PROTOCOL_VIOLATION, "the daemon gave no answer");
    client->question.answered = true;
    return QUIET;
}

/* ---- requests ---- */

static enum arrival on_rewind(struct fetchd_client *client, struct fetchd_request *request,
                              const struct ipc_frame *frame)
{
    if (!request)
        return QUIET;
    if (!request->rewindable || request->responded)
        return violation(client, frame, "for a body that can't be sent again");
    request->credit = 0;
    request->rewind_due = true;
    request_mark_ready(request);
    return QUIET;
}

static enum arrival on_hop(struct fetchd_client *client, struct fetchd_request *request,
                           const struct ipc_frame *frame)
{
    if (!request)
        return QUIET;
    return request->responded ? violation(client, frame, "came after RESPONSE") : TOLD;
}

static enum arrival on_response(struct fetchd_client *client, struct fetchd_request *request,
                                const struct ipc_frame *frame)
{
    if (!request)
        return QUIET;
    if (request->responded)
        return violation(client, frame, "came twice");
    request->responded = true;
    if (request->websocket)
        request->starved = true;   /* so that the first credit is told */
    return TOLD;
}

static enum arrival on_data(struct fetchd_client *client, struct fetchd_request *request,
                            const struct ipc_frame *frame)
{
    struct ipc_bytes payload;
    if (ipc_unpack_data(&client->decoder, frame, &payload) < 0)
        return violation(client, frame, "is not one bin of at most 64 KiB");
    if (!ipc_window_spend(&client->window, payload.length))
        return violation(client, frame, "came without credit of the connection");
    if (!request) {
        request_give_back(client, client->connection, NULL, payload.length);
        return client->wire.fd < 0 ? BROKEN : QUIET;
    }
    if (!request->responded)
        return violation(client, frame, "came before RESPONSE");
    if (!ipc_window_spend(&request->window, payload.length))
        return violation(client, frame, "came without credit of the request");
    request->body_bytes += payload.length;
    return TOLD;
}

/* ---- WebSockets ---- */

static enum arrival on_message(struct fetchd_client *client, struct fetchd_request *request,
                               const struct ipc_frame *frame)
{
    struct ipc_message message;
    const char *wrong = NULL;
    bool told = false;
    if (!decode(client, frame, &message))
        return BROKEN;
    size_t bytes = message.data.length;
    if (!ipc_window_spend(&client->window, bytes))
        return violation(client, frame, "came without credit of the connection");
    if (request && !ipc_window_spend(&request->window, bytes))
        return violation(client, frame, "came without credit of the request");
    if (request)
        wrong = websocket_hear(request, &message, &told);
    if (wrong)
        return violation(client, frame, wrong);
    if (told)
        return TOLD;
    request_give_back(client, client->connection, request, bytes);
    return client->wire.fd < 0 ? BROKEN : QUIET;
}

static enum arrival on_flushed(struct fetchd_client *client, struct fetchd_request *request,
                               const struct ipc_frame *frame)
{
    struct ipc_flushed flushed;
    if (!decode(client, frame, &flushed))
        return BROKEN;
    if (request && !websocket_hear_flushed(request, flushed.token))
        return violation(client, frame, "was not asked for");
    return request && !request->waited_for ? TOLD : QUIET;
}

/* What was on its way is void: REWIND says from where on the daemon hears a new start. */
static enum arrival on_reopen(struct fetchd_client *client, struct fetchd_request *request,
                              const struct ipc_frame *frame)
{
    if (!request)
        return QUIET;
    if (!websocket_hear_reopen(request))
        return violation(client, frame, "is for no open WebSocket that asked for it");
    client_say(client, IPC_REWIND, request->id, NULL);
    return client->wire.fd < 0 ? BROKEN : TOLD;
}

static enum arrival on_done(struct fetchd_client *client, struct fetchd_request *request,
                            const struct ipc_frame *frame)
{
    if (is_asked(client, frame))
        return on_question_done(client, frame);
    return request ? TOLD : QUIET;
}

/* The application wanted the body in a file; it comes to it as any other does. */
static enum arrival on_output_refused(struct fetchd_client *client, struct fetchd_request *request,
                                      const struct ipc_frame *frame)
{
    struct ipc_output_refused refused;
    if (!decode(client, frame, &refused))
        return BROKEN;
    if (request && request->state == REQUEST_OPEN) {
        request->held = true;
        request->written = false;
        fetchd_take_body(request);
    }
    return QUIET;
}

/* ---- the table ---- */

enum whose { CONNECTION = 1, REQUEST = 2, EARLY = 4 };   /* id 0; an id we gave; before WELCOME */

static const struct { on_frame *call; unsigned whose; } hearers[] = {
    [IPC_WELCOME] = { on_welcome, CONNECTION | EARLY },
    [IPC_PING] = { on_ping, CONNECTION },
    [IPC_PONG] = { on_pong, CONNECTION },
    [IPC_GOAWAY] = { on_goaway, CONNECTION },
    [IPC_ERROR] = { on_error, CONNECTION | EARLY },
    [IPC_CREDIT] = { on_credit, CONNECTION | REQUEST },
    [IPC_RESPONSE] = { on_response, REQUEST },
    [IPC_DATA] = { on_data, REQUEST },
    [IPC_DONE] = { on_done, REQUEST },
    [IPC_HOP] = { on_hop, REQUEST },
    [IPC_REWIND] = { on_rewind, REQUEST },
    [IPC_OUTPUT_REFUSED] = { on_output_refused, REQUEST },
    [IPC_MESSAGE] = { on_message, REQUEST },
    [IPC_FLUSHED] = { on_flushed, REQUEST },
    [IPC_REOPEN] = { on_reopen, REQUEST },
    [IPC_STATUS_REPLY] = { on_status_reply, REQUEST },
    [IPC_METRICS_REPLY] = { on_metrics_reply, REQUEST },
    [IPC_CONTROL_REPLY] = { on_control_reply, REQUEST },
    [IPC_SESSION_REPLY] = { on_session_reply, REQUEST },
    [IPC_SESSION_LIST_REPLY] = { on_session_state, REQUEST },
    [IPC_SESSION_STATE] = { on_session_state, REQUEST },
};

static enum arrival arrive(struct fetchd_client *client, const struct ipc_frame *frame,
                           struct fetchd_request **ret_request)
{
    bool known = frame->type < sizeof hearers / sizeof hearers[0] && hearers[frame->type].call;
    if (!known)
        return violation(client, frame, "is not for a client");
    unsigned whose = hearers[frame->type].whose;
    if (!client->welcomed && !(whose & EARLY))
        return violation(client, frame, "came before WELCOME");
    if (!(whose & (frame->id == 0 ? CONNECTION : REQUEST)) || frame->id > client->last_id)
        return violation(client, frame, "has an id that is not its");
    *ret_request = frame->id ? request_find(client, frame->id) : NULL;
    return hearers[frame->type].call(client, *ret_request, frame);
}

/* No more whole frames: is that the end? */
static void check_end(struct fetchd_client *client)
{
    struct wire *wire = &client->wire;
    if (wire->fd < 0 || !wire->ended)
        return;
    if (wire->ended_errno)
        client_lose(client, IPC_ERROR_DAEMON_LOST, "the connection to the daemon at %s broke: %s",
                    client->reached, strerror(wire->ended_errno));
    else
        client_lose(client, IPC_ERROR_DAEMON_LOST, "the daemon at %s closed the connection%s",
                    client->reached, wire->in_end > wire->in_start ? " in the middle of a message" : "");
}

bool arrive_next(struct fetchd_client *client)
{
    while (!client->front.request) {
        struct ipc_frame frame;
        struct fetchd_request *request;
        enum ipc_frame_result result = wire_frame(&client->wire, &frame);
        if (result == IPC_FRAME_PARTIAL) {
            check_end(client);
            return false;
        }
        if (result != IPC_FRAME_OK) {
            client_lose(client, IPC_ERROR_PROTOCOL_VIOLATION, "the daemon at %s sent %s", client->reached,
                        ipc_frame_result_text(result));
            return false;
        }
        enum arrival arrival = arrive(client, &frame, &request);
        if (arrival == BROKEN)
            return false;
        if (arrival == TOLD)
            client->front = (struct front){ request, frame };
        else
            wire_consume(&client->wire, &frame);
    }
    return true;
}

/* Neither memory nor patience for what nobody takes: the request fails, the others go on. */
static void fail_for_memory(struct fetchd_client *client, struct fetchd_request *request)
{
    client_say(client, IPC_CANCEL, request->id, NULL);
    if (request->state == REQUEST_OPEN)
        request_end(request, IPC_ERROR_OUT_OF_MEMORY);
}

void arrive_stash_front(struct fetchd_client *client)
{
    struct front front = client->front;
    struct fetchd_request *request = front.request;
    size_t limit = STASH_BYTES + (size_t)request->window.window;
    client->front.request = NULL;
    bool kept = request->stash.bytes < limit && stash_put(&request->stash, &front.frame);
    wire_consume(&client->wire, &front.frame);
    if (!kept) {
        fail_for_memory(client, request);
        return;
    }
    if (front.frame.type == IPC_DONE)
        request_end(request, IPC_ERROR_NONE);
    request_mark_ready(request);
}

bool arrive_payload(struct fetchd_client *client, const struct ipc_frame *frame, size_t *ret_bytes)
{
    struct ipc_bytes payload = { NULL, 0 };
    struct ipc_message message;
    if (frame->type == IPC_DATA && ipc_unpack_data(&client->decoder, frame, &payload) < 0)
        return false;
    if (frame->type == IPC_MESSAGE && ipc_unpack(&client->decoder, IPC_DAEMON_TO_CLIENT, frame, &message) < 0)
        return false;
    *ret_bytes = frame->type == IPC_MESSAGE ? message.data.length : payload.length;
    return frame->type == IPC_DATA || frame->type == IPC_MESSAGE;
}

void arrive_drop_front(struct fetchd_client *client)
{
    struct front front = client->front;
    size_t bytes;
    client->front.request = NULL;
    if (arrive_payload(client, &front.frame, &bytes))
        request_give_back(client, client->connection, NULL, bytes);
    wire_consume(&client->wire, &front.frame);
}
