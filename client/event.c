/* Frames as events: decoded, turned into C strings, handed out one at a time. */
#include "core.h"

#include "websocket.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- what the last event pointed to ---- */

void event_release(struct fetchd_client *client)
{
    struct taken taken = client->taken;
    if (taken.from_wire)
        wire_consume(&client->wire, &taken.frame);
    client->taken = (struct taken){ 0 };
    if (taken.is_data)
        request_give_back(client, taken.connection, taken.request, taken.payload_bytes);
    free(taken.item);
}

static const struct fetchd_event *event(struct fetchd_client *client, enum fetchd_event_type type,
                                        struct fetchd_request *request)
{
    client->event = (struct fetchd_event){ .type = type, .request = request,
                                           .user = request ? request->user : NULL };
    return &client->event;
}

/* ---- strings ---- */

static const char *add_text(struct words *words, struct ipc_text text)
{
    return words_add(words, text.data, text.length);
}

static size_t texts_size(const struct ipc_texts *texts)
{
    size_t bytes = texts->count * sizeof(const char *);
    for (size_t i = 0; i < texts->count; i++)
        bytes += words_size(texts->items[i].length);
    return bytes;
}

static size_t pairs_size(const struct ipc_pairs *pairs)
{
    size_t bytes = pairs->count * sizeof(struct fetchd_header);
    for (size_t i = 0; i < pairs->count; i++)
        bytes += words_size(pairs->items[i].name.length) + words_size(pairs->items[i].value.length);
    return bytes;
}

static void add_pairs(struct words *words, struct fetchd_header *copies, const struct ipc_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const struct ipc_pair *pair = &pairs->items[i];
        copies[i].name = words_add(words, pair->name.data, pair->name.length);
        copies[i].value = words_add(words, pair->value.data, pair->value.length);
    }
}

static int fill_response(struct words *words, struct fetchd_response *out, const struct ipc_response *message)
{
    const struct ipc_pairs *headers = &message->headers;
    size_t bytes = pairs_size(headers) + words_size(message->http_version.length)
        + words_size(message->url.length) + texts_size(&message->certs);
    if (words_begin(words, bytes) < 0)
        return -1;
    struct fetchd_header *copies = words_array(words, headers->count * sizeof *copies);
    const char **certs = words_array(words, message->certs.count * sizeof *certs);
    add_pairs(words, copies, headers);
    for (size_t i = 0; i < message->certs.count; i++)
        certs[i] = add_text(words, message->certs.items[i]);
    *out = (struct fetchd_response){ .status = (unsigned)message->status,
                                     .http_version = add_text(words, message->http_version),
                                     .url = add_text(words, message->url), .headers = copies,
                                     .header_count = headers->count,
                                     .certs = certs, .cert_count = message->certs.count };
    return 0;
}

static void fill_error(struct words *words, struct fetchd_error *out, const struct ipc_failure *failure)
{
    enum ipc_error_code code = ipc_error_find(failure->name.data, failure->name.length);
    *out = (struct fetchd_error){
        .name = add_text(words, failure->name),
        .message = failure->message.length ? add_text(words, failure->message) : ipc_error_text(code),
        .phase = add_text(words, failure->phase), .retryable = failure->retryable,
        .exit_code = ipc_error_exit_code(code), .curl_code = (unsigned)failure->curl_code,
        .curl_name = add_text(words, failure->curl_name), .os_errno = (int)failure->os_errno,
        .attempts = (unsigned)failure->attempts, .worker = (unsigned)failure->worker,
        .bytes_sent = failure->bytes_sent, .bytes_received = failure->bytes_received,
    };
}

static int fill_done(struct words *words, struct fetchd_done *out, struct fetchd_error *error,
                     const struct ipc_done *done)
{
    const struct ipc_failure *failure = done->error;
    size_t bytes = words_size(done->remote.length) + words_size(done->close_reason.length)
        + pairs_size(&done->trailers) + words_size(done->alpn.length);
    if (failure)
        bytes += words_size(failure->name.length) + words_size(failure->message.length)
            + words_size(failure->phase.length) + words_size(failure->curl_name.length);
    if (words_begin(words, bytes) < 0)
        return -1;
    struct fetchd_header *trailers = words_array(words, done->trailers.count * sizeof *trailers);
    add_pairs(words, trailers, &done->trailers);
    if (failure)
        fill_error(words, error, failure);
    *out = (struct fetchd_done){
        .error = failure ? error : NULL,
        .status = (unsigned)done->status,
        .attempts = (unsigned)done->attempts,
        .worker = (unsigned)done->worker,
        .redirects = (unsigned)done->redirects,
        .reused = done->reused,
        .bytes_sent = done->bytes_sent,
        .bytes_received = done->bytes_received,
        .body_bytes = done->body_bytes,
        .dns_us = done->dns_us,
        .connect_us = done->connect_us,
        .tls_us = done->tls_us,
        .first_byte_us = done->first_byte_us,
        .total_us = done->total_us,
        .remote = add_text(words, done->remote),
        .close_code = (unsigned)done->close_code,
        .close_reason = add_text(words, done->close_reason),
        .raw_body_bytes = done->raw_body_bytes,
        .complete = done->complete,
        .trailers = trailers,
        .trailer_count = done->trailers.count,
        .queue_us = done->queue_us,
        .redirect_us = done->redirect_us,
        .sent_us = done->sent_us,
        .alpn = add_text(words, done->alpn),
    };
    return 0;
}

