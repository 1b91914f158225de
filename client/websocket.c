/* A WebSocket's state, and what arrives for it. */
#include "websocket.h"

#include "ask.h"

#include <stdlib.h>
#include <string.h>

int websocket_create(struct fetchd_request *request, const struct ask *ask)
{
    struct websocket *websocket = calloc(1, sizeof *websocket);
    if (!websocket)
        return -1;
    websocket->pieces = ask->options.fragments;
    websocket->wants_control = ask->options.control_frames;
    websocket->reconnect = ask->options.reconnect;
    assembly_init(&websocket->assembly, ask->fetch.max_message_bytes);
    request->websocket = websocket;
    return 0;
}

void websocket_destroy(struct websocket *websocket)
{
    if (!websocket)
        return;
    assembly_finish(&websocket->assembly);
    free(websocket);
}

/* ---- what is told ---- */

static bool is_control(uint64_t kind)
{
    return kind >= FETCHD_WS_CLOSE;
}

static const struct fetchd_ws_message *tell(struct websocket *websocket, const struct ipc_message *message,
                                            const void *data, size_t size)
{
    websocket->message = (struct fetchd_ws_message){
        .kind = (enum fetchd_ws_kind)message->kind, .more = websocket->pieces && message->more, .data = data,
        .size = size, .code = (unsigned)message->code,
    };
    return &websocket->message;
}

/* Control frames come between the pieces of a message, so they have a place of their own. */
static const struct fetchd_ws_message *tell_control(struct websocket *websocket,
                                                    const struct ipc_message *message)
{
    if (message->data.length > 0)
        memcpy(websocket->control, message->data.data, message->data.length);
    return tell(websocket, message, websocket->control, message->data.length);
}

/* 0 also when the message goes on. */
static enum ipc_error_code add(struct websocket *websocket, const struct ipc_message *message)
{
    bool more = message->more && !websocket->pieces;
    switch (assembly_add(&websocket->assembly, (unsigned)message->kind, message->data.data,
                         message->data.length, more)) {
    case ASSEMBLY_PARTIAL:
    case ASSEMBLY_WHOLE:
        return IPC_ERROR_NONE;
    case ASSEMBLY_TOO_LARGE:
        return IPC_ERROR_MESSAGE_TOO_LARGE;
    case ASSEMBLY_OUT_OF_MEMORY:
        break;
    }
    return IPC_ERROR_OUT_OF_MEMORY;
}

/* With events a frame that is a whole message is told where it lies. A waiting call copies it, so that it
 * stays when the program sends before it receives again. */
static bool is_told_in_place(const struct fetchd_request *request, const struct ipc_message *message)
{
    const struct websocket *websocket = request->websocket;
    return !request->waited_for
        && (websocket->pieces || (!message->more && !assembly_is_partial(&websocket->assembly)));
}

enum ipc_error_code websocket_take(struct fetchd_request *request, const struct ipc_message *message,
                                   const struct fetchd_ws_message **ret_message)
{
    struct websocket *websocket = request->websocket;
    const struct assembly *assembly = &websocket->assembly;
    *ret_message = NULL;
    if (is_control(message->kind)) {
        *ret_message = tell_control(websocket, message);
        return IPC_ERROR_NONE;
    }
    if (is_told_in_place(request, message)) {
        *ret_message = tell(websocket, message, message->data.data, message->data.length);
        return IPC_ERROR_NONE;
    }
    enum ipc_error_code code = add(websocket, message);
    if (code == IPC_ERROR_NONE && assembly->whole)
        *ret_message = tell(websocket, message, assembly->bytes.data, assembly->bytes.length);
    return code;
}

void websocket_take_reopen(struct fetchd_request *request)
{
    struct websocket *websocket = request->websocket;
    if (assembly_is_partial(&websocket->assembly))
        assembly_drop(&websocket->assembly);
    if (!request->waited_for)
        websocket->leaving_void = false;   /* the event says it */
}

/* ---- what arrives ---- */

static const char *check_control(const struct ipc_message *message)
{
    if (message->kind > FETCHD_WS_PONG)
        return "is of no kind that there is";
    bool is_right = !message->more && message->data.length <= WEBSOCKET_CONTROL_BYTES;
    return is_right ? NULL : "is no possible control frame";
}

static const char *check(struct fetchd_request *request, const struct ipc_message *message)
{
    struct websocket *websocket = request->websocket;
    if (!websocket || !request->responded)
        return "came without an open WebSocket";
    if (is_control(message->kind))
        return check_control(message);
    if (message->kind != FETCHD_WS_TEXT && message->kind != FETCHD_WS_BINARY)
        return "is of no kind that there is";
    if (websocket->arriving && websocket->arriving != message->kind)
        return "goes on with another kind";
    websocket->arriving = message->more ? (unsigned)message->kind : 0;
    return NULL;
}

/* A piece that makes no event yet is taken at once. Not behind others that are kept, nor for a waiting call:
 * what those have not asked for must wait within the window. */
static bool is_taken_early(const struct fetchd_request *request, const struct ipc_message *message)
{
    return message->more && !request->websocket->pieces && !request->waited_for && !request->stash.first;
}

const char *websocket_hear(struct fetchd_request *request, const struct ipc_message *message, bool *ret_told)
{
    struct websocket *websocket = request->websocket;
    const char *wrong = check(request, message);
    *ret_told = false;
    if (wrong)
        return wrong;
    if (is_control(message->kind)) {
        *ret_told = websocket->wants_control;
        return NULL;
    }
    if (!is_taken_early(request, message)) {
        *ret_told = true;
        return NULL;
    }
    enum ipc_error_code code = add(websocket, message);
    if (code != IPC_ERROR_NONE)
        request_fail(request, code);
    return NULL;
}

bool websocket_hear_flushed(struct fetchd_request *request, uint64_t token)
{
    struct websocket *websocket = request->websocket;
    if (!websocket || token <= websocket->flushes_answered || token > websocket->flushes_asked
        || token <= websocket->flushes_void)
        return false;
    websocket->flushes_answered = token;
    return true;
}

bool websocket_hear_reopen(struct fetchd_request *request)
{
    struct websocket *websocket = request->websocket;
    if (!websocket || !websocket->reconnect || !request->responded)
        return false;
    websocket->leaving_void = websocket->leaving_void || websocket->leaving;
    websocket->leaving = websocket->arriving = 0;
    websocket->flushes_void = websocket->flushes_asked;
    request->credit = 0;
    request->responded = request->finished = false;
    return true;
}
