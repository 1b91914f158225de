/* A list of requests over one connection: as many in flight as asked for, each with a line at its
 * end. */
#include "batch.h"

#include "answered.h"
#include "attend.h"
#include "disk.h"
#include "folder.h"
#include "interrupt.h"
#include "item.h"
#include "lanes.h"
#include "lines.h"
#include "memory.h"
#include "recipe.h"
#include "say.h"
#include "tally.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECT_MS 10000
#define REDRAW_MS  100
#define READ_AHEAD 4096 /* entries that wait for their origin; then the list waits */

struct batch {
    const struct options *options;
    struct fetchd_client *client;
    struct recipe recipe;
    struct lines lines;
    struct lanes lanes;
    struct answered answered;
    struct folder folder;
    struct tally tally;
    size_t limit, in_flight;
    uint64_t number;    /* of entries read */
    struct item *first; /* in flight */
    struct item *held;  /* the daemon could not take it yet */
    struct text out;
    FILE *file; /* of the lines */
    const char *file_name;
    bool stopped; /* nothing more is asked for */
    int signal;   /* that stopped it */
    int code;
    uint64_t code_number; /* of the entry that gave the code */
};

/* What stops the run counts more than any entry's failure; of those, the last in the list counts.
 */
static void stop(struct batch *batch, int code)
{
    batch->stopped = true;
    batch->code = code;
    batch->code_number = UINT64_MAX;
}

static void note_code(struct batch *batch, const struct item *item, int code)
{
    if (item->entry.number < batch->code_number)
        return;
    batch->code = code;
    batch->code_number = item->entry.number;
}

/* ---- the lines ---- */

/* All lines of a turn leave at once. */
static void flush_lines(struct batch *batch)
{
    struct text *out = &batch->out;
    bool written =
        out->length == 0 || fwrite(out->data, 1, out->length, batch->file) == out->length;
    if (written && !out->failed && fflush(batch->file) == 0) {
        text_reset(out);
        return;
    }
    say("can't write %s: %s", batch->file_name,
        out->failed ? "not enough memory" : strerror(errno));
    text_reset(out);
    stop(batch, EXIT_WRITE);
}

/* ---- items ---- */

static void free_item(struct batch *batch, struct item *item)
{
    fetchd_release(item->request);
    folder_drop(&batch->folder, &item->saved);
    item_finish(item);
}

static void enter(struct batch *batch, struct item *item)
{
    item->next = batch->first;
    if (batch->first)
        batch->first->previous = item;
    batch->first = item;
    batch->in_flight++;
}

static void leave(struct batch *batch, struct item *item)
{
    if (item->next)
        item->next->previous = item->previous;
    if (item->previous)
        item->previous->next = item->next;
    else
        batch->first = item->next;
    batch->in_flight--;
}

/* ---- bodies ---- */

static void fail_folder(struct batch *batch, const struct item *item)
{
    const char *name = item->saved.name ? item->saved.name : item->entry.url;
    if (errno == EEXIST)
        say("%s/.%s.part is there: go on with that run by --resume, or remove it",
            batch->options->output_dir, name);
    else
        say("can't write %s/%s: %s", batch->options->output_dir, name, strerror(errno));
    stop(batch, EXIT_WRITE);
}

static bool is_wanted(const struct batch *batch, const struct item *item)
{
    return !batch->options->fail || item->status < 400;
}

static int begin_file(struct batch *batch, struct item *item)
{
    if (item->saved.fd >= 0 || !batch->options->output_dir || !is_wanted(batch, item))
        return 0;
    if (folder_begin(&batch->folder, item->entry.output, item->entry.url, &item->saved) == 0)
        return 0;
    fail_folder(batch, item);
    return -1;
}

static void take_body(struct batch *batch, struct item *item, const struct fetchd_event *event)
{
    item->bytes += event->size;
    tally_add_bytes(&batch->tally, event->size);
    if (batch->options->hash)
        SHA256Update(&item->hash, event->data, event->size);
    if (batch->options->with_body)
        text_add(&item->body, event->data, event->size);
    if (begin_file(batch, item) == 0 && item->saved.fd >= 0 &&
        saved_write(&item->saved, event->data, event->size) < 0)
        fail_folder(batch, item);
}