/* ---- how a request ends without the daemon's word ---- */

static const char *failure_message(const struct fetchd_client *client, enum ipc_error_code code)
{
    if (code == IPC_ERROR_DRAINING && client->drained.error.name)
        return client->drained.error.message;
    if (client->lost.error.name && strcmp(client->lost.error.name, ipc_error_name(code)) == 0)
        return client->lost.error.message;
    return ipc_error_text(code);
}

static const struct fetchd_event *tell_done(struct fetchd_request *request, struct fetchd_done *done)
{
    const struct fetchd_event *told = event(request->client, FETCHD_EVENT_DONE, request);
    request->client->event.done = done;
    request->client->event.error = done->error;
    request->state = REQUEST_TOLD;
    request_unmark_ready(request);
    return told;
}

static const struct fetchd_event *tell_failure(struct fetchd_request *request)
{
    struct fetchd_client *client = request->client;
    struct fetchd_done *done = request->waited_for ? &request->done : &client->done;
    struct fetchd_error *error = request->waited_for ? &request->error : &client->done_error;
    enum ipc_error_code code = request->failure ? request->failure : IPC_ERROR_INTERNAL;
    const char *message = failure_message(client, code);
    size_t bytes = words_size(strlen(message));
    struct words *words = request->waited_for ? &request->done_words : &client->event_words;
    *error = (struct fetchd_error){
        .name = ipc_error_name(code), .message = ipc_error_text(code), .phase = "", .curl_name = "",
        .exit_code = ipc_error_exit_code(code),
        .retryable = code == IPC_ERROR_DRAINING
            || (code == IPC_ERROR_DAEMON_LOST && request->safe && !request->responded),
    };
    if (words_begin(words, bytes) == 0)
        error->message = words_add(words, message, bytes - 1);
    *done = (struct fetchd_done){ .error = error, .remote = "", .close_reason = "", .alpn = "" };
    return tell_done(request, done);
}

/* A frame that can't be turned into an event: the connection that brought it is no good. */
static const struct fetchd_event *fail_frame(struct fetchd_request *request, enum ipc_error_code code)
{
    struct fetchd_client *client = request->client;
    if (request->connection == client->connection)
        client_lose(client, code, "the daemon at %s: %s", client->reached,
                    code == IPC_ERROR_OUT_OF_MEMORY ? "memory is short for its answer"
                                                    : client->decoder.reason);
    if (request->state == REQUEST_OPEN)
        request_end(request, code);
    request->failure = code;
    return NULL;
}

/* ---- one frame ---- */

typedef const struct fetchd_event *open_frame(struct fetchd_request *request, const struct ipc_frame *frame);

static const struct fetchd_event *open_hop(struct fetchd_request *request, const struct ipc_frame *frame)
{
    struct fetchd_client *client = request->client;
    struct ipc_hop hop;
    if (ipc_unpack(&client->decoder, IPC_DAEMON_TO_CLIENT, frame, &hop) < 0)
        return fail_frame(request, IPC_ERROR_PROTOCOL_VIOLATION);
    struct ipc_response message = { .status = hop.status, .http_version = hop.http_version, .url = hop.url,
                                    .headers = hop.headers };
    if (fill_response(&client->event_words, &client->response, &message) < 0)
        return fail_frame(request, IPC_ERROR_OUT_OF_MEMORY);
    event(client, FETCHD_EVENT_HOP, request);
    client->event.response = &client->response;
    return &client->event;
}

static const struct fetchd_event *open_response(struct fetchd_request *request, const struct ipc_frame *frame)
{
    struct fetchd_client *client = request->client;
    struct fetchd_response *response = request->waited_for ? &request->response : &client->response;
    struct ipc_response message;
    if (ipc_unpack(&client->decoder, IPC_DAEMON_TO_CLIENT, frame, &message) < 0)
        return fail_frame(request, IPC_ERROR_PROTOCOL_VIOLATION);
    if (fill_response(request->waited_for ? &request->response_words : &client->event_words, response,
                      &message) < 0)
        return fail_frame(request, IPC_ERROR_OUT_OF_MEMORY);
    request->has_response = request->waited_for;
    bool opens = request->websocket && response->status == 101;
    event(client, opens ? FETCHD_EVENT_WS_OPEN : FETCHD_EVENT_RESPONSE, request);
    client->event.response = response;
    return &client->event;
}

