/* Many URLs over one connection: as many in flight as asked for, each with a line at its end. */
#include "batch.h"

#include "client/json.h"
#include "lines.h"
#include "memory.h"
#include "recipe.h"
#include "say.h"

#include <errno.h>
#include <poll.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECT_MS 10000

struct item {
    char *url;
    struct fetchd_request *request;
    int64_t start_us;
    unsigned status;
    char http_version[8];
    uint64_t bytes;
    SHA2_CTX hash;
};

struct batch {
    const struct options *options;
    struct fetchd_client *client;
    struct recipe recipe;
    struct lines lines;
    size_t limit, in_flight;
    char *held;                /* a URL that the daemon could not take yet */
    struct text out;
    int code;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- the lines ---- */

static void put_hash(struct batch *batch, struct item *item)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_LENGTH];
    char text[2 * SHA256_DIGEST_LENGTH];
    if (!batch->options->hash)
        return;
    SHA256Final(digest, &item->hash);
    for (size_t i = 0; i < sizeof digest; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    json_name(&batch->out, "sha256");
    json_string_bytes(&batch->out, text, sizeof text);
}

static void put_error(struct text *out, const struct fetchd_error *error)
{
    json_name(out, "error");
    json_begin_object(out);
    json_name(out, "name");
    json_string(out, error->name);
    json_name(out, "message");
    json_string(out, error->message);
    json_name(out, "phase");
    json_string(out, error->phase);
    json_name(out, "retryable");
    json_bool(out, error->retryable);
    json_end_object(out);
}

static void put_line(struct batch *batch, struct item *item, const struct fetchd_done *done,
                     const struct fetchd_error *error)
{
    struct text *out = &batch->out;
    json_begin_object(out);
    json_name(out, "url");
    json_string(out, item->url);
    json_name(out, "status");
    json_uint(out, item->status);
    json_name(out, "bytes");
    json_uint(out, item->bytes);
    put_hash(batch, item);
    json_name(out, "http_version");
    json_string(out, item->http_version);
    json_name(out, "worker");
    json_uint(out, done ? done->worker : 0);
    json_name(out, "attempts");
    json_uint(out, done ? done->attempts : 0);
    json_name(out, "time_ms");
    json_number(out, (double)(now_us() - item->start_us) / 1000, 3);
    if (error)
        put_error(out, error);
    json_end_object(out);
    text_add_char(out, '\n');
}

/* All lines of a turn leave at once. */
static int flush_lines(struct batch *batch)
{
    struct text *out = &batch->out;
    bool written = out->length == 0 || fwrite(out->data, 1, out->length, stdout) == out->length;
    text_reset(out);
    if (written && fflush(stdout) == 0)
        return 0;
    say("can't write stdout: %s", strerror(errno));
    return EXIT_WRITE;
}

static void end_item(struct batch *batch, struct item *item, const struct fetchd_done *done,
                     const struct fetchd_error *error)
{
    put_line(batch, item, done, error);
    if (error)
        batch->code = error->exit_code;
    else if (batch->options->fail && item->status >= 400)
        batch->code = EXIT_HTTP_ERROR;
    fetchd_release(item->request);
    free(item->url);
    free(item);
}

/* ---- asking ---- */

static struct item *new_item(const char *url)
{
    struct item *item = must_allocate(1, sizeof *item);
    item->url = must_copy(url);
    item->start_us = now_us();
    SHA256Init(&item->hash);
    return item;
}

/* False when the daemon can't take it now but may when others have ended. */
static bool start(struct batch *batch, const char *url)
{
    struct fetchd_options asked = batch->recipe.options;
    struct item *item = new_item(url);
    asked.url = item->url;
    item->request = fetchd_start(batch->client, &asked, item);
    if (item->request) {
        batch->in_flight++;
        return true;
    }
    const struct fetchd_error *error = fetchd_last_error(batch->client);
    if (error->retryable && batch->in_flight > 0) {
        free(item->url);
        free(item);
        return false;
    }
    end_item(batch, item, NULL, error);
    return true;
}

