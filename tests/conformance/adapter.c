/* libfetchd as it is installed, driven by the conformance script (test_conformance.py says how). By events, on one
 * client. */
#include <fetchd/client.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 8
#define PIECE_BYTES 65536

struct job {
    struct fetchd_request *request;
    FILE *out, *upload;
    const char *cancel;            /* "early" or "response" */
    const char *beside;            /* fetched while this one is paused */
    const char *says[MOST];
    size_t say_count, said;
    char *message;                 /* that is being said */
    size_t message_size, message_sent;
    enum fetchd_ws_kind message_kind;
    char piece[PIECE_BYTES];
    size_t piece_size, piece_sent;
    bool may_write, uploaded;
    struct job *waits_for_me;
};

static struct fetchd_client *client;
static size_t open_jobs;

static void fail(const char *what)
{
    fprintf(stderr, "adapter: %s\n", what);
    exit(70);
}

/* ---- the command line ---- */

struct field { const char *name; size_t offset; };

#define AT(field) offsetof(struct fetchd_options, field)

static const struct field numbers[] = {
    { "total_timeout_ms", AT(total_timeout_ms) }, { "window", AT(window_bytes) }, { "attempts", AT(attempts) },
    { "max_redirects", AT(max_redirects) }, { NULL, 0 },
};
static const struct field long_numbers[] = {
    { "max_body_bytes", AT(max_body_bytes) }, { "body_length", AT(body_length) }, { NULL, 0 },
};
static const struct field flags[] = {
    { "follow", AT(follow) }, { "compressed", AT(compressed) }, { "rewindable", AT(rewindable) }, { NULL, 0 },
};
static const struct field texts[] = {
    { "method", AT(method) }, { "http_version", AT(http_version) }, { NULL, 0 },
};

static void *find(const struct field *fields, const char *name, struct fetchd_options *options)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return (char *)options + fields->offset;
    return NULL;
}

static bool take_field(struct fetchd_options *options, const char *name, const char *value)
{
    void *place;
    if ((place = find(numbers, name, options)))
        *(unsigned *)place = (unsigned)strtoul(value, NULL, 10);
    else if ((place = find(long_numbers, name, options)))
        *(uint64_t *)place = strtoull(value, NULL, 10);
    else if ((place = find(flags, name, options)))
        *(bool *)place = strcmp(value, "yes") == 0;
    else if ((place = find(texts, name, options)))
        *(const char **)place = value;
    return place != NULL;
}

static void take_header(struct fetchd_options *options, struct fetchd_header *headers, char *value)
{
    char *colon = strstr(value, ": ");
    if (!colon)
        fail("a header has no colon");
    *colon = '\0';
    headers[options->header_count++] = (struct fetchd_header){ value, colon + 2 };
    options->headers = headers;
}

static FILE *open_or_fail(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file)
        fail(path);
    return file;
}

static void take_upload(struct fetchd_options *options, struct job *job, const char *path)
{
    job->upload = open_or_fail(path, "rb");
    options->body_streamed = true;
}

/* ---- what is printed ---- */

static void print_answer(const char *kind, const struct fetchd_response *response)
{
    printf("%s %u %s %s\n", kind, response->status, response->http_version[0] ? response->http_version : "-",
           response->url[0] ? response->url : "-");
    for (size_t i = 0; i < response->header_count; i++)
        printf("header %s: %s\n", response->headers[i].name, response->headers[i].value);
}

static void print_end(const struct fetchd_error *error, const struct fetchd_done *done)
{
    if (error)
        printf("done %s %u 0 0 0\n", error->name, error->attempts);
    else
        printf("done ok %u %u %" PRIu64 " %u\n", done->attempts, done->redirects, done->body_bytes, done->close_code);
}

/* ---- one request ---- */

static struct job *start(const struct fetchd_options *options, struct job *job)
{
    job->request = fetchd_start(client, options, job);
    if (job->request) {
        open_jobs++;
        if (job->cancel && strcmp(job->cancel, "early") == 0)
            fetchd_cancel(job->request);
        return job;
    }
    print_end(fetchd_last_error(client), NULL);
    free(job);
    return NULL;
}

static struct job *new_job(void)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        fail("no memory");
    return job;
}

static struct job *start_plain(const char *url)
{
    struct fetchd_options options = { .size = sizeof options, .url = url };
    return start(&options, new_job());
}

static void upload(struct job *job)
{
    while (job->upload && job->may_write && !job->uploaded) {
        if (job->piece_sent == job->piece_size) {
            job->piece_size = fread(job->piece, 1, sizeof job->piece, job->upload);
            job->piece_sent = 0;
        }
        if (job->piece_size == 0) {
            job->uploaded = fetchd_finish_body(job->request) == 0;
            return;
        }
        int64_t taken = fetchd_write(job->request, job->piece + job->piece_sent, job->piece_size - job->piece_sent, 0);
        if (taken < 0)
            return;
        job->piece_sent += (size_t)taken;
        job->may_write = job->piece_sent == job->piece_size;
    }
}

static void rewind_upload(struct job *job)
{
    rewind(job->upload);
    job->piece_size = job->piece_sent = 0;
    job->uploaded = false;
}

