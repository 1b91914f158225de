/* A program on libfetchd that does what its stdin says, a command a line, and prints what comes of it,
 * a line each with tabs between the words. test_client.py drives it. Public header only. */
#include <fetchd/client.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAGS 64

static struct fetchd_client *client;
static struct fetchd_request *requests[TAGS];
static const char *const event_names[] = { "", "HOP", "RESPONSE", "DATA", "WRITABLE", "REWIND", "DONE",
                                           "CONNECTED", "DRAINING", "LOST" };
static unsigned long still_open;   /* by events */
static unsigned long long event_bytes[TAGS], event_sum[TAGS];

/* Zeroed; without memory the probe can't go on, which is not the library's fault. */
static char *buffer(size_t size)
{
    char *memory = calloc(1, size);
    if (!memory)
        exit(3);
    return memory;
}

static void print_error(const struct fetchd_error *error)
{
    if (error)
        printf("\terror=%s\tretryable=%d\texit=%d\tphase=%s\tworker=%u\tcurl=%u %s\tmessage=%s", error->name,
               error->retryable, error->exit_code, error->phase, error->worker, error->curl_code,
               error->curl_name, error->message);
}

static void print_response(const struct fetchd_response *response)
{
    if (!response)
        return;
    printf("\tstatus=%u\tversion=%s\turl=%s", response->status, response->http_version, response->url);
    for (size_t i = 0; i < response->header_count; i++)
        printf("\t%s: %s", response->headers[i].name, response->headers[i].value);
}

static void print_done(const struct fetchd_done *done)
{
    if (!done)
        return;
    printf("\tworker=%u\tattempts=%u\ttotal=%llu\tremote=%s", done->worker, done->attempts,
           (unsigned long long)done->body_bytes, done->remote);
    printf("\traw=%llu\tcomplete=%d\tqueue=%llu\tredirect=%llu\tsent=%llu",
           (unsigned long long)done->raw_body_bytes, done->complete, (unsigned long long)done->queue_us,
           (unsigned long long)done->redirect_us, (unsigned long long)done->sent_us);
    for (size_t i = 0; i < done->trailer_count; i++)
        printf("\t%s: %s", done->trailers[i].name, done->trailers[i].value);
    print_error(done->error);
}

static void count(unsigned long tag, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    event_bytes[tag] += size;
    for (size_t i = 0; i < size; i++)
        event_sum[tag] = event_sum[tag] * 31 + bytes[i];
}

static int print_event(const struct fetchd_event *event)
{
    unsigned long tag = (unsigned long)(uintptr_t)event->user;
    if (event->type == FETCHD_EVENT_DATA) {
        count(tag, event->data, event->size);
        return 0;
    }
    printf("event\t%s\t%lu", event_names[event->type], tag);
    if (event->type == FETCHD_EVENT_DONE)
        printf("\tbytes=%llu\tsum=%llu", event_bytes[tag], event_sum[tag]);
    if (event->type == FETCHD_EVENT_WRITABLE)
        printf("\troom=%zu", event->size);
    print_response(event->response);
    print_done(event->done);
    if (!event->done)
        print_error(event->error);
    putchar('\n');
    still_open -= event->type == FETCHD_EVENT_DONE;
    return event->type == FETCHD_EVENT_DONE;
}

/* ---- commands ---- */

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

static void fill(struct fetchd_options *options, char **words)
{
    fetchd_options_init(options, sizeof *options);
    options->url = value_of(words, "url");
    options->method = value_of(words, "method");
    options->body = value_of(words, "body");
    options->body_size = options->body ? strlen(options->body) : 0;
    options->body_streamed = number_of(words, "streamed") != 0;
    options->body_length = number_of(words, "length");
    options->rewindable = number_of(words, "rewindable") != 0;
    options->window_bytes = (uint32_t)number_of(words, "window");
    options->max_body_bytes = number_of(words, "max");
    options->max_header_bytes = number_of(words, "max_headers");
    options->expect_timeout_ms = (unsigned)number_of(words, "expect");
    options->redirect_https_only = number_of(words, "https_only") != 0;
    if (number_of(words, "decorated")) {
        static const struct fetchd_header headers[] = { { "X-One", "1" }, { "Accept", NULL }, { "X-Empty", "" } };
        static const struct fetchd_header query[] = { { "a b", "c&d" }, { "alone", NULL }, { "\xc3\xa4", "" } };
        options->headers = headers;
        options->header_count = 3;
        options->query = query;
        options->query_count = 3;
    }
}

