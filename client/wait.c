/* The calls that wait for one request, and the waiting itself. */
#include "core.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t wait_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t wait_deadline(int timeout_ms)
{
    return timeout_ms < 0 ? -1 : wait_now_ms() + timeout_ms;
}

static int left_ms(int64_t deadline_ms)
{
    if (deadline_ms < 0)
        return -1;
    int64_t left = deadline_ms - wait_now_ms();
    if (left <= 0)
        return 0;
    return left > INT32_MAX ? INT32_MAX : (int)left;
}

int wait_once(struct fetchd_client *client, int64_t deadline_ms)
{
    client_check_fork(client);
    client_flush(client);
    if (client->wire.fd < 0)
        return -1;
    int ready = wire_wait(&client->wire, left_ms(deadline_ms));
    if (ready <= 0)
        return ready < 0 ? 1 : -1;
    if (client->wire.out_full)
        client_flush(client);
    wire_read(&client->wire);
    return 0;
}

const struct fetchd_event *wait_event(struct fetchd_request *request, int64_t deadline_ms)
{
    for (;;) {
        const struct fetchd_event *event = event_of(request);
        if (event || request->state == REQUEST_TOLD || request->rewind_due)
            return event;
        if (wait_once(request->client, deadline_ms) < 0)
            return event_of(request);
    }
}

static void keep_failure(struct fetchd_request *request)
{
    if (request->done.error)
        failure_copy(&request->client->failure, request->done.error);
}

const struct fetchd_response *fetchd_wait_response(struct fetchd_request *request, int timeout_ms)
{
    if (!request)
        return NULL;
    int64_t deadline_ms = wait_deadline(timeout_ms);
    request_wait_for(request);
    while (!request->has_response) {
        const struct fetchd_event *event = wait_event(request, deadline_ms);
        if (!event || event->type == FETCHD_EVENT_DONE)
            break;
    }
    if (!request->has_response && request->state == REQUEST_TOLD)
        keep_failure(request);
    return request->has_response ? &request->response : NULL;
}

/* ---- reading ---- */

/* From a DATA that was kept: a part of it may have been read before. */
static size_t read_item(struct fetchd_request *request, void *buffer, size_t size)
{
    struct stash_item *item = request->stash.first;
    struct ipc_bytes payload;
    if (ipc_unpack_data(&request->client->decoder, &item->frame, &payload) < 0)
        return 0;
    size_t left = payload.length - item->taken_bytes;
    size_t bytes = left < size ? left : size;
    if (bytes > 0)
        memcpy(buffer, payload.data + item->taken_bytes, bytes);
    item->taken_bytes += bytes;
    if (bytes < left)
        return bytes;
    free(stash_take(&request->stash));
    request_give_back(request->client, request->connection, request, payload.length);
    return bytes;
}

static bool next_is_kept_data(const struct fetchd_request *request)
{
    return request->stash.first && request->stash.first->frame.type == IPC_DATA;
}

/* The DATA that was just opened. When the buffer is too small for it, it is kept and read in parts. */
static int64_t read_event(struct fetchd_request *request, const struct fetchd_event *event, void *buffer,
                          size_t size)
{
    struct fetchd_client *client = request->client;
    size_t bytes = event->size;
    if (bytes <= size) {
        if (bytes > 0)
            memcpy(buffer, event->data, bytes);
    } else if (stash_put(&request->stash, &client->taken.frame)) {
        client->taken.is_data = false;
        bytes = 0;
    } else {
        fetchd_cancel(request);
        failure_set(&client->failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
        return FETCHD_FAILED;
    }
    event_release(client);
    return (int64_t)bytes;
}

/* Why there is nothing to read: the end, a failure, or time. */
static int64_t no_more(struct fetchd_request *request)
{
    if (request->rewind_due)
        return FETCHD_REWOUND;
    if (request->state != REQUEST_TOLD)
        return FETCHD_TIMED_OUT;
    keep_failure(request);
    return request->done.error ? FETCHD_FAILED : 0;
}

int64_t fetchd_read(struct fetchd_request *request, void *buffer, size_t size, int timeout_ms)
{
    if (!request)
        return FETCHD_FAILED;
    int64_t deadline_ms = wait_deadline(timeout_ms), bytes = 0;
    request_wait_for(request);
    if (size == 0)
        return 0;
    while (bytes == 0) {
        if (next_is_kept_data(request)) {
            event_release(request->client);
            bytes = (int64_t)read_item(request, buffer, size);
            continue;
        }
        const struct fetchd_event *event = wait_event(request, deadline_ms);
        if (!event || event->type == FETCHD_EVENT_DONE)
            return no_more(request);
        if (event->type == FETCHD_EVENT_DATA)
            bytes = read_event(request, event, buffer, size);
    }
    return bytes;
}

const struct fetchd_done *fetchd_wait_done(struct fetchd_request *request, int timeout_ms)
{
    if (!request)
        return NULL;
    int64_t deadline_ms = wait_deadline(timeout_ms);
    request_wait_for(request);
    while (request->state != REQUEST_TOLD)
        if (!wait_event(request, deadline_ms))
            break;
    if (request->state != REQUEST_TOLD)
        return NULL;
    keep_failure(request);
    return &request->done;
}
