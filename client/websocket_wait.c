/* The calls that wait for a WebSocket: until it is open, for its next message. */
#include "websocket.h"

static void keep_failure(struct fetchd_request *request)
{
    if (request->done.error)
        failure_copy(&request->client->failure, request->done.error);
}

/* 0 when it is open, or why not. */
static int wait_open(struct fetchd_request *request, int64_t deadline_ms)
{
    for (;;) {
        const struct fetchd_event *event = wait_event(request, deadline_ms);
        if (!event && request->state != REQUEST_TOLD)
            return FETCHD_TIMED_OUT;
        if (!event || event->type == FETCHD_EVENT_DONE)
            return FETCHD_FAILED;
        if (event->type == FETCHD_EVENT_WS_OPEN)
            return 0;
    }
}

struct fetchd_request *fetchd_ws_open(struct fetchd_client *client, const struct fetchd_options *options,
                                      int timeout_ms)
{
    int64_t deadline_ms = wait_deadline(timeout_ms);
    struct fetchd_request *request = fetchd_start(client, options, NULL);
    if (!request)
        return NULL;
    int result = FETCHD_FAILED;
    request_wait_for(request);
    if (!request->websocket)
        failure_set(&client->failure, IPC_ERROR_REQUEST_INVALID,
                    "the URL of a WebSocket begins with ws: or wss:");
    else
        result = wait_open(request, deadline_ms);
    if (result == 0)
        return request;
    if (result == FETCHD_TIMED_OUT)
        failure_set(&client->failure, IPC_ERROR_TIMEOUT_TOTAL,
                    "the WebSocket was not open within %d ms", timeout_ms);
    else if (request->websocket)
        keep_failure(request);
    fetchd_release(request);
    client_flush(client);
    return NULL;
}

/* Why there is no message: the end, or time. */
static int no_more(struct fetchd_request *request)
{
    if (request->state != REQUEST_TOLD)
        return FETCHD_TIMED_OUT;
    keep_failure(request);
    return request->done.error ? FETCHD_FAILED : FETCHD_CLOSED;
}

int fetchd_ws_recv(struct fetchd_request *socket, const struct fetchd_ws_message **ret_message,
                   int timeout_ms)
{
    if (!socket)
        return FETCHD_FAILED;
    int64_t deadline_ms = wait_deadline(timeout_ms);
    request_wait_for(socket);
    for (;;) {
        const struct fetchd_event *event = wait_event(socket, deadline_ms);
        if (!event || event->type == FETCHD_EVENT_DONE)
            return no_more(socket);
        if (event->type == FETCHD_EVENT_WS_REOPEN)
            return FETCHD_REOPENED;
        if (event->type != FETCHD_EVENT_WS_MESSAGE)
            continue;
        *ret_message = event->message;
        event_release(socket->client);   /* it is a copy: what it cost can go back */
        return 0;
    }
}