static const struct fetchd_event *open_data(struct fetchd_request *request, const struct ipc_frame *frame)
{
    struct fetchd_client *client = request->client;
    struct ipc_bytes payload;
    if (ipc_unpack_data(&client->decoder, frame, &payload) < 0)
        return fail_frame(request, IPC_ERROR_PROTOCOL_VIOLATION);
    client->taken.is_data = true;
    client->taken.payload_bytes = payload.length;
    event(client, FETCHD_EVENT_DATA, request);
    client->event.data = payload.data;
    client->event.size = payload.length;
    return &client->event;
}

static const struct fetchd_event *open_message(struct fetchd_request *request, const struct ipc_frame *frame)
{
    struct fetchd_client *client = request->client;
    struct ipc_message message;
    const struct fetchd_ws_message *whole;
    if (ipc_unpack(&client->decoder, IPC_DAEMON_TO_CLIENT, frame, &message) < 0)
        return fail_frame(request, IPC_ERROR_PROTOCOL_VIOLATION);
    client->taken.is_data = true;
    client->taken.payload_bytes = message.data.length;
    enum ipc_error_code code = websocket_take(request, &message, &whole);
    if (code != IPC_ERROR_NONE)
        request_fail(request, code);
    if (!whole)
        return NULL;
    event(client, FETCHD_EVENT_WS_MESSAGE, request);
    client->event.message = whole;
    return &client->event;
}

static const struct fetchd_event *open_flushed(struct fetchd_request *request, const struct ipc_frame *frame)
{
    (void)frame;
    return event(request->client, FETCHD_EVENT_WS_FLUSHED, request);
}

static const struct fetchd_event *open_reopen(struct fetchd_request *request, const struct ipc_frame *frame)
{
    (void)frame;
    websocket_take_reopen(request);
    return event(request->client, FETCHD_EVENT_WS_REOPEN, request);
}

/* A body shorter than the daemon says it delivered must not pass for whole. */
static bool is_short(const struct fetchd_request *request, const struct ipc_done *done)
{
    return !done->error && !request->websocket && !request->written && done->body_bytes > 0
        && done->body_bytes != request->body_bytes;
}

static const struct fetchd_event *open_done(struct fetchd_request *request, const struct ipc_frame *frame)
{
    struct fetchd_client *client = request->client;
    struct ipc_done done;
    bool kept = request->waited_for;
    if (request->state == REQUEST_OPEN)
        request_end(request, IPC_ERROR_NONE);
    if (ipc_unpack(&client->decoder, IPC_DAEMON_TO_CLIENT, frame, &done) < 0)
        return fail_frame(request, IPC_ERROR_PROTOCOL_VIOLATION);
    if (is_short(request, &done)) {
        request->failure = IPC_ERROR_BODY_TRUNCATED;
        return tell_failure(request);
    }
    if (fill_done(kept ? &request->done_words : &client->event_words, kept ? &request->done : &client->done,
                  kept ? &request->error : &client->done_error, &done) < 0)
        return fail_frame(request, IPC_ERROR_OUT_OF_MEMORY);
    return tell_done(request, kept ? &request->done : &client->done);
}

static const struct { unsigned type; open_frame *open; } openers[] = {
    { IPC_DATA, open_data },
    { IPC_RESPONSE, open_response },
    { IPC_DONE, open_done },
    { IPC_HOP, open_hop },
    { IPC_MESSAGE, open_message },
    { IPC_FLUSHED, open_flushed },
    { IPC_REOPEN, open_reopen },
};

static const struct fetchd_event *open_any(struct fetchd_request *request, const struct ipc_frame *frame)
{
    for (size_t i = 0; i < sizeof openers / sizeof openers[0]; i++)
        if (openers[i].type == frame->type)
            return openers[i].open(request, frame);
    return NULL;
}

static const struct fetchd_event *open_front(struct fetchd_client *client)
{
    struct front front = client->front;
    client->front.request = NULL;
    client->taken = (struct taken){ .request = front.request, .from_wire = true, .frame = front.frame,
                                    .connection = client->connection };
    return open_any(front.request, &front.frame);
}

static const struct fetchd_event *open_item(struct fetchd_request *request)
{
    struct stash_item *item = stash_take(&request->stash);
    request->client->taken = (struct taken){ .request = request, .item = item,
                                             .connection = request->connection };
    return open_any(request, &item->frame);
}

