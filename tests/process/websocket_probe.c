/* A program on libfetchd's WebSockets that does what its stdin says, a command a line, and prints
 * what comes of it, a line each with tabs between the words. test_client_ws.py drives it. Public
 * header only. */
#include <fetchd/client.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAGS 4096

static struct fetchd_client *client;
static struct fetchd_request *sockets[TAGS];
static bool done[TAGS];                /* by its DONE event */
static const char *const event_names[] = {
    "", "HOP", "RESPONSE", "DATA", "WRITABLE", "REWIND", "DONE", "CONNECTED", "DRAINING", "LOST",
    "OPEN", "MESSAGE", "FLUSHED", "REOPEN",
};
static size_t event_counts[sizeof event_names / sizeof event_names[0]];

/* ---- words ---- */

static char *value_of(char **words, const char *name)
{
    size_t length = strlen(name);
    for (; *words; words++)
        if (strncmp(*words, name, length) == 0 && (*words)[length] == '=')
            return *words + length + 1;
    return NULL;
}

static unsigned long number_of(char **words, const char *name)
{
    char *value = value_of(words, name);
    return value ? strtoul(value, NULL, 10) : 0;
}

static unsigned long tag_of(char **words)
{
    return number_of(words, "tag") % TAGS;
}

static int ms_of(char **words)
{
    return value_of(words, "ms") ? atoi(value_of(words, "ms")) : 20000;
}

/* ---- printing ---- */

static unsigned long crc32_of(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    unsigned long crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320 & (0 - (crc & 1)));
    }
    return crc ^ 0xffffffff;
}

static void print_error(const struct fetchd_error *error)
{
    if (error)
        printf("\terror=%s\tretryable=%d\texit=%d\tmessage=%s", error->name, error->retryable,
               error->exit_code, error->message);
}

static void print_done(const struct fetchd_done *ended)
{
    if (!ended)
        return;
    printf("\tcode=%u\treason=%s\tworker=%u", ended->close_code, ended->close_reason, ended->worker);
    print_error(ended->error);
}

static void print_message(const struct fetchd_ws_message *message)
{
    printf("\tkind=%d\tmore=%d\tsize=%zu\tcrc=%lu", message->kind, message->more, message->size,
           crc32_of(message->data, message->size));
    if (message->kind == FETCHD_WS_CLOSE)
        printf("\tcode=%u", message->code);
    if (message->size < 64)
        printf("\tdata=%.*s", (int)message->size, (const char *)message->data);
}

static void print_failure(const char *what)
{
    printf("%s\tfailed", what);
    print_error(fetchd_last_error(client));
    putchar('\n');
}

static void print_result(const char *what, int64_t result)
{
    printf("%s\t%lld", what, (long long)result);
    if (result == FETCHD_FAILED)
        print_error(fetchd_last_error(client));
    putchar('\n');
}

static int print_event(const struct fetchd_event *event)
{
    printf("event\t%s\t%lu", event_names[event->type], (unsigned long)(uintptr_t)event->user);
    event_counts[event->type]++;
    if (event->response)
        printf("\tstatus=%u", event->response->status);
    if (event->type == FETCHD_EVENT_WRITABLE)
        printf("\troom=%zu", event->size);
    if (event->message)
        print_message(event->message);
    print_done(event->done);
    putchar('\n');
    if (event->done)
        done[(unsigned long)(uintptr_t)event->user] = true;
    return event->type == FETCHD_EVENT_DONE;
}

/* ---- commands ---- */

static void do_open(char **words)
{
    client = fetchd_open(value_of(words, "address"));
    puts("open");
}

