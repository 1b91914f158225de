/* One whole fetch: fetchd_fetch() on top of the streaming calls. */
#include "core.h"

#include "ask.h"

#include <stdlib.h>

struct whole {
    struct fetchd_reply reply;       /* first: what the application has is this memory */
    struct fetchd_request *request;
    const char *upload;              /* the caller's */
    size_t upload_size;
    int timeout_ms;
    int64_t deadline_ms;
    struct text body;
    struct fetchd_response response;
    struct fetchd_done done;
    struct words response_words, done_words;
};

static int left_ms(const struct whole *whole)
{
    if (whole->deadline_ms < 0)
        return -1;
    int64_t left = whole->deadline_ms - wait_now_ms();
    return left > 0 ? (int)left : 0;
}

static int out_of_time(const struct whole *whole)
{
    failure_set(&whole->request->client->failure, IPC_ERROR_TIMEOUT_TOTAL,
                "no whole answer within %d ms, the caller's limit", whole->timeout_ms);
    return -1;
}

/* A body too large for the FETCH itself is streamed from the caller's memory. */
static int take_body(struct whole *whole, struct fetchd_client *client, const struct fetchd_options *options,
                     struct fetchd_options *copy, uint64_t *ret_limit_bytes)
{
    struct ask ask;
    if (ask_copy(&ask, options, &client->failure) < 0)
        return -1;
    *copy = ask.options;
    if (copy->body_streamed) {
        failure_set(&client->failure, IPC_ERROR_REQUEST_INVALID, "fetchd_fetch() takes whole bodies only");
        return -1;
    }
    if (copy->body_size > FETCHD_INLINE_BODY_BYTES) {
        whole->upload = copy->body;
        whole->upload_size = copy->body_size;
        copy->body_streamed = copy->rewindable = true;
        copy->body_length = copy->body_size;
        copy->body_size = 0;
    }
    if (copy->max_body_bytes == 0)
        copy->max_body_bytes = FETCHD_WHOLE_BODY_BYTES;
    *ret_limit_bytes = copy->max_body_bytes;
    return 0;
}

/* 0 also when the answer came first: what follows tells. -1 when the time is over. */
static int send_body(struct whole *whole)
{
    size_t sent = 0;
    for (;;) {
        int64_t bytes;
        if (sent < whole->upload_size)
            bytes = fetchd_write(whole->request, whole->upload + sent, whole->upload_size - sent,
                                 left_ms(whole));
        else
            bytes = fetchd_finish_body(whole->request);
        if (bytes == FETCHD_TIMED_OUT)
            return -1;
        if (bytes == FETCHD_FAILED || (bytes == 0 && sent == whole->upload_size))
            return 0;
        sent = bytes == FETCHD_REWOUND ? 0 : sent + (size_t)bytes;
    }
}

static int collect(struct whole *whole, const struct fetchd_event *event, uint64_t limit_bytes)
{
    struct fetchd_client *client = whole->request->client;
    if (event->size > limit_bytes - whole->body.length) {
        failure_set(&client->failure, IPC_ERROR_BODY_TOO_LARGE, "the body is above %llu bytes",
                    (unsigned long long)limit_bytes);
        return -1;
    }
    text_add(&whole->body, event->data, event->size);
    if (whole->body.failed)
        failure_set(&client->failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
    return whole->body.failed ? -1 : 0;
}

/* 0, or -1 with the client's failure set. */
static int receive(struct whole *whole, uint64_t limit_bytes)
{
    struct fetchd_request *request = whole->request;
    for (;;) {
        const struct fetchd_event *event = wait_event(request, whole->deadline_ms);
        if (!event && fetchd_rewound(request)) {
            if (send_body(whole) < 0)
                return out_of_time(whole);
        } else if (!event) {
            return out_of_time(whole);
        } else if (event->type == FETCHD_EVENT_DATA && collect(whole, event, limit_bytes) < 0) {
            return -1;
        } else if (event->type == FETCHD_EVENT_DONE) {
            break;
        }
    }
    if (!request->done.error)
        return 0;
    failure_copy(&request->client->failure, request->done.error);
    return -1;
}

static void finish(struct whole *whole)
{
    if (!whole)
        return;
    words_finish(&whole->response_words);
    words_finish(&whole->done_words);
    text_finish(&whole->body);
    free(whole);
}

/* The request's memory becomes the reply's. */
static struct fetchd_reply *make_reply(struct whole *whole)
{
    struct fetchd_request *request = whole->request;
    whole->response = request->response;
    whole->done = request->done;
    whole->response_words = request->response_words;
    whole->done_words = request->done_words;
    request->response_words = request->done_words = (struct words){ 0 };
    whole->reply = (struct fetchd_reply){ .response = &whole->response, .body = whole->body.data,
                                          .body_size = whole->body.length, .done = &whole->done };
    return &whole->reply;
}

static int fetch(struct whole *whole, struct fetchd_client *client, const struct fetchd_options *options)
{
    struct fetchd_options copy;
    uint64_t limit_bytes;
    if (take_body(whole, client, options, &copy, &limit_bytes) < 0)
        return -1;
    whole->request = fetchd_start(client, &copy, NULL);
    if (!whole->request)
        return -1;
    request_wait_for(whole->request);
    if (copy.body_streamed && send_body(whole) < 0)
        return out_of_time(whole);
    if (receive(whole, limit_bytes) < 0)
        return -1;
    if (whole->request->has_response)
        return 0;
    failure_set(&client->failure, IPC_ERROR_PROTOCOL_VIOLATION, "the daemon gave no response");
    return -1;
}

struct fetchd_reply *fetchd_fetch(struct fetchd_client *client, const struct fetchd_options *options,
                                  int timeout_ms)
{
    if (!client)
        return NULL;
    struct whole *whole = calloc(1, sizeof *whole);
    if (!whole) {
        failure_set(&client->failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
        return NULL;
    }
    whole->timeout_ms = timeout_ms;
    whole->deadline_ms = wait_deadline(timeout_ms);
    text_add(&whole->body, "", 0);   /* an empty body is a string as well */
    struct fetchd_reply *reply = fetch(whole, client, options) == 0 ? make_reply(whole) : NULL;
    event_release(client);
    fetchd_release(whole->request);
    client_flush(client);
    if (!reply)
        finish(whole);
    return reply;
}

void fetchd_reply_free(struct fetchd_reply *reply)
{
    finish((struct whole *)(void *)reply);
}