/* ---- events ---- */

static const struct fetchd_event *notice(struct fetchd_client *client)
{
    static const enum fetchd_event_type types[] = {
        FETCHD_EVENT_CONNECTED, FETCHD_EVENT_DRAINING, FETCHD_EVENT_LOST,
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (!(client->notices & 1u << types[i]))
            continue;
        client->notices &= ~(1u << types[i]);
        event(client, types[i], NULL);
        if (types[i] == FETCHD_EVENT_DRAINING)
            client->event.error = &client->drained.error;
        else if (types[i] == FETCHD_EVENT_LOST)
            client->event.error = &client->lost.error;
        return &client->event;
    }
    return NULL;
}

static bool has_something(const struct fetchd_request *request)
{
    return request->rewind_due || request->stash.first || request->state == REQUEST_ENDED
        || (request->writable_due && upload_room(request) > 0);
}

/* The first request that has something to tell, or NULL. */
static struct fetchd_request *ready_request(struct fetchd_client *client)
{
    while (client->ready_first && !has_something(client->ready_first))
        request_unmark_ready(client->ready_first);
    return client->ready_first;
}

static const struct fetchd_event *ready_event(struct fetchd_request *request)
{
    struct fetchd_client *client = request->client;
    if (request->rewind_due && request->state == REQUEST_OPEN) {
        upload_rewind(request);
        return event(client, FETCHD_EVENT_REWIND, request);
    }
    request->rewind_due = false;
    if (request->stash.first)
        return open_item(request);
    if (request->state == REQUEST_ENDED)
        return tell_failure(request);
    request->writable_due = request->starved = false;
    size_t room = upload_room(request);
    if (room == 0)
        return NULL;
    event(client, FETCHD_EVENT_WRITABLE, request);
    client->event.size = room;
    return &client->event;
}

/* The next front, for which the one read that fetchd_process() allows is made only now: what was not
 * asked for stays in the socket, and keeps fetchd_fd() readable. */
static bool next_front(struct fetchd_client *client)
{
    if (arrive_next(client))
        return true;
    if (!client->may_read)
        return false;
    client->may_read = false;
    wire_read(&client->wire);
    return arrive_next(client);
}

/* True when an event is there to be taken; the frames before it have been acted on. */
static bool has_event(struct fetchd_client *client)
{
    for (;;) {
        if (client->notices || ready_request(client))
            return true;
        if (!next_front(client))
            return client->notices || ready_request(client);
        if (client->notices || !client->front.request->waited_for)
            return true;
        arrive_stash_front(client);
    }
}

static const struct fetchd_event *take_event(struct fetchd_client *client)
{
    while (has_event(client)) {
        const struct fetchd_event *found;
        struct fetchd_request *request = ready_request(client);
        if (client->notices)
            found = notice(client);
        else if (request)
            found = ready_event(request);
        else
            found = open_front(client);
        if (found)
            return found;
        event_release(client);
    }
    return NULL;
}

const struct fetchd_event *fetchd_next_event(struct fetchd_client *client)
{
    if (!client)
        return NULL;
    event_release(client);
    const struct fetchd_event *found = take_event(client);
    if (found)
        return found;
    client_flush(client);
    found = take_event(client);   /* what left may have made room for a writer */
    if (!found)
        poller_quiet(&client->poller);
    return found;
}

int fetchd_wait(struct fetchd_client *client, int timeout_ms)
{
    if (!client)
        return 0;
    int64_t deadline_ms = wait_deadline(timeout_ms);
    client_check_fork(client);
    event_release(client);
    for (;;) {
        if (has_event(client))
            return 1;
        if (client->wire.fd < 0 || wait_once(client, deadline_ms) != 0)
            return has_event(client);
    }
}

const struct fetchd_event *event_of(struct fetchd_request *request)
{
    struct fetchd_client *client = request->client;
    const struct fetchd_event *found = NULL;
    event_release(client);
    request_wait_for(request);
    while (!found && request->state != REQUEST_TOLD) {
        if (request->stash.first)
            found = open_item(request);
        else if (request->state == REQUEST_ENDED)
            found = tell_failure(request);
        else if (!arrive_next(client) && request->state == REQUEST_OPEN)
            return NULL;
        else if (client->front.request == request)
            found = open_front(client);
        else if (client->front.request)
            arrive_stash_front(client);
        if (!found)
            event_release(client);
    }
    return found;
}

void event_keep_all(struct fetchd_client *client)
{
    event_release(client);
    while (arrive_next(client))
        arrive_stash_front(client);
}

const char *fetchd_find_header(const struct fetchd_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (strcasecmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}

void fetchd_options_init(struct fetchd_options *options, size_t size)
{
    memset(options, 0, size);
    options->size = size;
}