static void fill(struct fetchd_options *options, char **words)
{
    static const char *protocols[1];
    fetchd_options_init(options, sizeof *options);
    options->url = value_of(words, "url");
    options->window_bytes = (uint32_t)number_of(words, "window");
    options->fragments = number_of(words, "fragments") != 0;
    options->control_frames = number_of(words, "control") != 0;
    options->reconnect = number_of(words, "reconnect") != 0;
    options->max_message_bytes = number_of(words, "max");
    options->ping_interval_ms = (unsigned)number_of(words, "interval");
    protocols[0] = value_of(words, "protocol");
    options->subprotocols = protocols;
    options->subprotocol_count = protocols[0] != NULL;
    options->ca_pem = value_of(words, "pem");
    options->ca_pem_size = options->ca_pem ? strlen(options->ca_pem) : 0;
}

static void do_ws(char **words)
{
    struct fetchd_options options;
    fill(&options, words);
    struct fetchd_request *socket = sockets[tag_of(words)] = fetchd_ws_open(client, &options, ms_of(words));
    if (!socket) {
        print_failure("ws");
        return;
    }
    const struct fetchd_response *response = fetchd_wait_response(socket, 0);
    const char *protocol = fetchd_find_header(response, "sec-websocket-protocol");
    printf("ws\topen\tstatus=%u\tprotocol=%s\n", response->status, protocol ? protocol : "");
}

static void do_start(char **words)
{
    struct fetchd_options options;
    fill(&options, words);
    done[tag_of(words)] = false;
    sockets[tag_of(words)] = fetchd_start(client, &options, (void *)(uintptr_t)tag_of(words));
    if (sockets[tag_of(words)])
        puts("start\tok");
    else
        print_failure("start");
}

/* Bytes that tell where they stand. */
static char *make_data(size_t size, size_t from)
{
    char *data = malloc(size + 1);
    if (!data)
        exit(3);   /* the test's memory, not the library's */
    for (size_t i = 0; i < size; i++)
        data[i] = (char)('a' + (from + i) % 26);
    data[size] = '\0';
    return data;
}

static void do_send(char **words)
{
    char *text = value_of(words, "text"), *made = NULL;
    size_t size = text ? strlen(text) : number_of(words, "size");
    enum fetchd_ws_kind kind =
        value_of(words, "kind") ? (enum fetchd_ws_kind)number_of(words, "kind") : FETCHD_WS_TEXT;
    if (!text)
        text = made = make_data(size, number_of(words, "from"));
    int64_t taken = fetchd_ws_send(sockets[tag_of(words)], kind, text, size, number_of(words, "more") != 0,
                                   ms_of(words));
    print_result("send", taken);
    free(made);
}

static void do_ping(char **words)
{
    char *text = value_of(words, "text");
    print_result("ping", fetchd_ws_ping(sockets[tag_of(words)], text, text ? strlen(text) : 0, ms_of(words)));
}

static void do_flush(char **words)
{
    print_result("flush", fetchd_ws_flush(sockets[tag_of(words)], ms_of(words)));
}

static void do_close(char **words)
{
    print_result("close", fetchd_ws_close(sockets[tag_of(words)], (unsigned)number_of(words, "code"),
                                          value_of(words, "reason"), ms_of(words)));
}

static void do_recv(char **words)
{
    const struct fetchd_ws_message *message;
    int result = fetchd_ws_recv(sockets[tag_of(words)], &message, ms_of(words));
    if (result != 0) {
        print_result("recv", result);
        return;
    }
    printf("recv\t0");
    print_message(message);
    putchar('\n');
}

/* Receives `count` messages with that timeout for each try, and says how often it expired. */
static void do_recvs(char **words)
{
    const struct fetchd_ws_message *message;
    unsigned long wanted = number_of(words, "count"), got = 0, expired = 0, bytes = 0, crc = 0;
    int result = 0;
    while (got < wanted && (result == 0 || result == FETCHD_TIMED_OUT)) {
        result = fetchd_ws_recv(sockets[tag_of(words)], &message, ms_of(words));
        expired += result == FETCHD_TIMED_OUT;
        if (result != 0)
            continue;
        got++;
        bytes += message->size;
        crc ^= crc32_of(message->data, message->size) + got;
    }
    printf("recvs\t%d\tgot=%lu\tbytes=%lu\tcrc=%lu\texpired=%lu\n", result, got, bytes, crc, expired);
}