static unsigned long tag_of(char **words)
{
    return number_of(words, "tag") % TAGS;
}

static int ms_of(char **words)
{
    return value_of(words, "ms") ? atoi(value_of(words, "ms")) : 20000;
}

static void print_failure(const char *what)
{
    printf("%s\tfailed", what);
    print_error(fetchd_last_error(client));
    putchar('\n');
}

static void do_open(char **words)
{
    client = fetchd_open(value_of(words, "address"));
    fetchd_set_name(client, "probe/1");
    puts("open");
}

static void do_close(char **words)
{
    (void)words;
    fetchd_close(client);
    client = NULL;
    puts("close");
}

static void do_start(char **words)
{
    struct fetchd_options options;
    unsigned long tag = tag_of(words);
    fill(&options, words);
    event_bytes[tag] = event_sum[tag] = 0;
    requests[tag] = fetchd_start(client, &options, (void *)(uintptr_t)tag);
    still_open += requests[tag] != NULL;
    if (requests[tag])
        printf("start\t%lu\n", tag);
    else
        print_failure("start");
}

/* Takes events until `dones` of them were DONE, or one of the type `until` came, or nothing for `ms`. */
static void do_events(char **words)
{
    unsigned long wanted = value_of(words, "dones") ? number_of(words, "dones") : (unsigned long)-1, seen = 0;
    const char *until = value_of(words, "until");
    const struct fetchd_event *event;
    bool enough = false;
    while (!enough && fetchd_wait(client, ms_of(words))) {
        while ((event = fetchd_next_event(client))) {
            seen += (unsigned long)print_event(event);
            enough = enough || seen >= wanted || (until && strcmp(until, event_names[event->type]) == 0);
        }
    }
    puts("events");
}

/* The same by the one descriptor and poll(), as an event loop does. */
static void do_poll(char **words)
{
    unsigned long wanted = number_of(words, "dones"), seen = 0;
    const struct fetchd_event *event;
    fetchd_process(client);
    while (seen < wanted) {
        struct pollfd wait = { .fd = fetchd_fd(client), .events = POLLIN };
        while ((event = fetchd_next_event(client)))
            seen += (unsigned long)print_event(event);
        if (still_open == 0)
            break;
        if (seen < wanted && poll(&wait, 1, ms_of(words)) <= 0)
            break;
        fetchd_process(client);
    }
    puts("poll");
}

static void do_fd(char **words)
{
    (void)words;
    printf("fd\t%d\n", fetchd_fd(client));
}

static void do_pause(char **words)
{
    fetchd_pause(requests[tag_of(words)], number_of(words, "on") != 0);
    puts("pause");
}

static void do_cancel(char **words)
{
    fetchd_cancel(requests[tag_of(words)]);
    fetchd_process(client);
    puts("cancel");
}

static void do_release(char **words)
{
    fetchd_release(requests[tag_of(words)]);
    requests[tag_of(words)] = NULL;
    fetchd_process(client);
    puts("release");
}

/* Bytes that tell where they stand. */
static void do_write(char **words)
{
    size_t size = number_of(words, "size"), from = number_of(words, "from");
    char *data = buffer(size + 1);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)('a' + (from + i) % 26);
    int64_t taken = fetchd_write(requests[tag_of(words)], data, size, ms_of(words));
    fetchd_process(client);
    free(data);
    printf("write\t%lld\n", (long long)taken);
}

static void do_finish(char **words)
{
    int result = fetchd_finish_body(requests[tag_of(words)]);
    fetchd_process(client);
    printf("finish\t%d\n", result);
}

static void do_rewound(char **words)
{
    printf("rewound\t%d\n", fetchd_rewound(requests[tag_of(words)]));
}

static void do_response(char **words)
{
    const struct fetchd_response *response = fetchd_wait_response(requests[tag_of(words)], ms_of(words));
    printf("response\t%s", response ? "came" : "none");
    print_response(response);
    putchar('\n');
}

