/* What a WebSocket sends: under credit, whole or in pieces. */
#include "websocket.h"

#include "ipc/pack.h"
#include "ipc/utf8.h"

#include <string.h>

#define LEAST_PIECE_BYTES ((size_t)4 * 1024)   /* a message up to it is never cut */

/* One call, which may wait in between. */
struct sending {
    struct fetchd_request *request;
    enum fetchd_ws_kind kind;
    const char *data;
    size_t left;
    bool more;
    bool done;                 /* all of it was taken */
};

/* ---- why not ---- */

static int refuse(struct fetchd_request *request, const char *reason)
{
    failure_set(&request->client->failure, IPC_ERROR_REQUEST_INVALID, "%s", reason);
    return FETCHD_FAILED;
}

static int fail_ended(struct fetchd_request *request)
{
    struct failure *failure = &request->client->failure;
    if (request->waited_for && request->state == REQUEST_TOLD && request->done.error)
        failure_copy(failure, request->done.error);
    else if (request->failure)
        failure_set(failure, request->failure, "%s", "");
    else
        failure_set(failure, IPC_ERROR_SEND_FAILED, "the WebSocket is closed");
    return FETCHD_FAILED;
}

static int check(struct fetchd_request *request)
{
    if (!request || !request->websocket)
        return request ? refuse(request, "the request is no WebSocket") : FETCHD_FAILED;
    if (request->state != REQUEST_OPEN)
        return fail_ended(request);
    if (request->finishing)
        return refuse(request, "nothing can be sent after the close");
    return 0;
}

/* Of a message that begins and ends here; one in pieces is checked where its parts meet, by the worker. */
static bool is_bad_text(const struct sending *sending)
{
    return sending->kind == FETCHD_WS_TEXT && !sending->more && !sending->request->websocket->leaving
        && !ipc_utf8_valid(sending->data, sending->left);
}

static int check_message(const struct sending *sending)
{
    struct fetchd_request *request = sending->request;
    int result = check(request);
    if (result < 0)
        return result;
    if (sending->kind != FETCHD_WS_TEXT && sending->kind != FETCHD_WS_BINARY)
        return refuse(request, "a message is text or binary");
    if (request->websocket->leaving && request->websocket->leaving != sending->kind)
        return refuse(request, "a message of the other kind is not complete yet");
    return is_bad_text(sending) ? refuse(request, "a text message must be UTF-8") : 0;
}

/* ---- frames ---- */

static int say(struct fetchd_request *request, const struct ipc_message *message)
{
    struct fetchd_client *client = request->client;
    if (ipc_pack(&client->wire.out, IPC_CLIENT, IPC_MESSAGE, request->id, message) < 0) {
        client_lose(client, IPC_ERROR_OUT_OF_MEMORY, "memory is short");
        return -1;
    }
    client->credit -= ipc_credit_cost(message->data.length);
    request->credit -= ipc_credit_cost(message->data.length);
    return 0;
}

/* How much of the rest can leave in one frame now; false for nothing. */
static bool fit_piece(const struct sending *sending, size_t *ret_bytes)
{
    const struct fetchd_request *request = sending->request;
    if (!upload_is_possible(request) || upload_credit(request) < IPC_FRAME_CHARGE)
        return false;
    size_t room = ipc_credit_payload(upload_credit(request));
    *ret_bytes = sending->left < room ? sending->left : room;
    return sending->left <= room || room >= LEAST_PIECE_BYTES;
}

static void send_some(struct sending *sending)
{
    struct websocket *websocket = sending->request->websocket;
    struct ipc_message message;
    size_t bytes;
    sending->done = sending->done || (sending->left == 0 && sending->more);
    while (!sending->done && fit_piece(sending, &bytes)) {
        IPC_INIT(MESSAGE, &message);
        message.kind = sending->kind;
        message.data = (struct ipc_bytes){ (const uint8_t *)sending->data, bytes };
        message.more = sending->more || bytes < sending->left;
        if (say(sending->request, &message) < 0)
            return;
        websocket->leaving = message.more ? sending->kind : 0;
        sending->data += bytes;
        sending->left -= bytes;
        sending->done = sending->left == 0;
    }
}

bool websocket_say_close(struct fetchd_request *request)
{
    const struct websocket *websocket = request->websocket;
    struct ipc_message message;
    IPC_INIT(MESSAGE, &message);
    message.kind = FETCHD_WS_CLOSE;
    message.code = websocket->close_code;
    message.data = (struct ipc_bytes){ (const uint8_t *)websocket->close_reason, websocket->close_length };
    return request->responded && upload_credit(request) >= ipc_credit_cost(message.data.length)
        && say(request, &message) == 0;
}

/* ---- waiting ---- */

/* Waits once, unless something has changed already. 0, or -1 when the time is over. */
static int wait_for_change(struct fetchd_request *request, int64_t deadline_ms)
{
    struct fetchd_client *client = request->client;
    const struct websocket *websocket = request->websocket;
    int64_t credit = upload_credit(request);
    uint64_t answered = websocket->flushes_answered;
    bool opened = request->responded, is_void = websocket->leaving_void;
    event_keep_all(client);
    if (request->state != REQUEST_OPEN || upload_credit(request) != credit || request->responded != opened
        || websocket->flushes_answered != answered || websocket->leaving_void != is_void)
        return 0;
    int result = wait_once(client, deadline_ms);
    event_keep_all(client);
    return result < 0 ? -1 : 0;
}

/* What a waiting call sent must not lie here until the next one. */
static void leave(struct fetchd_request *request)
{
    struct fetchd_client *client = request->client;
    if (!request->waited_for)
        return;
    client_flush(client);
    if (!client->wire.out_broken)
        return;
    wire_read(&client->wire);
    event_keep_all(client);
}