/* The whole body is there. */
static int keep_file(struct batch *batch, struct item *item)
{
    if (begin_file(batch, item) < 0)
        return -1;
    if (item->saved.fd < 0 || folder_keep(&batch->folder, &item->saved) == 0)
        return 0;
    fail_folder(batch, item);
    return -1;
}

/* ---- ends ---- */

/* Without a line where its file could not be written: a later run asks for it again. */
static void end_item(struct batch *batch, struct item *item, const struct fetchd_done *done,
                     const struct fetchd_error *error)
{
    if (error || keep_file(batch, item) == 0) {
        item_put_line(&batch->out, item, batch->options, done, error);
        tally_add(&batch->tally, item->status, error ? error->name : NULL);
        if (error)
            note_code(batch, item, error->exit_code);
        else if (batch->options->fail && item->status >= 400)
            note_code(batch, item, EXIT_HTTP_ERROR);
    }
    free_item(batch, item);
}

static void end_wrong(struct batch *batch, struct item *item, const char *why)
{
    const struct fetchd_error error = {
        .name = "request.invalid",
        .message = why,
        .phase = "",
        .curl_name = "",
        .exit_code = fetchd_error_exit_code("request.invalid"),
    };
    end_item(batch, item, NULL, &error);
}

/* ---- asking ---- */

/* False when the daemon can't take it now but may when others have ended. */
static bool start(struct batch *batch, struct item *item)
{
    item_start(item);
    item->request = fetchd_start(batch->client, &item->entry.asked, item);
    if (item->request) {
        enter(batch, item);
        return true;
    }
    const struct fetchd_error *error = fetchd_last_error(batch->client);
    if (error->retryable && batch->in_flight > 0)
        return false;
    lanes_end(&batch->lanes, &item->entry);
    if (strcmp(error->name, "daemon.lost") == 0) { /* nor will the others reach it */
        say("(%d) %s: %s", error->exit_code, error->name, error->message);
        stop(batch, error->exit_code);
        free_item(batch, item);
    } else {
        end_item(batch, item, NULL, error);
    }
    return true;
}

/* One line more waits in its lane, or is answered already, or has its line because it is wrong. */
static void take_entry(struct batch *batch, const char *line)
{
    struct item *item = item_create(line, ++batch->number, &batch->recipe.options);
    const char *output = item->entry.output;
    if (answered_take(&batch->answered, item->entry.key)) {
        batch->tally.skipped++;
        free_item(batch, item);
    } else if (item->entry.wrong) {
        end_wrong(batch, item, item->entry.wrong);
    } else if (strncasecmp(item->entry.url, "ws:", 3) == 0 || strncasecmp(item->entry.url, "wss:", 4) == 0) {
        end_wrong(batch, item, "a list has no WebSockets: see fetchctl ws");
    } else if (output && !batch->options->output_dir) {
        end_wrong(batch, item, "\"output\" needs --output-dir, the folder it is in");
    } else if (output && !folder_claim(&batch->folder, output)) {
        end_wrong(batch, item, "another request has this \"output\"");
    } else {
        lanes_add(&batch->lanes, &item->entry);
    }
}

/* The next to be asked; NULL when there is none now. */
static struct item *next_item(struct batch *batch)
{
    struct entry *entry;
    char *line;
    struct item *item = batch->held;
    batch->held = NULL;
    if (item)
        return item;
    while (!(entry = lanes_next(&batch->lanes))) {
        if (batch->lanes.waiting >= READ_AHEAD || !(line = lines_next(&batch->lines)))
            return NULL;
        take_entry(batch, line);
    }
    return (struct item *)entry;
}

static void fill(struct batch *batch)
{
    struct item *item;
    while (!batch->stopped && batch->in_flight < batch->limit && (item = next_item(batch)))
        if (!start(batch, item)) {
            batch->held = item;
            return;
        }
}

/* ---- what comes ---- */

static void take_response(struct batch *batch, struct item *item,
                          const struct fetchd_response *response)
{
    item->status = response->status;
    snprintf(item->http_version, sizeof item->http_version, "%s", response->http_version);
    if (strcmp(response->url, item->entry.url) != 0) {
        free(item->url_effective);
        item->url_effective = must_copy(response->url);
    }
    if (batch->options->include)
        item_take_headers(item, response);
}