/* Sends back what comes, from the very memory it came in. */
static void do_echo(char **words)
{
    const struct fetchd_ws_message *message;
    struct fetchd_request *socket = sockets[tag_of(words)];
    unsigned long wanted = number_of(words, "count"), echoed = 0;
    while (echoed < wanted && fetchd_ws_recv(socket, &message, ms_of(words)) == 0
           && fetchd_ws_send(socket, message->kind, message->data, message->size, false, ms_of(words))
               == (int64_t)message->size)
        echoed++;
    printf("echo\t%lu\n", echoed);
}

static bool has_open(void)
{
    for (size_t i = 0; i < TAGS; i++)
        if (sockets[i] && !done[i])
            return true;
    return false;
}

/* Takes events until `dones` of them were DONE, or `count` of the type `until` came, or nothing for `ms`. */
static void do_events(char **words)
{
    unsigned long wanted = value_of(words, "dones") ? number_of(words, "dones") : (unsigned long)-1, seen = 0;
    unsigned long count = value_of(words, "count") ? number_of(words, "count") : 1;
    const char *until = value_of(words, "until");
    const struct fetchd_event *event;
    bool enough = false;
    while (!enough && has_open() && fetchd_wait(client, ms_of(words))) {
        while (!enough && (event = fetchd_next_event(client))) {
            seen += (unsigned long)print_event(event);
            if (until && strcmp(until, event_names[event->type]) == 0)
                enough = --count == 0;
            enough = enough || seen >= wanted;
        }
    }
    fetchd_process(client);
    puts("events");
}

static void do_done(char **words)
{
    const struct fetchd_done *ended = fetchd_wait_done(sockets[tag_of(words)], ms_of(words));
    printf("done\t%s", ended ? "came" : "none");
    print_done(ended);
    putchar('\n');
}

static void do_pause(char **words)
{
    fetchd_pause(sockets[tag_of(words)], number_of(words, "on") != 0);
    fetchd_process(client);
    puts("pause");
}

static void do_cancel(char **words)
{
    fetchd_cancel(sockets[tag_of(words)]);
    puts("cancel");
}

static void do_release(char **words)
{
    fetchd_release(sockets[tag_of(words)]);
    sockets[tag_of(words)] = NULL;
    fetchd_process(client);
    puts("release");
}

static void do_write(char **words)
{
    print_result("write", fetchd_write(sockets[tag_of(words)], "x", 1, 0));
}

static void do_fetch(char **words)
{
    struct fetchd_options options;
    fill(&options, words);
    struct fetchd_reply *reply = fetchd_fetch(client, &options, ms_of(words));
    if (reply)
        printf("fetch\t%zu\n", reply->body_size);
    else
        print_failure("fetch");
    fetchd_reply_free(reply);
}

static const struct { const char *name; void (*run)(char **words); } commands[] = {
    { "open", do_open }, { "ws", do_ws }, { "start", do_start }, { "send", do_send }, { "ping", do_ping },
    { "flush", do_flush }, { "close", do_close }, { "recv", do_recv }, { "recvs", do_recvs },
    { "echo", do_echo }, { "events", do_events }, { "done", do_done }, { "pause", do_pause },
    { "cancel", do_cancel }, { "release", do_release }, { "write", do_write }, { "fetch", do_fetch },
};

static void run(char *line)
{
    char *words[16] = { NULL }, *rest = line;
    for (size_t count = 0; count < 15 && rest; count++) {
        words[count] = rest;
        rest = strchr(rest, ' ');
        if (rest)
            *rest++ = '\0';
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, words[0]) == 0)
            commands[i].run(words + 1);
    fflush(stdout);
}

int main(void)
{
    static char line[65536];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        run(line);
    }
    fetchd_close(client);
    return 0;
}
