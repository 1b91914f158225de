/* One transfer, by the library's events: one table from event to handler. */
#include "transfer.h"

#include "attend.h"
#include "copy.h"
#include "etag.h"
#include "memory.h"
#include "say.h"
#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HANDED_OVER_BYTES (256 * 1024)   /* below it a file of our own is as good */
#define WATCH_MS 100

typedef void on_event(struct transfer *transfer, const struct fetchd_event *event);

/* The first failure counts; what follows from it does not. */
static void __attribute__((format(gnu_printf, 3, 4))) fail(struct transfer *transfer, int code,
                                                       const char *format, ...)
{
    char message[1024];
    va_list arguments;
    if (transfer->code != 0)
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    transfer->code = code;
    transfer->message = must_copy(message);
}

static void stop(struct transfer *transfer)
{
    transfer->ignores_body = true;
    fetchd_cancel(transfer->request);
}

/* ---- the body that goes up ---- */

static bool read_chunk(struct transfer *transfer)
{
    ssize_t got = body_read(transfer->body, transfer->chunk, TRANSFER_CHUNK_BYTES);
    if (got < 0) {
        fail(transfer, EXIT_READ, "can't read the body to send: %s",
             errno == EIO ? "a file became shorter meanwhile" : strerror(errno));
        transfer->body_sent = true;
        stop(transfer);
        return false;
    }
    transfer->chunk_at = 0;
    transfer->chunk_length = (size_t)got;
    if (got > 0)
        return true;
    transfer->body_sent = true;
    fetchd_finish_body(transfer->request);
    return false;
}

static bool may_read_now(const struct transfer *transfer)
{
    int source = body_wait_fd(transfer->body);
    return source < 0 || attend_readable(source);
}

/* As much as the daemon takes and the source has. */
static void send_body(struct transfer *transfer)
{
    while (transfer->body && transfer->may_write && !transfer->body_sent) {
        if (transfer->chunk_at == transfer->chunk_length
            && (!may_read_now(transfer) || !read_chunk(transfer)))
            return;
        int64_t taken = fetchd_write(transfer->request, transfer->chunk + transfer->chunk_at,
                                     transfer->chunk_length - transfer->chunk_at, 0);
        if (taken < 0) {
            transfer->body_sent = true;   /* it is done: the event says how */
            return;
        }
        transfer->chunk_at += (size_t)taken;
        transfer->may_write = transfer->chunk_at == transfer->chunk_length;
    }
}

/* ---- what comes ---- */

static void write_text(struct transfer *transfer, struct output *output, const struct text *text)
{
    if (output_write(output, text->data, text->length) == 0)
        return;
    fail(transfer, EXIT_WRITE, "writing failed");
    stop(transfer);
}

/* -D has all of them, also of an answer that -f refuses; -i and -I those of answers that are shown. */
static void write_head(struct transfer *transfer, const struct text *text, bool shown)
{
    bool includes = transfer->options->include || strcmp(transfer->asked.method, "HEAD") == 0;
    if (transfer->options->dump_header)
        write_text(transfer, &transfer->head, text);
    if (shown && includes)
        write_text(transfer, &transfer->output, text);
}

static void add_fields(struct text *text, const struct fetchd_header *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_addf(text, "%s: %s\r\n", fields[i].name, fields[i].value);
}

static void write_headers(struct transfer *transfer, const struct fetchd_response *response, bool shown)
{
    struct text text = { 0 };
    if (response->http_version[0])
        text_addf(&text, "HTTP/%s %u\r\n", response->http_version, response->status);
    add_fields(&text, response->headers, response->header_count);
    text_add_string(&text, "\r\n");
    write_head(transfer, &text, shown);
    text_finish(&text);
}

static void write_trailers(struct transfer *transfer, const struct fetchd_done *done)
{
    struct text text = { 0 };
    add_fields(&text, done->trailers, done->trailer_count);
    if (done->trailer_count > 0)
        write_head(transfer, &text, true);
    text_finish(&text);
}

static void on_hop(struct transfer *transfer, const struct fetchd_event *event)
{
    transfer->hops++;
    if (transfer->options->verbose)
        trace_response(event->response, true);
    write_headers(transfer, event->response, true);
}

/* What a server makes of -C: it goes on (206), has no more (416), or begins again, which would
 * spoil the file. */