static void take(struct batch *batch, const struct fetchd_event *event)
{
    struct item *item = event->user;
    if (event->type == FETCHD_EVENT_RESPONSE) {
        take_response(batch, item, event->response);
    } else if (event->type == FETCHD_EVENT_DATA) {
        take_body(batch, item, event);
    } else if (event->type == FETCHD_EVENT_DONE) {
        leave(batch, item);
        lanes_end(&batch->lanes, &item->entry);
        end_item(batch, item, event->done, event->error);
    }
}

static void turn(struct batch *batch)
{
    const struct fetchd_event *event;
    fetchd_process(batch->client);
    do {
        fill(batch);
        event = batch->stopped ? NULL : fetchd_next_event(batch->client);
        if (event)
            take(batch, event);
    } while (event);
}

static bool is_over(const struct batch *batch)
{
    return batch->stopped || (batch->in_flight == 0 && !batch->held && batch->lanes.waiting == 0 &&
                              batch->lines.ended && batch->lines.at >= batch->lines.text.length);
}

static void wait_for_something(struct batch *batch)
{
    bool wants_lines = !batch->lines.ended && !batch->held && batch->in_flight < batch->limit &&
                       batch->lanes.waiting < READ_AHEAD;
    struct attend wait = { .client = batch->client, .input = wants_lines ? batch->lines.fd : -1,
                           .interrupts = true, .timeout_ms = batch->tally.draws ? REDRAW_MS : -1 };
    if (attend(&wait) <= 0)
        return;
    batch->signal = wait.has_interrupt ? interrupt_take() : 0;
    if (batch->signal != 0)
        stop(batch, 128 + batch->signal);
    if (wait.has_input && lines_read(&batch->lines) < 0) {
        say("can't read the list: %s", strerror(errno));
        stop(batch, EXIT_READ);
    }
}

static void run(struct batch *batch)
{
    for (;;) {
        turn(batch);
        flush_lines(batch);
        tally_draw(&batch->tally, batch->in_flight);
        if (is_over(batch))
            return;
        wait_for_something(batch);
    }
}

/* ---- before ---- */

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

static int check(const struct options *options)
{
    static const char *const wrong[] = {
        "batch needs one FILE, or - for stdin",
        "--concurrency must be at least 1",
        "-o can be given once",
        "--resume needs -o FILE: what is answered there is not asked again",
        "--output-dir and --with-body exclude each other",
    };
    const bool right[] = {
        options->words.count == 1,
        options->concurrency > 0,
        options->outputs.count <= 1,
        !options->resume || options->outputs.count == 1,
        !options->output_dir || !options->with_body,
    };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        if (right[i])
            continue;
        say("%s", wrong[i]);
        return EXIT_USAGE;
    }
    if (options->data.length <= FETCHD_INLINE_BODY_BYTES)
        return 0;
    say("batch sends bodies of at most %d bytes", FETCHD_INLINE_BODY_BYTES);
    return EXIT_UNSUPPORTED;
}

/* An output that is there already is hours of work, perhaps: it is gone on with or left alone. */
static int open_output(struct batch *batch)
{
    const struct options *options = batch->options;
    struct stat status;
    batch->file = stdout;
    batch->file_name = "stdout";
    if (options->outputs.count == 0)
        return 0;
    batch->file_name = options->outputs.items[0];
    int fd = open(batch->file_name, O_RDWR | O_CREAT | O_CLOEXEC, 0666), code = 0;
    if (fd < 0 || fstat(fd, &status) < 0) {
        say("can't write %s: %s", batch->file_name, strerror(errno));
        code = EXIT_WRITE;
    } else if (options->resume) {
        code = answered_read(&batch->answered, fd, batch->file_name);
    } else if (status.st_size > 0) {
        say("%s is there already: --resume goes on with it; else remove it, or choose another",
            batch->file_name);
        code = EXIT_WRITE;
    }
    if (code == 0)
        batch->file = fdopen(fd, "w");
    else if (fd >= 0)
        close(fd);
    return code;
}