static void load_message(struct job *job)
{
    const char *say = job->says[job->said];
    free(job->message);
    job->message_sent = 0;
    if (say[0] != '@') {
        job->message = strdup(say);
        job->message_size = strlen(say);
        job->message_kind = FETCHD_WS_TEXT;
        return;
    }
    FILE *file = open_or_fail(say + 1, "rb");
    fseek(file, 0, SEEK_END);
    job->message_size = (size_t)ftell(file);
    job->message = malloc(job->message_size + 1);
    rewind(file);
    if (!job->message || fread(job->message, 1, job->message_size, file) != job->message_size)
        fail("can't read a message");
    fclose(file);
    job->message_kind = FETCHD_WS_BINARY;
}

static void say(struct job *job)
{
    if (!job->message || job->message_sent == job->message_size)
        return;
    int64_t taken = fetchd_ws_send(job->request, job->message_kind, job->message + job->message_sent,
                                   job->message_size - job->message_sent, false, 0);
    if (taken > 0)
        job->message_sent += (size_t)taken;
}

static void hear(struct job *job, const struct fetchd_ws_message *message)
{
    bool same = message->size == job->message_size && memcmp(message->data, job->message, message->size) == 0
        && message->kind == job->message_kind;
    printf("message %s %s\n", message->kind == FETCHD_WS_TEXT ? "text" : "binary", same ? "same" : "other");
    if (++job->said == job->say_count) {
        fetchd_ws_close(job->request, 1000, "bye", 0);
        return;
    }
    load_message(job);
    say(job);
}

static void on_response(struct job *job, const struct fetchd_event *event)
{
    print_answer("response", event->response);
    if (job->cancel && strcmp(job->cancel, "response") == 0)
        fetchd_cancel(job->request);
    if (!job->beside)
        return;
    fetchd_pause(job->request, true);
    struct job *other = start_plain(job->beside);
    if (other)
        other->waits_for_me = job;
}

static void on_done(struct job *job, const struct fetchd_event *event)
{
    print_end(event->error, event->done);
    if (job->waits_for_me)
        fetchd_pause(job->waits_for_me->request, false);
    fetchd_release(job->request);
    if (job->out)
        fclose(job->out);
    if (job->upload)
        fclose(job->upload);
    free(job->message);
    free(job);
    open_jobs--;
}

static void handle(const struct fetchd_event *event)
{
    struct job *job = event->user;
    switch (event->type) {
    case FETCHD_EVENT_HOP: print_answer("hop", event->response); break;
    case FETCHD_EVENT_RESPONSE: on_response(job, event); break;
    case FETCHD_EVENT_DATA:
        if (job->out && fwrite(event->data, 1, event->size, job->out) != event->size)
            fail("can't write");
        break;
    case FETCHD_EVENT_WRITABLE:
        job->may_write = true;
        upload(job);
        say(job);
        break;
    case FETCHD_EVENT_REWIND: rewind_upload(job); break;
    case FETCHD_EVENT_WS_OPEN:
        print_answer("response", event->response);
        load_message(job);
        say(job);
        break;
    case FETCHD_EVENT_WS_MESSAGE: hear(job, event->message); break;
    case FETCHD_EVENT_DONE: on_done(job, event); break;
    default: break;
    }
}

static void finish_all(void)
{
    const struct fetchd_event *event;
    while (open_jobs > 0) {
        while ((event = fetchd_next_event(client)))
            handle(event);
        if (open_jobs > 0)
            fetchd_wait(client, -1);
    }
}

static void start_many(struct fetchd_options *options, const char *cancel, unsigned count)
{
    const char *url = options->url, *place = strstr(url, "NUMBER");
    if (!place)
        fail("the URL has no NUMBER");
    for (unsigned number = 0; number < count; number++) {
        char numbered[1024];
        snprintf(numbered, sizeof numbered, "%.*s%u%s", (int)(place - url), url, number, place + 6);
        struct job *job = new_job();
        job->cancel = cancel;
        options->url = numbered;
        start(options, job);
    }
}

int main(int argc, char **argv)
{
    struct fetchd_options options = { .size = sizeof options, .url = argc > 1 ? argv[1] : "" };
    struct fetchd_header headers[MOST];
    struct job *job = new_job();
    const char *then[MOST];
    size_t then_count = 0;
    unsigned count = 1;
    for (int i = 2; i < argc && i < 2 + MOST; i++) {
        char *name = argv[i], *value = strchr(argv[i], '=');
        if (!value)
            fail("an option has no =");
        *value++ = '\0';
        if (take_field(&options, name, value))
            continue;
        if (strcmp(name, "header") == 0)
            take_header(&options, headers, value);
        else if (strcmp(name, "body") == 0)
            options.body = value, options.body_size = strlen(value);
        else if (strcmp(name, "upload") == 0)
            take_upload(&options, job, value);
        else if (strcmp(name, "out") == 0)
            job->out = open_or_fail(value, "wb");
        else if (strcmp(name, "say") == 0)
            job->says[job->say_count++] = value;
        else if (strcmp(name, "cancel") == 0)
            job->cancel = value;
        else if (strcmp(name, "beside") == 0)
            job->beside = value;
        else if (strcmp(name, "then") == 0)
            then[then_count++] = value;
        else if (strcmp(name, "count") == 0)
            count = (unsigned)strtoul(value, NULL, 10);
        else
            fail(name);
    }
    client = fetchd_open(NULL);
    if (count == 1)
        start(&options, job);
    else
        start_many(&options, job->cancel, count);
    if (count > 1)
        free(job);
    finish_all();
    for (size_t i = 0; i < then_count; i++) {
        start_plain(then[i]);
        finish_all();
    }
    fetchd_close(client);
    return 0;
}