static void check_resume(struct transfer *transfer, const struct fetchd_response *response)
{
    const char *range = fetchd_find_header(response, "content-range");
    uint64_t from = UINT64_MAX;
    if (!transfer->resumed || transfer->resume_bytes == 0 || !response->http_version[0])
        return;   /* an FTP server that can't begin there has refused */
    if (response->status == 416) {
        transfer->ignores_body = true;
        return;
    }
    if (response->status == 206 && range && sscanf(range, "bytes %" SCNu64, &from) == 1
        && from == transfer->resume_bytes)
        return;
    fail(transfer, EXIT_RANGE, "the server does not resume: it answers %u%s", response->status,
         response->status == 206 ? " with another range" : "");
    stop(transfer);
}

static void check_status(struct transfer *transfer, const struct fetchd_response *response)
{
    bool fails = transfer->options->fail || transfer->options->fail_with_body;
    if (!fails || response->status < 400
        || (transfer->resumed && transfer->resume_bytes > 0 && response->status == 416))
        return;
    fail(transfer, EXIT_HTTP_ERROR, "the URL answered %u", response->status);
    if (!transfer->options->fail_with_body)
        stop(transfer);
}

static void save_etag(struct transfer *transfer, const struct fetchd_response *response)
{
    const char *etag = fetchd_find_header(response, "etag"), *path = transfer->options->etag_save;
    if (!path || !etag || response->status >= 300 || etag_write(path, etag) == 0)
        return;
    fail(transfer, EXIT_WRITE, "the ETag could not be saved");
    stop(transfer);
}

/* An answer without one leaves the file as it is: what did not change is not to be lost. */
static bool has_body(const struct transfer *transfer)
{
    unsigned status = transfer->response->status;
    return status != 204 && status != 304 && strcmp(transfer->asked.method, "HEAD") != 0;
}

/* A large body need not pass through the daemon and this process. */
static void place_body(struct transfer *transfer, uint64_t bytes)
{
    bool large = bytes >= HANDED_OVER_BYTES && has_body(transfer);
    int fd = transfer->asked.hold_body && large ? output_descriptor(&transfer->output) : -1;
    if (fd < 0 || fetchd_write_body_to(transfer->request, fd) < 0)
        fetchd_take_body(transfer->request);
    else
        transfer->watched = fd;
}

static void on_response(struct transfer *transfer, const struct fetchd_event *event)
{
    const char *length = fetchd_find_header(event->response, "content-length");
    const char *coding = fetchd_find_header(event->response, "content-encoding");
    copy_free(transfer->response);
    transfer->response = copy_response(event->response);
    if (transfer->options->verbose)
        trace_response(event->response, false);
    check_status(transfer, event->response);
    check_resume(transfer, event->response);
    write_headers(transfer, event->response, transfer->code == 0 || transfer->options->fail_with_body);
    save_etag(transfer, event->response);
    if (transfer->ignores_body) {
        fetchd_take_body(transfer->request);
        return;
    }
    if (length && !(coding && transfer->asked.compressed))
        progress_set_total(&transfer->progress, transfer->progress.start_bytes + strtoull(length, NULL, 10));
    place_body(transfer, length ? strtoull(length, NULL, 10) : UINT64_MAX);
}

static void on_data(struct transfer *transfer, const struct fetchd_event *event)
{
    if (transfer->ignores_body)
        return;
    transfer->body_bytes += event->size;
    progress_add(&transfer->progress, event->size);
    if (output_write(&transfer->output, event->data, event->size) < 0) {
        fail(transfer, EXIT_WRITE, "writing the body failed");
        stop(transfer);
    }
}

static void on_writable(struct transfer *transfer, const struct fetchd_event *event)
{
    (void)event;
    transfer->may_write = true;
}

static void on_rewind(struct transfer *transfer, const struct fetchd_event *event)
{
    (void)event;
    if (transfer->options->verbose)
        fputs("* sending the body again\n", stderr);
    body_rewind(transfer->body);
    transfer->chunk_at = transfer->chunk_length = 0;
    transfer->body_sent = transfer->may_write = false;
}

/* How far the worker has come with the file. */
static void watch_file(struct transfer *transfer)
{
    struct stat status;
    if (transfer->watched >= 0 && transfer->body_bytes == 0 && fstat(transfer->watched, &status) == 0)
        progress_set(&transfer->progress, (uint64_t)status.st_size);
}

