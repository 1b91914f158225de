/* A WebSocket between stdin and stdout. */
#include "ws.h"

#include "attend.h"
#include "input.h"
#include "interrupt.h"
#include "memory.h"
#include "output.h"
#include "recipe.h"
#include "say.h"
#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct ws {
    const struct options *options;
    struct fetchd_client *client;
    struct recipe recipe;
    struct fetchd_request *socket;
    struct input input;
    struct output output;
    bool is_raw;               /* -o: bytes as they came */
    bool may_write, open, closing, over;
    uint64_t received;
    int code;
};

/* ---- out ---- */

static void fail(struct ws *ws, int code, const char *text)
{
    if (ws->code != 0)
        return;
    ws->code = code;
    if (!ws->options->silent || ws->options->show_error)
        say("(%d) %s", code, text);
}

static void begin_close(struct ws *ws)
{
    if (ws->closing)
        return;
    ws->closing = true;
    if (ws->options->verbose)
        fputs("> close 1000\n", stderr);
    fetchd_ws_close(ws->socket, 1000, NULL, 0);
}

/* A text on a terminal may have lines and tabs, and nothing that moves the cursor. */
static int print_text(struct ws *ws, const struct fetchd_ws_message *message)
{
    const char *text = message->data;
    if (!output_is_terminal(&ws->output) || ws->is_raw)
        return output_write(&ws->output, text, message->size);
    for (size_t i = 0; i < message->size; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f
            || (c == 0xc2 && i + 1 < message->size && (unsigned char)text[i + 1] < 0xa0);
        putchar(is_control ? '?' : c);
        i += c == 0xc2 && is_control;
    }
    return 0;
}

static void print_message(struct ws *ws, const struct fetchd_ws_message *message)
{
    int result = 0;
    if (message->kind == FETCHD_WS_TEXT) {
        result = print_text(ws, message);
        if (result == 0)
            result = output_write(&ws->output, "\n", 1);
    } else if (ws->is_raw) {
        result = output_write(&ws->output, message->data, message->size);
    } else {
        fprintf(stderr, "[binary message, %zu bytes]\n", message->size);
    }
    if (result < 0) {
        ws->code = EXIT_WRITE;
        begin_close(ws);
    }
}

static void trace_control(const struct fetchd_ws_message *message)
{
    if (message->kind == FETCHD_WS_CLOSE)
        fprintf(stderr, "< close %u%s", message->code, message->size > 0 ? " " : "");
    else
        fprintf(stderr, "< %s%s", message->kind == FETCHD_WS_PING ? "ping" : "pong",
                message->size > 0 ? " " : "");
    char *text = must_copy_bytes(message->data, message->size);
    say_foreign(stderr, text);
    putc('\n', stderr);
    free(text);
}

/* ---- events ---- */

typedef void on_event(struct ws *ws, const struct fetchd_event *event);

static void on_connected(struct ws *ws, const struct fetchd_event *event)
{
    (void)event;
    if (ws->options->verbose)
        trace_daemon(fetchd_daemon_info(ws->client));
}

static void on_hop(struct ws *ws, const struct fetchd_event *event)
{
    if (ws->options->verbose)
        trace_response(event->response, true);
}

static void on_response(struct ws *ws, const struct fetchd_event *event)
{
    if (ws->options->verbose)
        trace_response(event->response, false);
    ws->open = event->type == FETCHD_EVENT_WS_OPEN;
}

static void on_message(struct ws *ws, const struct fetchd_event *event)
{
    const struct fetchd_ws_message *message = event->message;
    if (message->kind >= FETCHD_WS_CLOSE) {
        trace_control(message);
        return;
    }
    if (ws->options->count > 0 && ws->received >= ws->options->count)
        return;
    ws->received++;
    print_message(ws, message);
    if (ws->received == ws->options->count)
        begin_close(ws);
}

static void on_writable(struct ws *ws, const struct fetchd_event *event)
{
    (void)event;
    ws->may_write = true;
}

static void on_reopen(struct ws *ws, const struct fetchd_event *event)
{
    (void)event;
    ws->may_write = ws->open = false;
    if (!ws->options->silent)
        say("the worker was lost; opening the WebSocket again, messages may be missing");
    if (!ws->input.in_line)
        return;
    fail(ws, EXIT_SEND, "a long line was cut in two by that");
    begin_close(ws);
}

/* Its end: whose wish it was, and whether all was done that was to be done. */
static void judge_close(struct ws *ws, const struct fetchd_done *done)
{
    const struct options *options = ws->options;
    char text[128];
    if (options->count > 0 && ws->received < options->count && !ws->closing) {
        snprintf(text, sizeof text, "the server closed after %" PRIu64 " of %" PRIu64 " messages",
                 ws->received, options->count);
        fail(ws, EXIT_PARTIAL, text);
    } else if (!ws->closing && ws->input.end > ws->input.start) {
        fail(ws, EXIT_SEND, "the server closed before all was sent");
    }
    bool is_plain = done->close_code == 1000 || done->close_code == 1001 || done->close_code == 1005;
    if ((!is_plain && !options->silent) || options->verbose)
        say("closed with %u %s", done->close_code, done->close_reason);
}

static void on_done(struct ws *ws, const struct fetchd_event *event)
{
    char text[1024];
    ws->over = true;
    if (ws->options->verbose)
        trace_done(event->done);
    if (!event->error) {
        judge_close(ws, event->done);
        return;
    }
    snprintf(text, sizeof text, "%s: %s", event->error->name, event->error->message);
    fail(ws, event->error->exit_code, text);
}