/* One fetchd_read(). */
static void do_read(char **words)
{
    size_t size = number_of(words, "size");
    char *data = buffer(size + 1);
    int64_t got = fetchd_read(requests[tag_of(words)], data, size, ms_of(words));
    printf("read\t%lld\t%.*s", (long long)got, got > 0 && got < 64 ? (int)got : 0, data);
    if (got == FETCHD_FAILED)
        print_error(fetchd_last_error(client));
    putchar('\n');
    free(data);
}

/* fetchd_read() to the end. */
static void do_drain(char **words)
{
    size_t size = number_of(words, "size");
    char *data = buffer(size + 1);
    unsigned long tag = tag_of(words);
    int64_t got;
    while ((got = fetchd_read(requests[tag], data, size, ms_of(words))) > 0)
        count(tag, data, (size_t)got);
    printf("drain\t%lld\tbytes=%llu\tsum=%llu", (long long)got, event_bytes[tag], event_sum[tag]);
    if (got == FETCHD_FAILED)
        print_error(fetchd_last_error(client));
    putchar('\n');
    free(data);
}

static void do_done(char **words)
{
    const struct fetchd_done *done = fetchd_wait_done(requests[tag_of(words)], ms_of(words));
    printf("done\t%s", done ? "came" : "none");
    print_done(done);
    putchar('\n');
}

static void do_fetch(char **words)
{
    struct fetchd_options options;
    char *large = NULL;
    fill(&options, words);
    if (value_of(words, "size")) {
        options.body_size = number_of(words, "size");
        options.body = large = buffer(options.body_size + 1);
        for (size_t i = 0; i < options.body_size; i++)
            large[i] = (char)('a' + i % 26);
    }
    struct fetchd_reply *reply = fetchd_fetch(client, &options, ms_of(words));
    free(large);
    if (reply) {
        printf("fetch\t%zu\tbody=%.*s", reply->body_size, reply->body_size < 64 ? (int)reply->body_size : 0,
               reply->body);
        print_response(reply->response);
        print_done(reply->done);
        putchar('\n');
    } else {
        print_failure("fetch");
    }
    fetchd_reply_free(reply);
}

static void do_connect(char **words)
{
    if (fetchd_connect(client, ms_of(words)) < 0) {
        print_failure("connect");
        return;
    }
    const struct fetchd_daemon *daemon = fetchd_daemon_info(client);
    printf("connect\t%s\t%s\t%s\t%u\t%u\tfeatures", daemon->address, daemon->server, daemon->instance,
           daemon->protocol, daemon->max_requests);
    for (size_t i = 0; i < daemon->feature_count; i++)
        printf("\t%s", daemon->features[i]);
    putchar('\n');
}

static void do_ping(char **words)
{
    int64_t us = fetchd_ping(client, ms_of(words));
    if (us < 0)
        print_failure("ping");
    else
        puts("ping\tok");
}

static void do_status(char **words)
{
    char *status = fetchd_status_json(client, ms_of(words));
    if (status)
        printf("status\t%s\n", status);
    else
        print_failure("status");
    fetchd_free(status);
}

static void do_reload(char **words)
{
    if (fetchd_reload(client, ms_of(words)) < 0)
        print_failure("reload");
    else
        puts("reload\tok");
}

/* The child takes its events and fetches; the parent waits for it. */
static void do_fork(char **words)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        do_events((char *[]){ (char[]){ "ms=0" }, NULL });
        do_fetch(words);
        fetchd_close(client);
        exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    printf("fork\t%d\n", status);
}

static const struct { const char *name; void (*run)(char **words); } commands[] = {
    { "open", do_open }, { "close", do_close }, { "start", do_start }, { "events", do_events },
    { "poll", do_poll }, { "fd", do_fd }, { "pause", do_pause }, { "cancel", do_cancel },
    { "release", do_release }, { "write", do_write }, { "finish", do_finish }, { "rewound", do_rewound },
    { "response", do_response }, { "read", do_read }, { "drain", do_drain }, { "done", do_done },
    { "fetch", do_fetch }, { "connect", do_connect }, { "ping", do_ping }, { "status", do_status },
    { "reload", do_reload }, { "fork", do_fork },
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
