/* A request: started, found again by its id, paused, cancelled, released. */
#include "core.h"

#include "ask.h"
#include "ipc/pack.h"
#include "websocket.h"

#include <stdlib.h>
#include <string.h>

/* ---- by id ---- */

static struct fetchd_request **bucket(const struct fetchd_client *client, uint32_t id)
{
    return &client->buckets[id & (client->bucket_count - 1)];   /* ids only grow: neighbours never meet */
}

struct fetchd_request *request_find(const struct fetchd_client *client, uint32_t id)
{
    if (client->bucket_count == 0)
        return NULL;
    struct fetchd_request *request = *bucket(client, id);
    while (request && request->id != id)
        request = request->next_in_bucket;
    return request;
}

static void put_in_bucket(struct fetchd_request *request)
{
    struct fetchd_request **place = bucket(request->client, request->id);
    request->next_in_bucket = *place;
    *place = request;
}

static void take_from_bucket(struct fetchd_request *request)
{
    struct fetchd_request **place = bucket(request->client, request->id);
    while (*place != request)
        place = &(*place)->next_in_bucket;
    *place = request->next_in_bucket;
}

/* 0, or -1 when there are no buckets at all; too few only cost time. */
static int grow_buckets(struct fetchd_client *client)
{
    if (client->open_count < client->bucket_count)
        return 0;
    size_t count = client->bucket_count ? client->bucket_count * 2 : 64;
    struct fetchd_request **buckets = calloc(count, sizeof(struct fetchd_request *));
    if (!buckets)
        return client->bucket_count ? 0 : -1;
    free(client->buckets);
    client->buckets = buckets;
    client->bucket_count = count;
    for (struct fetchd_request *request = client->requests; request; request = request->next)
        if (request->state == REQUEST_OPEN)
            put_in_bucket(request);
    return 0;
}

/* ---- those with something to tell ---- */

void request_mark_ready(struct fetchd_request *request)
{
    struct fetchd_client *client = request->client;
    if (request->is_ready || request->waited_for)
        return;
    request->is_ready = true;
    request->next_ready = NULL;
    request->previous_ready = client->ready_last;
    if (client->ready_last)
        client->ready_last->next_ready = request;
    else
        client->ready_first = request;
    client->ready_last = request;
}

void request_unmark_ready(struct fetchd_request *request)
{
    struct fetchd_client *client = request->client;
    if (!request->is_ready)
        return;
    request->is_ready = false;
    if (request->previous_ready)
        request->previous_ready->next_ready = request->next_ready;
    else
        client->ready_first = request->next_ready;
    if (request->next_ready)
        request->next_ready->previous_ready = request->previous_ready;
    else
        client->ready_last = request->previous_ready;
}

void request_wait_for(struct fetchd_request *request)
{
    request->waited_for = true;
    request_unmark_ready(request);
}

/* ---- memory ---- */

static struct fetchd_request *new_request(struct fetchd_client *client)
{
    struct fetchd_request *request = client->spare;
    if (request) {
        client->spare = request->next;
        client->spare_count--;
    } else {
        request = malloc(sizeof *request);
    }
    if (!request)
        return NULL;
    memset(request, 0, sizeof *request);
    request->client = client;
    request->next = client->requests;
    if (client->requests)
        client->requests->previous = request;
    client->requests = request;
    return request;
}

static void drop_request(struct fetchd_request *request)
{
    struct fetchd_client *client = request->client;
    websocket_destroy(request->websocket);
    if (request->previous)
        request->previous->next = request->next;
    else
        client->requests = request->next;
    if (request->next)
        request->next->previous = request->previous;
    if (client->spare_count == SPARE_REQUESTS) {
        free(request);
        return;
    }
    request->next = client->spare;
    client->spare = request;
    client->spare_count++;
}

/* ---- its life ---- */

static void refuse_frame(struct fetchd_client *client)
{
    size_t unsent = ipc_buffer_length(&client->wire.out);
    if (client->wire.out.limit - unsent > 2 * IPC_FRAME_BYTES)
        failure_set(&client->failure, IPC_ERROR_REQUEST_INVALID,
                    "the request is above 1 MiB with its headers, body and certificates: stream the body");
    else
        failure_set(&client->failure, IPC_ERROR_OVERLOADED,
                    "%zu bytes wait for the daemon already: let fetchd_process() send them first", unsent);
}