static int open_folder(struct batch *batch)
{
    const char *path = batch->options->output_dir;
    batch->folder.resumed = batch->options->resume;
    if (!path)
        return 0;
    disk_raise_descriptors();   /* a file for each that is in flight */
    if (folder_open(&batch->folder, path) < 0) {
        say("can't write into %s: %s", path, strerror(errno));
        return EXIT_WRITE;
    }
    for (size_t i = 0; i < batch->answered.files.count; i++)
        folder_claim(&batch->folder, batch->answered.files.items[i]);
    return 0;
}

static void choose(struct batch *batch)
{
    const struct options *options = batch->options;
    struct fetchd_options *asked = &batch->recipe.options;
    asked->body = options->data.data;
    asked->body_size = options->data.length;
    if (options->with_body && asked->max_body_bytes == 0)
        asked->max_body_bytes = FETCHD_WHOLE_BODY_BYTES;
    batch->lanes.limit = (size_t)options->per_origin;
}

/* How many entries the list has; 0 when that can't be known yet. */
static uint64_t count_entries(const char *path)
{
    struct lines lines;
    struct stat status;
    uint64_t count = 0;
    if (strcmp(path, "-") == 0 || lines_open(&lines, path) < 0)
        return 0;
    if (fstat(lines.fd, &status) == 0 && S_ISREG(status.st_mode))
        do {
            while (lines_next(&lines))
                count++;
        } while (!lines.ended && lines_read(&lines) == 0);
    lines_close(&lines);
    return count;
}

/* Where the lines go to the same terminal they show themselves how far it is. */
static void begin_tally(struct batch *batch)
{
    const struct options *options = batch->options;
    bool draws = !options->silent && isatty(STDERR_FILENO) &&
                 (batch->file != stdout || !isatty(STDOUT_FILENO));
    tally_start(&batch->tally, draws);
    if (draws)
        batch->tally.total = count_entries(options->words.items[0]);
}

static int prepare(struct batch *batch)
{
    const struct options *options = batch->options;
    int code = check(options);
    if (code == 0 && lines_open(&batch->lines, options->words.items[0]) < 0) {
        say("can't read %s: %s", options->words.items[0], strerror(errno));
        code = EXIT_READ;
    }
    if (code == 0)
        code = recipe_init(&batch->recipe, options);
    if (code == 0)
        code = open_output(batch);
    if (code == 0)
        code = open_folder(batch);
    if (code == 0 && interrupt_catch() < 0) {
        say("can't make a pipe: %s", strerror(errno));
        code = EXIT_READ;
    }
    return code == 0 ? connect_first(batch) : code;
}

/* ---- after ---- */

/* What was not answered is dropped, with its half a body. */
static void finish(struct batch *batch)
{
    struct entry *entry;
    for (struct item *item = batch->first, *next; item; item = next) {
        next = item->next;
        free_item(batch, item);
    }
    if (batch->held)
        free_item(batch, batch->held);
    while ((entry = lanes_take(&batch->lanes)))
        free_item(batch, (struct item *)entry);
    lanes_finish(&batch->lanes);
    answered_finish(&batch->answered);
    folder_close(&batch->folder);
    lines_close(&batch->lines);
    recipe_finish(&batch->recipe);
    text_finish(&batch->out);
    if (batch->file && batch->file != stdout && fclose(batch->file) != 0 && batch->code == 0) {
        say("can't write %s: %s", batch->file_name, strerror(errno));
        batch->code = EXIT_WRITE;
    }
}

static const char *how_it_ended(const struct batch *batch)
{
    if (!batch->stopped)
        return "";
    return batch->signal != 0 ? "interrupted: " : "stopped: ";
}

int batch_run(struct fetchd_client *client, const struct options *options)
{
    struct batch batch = { .options = options, .client = client, .lines.fd = -1, .folder.fd = -1 };
    batch.code = prepare(&batch);
    if (batch.code == 0) {
        choose(&batch);
        begin_tally(&batch);
        run(&batch);
        if (!options->silent)
            tally_summarize(&batch.tally, how_it_ended(&batch));
    }
    finish(&batch);
    if (batch.signal != 0)
        interrupt_end(batch.signal);
    return batch.code;
}