static on_event *const handlers[] = {
    [FETCHD_EVENT_CONNECTED] = on_connected, [FETCHD_EVENT_HOP] = on_hop,
    [FETCHD_EVENT_RESPONSE] = on_response,   [FETCHD_EVENT_WS_OPEN] = on_response,
    [FETCHD_EVENT_WS_MESSAGE] = on_message,  [FETCHD_EVENT_WRITABLE] = on_writable,
    [FETCHD_EVENT_WS_REOPEN] = on_reopen,    [FETCHD_EVENT_DONE] = on_done,
};

static void handle(struct ws *ws, const struct fetchd_event *event)
{
    if ((size_t)event->type < sizeof handlers / sizeof handlers[0] && handlers[event->type])
        handlers[event->type](ws, event);
}

/* ---- in ---- */

static void send_line(struct ws *ws, const char *data, size_t size, bool more)
{
    enum fetchd_ws_kind kind = ws->options->binary ? FETCHD_WS_BINARY : FETCHD_WS_TEXT;
    int64_t taken = fetchd_ws_send(ws->socket, kind, data, size, more, 0);
    if (taken == (int64_t)size) {
        input_take(&ws->input, size, !more);
    } else if (taken == FETCHD_FAILED) {
        const struct fetchd_error *error = fetchd_last_error(ws->client);
        fail(ws, error->exit_code, error->message);
        begin_close(ws);
    } else {
        input_take(&ws->input, taken > 0 ? (size_t)taken : 0, false);
        ws->may_write = false;
    }
}

static void send_input(struct ws *ws)
{
    const char *data;
    size_t size;
    bool more;
    while (ws->may_write && !ws->closing && input_line(&ws->input, &data, &size, &more))
        send_line(ws, data, size, more);
    if (input_is_over(&ws->input) && ws->open && ws->options->count == 0)
        begin_close(ws);
}

static void read_input(struct ws *ws)
{
    if (input_read(&ws->input, STDIN_FILENO) == 0)
        return;
    if (errno == EIO || errno == EBADF)
        return;   /* a terminal that went away, or none at all: as its end */
    fail(ws, EXIT_READ, strerror(errno));
    begin_close(ws);
}

/* ---- the turn ---- */

static void wait_for_something(struct ws *ws)
{
    bool reads = ws->may_write && !ws->closing && input_wants(&ws->input);
    struct attend wait = { .client = ws->client, .input = reads ? STDIN_FILENO : -1, .interrupts = true,
                           .timeout_ms = -1 };
    if (attend(&wait) < 0)
        return;
    if (wait.has_input)
        read_input(ws);
    if (wait.has_interrupt && interrupt_take() != 0) {
        if (ws->open)
            begin_close(ws);
        else
            fetchd_cancel(ws->socket);
    }
}

static void turn(struct ws *ws)
{
    const struct fetchd_event *event;
    fetchd_process(ws->client);
    do {
        event = fetchd_next_event(ws->client);
        if (event)
            handle(ws, event);
        if (!ws->over)
            send_input(ws);
    } while (event && !ws->over);
    fflush(ws->output.file ? ws->output.file : stdout);
    fetchd_process(ws->client);   /* what was sent */
}

static void run(struct ws *ws)
{
    if (ws->options->verbose)
        trace_request(&ws->recipe.options);
    ws->socket = fetchd_start(ws->client, &ws->recipe.options, NULL);
    if (!ws->socket) {
        char text[1024];
        const struct fetchd_error *error = fetchd_last_error(ws->client);
        snprintf(text, sizeof text, "%s: %s", error->name, error->message);
        fail(ws, error->exit_code, text);
        return;
    }
    while (!ws->over) {
        turn(ws);
        if (!ws->over)
            wait_for_something(ws);
    }
    fetchd_release(ws->socket);
}

static int check(const struct options *options)
{
    const char *url = options->words.count == 1 ? options->words.items[0] : "";
    if (options->words.count != 1) {
        say("give one URL; try 'fetchctl help ws'");
        return EXIT_USAGE;
    }
    if (strncasecmp(url, "ws:", 3) != 0 && strncasecmp(url, "wss:", 4) != 0) {
        say("the URL of a WebSocket begins with ws:// or wss://");
        return EXIT_USAGE;
    }
    if (options->outputs.count > 1) {
        say("-o can be given once");
        return EXIT_USAGE;
    }
    return 0;
}

static void choose(struct ws *ws)
{
    const struct options *options = ws->options;
    struct fetchd_options *asked = &ws->recipe.options;
    asked->url = options->words.items[0];
    asked->subprotocols = (const char *const *)options->subprotocols.items;
    asked->subprotocol_count = options->subprotocols.count;
    asked->ping_interval_ms = (unsigned)options->ping_ms;
    asked->control_frames = options->verbose;
    asked->reconnect = options->reconnect;
    ws->is_raw = options->outputs.count == 1;
    output_init(&ws->output, ws->is_raw ? options->outputs.items[0] : NULL, options->create_dirs);
    ws->output.may_be_binary = true;
}

int ws_run(struct fetchd_client *client, const struct options *options)
{
    struct ws *ws = must_allocate(1, sizeof *ws);
    ws->options = options;
    ws->client = client;
    int code = check(options);
    if (code == 0)
        code = recipe_init(&ws->recipe, options);
    if (code == 0 && interrupt_catch() < 0) {
        say("can't make a pipe: %s", strerror(errno));
        code = EXIT_READ;
    }
    if (code == 0) {
        choose(ws);
        run(ws);
        code = ws->code;
        if (output_end(&ws->output, code == 0) < 0 && code == 0)
            code = EXIT_WRITE;
    }
    recipe_finish(&ws->recipe);
    free(ws);
    return code;
}