static void on_done(struct transfer *transfer, const struct fetchd_event *event)
{
    const struct fetchd_error *error = event->error;
    transfer->over = true;
    transfer->done = *event->done;
    snprintf(transfer->remote, sizeof transfer->remote, "%s", event->done->remote);
    transfer->done.remote = transfer->remote;
    transfer->done.error = NULL;
    transfer->done.trailers = NULL;
    transfer->done.trailer_count = 0;
    write_trailers(transfer, event->done);
    if (transfer->watched >= 0 && transfer->body_bytes == 0)
        transfer->body_bytes = event->done->body_bytes;
    watch_file(transfer);
    progress_end(&transfer->progress);
    if (transfer->options->verbose)
        trace_done(event->done);
    if (!error)
        return;
    /* What the daemon has tried it has tried as often as it may; the rest is ours. */
    transfer->retryable = error->retryable && error->attempts == 0 && !transfer->response
        && transfer->code == 0;
    transfer->moves = transfer->retryable && strcmp(error->name, "draining") == 0;
    fail(transfer, error->exit_code, "%s: %s", error->name, error->message);
}

static void on_connected(struct transfer *transfer, const struct fetchd_event *event)
{
    (void)event;
    if (transfer->options->verbose)
        trace_daemon(fetchd_daemon_info(transfer->client));
}

static on_event *const handlers[] = {
    [FETCHD_EVENT_HOP] = on_hop, [FETCHD_EVENT_RESPONSE] = on_response, [FETCHD_EVENT_DATA] = on_data,
    [FETCHD_EVENT_WRITABLE] = on_writable, [FETCHD_EVENT_REWIND] = on_rewind, [FETCHD_EVENT_DONE] = on_done,
    [FETCHD_EVENT_CONNECTED] = on_connected,
};

static void handle(struct transfer *transfer, const struct fetchd_event *event)
{
    bool known = (size_t)event->type < sizeof handlers / sizeof handlers[0] && handlers[event->type];
    if (known && (!event->request || event->request == transfer->request))
        handlers[event->type](transfer, event);
}

/* ---- the turn ---- */

static void wait_for_something(struct transfer *transfer)
{
    struct attend wait = { .client = transfer->client, .input = -1,
                           .timeout_ms = transfer->watched >= 0 && transfer->progress.on ? WATCH_MS : -1 };
    if (transfer->body && transfer->may_write && !transfer->body_sent
        && transfer->chunk_at == transfer->chunk_length)
        wait.input = body_wait_fd(transfer->body);
    if (attend(&wait) == 0)
        watch_file(transfer);
}

static void turn(struct transfer *transfer)
{
    const struct fetchd_event *event;
    fetchd_process(transfer->client);
    do {
        event = fetchd_next_event(transfer->client);
        if (event)
            handle(transfer, event);
        send_body(transfer);
    } while (event);
    fetchd_process(transfer->client);   /* what send_body() wrote */
}

static void start(struct transfer *transfer)
{
    if (transfer->options->verbose)
        trace_request(&transfer->asked);
    transfer->request = fetchd_start(transfer->client, &transfer->asked, NULL);
    if (transfer->request)
        return;
    const struct fetchd_error *error = fetchd_last_error(transfer->client);
    transfer->retryable = error->retryable;
    transfer->moves = strcmp(error->name, "draining") == 0;
    fail(transfer, error->exit_code, "%s: %s", error->name, error->message);
    transfer->over = true;
}

void transfer_run(struct transfer *transfer)
{
    bool wants_bar = transfer->output.path && !transfer->options->silent && isatty(STDERR_FILENO);
    progress_start(&transfer->progress, wants_bar, transfer->resume_bytes);
    transfer->watched = -1;
    transfer->asked.hold_body = transfer->output.path && strcmp(transfer->output.path, "/dev/null") != 0;
    if (transfer->body && !transfer->chunk)
        transfer->chunk = must_allocate(TRANSFER_CHUNK_BYTES, 1);
    start(transfer);
    while (!transfer->over) {
        turn(transfer);
        if (!transfer->over)
            wait_for_something(transfer);
    }
    fetchd_release(transfer->request);
    transfer->request = NULL;
}

void transfer_reset(struct transfer *transfer)
{
    copy_free(transfer->response);
    free(transfer->message);
    transfer->response = NULL;
    transfer->message = NULL;
    transfer->code = 0;
    transfer->chunk_at = transfer->chunk_length = 0;
    transfer->may_write = transfer->body_sent = transfer->ignores_body = transfer->over = false;
    transfer->retryable = transfer->moves = false;
    transfer->body_bytes = 0;
    transfer->hops = 0;
}

void transfer_finish(struct transfer *transfer)
{
    transfer_reset(transfer);
    free(transfer->chunk);
    transfer->chunk = NULL;
}
