/* The body that goes up: as much as the daemon's credit allows, ended once, begun again on demand. */
#include "core.h"

#include "ipc/pack.h"
#include "websocket.h"

int64_t upload_credit(const struct fetchd_request *request)
{
    int64_t connection = request->client->credit;
    return request->credit < connection ? request->credit : connection;
}

bool upload_is_possible(const struct fetchd_request *request)
{
    return request->state == REQUEST_OPEN && request->streamed && !request->rewind_due && !request->finishing
        && ipc_buffer_length(&request->client->wire.out) < UPLOAD_QUEUED_BYTES;
}

size_t upload_room(const struct fetchd_request *request)
{
    const int64_t whole = IPC_DATA_BYTES + IPC_FRAME_CHARGE;
    if (!upload_is_possible(request))
        return 0;
    int64_t left = upload_credit(request);
    return left <= 0 ? 0 : (size_t)(left / whole) * IPC_DATA_BYTES + ipc_credit_payload(left % whole);
}

static int say_data(struct fetchd_request *request, const void *data, size_t bytes)
{
    struct fetchd_client *client = request->client;
    if (ipc_pack_data(&client->wire.out, request->id, data, bytes) < 0) {
        client_lose(client, IPC_ERROR_OUT_OF_MEMORY, "memory is short");
        return -1;
    }
    client->credit -= ipc_credit_cost(bytes);
    if (bytes > 0)
        request->credit -= ipc_credit_cost(bytes);   /* the end is free: an empty body can end at once */
    return 0;
}

static size_t write_some(struct fetchd_request *request, const char *data, size_t size)
{
    size_t taken = 0;
    while (taken < size && upload_is_possible(request)) {
        size_t bytes = ipc_credit_payload(upload_credit(request));
        if (bytes > size - taken)
            bytes = size - taken;
        if (bytes == 0 || say_data(request, data + taken, bytes) < 0)
            break;
        taken += bytes;
    }
    request->starved = taken < size;
    return taken;
}

static void finish_if_possible(struct fetchd_request *request)
{
    if (request->state != REQUEST_OPEN || !request->finishing || request->finished || request->rewind_due
        || request->client->credit < IPC_FRAME_CHARGE)
        return;
    request->finished = request->websocket ? websocket_say_close(request) : say_data(request, NULL, 0) == 0;
}

void upload_continue(struct fetchd_request *request)
{
    finish_if_possible(request);
    if (!request->starved || upload_room(request) == 0)
        return;
    request->writable_due = true;
    request_mark_ready(request);
}

void upload_continue_all(struct fetchd_client *client)
{
    for (struct fetchd_request *request = client->requests; request; request = request->next)
        if (request->starved || request->finishing)
            upload_continue(request);
}

void upload_rewind(struct fetchd_request *request)
{
    request->rewind_due = false;
    request->finishing = request->finished = false;
    request->starved = true;
    client_say(request->client, IPC_REWIND, request->id, NULL);
    upload_continue(request);
}

static bool takes_body(const struct fetchd_request *request)
{
    return request->state == REQUEST_OPEN && request->streamed && !request->finishing && !request->websocket;
}

/* The request is over for a writer: says why. */
static int fail_write(struct fetchd_request *request)
{
    struct failure *failure = &request->client->failure;
    if (!request->streamed || request->finishing || request->websocket)
        failure_set(failure, IPC_ERROR_REQUEST_INVALID, "the request has no body that could be written now");
    else if (request->failure)
        failure_set(failure, request->failure, "%s", "");
    else
        failure_set(failure, IPC_ERROR_SEND_FAILED, "the request ended before its body was written");
    return FETCHD_FAILED;
}

static int wait_for_credit(struct fetchd_request *request, int64_t deadline_ms)
{
    event_keep_all(request->client);
    if (upload_room(request) > 0 || request->state != REQUEST_OPEN || request->rewind_due)
        return 0;
    int result = wait_once(request->client, deadline_ms);
    event_keep_all(request->client);
    return result;
}

bool fetchd_rewound(struct fetchd_request *request)
{
    if (!request->waited_for || !request->rewind_due)
        return false;
    upload_rewind(request);
    return true;
}

int64_t fetchd_write(struct fetchd_request *request, const void *data, size_t size, int timeout_ms)
{
    int64_t deadline_ms = wait_deadline(timeout_ms);
    size_t taken = 0;
    if (timeout_ms != 0)
        request_wait_for(request);
    for (;;) {
        if (fetchd_rewound(request))
            return FETCHD_REWOUND;
        if (!takes_body(request))
            return fail_write(request);
        taken += write_some(request, (const char *)data + taken, size - taken);
        if (taken == size || timeout_ms == 0)
            return (int64_t)taken;
        if (wait_for_credit(request, deadline_ms) < 0)
            return taken > 0 ? (int64_t)taken : FETCHD_TIMED_OUT;
    }
}

int fetchd_finish_body(struct fetchd_request *request)
{
    if (fetchd_rewound(request))
        return FETCHD_REWOUND;
    if (!takes_body(request))
        return fail_write(request);
    request->finishing = true;
    finish_if_possible(request);
    return 0;
}