static void fill_request(struct fetchd_request *request, const struct ask *ask, void *user)
{
    request->user = user;
    request->id = ++request->client->last_id;
    request->connection = request->client->connection;
    request->safe = ask_is_safe(ask);
    request->streamed = ask->fetch.body_streamed || request->websocket;
    request->rewindable = ask->fetch.rewindable;
    uint32_t window_bytes = ask->options.window_bytes;
    ipc_window_init(&request->window, window_bytes ? window_bytes : IPC_STREAM_WINDOW);
    request->held = ask->options.hold_body;
    if (request->held)
        request->window.available = 0;
    put_in_bucket(request);
    request->client->open_count++;
}

static struct fetchd_request *start(struct fetchd_client *client, const struct ask *ask, void *user)
{
    if (client->last_id == UINT32_MAX) {
        failure_set(&client->failure, IPC_ERROR_OVERLOADED, "this client has used all its ids: open another");
        return NULL;
    }
    struct fetchd_request *request = grow_buckets(client) == 0 ? new_request(client) : NULL;
    if (!request) {
        failure_set(&client->failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
        return NULL;
    }
    if (ask_is_websocket(ask) && websocket_create(request, ask) < 0) {
        failure_set(&client->failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
        drop_request(request);
        return NULL;
    }
    if (ipc_pack(&client->wire.out, IPC_CLIENT, IPC_FETCH, client->last_id + 1, &ask->fetch) < 0) {
        refuse_frame(client);
        drop_request(request);
        return NULL;
    }
    fill_request(request, ask, user);
    return request;
}

struct fetchd_request *fetchd_start(struct fetchd_client *client, const struct fetchd_options *options,
                                    void *user)
{
    struct fetchd_request *request = NULL;
    struct ask ask;
    if (!client)
        return NULL;
    if (ask_build(&ask, options, &client->failure) == 0 && client_ensure_connected(client) == 0)
        request = start(client, &ask, user);
    ask_finish(&ask);
    return request;
}

void request_end(struct fetchd_request *request, enum ipc_error_code failure)
{
    take_from_bucket(request);
    request->client->open_count--;
    request->state = REQUEST_ENDED;
    request->failure = failure;
    request_mark_ready(request);
}

void fetchd_cancel(struct fetchd_request *request)
{
    if (request && request->state == REQUEST_OPEN)
        client_say(request->client, IPC_CANCEL, request->id, NULL);
}

/* What the application never took still occupies the connection's window. */
static void drop_stash(struct fetchd_request *request)
{
    while (request->stash.first) {
        struct stash_item *item = stash_take(&request->stash);
        size_t bytes;
        if (arrive_payload(request->client, &item->frame, &bytes))
            request_give_back(request->client, request->connection, NULL, bytes);
        free(item);
    }
}

void request_fail(struct fetchd_request *request, enum ipc_error_code code)
{
    drop_stash(request);
    if (request->state == REQUEST_OPEN) {
        client_say(request->client, IPC_CANCEL, request->id, NULL);
        request_end(request, code);
    }
    request->failure = code;
}

void fetchd_release(struct fetchd_request *request)
{
    if (!request)
        return;
    struct fetchd_client *client = request->client;
    if (request->state == REQUEST_OPEN && client->wire.fd >= 0)
        client_say(client, IPC_CANCEL, request->id, NULL);
    if (request->state == REQUEST_OPEN)
        request_end(request, IPC_ERROR_NONE);
    request_unmark_ready(request);
    if (client->taken.request == request)
        client->taken.request = NULL;
    if (client->front.request == request)
        arrive_drop_front(client);
    drop_stash(request);
    words_finish(&request->response_words);
    words_finish(&request->done_words);
    drop_request(request);
}

/* ---- credit for what came ---- */

static void grant(struct fetchd_client *client, uint32_t id, int64_t bytes)
{
    struct ipc_credit credit = { .bytes = (uint64_t)bytes };
    if (bytes > 0 && client->wire.fd >= 0)
        client_say(client, IPC_CREDIT, id, &credit);
}

void request_give_back(struct fetchd_client *client, unsigned connection, struct fetchd_request *request,
                       size_t payload_bytes)
{
    if (connection != client->connection)
        return;
    grant(client, 0, ipc_window_consume(&client->window, payload_bytes));
    if (!request || request->state != REQUEST_OPEN)
        return;
    if (request->paused)
        request->withheld += ipc_credit_cost(payload_bytes);
    else
        grant(client, request->id, ipc_window_consume(&request->window, payload_bytes));
}

void fetchd_pause(struct fetchd_request *request, bool paused)
{
    request->paused = paused;
    if (paused || request->state != REQUEST_OPEN)
        return;
    struct ipc_window *window = &request->window;
    window->owed += request->withheld;
    request->withheld = 0;
    if (window->owed < window->window / 2)
        return;
    grant(request->client, request->id, window->owed);
    window->available += window->owed;
    window->owed = 0;
}