static bool told_void(struct fetchd_request *request)
{
    bool is_void = request->websocket->leaving_void;
    request->websocket->leaving_void = false;
    return is_void;
}

int64_t fetchd_ws_send(struct fetchd_request *socket, enum fetchd_ws_kind kind, const void *data, size_t size,
                       bool more, int timeout_ms)
{
    struct sending sending = { .request = socket, .kind = kind, .data = data, .left = size, .more = more };
    int64_t deadline_ms = wait_deadline(timeout_ms);
    int result = check_message(&sending);
    if (result < 0)
        return result;
    if (timeout_ms != 0)
        request_wait_for(socket);
    for (;;) {
        if (told_void(socket))
            return FETCHD_REOPENED;
        send_some(&sending);
        if (sending.done || timeout_ms == 0 || socket->state != REQUEST_OPEN
            || wait_for_change(socket, deadline_ms) < 0)
            break;
    }
    if (!sending.done && socket->state != REQUEST_OPEN)
        return fail_ended(socket);
    socket->starved = !sending.done;
    leave(socket);
    return sending.left < size || sending.done ? (int64_t)(size - sending.left) : FETCHD_TIMED_OUT;
}

int fetchd_ws_ping(struct fetchd_request *socket, const void *data, size_t size, int timeout_ms)
{
    int64_t deadline_ms = wait_deadline(timeout_ms);
    int result = check(socket);
    struct ipc_message message;
    if (result < 0)
        return result;
    if (size > WEBSOCKET_CONTROL_BYTES)
        return refuse(socket, "a ping carries at most 125 bytes");
    if (timeout_ms != 0)
        request_wait_for(socket);
    IPC_INIT(MESSAGE, &message);
    message.kind = FETCHD_WS_PING;
    message.data = (struct ipc_bytes){ data, size };
    while (!upload_is_possible(socket) || upload_credit(socket) < ipc_credit_cost(size)) {
        socket->starved = true;
        if (socket->state != REQUEST_OPEN)
            return fail_ended(socket);
        if (timeout_ms == 0 || wait_for_change(socket, deadline_ms) < 0)
            return FETCHD_TIMED_OUT;
    }
    result = say(socket, &message) < 0 ? fail_ended(socket) : 0;
    leave(socket);
    return result;
}

/* ---- flush ---- */

/* Asks, once the socket is open. 0 or why not. */
static int ask_flush(struct fetchd_request *request, int64_t deadline_ms)
{
    struct ipc_flush flush;
    while (!request->responded || !upload_is_possible(request)) {
        if (request->state != REQUEST_OPEN)
            return fail_ended(request);
        request->starved = true;
        if (!request->waited_for || wait_for_change(request, deadline_ms) < 0)
            return FETCHD_TIMED_OUT;
    }
    IPC_INIT(FLUSH, &flush);
    flush.token = ++request->websocket->flushes_asked;
    client_say(request->client, IPC_FLUSH, request->id, &flush);
    leave(request);
    return 0;
}

int fetchd_ws_flush(struct fetchd_request *socket, int timeout_ms)
{
    int64_t deadline_ms = wait_deadline(timeout_ms);
    int result = check(socket);
    if (result < 0)
        return result;
    if (timeout_ms != 0)
        request_wait_for(socket);
    result = ask_flush(socket, deadline_ms);
    const struct websocket *websocket = socket->websocket;
    uint64_t token = websocket->flushes_asked;
    while (result == 0 && timeout_ms != 0 && websocket->flushes_answered < token) {
        if (websocket->flushes_void >= token)
            return FETCHD_REOPENED;
        if (socket->state != REQUEST_OPEN)
            return fail_ended(socket);
        if (wait_for_change(socket, deadline_ms) < 0)
            result = websocket->flushes_answered < token ? FETCHD_TIMED_OUT : 0;
    }
    return result;
}

/* ---- close ---- */

static bool is_close_code(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static int check_close(struct fetchd_request *request, unsigned code, const char *reason)
{
    if (code != 0 && !is_close_code(code))
        return refuse(request, "the close code is none that an endpoint may send");
    if (code == 0 && reason[0])
        return refuse(request, "a close without a code has no reason");
    if (strlen(reason) > WEBSOCKET_REASON_BYTES || !ipc_utf8_valid(reason, strlen(reason)))
        return refuse(request, "the reason of a close is UTF-8 of at most 123 bytes");
    return 0;
}

static void begin_close(struct fetchd_request *request, unsigned code, const char *reason)
{
    struct websocket *websocket = request->websocket;
    websocket->close_code = code;
    websocket->close_length = strlen(reason);
    memcpy(websocket->close_reason, reason, websocket->close_length);
    request->finishing = true;
    upload_continue(request);
    leave(request);
}

int fetchd_ws_close(struct fetchd_request *socket, unsigned code, const char *reason, int timeout_ms)
{
    if (!socket || !socket->websocket)
        return check(socket);
    reason = reason ? reason : "";
    if (check_close(socket, code, reason) < 0)
        return FETCHD_FAILED;
    if (timeout_ms != 0)
        request_wait_for(socket);
    if (!socket->finishing && socket->state == REQUEST_OPEN)
        begin_close(socket, code, reason);
    if (timeout_ms == 0)
        return 0;
    const struct fetchd_done *done = fetchd_wait_done(socket, timeout_ms);
    if (!done)
        return FETCHD_TIMED_OUT;
    return done->error ? FETCHD_FAILED : 0;
}