static void fill(struct batch *batch)
{
    char *line;
    while (batch->in_flight < batch->limit) {
        if (batch->held) {
            if (!start(batch, batch->held))
                return;
            free(batch->held);
            batch->held = NULL;
        } else if (!(line = lines_next(&batch->lines))) {
            return;
        } else if (!start(batch, line)) {
            batch->held = must_copy(line);
            return;
        }
    }
}

/* ---- what comes ---- */

static void take(struct batch *batch, const struct fetchd_event *event)
{
    struct item *item = event->user;
    if (event->type == FETCHD_EVENT_RESPONSE) {
        item->status = event->response->status;
        snprintf(item->http_version, sizeof item->http_version, "%s", event->response->http_version);
    } else if (event->type == FETCHD_EVENT_DATA) {
        item->bytes += event->size;
        if (batch->options->hash)
            SHA256Update(&item->hash, event->data, event->size);
    } else if (event->type == FETCHD_EVENT_DONE) {
        batch->in_flight--;
        end_item(batch, item, event->done, event->error);
    }
}

static void turn(struct batch *batch)
{
    const struct fetchd_event *event;
    fetchd_process(batch->client);
    do {
        fill(batch);
        event = fetchd_next_event(batch->client);
        if (event)
            take(batch, event);
    } while (event);
}

static bool is_over(const struct batch *batch)
{
    return batch->in_flight == 0 && !batch->held && batch->lines.ended
        && batch->lines.at >= batch->lines.text.length;
}

static int run(struct batch *batch)
{
    for (;;) {
        turn(batch);
        int code = flush_lines(batch);
        if (code != 0)
            return code;
        if (is_over(batch))
            return batch->code;
        bool wants_lines = !batch->lines.ended && !batch->held && batch->in_flight < batch->limit;
        struct pollfd waits[] = {
            { .fd = fetchd_fd(batch->client), .events = POLLIN },
            { .fd = wants_lines ? batch->lines.fd : -1, .events = POLLIN },
        };
        poll(waits, 2, -1);
        if (waits[1].revents && lines_read(&batch->lines) < 0) {
            say("can't read the list: %s", strerror(errno));
            return EXIT_READ;
        }
    }
}

/* Not more at once than the daemon allows a connection. */
static int connect_first(struct batch *batch)
{
    if (fetchd_connect(batch->client, CONNECT_MS) < 0) {
        const struct fetchd_error *error = fetchd_last_error(batch->client);
        say("(%d) %s: %s", error->exit_code, error->name, error->message);
        return error->exit_code;
    }
    unsigned most = fetchd_daemon_info(batch->client)->max_requests;
    batch->limit = (size_t)batch->options->concurrency;
    if (most > 0 && batch->limit > most)
        batch->limit = most;
    return 0;
}

static int prepare(struct batch *batch)
{
    const struct options *options = batch->options;
    if (options->words.count != 1 || options->concurrency == 0) {
        say(options->concurrency == 0 ? "--concurrency must be at least 1"
                                      : "batch needs one FILE, or - for stdin");
        return EXIT_USAGE;
    }
    if (lines_open(&batch->lines, options->words.items[0]) < 0) {
        say("can't read %s: %s", options->words.items[0], strerror(errno));
        return EXIT_READ;
    }
    int code = recipe_init(&batch->recipe, options);
    if (code == 0 && options->data.length > FETCHD_INLINE_BODY_BYTES) {
        say("batch sends bodies of at most %d bytes", FETCHD_INLINE_BODY_BYTES);
        code = EXIT_UNSUPPORTED;
    }
    batch->recipe.options.body = options->data.data;
    batch->recipe.options.body_size = options->data.length;
    return code == 0 ? connect_first(batch) : code;
}

int batch_run(struct fetchd_client *client, const struct options *options)
{
    struct batch batch = { .options = options, .client = client, .lines.fd = -1 };
    int code = prepare(&batch);
    if (code == 0)
        code = run(&batch);
    free(batch.held);
    lines_close(&batch.lines);
    recipe_finish(&batch.recipe);
    text_finish(&batch.out);
    return code;
}
