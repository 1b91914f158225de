/* request.c: every cell of its table, driven by frames of a client and a worker, by deaths and by
 * hang-ups; and what a request promises: exactly one DONE. */
#include "stage.h"

#include "daemon/sleeper.h"
#include "ipc/credit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct wire *client;
static struct stage_worker *worker;

/* Nothing happens by the clock within a test. */
#define SLOW "workers.backoff_min=10m", "workers.backoff_max=10m", "retry.delay=1h", "retry.max_delay=1h"

static struct ipc_fetch fetch_of(const char *url)
{
    struct ipc_fetch fetch;
    IPC_INIT(FETCH, &fetch);
    fetch.url = ipc_text(url);
    return fetch;
}

/* The request that is left, wherever it is; NULL for none. */
static struct request *find_request(void)
{
    for (struct session *session = stage.daemon->sessions; session; session = session->next)
        if (session->requests)
            return session->requests;
    for (unsigned i = 1; i <= stage.daemon->crew.size; i++)
        if (stage_seat(i)->requests)
            return stage_seat(i)->requests;
    for (struct supervisor *other = stage.daemon->crew.others; other; other = other->next)
        if (other->requests)
            return other->requests;
    return NULL;
}

static void start_worker(void)
{
    stage_start();
    worker = stage_newest();
    stage_make_ready(worker);
}

/* A client and a ready worker. */
static void begin(void)
{
    stage_begin(1, SLOW, NULL);
    start_worker();
    client = stage_connect();
}

/* A young one: its seat waits before it has another. */
static void wait_for_death(void)
{
    stage_until(stage_seat(1)->state == SUPERVISOR_WAITING);
}

static void kill_worker(struct stage_worker *victim)
{
    kill(victim->pid, SIGKILL);
    wire_close(&victim->wire);
    wait_for_death();
}

/* A worker in the dead one's place. */
static void replace_worker(void)
{
    kill_worker(worker);
    supervisor_event(stage_seat(1), SUPERVISOR_SPAWN, NULL);
    worker = stage_newest();
    stage_make_ready(worker);
}

/* Says FETCH as 1 and takes it at the worker; its id there. */
static uint32_t place(const struct ipc_fetch *fetch)
{
    struct ipc_frame frame = { .id = 0 };
    wire_say(client, IPC_FETCH, 1, fetch);
    stage_until(wire_next(&worker->wire, &frame));
    assert_int_equal(frame.type, IPC_FETCH);
    return frame.id;
}

static void say_response(uint32_t id, unsigned status)
{
    struct ipc_response response = { .status = status };
    wire_say(&worker->wire, IPC_RESPONSE, id, &response);
}

static void say_done(uint32_t id, const char *error)
{
    struct ipc_failure failure = { .name = ipc_text(error) };
    struct ipc_done done;
    IPC_INIT(DONE, &done);
    done.error = error ? &failure : NULL;
    wire_say(&worker->wire, IPC_DONE, id, &done);
}

static void say_hop(uint32_t id, unsigned status, const char *url)
{
    struct ipc_hop hop = { .status = status, .url = ipc_text(url) };
    wire_say(&worker->wire, IPC_HOP, id, &hop);
}

static void expect_done(const char *error)
{
    union ipc_any message;
    wire_expect(client, IPC_DONE, 1, &message);
    if (!error) {
        assert_null(message.done.error);
        return;
    }
    assert_non_null(message.done.error);
    assert_text_equal(message.done.error->name, error);
}

/* ---- every cell ---- */

/* What a request asks for, so that the event can come to it. */
static struct ipc_fetch fetch_for(enum request_event event)
{
    static const enum request_event websocket[] = { REQUEST_MESSAGE, REQUEST_FLUSHED, REQUEST_TELL,
                                                    REQUEST_FLUSH };
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    for (size_t i = 0; i < sizeof websocket / sizeof websocket[0]; i++)
        if (event == websocket[i])
            fetch.url = IPC_TEXT("wss://a.example/");
    if (event == REQUEST_SENDING)
        fetch.method = IPC_TEXT("POST");
    fetch.follow = event == REQUEST_HOP;
    fetch.body_streamed = event == REQUEST_BODY || event == REQUEST_REWOUND || event == REQUEST_UPLOAD_CREDIT;
    if (event == REQUEST_CREDIT || event == REQUEST_OUTPUT)
        fetch.window = 0;
    return fetch;
}

/* Brings a request for `event` into `state`; its id at the worker. */
static uint32_t bring(enum request_state state, enum request_event event)
{
    struct ipc_fetch fetch = fetch_for(event);
    stage_begin(1, SLOW, NULL);
    client = stage_connect();
    worker = NULL;
    if (state == REQUEST_QUEUED) {
        wire_say(client, IPC_FETCH, 1, &fetch);
        wire_expect_nothing(client);
        return 0;
    }
    start_worker();
    uint32_t id = place(&fetch);
    if (state == REQUEST_WAITING)
        say_done(id, "connect.refused");
    if (state == REQUEST_ANSWERED) {
        say_response(id, 200);
        wire_expect(client, IPC_RESPONSE, 1, NULL);
    }
    if ((event == REQUEST_BODY && state != REQUEST_WAITING) || (event == REQUEST_TELL
                                                                && state == REQUEST_ANSWERED)) {
        wire_say_credit(&worker->wire, id, 1000);
        wire_expect(client, IPC_CREDIT, 1, NULL);
    }
    if (state == REQUEST_ABANDONED) {
        wire_say(client, IPC_CANCEL, 1, NULL);
        wire_expect(client, IPC_DONE, 1, NULL);
        wire_expect(&worker->wire, IPC_CANCEL, id, NULL);
    }
    stage_turn();
    assert_int_equal(find_request()->state, state);
    return id;
}

static void say_as_worker(uint32_t id, enum request_event event, bool answered)
{
    struct wire *wire = &worker->wire;
    struct ipc_message message = { .kind = 1, .data = { (const uint8_t *)"hi", 2 } };
    switch (event) {
    case REQUEST_SENDING: wire_say(wire, IPC_SENDING, id, NULL); break;
    case REQUEST_HOP: say_hop(id, 302, "https://a.example/next"); break;
    case REQUEST_RESPONSE: say_response(id, 200); break;
    case REQUEST_DATA: wire_say_data(wire, id, "data", 4); break;
    case REQUEST_MESSAGE: wire_say(wire, IPC_MESSAGE, id, &message); break;
    case REQUEST_FLUSHED: wire_say(wire, IPC_FLUSHED, id, &(struct ipc_flushed){ .token = 5 }); break;
    case REQUEST_UPLOAD_CREDIT: wire_say_credit(wire, id, 1000); break;
    case REQUEST_DONE: say_done(id, answered ? NULL : "tls.certificate"); break;
    case REQUEST_LOST: kill_worker(worker); break;
    default: fail();
    }
}

static void say_as_client(enum request_event event)
{
    struct ipc_message message = { .kind = 1, .data = { (const uint8_t *)"hi", 2 } };
    switch (event) {
    case REQUEST_BODY: wire_say_data(client, 1, "body", 4); break;
    case REQUEST_TELL: wire_say(client, IPC_MESSAGE, 1, &message); break;
    case REQUEST_FLUSH: wire_say(client, IPC_FLUSH, 1, &(struct ipc_flush){ .token = 5 }); break;
    case REQUEST_OUTPUT: wire_say_descriptor(client, IPC_OUTPUT, 1, memfd_create("body", 0)); break;
    case REQUEST_CREDIT: wire_say_credit(client, 1, 5000); break;
    case REQUEST_REWOUND: wire_say(client, IPC_REWIND, 1, NULL); break;
    case REQUEST_CANCEL: wire_say(client, IPC_CANCEL, 1, NULL); break;
    case REQUEST_HANGUP: wire_close(client); break;
    default: fail();
    }
    stage_turn();
}

/* Held back by its origin's limit until another request ends. */
static void wake_parked(void)
{
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    char error[CONF_ERROR_BYTES];
    conf_set(stage.daemon->conf, "origin \"*\"", "connections", "1", error);
    start_worker();
    wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    wire_say(client, IPC_FETCH, 2, &fetch);
    wire_expect_nothing(client);
    assert_false(line_is_empty(&find_request()->origin->line));
    say_done(1, "tls.certificate");
    expect_done("tls.certificate");
}

static void open_breaker(void)
{
    struct origin *origin = find_request()->origin;
    origin->breaker = ORIGIN_OPEN;
    origin->open_until_ms = UINT64_MAX;
    start_worker();
}

/* Lets it happen where it can; where it can't, says it all the same: then nothing may change. */
static void let_happen(enum request_state state, enum request_event event, uint32_t id)
{
    struct request *request = find_request();
    bool with_worker = state == REQUEST_PLACED || state == REQUEST_ANSWERED || state == REQUEST_ABANDONED;
    bool of_worker = event >= REQUEST_SENDING && event <= REQUEST_LOST;
    bool of_client = event >= REQUEST_BODY && event <= REQUEST_HANGUP;
    if (of_worker && with_worker)
        say_as_worker(id, event, state == REQUEST_ANSWERED);
    else if (of_client)
        say_as_client(event);
    else if (event == REQUEST_ASSIGN && state == REQUEST_QUEUED)
        start_worker();
    else if (event == REQUEST_WAKE && state == REQUEST_QUEUED)
        wake_parked();
    else if (event == REQUEST_WAKE && state == REQUEST_WAITING)
        sleep_until(request, 0);
    else if (event == REQUEST_REFUSE && state == REQUEST_QUEUED)
        open_breaker();
    else
        request_event(request, event, NULL);
    if (of_client && state == REQUEST_ABANDONED)
        request_event(request, event, NULL);   /* the session would not even pass it on */
    stage_turn();
}

/* "state; to the client: frames; to the worker: frames" */
static void describe(char *ret_text, size_t size)
{
    char to_client[200], to_worker[200] = "";
    if (stage_seat(1)->state == SUPERVISOR_DYING)
        wait_for_death();
    wire_names(client, to_client, sizeof to_client);
    if (worker)
        wire_names(&worker->wire, to_worker, sizeof to_worker);
    const struct request *request = find_request();
    snprintf(ret_text, size, "%s%s%s%s%s", request ? request_state_name(request->state) : "gone",
             *to_client ? ", client " : "", to_client, *to_worker ? ", worker " : "", to_worker);
}

static const char *const expected[REQUEST_STATES][REQUEST_EVENTS] = {
    [REQUEST_QUEUED] = {
        [REQUEST_OUTPUT] = "gone, client ERROR ended",
        [REQUEST_ASSIGN] = "placed, worker FETCH",
        [REQUEST_WAKE] = "placed, worker FETCH",
        [REQUEST_REFUSE] = "gone, client DONE",
        [REQUEST_EXPIRE] = "gone, client DONE",
        [REQUEST_SENDING] = "queued", [REQUEST_HOP] = "queued", [REQUEST_RESPONSE] = "queued",
        [REQUEST_DATA] = "queued",
        [REQUEST_MESSAGE] = "queued", [REQUEST_FLUSHED] = "queued", [REQUEST_UPLOAD_CREDIT] = "queued",
        [REQUEST_DONE] = "queued", [REQUEST_LOST] = "queued",
        [REQUEST_BODY] = "gone, client ERROR ended",   /* there is no credit yet */
        [REQUEST_TELL] = "queued", [REQUEST_FLUSH] = "queued", [REQUEST_CREDIT] = "queued",
        [REQUEST_REWOUND] = "gone, client ERROR ended",
        [REQUEST_CANCEL] = "gone, client DONE",
        [REQUEST_HANGUP] = "gone",
        [REQUEST_SHUTDOWN] = "gone, client DONE",
    },
    [REQUEST_WAITING] = {
        [REQUEST_OUTPUT] = "gone, client ERROR ended",
        [REQUEST_ASSIGN] = "waiting",
        [REQUEST_WAKE] = "placed, worker FETCH",
        [REQUEST_REFUSE] = "waiting",
        [REQUEST_EXPIRE] = "gone, client DONE",
        [REQUEST_SENDING] = "waiting", [REQUEST_HOP] = "waiting", [REQUEST_RESPONSE] = "waiting",
        [REQUEST_DATA] = "waiting", [REQUEST_MESSAGE] = "waiting", [REQUEST_FLUSHED] = "waiting",
        [REQUEST_UPLOAD_CREDIT] = "waiting", [REQUEST_DONE] = "waiting", [REQUEST_LOST] = "waiting",
        [REQUEST_BODY] = "gone, client ERROR ended",
        [REQUEST_TELL] = "waiting", [REQUEST_FLUSH] = "waiting", [REQUEST_CREDIT] = "waiting",
        [REQUEST_REWOUND] = "gone, client ERROR ended",
        [REQUEST_CANCEL] = "gone, client DONE",
        [REQUEST_HANGUP] = "gone",
        [REQUEST_SHUTDOWN] = "gone, client DONE",
    },
    [REQUEST_PLACED] = {
        [REQUEST_OUTPUT] = "abandoned, client ERROR ended, worker CANCEL",
        [REQUEST_ASSIGN] = "placed", [REQUEST_WAKE] = "placed", [REQUEST_REFUSE] = "placed",
        [REQUEST_EXPIRE] = "placed",
        [REQUEST_SENDING] = "placed",
        [REQUEST_HOP] = "placed, client HOP, worker GO",
        [REQUEST_RESPONSE] = "answered, client RESPONSE",
        [REQUEST_DATA] = "queued, worker ended",       /* a breach: it waits for a better worker */
        [REQUEST_MESSAGE] = "queued, worker ended",
        [REQUEST_FLUSHED] = "queued, worker ended",
        [REQUEST_UPLOAD_CREDIT] = "placed, client CREDIT",
        [REQUEST_DONE] = "gone, client DONE",
        [REQUEST_LOST] = "queued",
        [REQUEST_BODY] = "placed, worker DATA",
        [REQUEST_TELL] = "placed", [REQUEST_FLUSH] = "placed",
        [REQUEST_CREDIT] = "placed, worker CREDIT",
        [REQUEST_REWOUND] = "abandoned, client ERROR ended, worker CANCEL",
        [REQUEST_CANCEL] = "abandoned, client DONE, worker CANCEL",
        [REQUEST_HANGUP] = "abandoned, worker CANCEL",
        [REQUEST_SHUTDOWN] = "abandoned, client DONE, worker CANCEL",
    },
    [REQUEST_ANSWERED] = {
        [REQUEST_OUTPUT] = "answered, worker OUTPUT",
        [REQUEST_ASSIGN] = "answered", [REQUEST_WAKE] = "answered", [REQUEST_REFUSE] = "answered",
        [REQUEST_EXPIRE] = "answered",
        [REQUEST_SENDING] = "gone, client DONE, worker ended",   /* a breach, and too late to start over */
        [REQUEST_HOP] = "gone, client DONE, worker ended",
        [REQUEST_RESPONSE] = "gone, client DONE, worker ended",
        [REQUEST_DATA] = "answered, client DATA",
        [REQUEST_MESSAGE] = "answered, client MESSAGE",
        [REQUEST_FLUSHED] = "answered, client FLUSHED",
        [REQUEST_UPLOAD_CREDIT] = "answered, client CREDIT",
        [REQUEST_DONE] = "gone, client DONE",
        [REQUEST_LOST] = "gone, client DONE",
        [REQUEST_BODY] = "answered, worker DATA",
        [REQUEST_TELL] = "answered, worker MESSAGE",
        [REQUEST_FLUSH] = "answered, worker FLUSH",
        [REQUEST_CREDIT] = "answered, worker CREDIT",
        [REQUEST_REWOUND] = "abandoned, client ERROR ended, worker CANCEL",
        [REQUEST_CANCEL] = "abandoned, client DONE, worker CANCEL",
        [REQUEST_HANGUP] = "abandoned, worker CANCEL",
        [REQUEST_SHUTDOWN] = "abandoned, client DONE, worker CANCEL",
    },
    [REQUEST_ABANDONED] = {
        [REQUEST_OUTPUT] = "abandoned",
        [REQUEST_ASSIGN] = "abandoned", [REQUEST_WAKE] = "abandoned", [REQUEST_REFUSE] = "abandoned",
        [REQUEST_EXPIRE] = "abandoned", [REQUEST_SENDING] = "abandoned", [REQUEST_HOP] = "abandoned",
        [REQUEST_RESPONSE] = "abandoned", [REQUEST_DATA] = "abandoned", [REQUEST_MESSAGE] = "abandoned",
        [REQUEST_FLUSHED] = "abandoned", [REQUEST_UPLOAD_CREDIT] = "abandoned",
        [REQUEST_DONE] = "gone", [REQUEST_LOST] = "gone",
        [REQUEST_BODY] = "abandoned", [REQUEST_TELL] = "abandoned", [REQUEST_FLUSH] = "abandoned",
        [REQUEST_CREDIT] = "abandoned", [REQUEST_REWOUND] = "abandoned", [REQUEST_CANCEL] = "abandoned",
        [REQUEST_HANGUP] = "abandoned", [REQUEST_SHUTDOWN] = "abandoned",
    },
};

static void visit_row(enum request_state state)
{
    for (int event = 0; event < REQUEST_EVENTS; event++) {
        char text[500];
        uint32_t id = bring(state, (enum request_event)event);
        let_happen(state, (enum request_event)event, id);
        describe(text, sizeof text);
        if (!expected[state][event] || strcmp(text, expected[state][event]) != 0)
            fail_msg("%s, %s: \"%s\", not \"%s\"", request_state_name(state),
                     request_event_name((enum request_event)event), text, expected[state][event]);
        stage_end();
    }
}

static void every_event_while_queued(void **state) { (void)state; visit_row(REQUEST_QUEUED); }
static void every_event_while_waiting(void **state) { (void)state; visit_row(REQUEST_WAITING); }
static void every_event_while_placed(void **state) { (void)state; visit_row(REQUEST_PLACED); }
static void every_event_while_answered(void **state) { (void)state; visit_row(REQUEST_ANSWERED); }
static void every_event_while_abandoned(void **state) { (void)state; visit_row(REQUEST_ABANDONED); }

static void every_state_and_event_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < REQUEST_STATES; i++)
        assert_non_null(request_state_name((enum request_state)i));
    for (int i = 0; i < REQUEST_EVENTS; i++) {
        assert_non_null(request_event_name((enum request_event)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(request_event_name((enum request_event)i),
                                    request_event_name((enum request_event)k));
    }
}

/* ---- a fetch ---- */

static void what_the_client_asks_for_is_what_the_worker_is_told(void **state)
{
    (void)state;
    struct ipc_pair header = { { (const uint8_t *)"X-A", 3 }, { (const uint8_t *)"b", 1 } };
    struct ipc_fetch fetch = fetch_of("https://a.example/x?y");
    union ipc_any message;
    begin();
    fetch.headers = (struct ipc_pairs){ &header, 1 };
    fetch.method = IPC_TEXT("POST");
    fetch.body = (struct ipc_bytes){ (const uint8_t *)"abc", 3 };
    fetch.idle_timeout_ms = 77;
    wire_say(client, IPC_FETCH, 1, &fetch);
    wire_expect(&worker->wire, IPC_FETCH, 1, &message);
    assert_text_equal(message.fetch.url, "https://a.example/x?y");
    assert_text_equal(message.fetch.method, "POST");
    assert_int_equal(message.fetch.headers.count, 1);
    assert_memory_equal(message.fetch.body.data, "abc", 3);
    assert_int_equal(message.fetch.idle_timeout_ms, 77);
    assert_int_equal(message.fetch.principal, 1);
    assert_true(message.fetch.announce);
    assert_false(message.fetch.from_public);
    assert_int_equal(message.fetch.window, IPC_STREAM_WINDOW);
    stage_end();
}

static void only_what_is_not_idempotent_is_announced(void **state)
{
    (void)state;
    static const struct { const char *method; bool announce; } rows[] = {
        { NULL, false }, { "GET", false }, { "HEAD", false }, { "PUT", false }, { "DELETE", false },
        { "OPTIONS", false }, { "TRACE", false }, { "POST", true }, { "PATCH", true }, { "get", true },
        { "X", true },
    };
    begin();
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipc_fetch fetch = fetch_of("https://a.example/");
        union ipc_any message;
        fetch.method = ipc_text(rows[i].method);
        wire_say(client, IPC_FETCH, i + 1, &fetch);
        wire_expect(&worker->wire, IPC_FETCH, i + 1, &message);
        assert_int_equal(message.fetch.announce, rows[i].announce);
    }
    stage_end();
}

static void an_answer_is_passed_on_and_done_names_the_worker(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    union ipc_any message;
    begin();
    uint32_t id = place(&fetch);
    say_response(id, 200);
    wire_say_data(&worker->wire, id, "hello", 5);
    say_done(id, NULL);
    wire_expect(client, IPC_RESPONSE, 1, &message);
    assert_int_equal(message.response.status, 200);
    assert_memory_equal(wire_expect_data(client, 1).data, "hello", 5);
    wire_expect(client, IPC_DONE, 1, &message);
    assert_null(message.done.error);
    assert_int_equal(message.done.attempts, 1);
    assert_int_equal(message.done.worker, 1);
    wire_expect_nothing(client);
    assert_int_equal(stage.daemon->in_flight, 0);
    assert_int_equal(stage.daemon->succeeded, 1);
    stage_end();
}

static void done_without_a_response_is_never_a_success(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    begin();
    say_done(place(&fetch), NULL);
    wire_expect_end(&worker->wire);
    wait_for_death();
    wire_expect_nothing(client);
    assert_int_equal(find_request()->deaths, 1);
    stage_end();
}

static void what_cannot_be_accepted_has_its_done_at_once(void **state)
{
    (void)state;
    static const struct { const char *url, *feature, *error; } rows[] = {
        { "file:///etc/passwd", NULL, "request.invalid" }, { "", NULL, "request.invalid" },
        { "https://a b/", NULL, "request.invalid" }, { "https://a.example/", "teleport",
                                                       "request.unsupported" },
        { "https://a.example/", "\xc3\xa4\xc3\xa4", "request.unsupported" },
    };
    begin();
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipc_fetch fetch = fetch_of(rows[i].url);
        struct ipc_text feature = ipc_text(rows[i].feature);
        union ipc_any message;
        fetch.require = (struct ipc_texts){ &feature, rows[i].feature != NULL };
        wire_say(client, IPC_FETCH, i + 1, &fetch);
        wire_expect(client, IPC_DONE, i + 1, &message);
        assert_text_equal(message.done.error->name, rows[i].error);
        assert_int_equal(message.done.attempts, 0);
    }
    wire_expect_nothing(client);
    wire_expect_nothing(&worker->wire);
    stage_end();
}

/* 160 bytes of text are kept of a feature's name, and a character must not be cut in two. */
static void a_long_foreign_name_in_an_error_is_still_utf8(void **state)
{
    (void)state;
    char name[1000];
    struct ipc_text feature = { name, 999 };
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    union ipc_any message;
    for (size_t i = 0; i < 999; i += 3)
        memcpy(name + i, "\xe6\x97\xa5", 3);
    begin();
    fetch.require = (struct ipc_texts){ &feature, 1 };
    wire_say(client, IPC_FETCH, 1, &fetch);
    wire_expect(client, IPC_DONE, 1, &message);   /* which decodes it */
    assert_text_equal(message.done.error->name, "request.unsupported");
    stage_end();
}

static void limits_refuse_with_the_setting_that_holds(void **state)
{
    (void)state;
    static const struct { const char *setting, *error, *named; } rows[] = {
        { "daemon.streams=1", "overloaded", "[daemon] streams" },
        { "limits.requests=1", "overloaded", "[limits] requests" },
        { "limits.queue=1", "overloaded", "[limits] queue" },
        { "limits.principal_requests=1", "quota.exceeded", "principal_requests" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipc_fetch fetch = fetch_of("https://a.example/");
        union ipc_any message;
        char text[200];
        stage_begin(1, SLOW, rows[i].setting, NULL);
        client = stage_connect();
        wire_say(client, IPC_FETCH, 1, &fetch);
        wire_say(client, IPC_FETCH, 2, &fetch);
        wire_expect(client, IPC_DONE, 2, &message);
        assert_text_equal(message.done.error->name, rows[i].error);
        assert_true(message.done.error->retryable);
        unit_copy(text, sizeof text, message.done.error->message.data, message.done.error->message.length);
        assert_non_null(strstr(text, rows[i].named));
        stage_end();
    }
}

/* A FETCH of exactly `total` bytes behind the length, its header strings packed in the shortest way,
 * which is not ours. */
static size_t tight_fetch(uint8_t *frame, uint32_t id, size_t total)
{
    static const char head[] = "\x93\x10\xce" "....\x85\xa3url\xb2https://a.example/\xa6method\xa4POST"
                               "\xa7headers\xdc\x01\x00";
    size_t at = 4 + sizeof head - 1;
    memcpy(frame + 4, head, sizeof head - 1);
    for (int i = 0; i < 4; i++)
        frame[7 + i] = (uint8_t)(id >> (24 - 8 * i));
    for (int i = 0; i < 256; i++, at += 5)
        memcpy(frame + at, "\x92\xa1" "A\xa1" "b", 5);
    memcpy(frame + at, "\xa4" "body\xc6\x00\x0c\x00\x00", 10);   /* 786432 bytes */
    at += 10 + 786432;
    memcpy(frame + at, "\xa6" "ca_pem\xc6", 8);
    size_t left = 4 + total - (at + 8 + 4);
    for (int i = 0; i < 4; i++)
        frame[at + 8 + i] = (uint8_t)(left >> (24 - 8 * i));
    for (int i = 0; i < 4; i++)
        frame[i] = (uint8_t)(total >> (24 - 8 * i));
    return 4 + total;
}

/* What is added for the worker, and our way to pack it, must fit a frame as well: else a client could
 * end a worker with one request. */
static void a_request_as_large_as_a_frame_ends_itself_not_the_worker(void **state)
{
    (void)state;
    static uint8_t frame[IPC_FRAME_BYTES + 4];
    unsigned placed = 0, refused = 0;
    begin();
    for (uint32_t id = 1; id <= 180; id++) {
        struct ipc_frame got;
        size_t total = id <= 140 ? IPC_FRAME_BYTES - 16 * 1024 - 400 + 10 * id : IPC_FRAME_BYTES - (id - 140);
        wire_say_bytes(client, frame, tight_fetch(frame, id, total));
        while (!wire_next(&worker->wire, &got) && !wire_next(client, &got)) {
            assert_false(worker->wire.ended);
            assert_false(client->ended);
            stage_step(true);
        }
        placed += got.type == IPC_FETCH;
        refused += got.type == IPC_DONE;
        if (got.type == IPC_DONE)
            continue;
        say_done(got.id, "tls.certificate");
        wire_expect(client, IPC_DONE, id, NULL);
    }
    assert_int_equal(stage_seat(1)->state, SUPERVISOR_READY);
    assert_in_range(placed, 20, 160);
    assert_int_equal(placed + refused, 180);
    stage_end();
}

/* ---- credit ---- */

static void data_beyond_the_credit_given_is_a_breach(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    static char data[1000];
    begin();
    fetch.window = 1000;
    uint32_t id = place(&fetch);
    say_response(id, 200);
    wire_say_data(&worker->wire, id, data, 936);   /* to the last byte */
    wire_expect(client, IPC_RESPONSE, 1, NULL);
    wire_expect_data(client, 1);
    assert_int_equal(stage_seat(1)->state, SUPERVISOR_READY);
    wire_say_data(&worker->wire, id, "", 0);       /* even an empty one costs */
    expect_done("worker.lost");
    stage_end();
}

static void a_worker_is_granted_what_the_client_grants(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    union ipc_any message;
    static char data[5000];
    begin();
    fetch.window = 10000;
    uint32_t id = place(&fetch);
    say_response(id, 200);
    wire_say_data(&worker->wire, id, data, 5000);
    wire_say_data(&worker->wire, id, data, 4800);
    wire_expect_nothing(&worker->wire);            /* the client has granted no more */
    wire_say_credit(client, 1, 3000);
    wire_expect(&worker->wire, IPC_CREDIT, id, &message);
    assert_int_equal(message.credit.bytes, 3000);
    stage_end();
}

static void more_credit_than_a_stream_can_have_ends_the_client(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    begin();
    place(&fetch);
    for (int i = 0; i < 2; i++)
        wire_say_credit(client, 1, 1 << 30);
    wire_expect(client, IPC_ERROR, 0, NULL);
    wire_expect_end(client);
    stage_end();
}

/* 100 slow streams at the connection's last byte of credit: what no credit covers waits here. */
static void data_above_the_connections_credit_waits_and_stays_in_order(void **state)
{
    (void)state;
    struct ipc_hello hello;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    stage_begin(1, SLOW, NULL);
    start_worker();
    client = stage_connect_silent();
    IPC_INIT(HELLO, &hello);
    hello.version_min = hello.version_max = 1;
    hello.window = 200;
    wire_say(client, IPC_HELLO, 0, &hello);
    wire_expect(client, IPC_WELCOME, 0, NULL);
    uint32_t id = place(&fetch);
    say_response(id, 200);
    wire_say_data(&worker->wire, id, "one", 3);
    wire_say_data(&worker->wire, id, "two", 3);
    wire_say_data(&worker->wire, id, "three", 5);
    wire_say_data(&worker->wire, id, "four", 4);
    say_done(id, NULL);
    wire_expect(client, IPC_RESPONSE, 1, NULL);
    assert_memory_equal(wire_expect_data(client, 1).data, "one", 3);
    assert_memory_equal(wire_expect_data(client, 1).data, "two", 3);
    wire_expect_nothing(client);
    wire_say_credit(client, 0, 10);
    assert_memory_equal(wire_expect_data(client, 1).data, "three", 5);
    wire_expect_nothing(client);
    wire_say_credit(client, 0, 1000);
    assert_memory_equal(wire_expect_data(client, 1).data, "four", 4);
    expect_done(NULL);
    stage_end();
}

/* ---- loss ---- */

static void a_lost_get_is_given_to_the_next_worker(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    union ipc_any message;
    begin();
    place(&fetch);
    replace_worker();
    wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    say_response(1, 204);
    say_done(1, NULL);
    wire_expect(client, IPC_RESPONSE, 1, NULL);
    wire_expect(client, IPC_DONE, 1, &message);
    assert_int_equal(message.done.attempts, 2);
    wire_expect_nothing(client);
    stage_end();
}

/* A SIGKILL is not its doing, and yet this must end. */
static void one_whose_workers_are_killed_again_and_again_ends(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    union ipc_any message;
    begin();
    place(&fetch);
    for (int loss = 1; loss <= REQUEST_MOST_LOSSES; loss++) {
        replace_worker();
        wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
        wire_expect_nothing(client);
    }
    kill_worker(worker);
    wire_expect(client, IPC_DONE, 1, &message);
    assert_text_equal(message.done.error->name, "worker.lost");
    assert_true(message.done.error->retryable);
    assert_int_equal(message.done.attempts, REQUEST_MOST_LOSSES + 1);
    stage_end();
}

static void a_post_is_given_on_only_while_nothing_of_it_left(void **state)
{
    (void)state;
    for (int sent = 0; sent < 2; sent++) {
        struct ipc_fetch fetch = fetch_of("https://a.example/");
        begin();
        fetch.method = IPC_TEXT("POST");
        fetch.body = (struct ipc_bytes){ (const uint8_t *)"abc", 3 };
        uint32_t id = place(&fetch);
        if (sent)
            wire_say(&worker->wire, IPC_SENDING, id, NULL);
        wire_expect_nothing(&worker->wire);
        replace_worker();
        if (sent)
            expect_done("worker.lost");
        else
            wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
        stage_end();
    }
}

static void all_requests_of_a_lost_worker_are_answered_once(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    bool answered[51] = { false };
    union ipc_any message;
    begin();
    for (uint32_t id = 1; id <= 50; id++) {
        fetch.method = id % 2 ? ipc_text(NULL) : IPC_TEXT("POST");
        wire_say(client, IPC_FETCH, id, &fetch);
        wire_expect(&worker->wire, IPC_FETCH, id, NULL);
        if (id % 3 == 0)
            say_response(id, 200);
        else if (id % 2 == 0)
            wire_say(&worker->wire, IPC_SENDING, id, NULL);
    }
    wire_expect_nothing(&worker->wire);
    replace_worker();
    for (int left = 50; left > 0;) {
        struct ipc_frame frame;
        while (wire_next(&worker->wire, &frame)) {
            say_response(frame.id, 200);
            say_done(frame.id, NULL);
        }
        while (wire_next(client, &frame)) {
            if (frame.type != IPC_DONE)
                continue;
            assert_int_equal(ipc_unpack(&stage.decoder, IPC_DAEMON_TO_CLIENT, &frame, &message), 0);
            bool lost = frame.id % 3 == 0 || frame.id % 2 == 0;
            assert_int_equal(message.done.error != NULL, lost);
            assert_false(answered[frame.id]);
            answered[frame.id] = true;
            left--;
        }
        stage_step(true);
    }
    wire_expect_nothing(client);
    stage_end();
}

/* Two deaths that a request can have caused, and it runs alone; with the third it is given up. */
static void a_poison_request_goes_to_quarantine_and_ends_there(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    begin();
    place(&fetch);
    for (int death = 1; death <= 2; death++) {
        kill(worker->pid, SIGSEGV);
        wire_close(&worker->wire);
        wait_for_death();
        if (death == 2)
            break;
        supervisor_event(stage_seat(1), SUPERVISOR_SPAWN, NULL);
        worker = stage_newest();
        stage_make_ready(worker);
        wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    }
    assert_int_equal(find_request()->deaths, 2);
    struct supervisor *quarantine = stage.daemon->crew.quarantine[0];
    assert_non_null(quarantine);
    worker = stage_newest();
    stage_make_ready(worker);
    wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    kill(worker->pid, SIGSEGV);
    wire_close(&worker->wire);
    expect_done("worker.lost");
    stage_end();
}

/* ---- redirects ---- */

static struct ipc_fetch following(const char *method)
{
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    fetch.follow = true;
    fetch.method = ipc_text(method);
    return fetch;
}

static void a_post_that_became_a_get_may_still_be_announced(void **state)
{
    (void)state;
    struct ipc_fetch fetch = following("POST");
    union ipc_any message;
    begin();
    fetch.body = (struct ipc_bytes){ (const uint8_t *)"abc", 3 };
    uint32_t id = place(&fetch);
    wire_say(&worker->wire, IPC_SENDING, id, NULL);
    say_hop(id, 303, "https://a.example/done");
    wire_expect(client, IPC_HOP, 1, NULL);
    wire_expect(&worker->wire, IPC_GO, id, &message);
    assert_true(message.go.here);
    wire_say(&worker->wire, IPC_SENDING, id, NULL);   /* it was asked to, for this id */
    say_response(id, 200);
    say_done(id, NULL);
    wire_expect(client, IPC_RESPONSE, 1, NULL);
    expect_done(NULL);
    stage_end();
}

static void sending_twice_in_a_hop_is_a_breach(void **state)
{
    (void)state;
    struct ipc_fetch fetch = following("POST");
    begin();
    uint32_t id = place(&fetch);
    wire_say(&worker->wire, IPC_SENDING, id, NULL);
    wire_say(&worker->wire, IPC_SENDING, id, NULL);
    expect_done("worker.lost");
    stage_end();
}

static void a_lost_redirected_request_starts_where_the_redirect_led(void **state)
{
    (void)state;
    struct ipc_pair header = { { (const uint8_t *)"Authorization", 13 }, { (const uint8_t *)"secret", 6 } };
    struct ipc_fetch fetch = following("POST");
    union ipc_any message;
    begin();
    fetch.headers = (struct ipc_pairs){ &header, 1 };
    fetch.body = (struct ipc_bytes){ (const uint8_t *)"abc", 3 };
    uint32_t id = place(&fetch);
    say_hop(id, 302, "https://b.example/next");
    wire_expect(client, IPC_HOP, 1, NULL);
    wire_expect(&worker->wire, IPC_GO, id, NULL);
    replace_worker();
    wire_expect(&worker->wire, IPC_FETCH, 1, &message);
    assert_text_equal(message.fetch.url, "https://b.example/next");
    assert_text_equal(message.fetch.method, "GET");
    assert_int_equal(message.fetch.headers.count, 0);
    assert_int_equal(message.fetch.body.length, 0);
    assert_false(message.fetch.announce);
    stage_end();
}

static void the_redirect_limit_is_the_clients(void **state)
{
    (void)state;
    struct ipc_fetch fetch = following(NULL);
    union ipc_any message;
    begin();
    fetch.max_redirects = 2;
    uint32_t id = place(&fetch);
    for (int i = 0; i < 2; i++) {
        say_hop(id, 302, "https://a.example/again");
        wire_expect(client, IPC_HOP, 1, NULL);
        wire_expect(&worker->wire, IPC_GO, id, NULL);
    }
    say_hop(id, 302, "https://a.example/again");
    wire_expect(client, IPC_DONE, 1, &message);
    assert_text_equal(message.done.error->name, "redirect.limit");
    assert_int_equal(message.done.redirects, 2);
    wire_expect(&worker->wire, IPC_GO, id, &message);
    assert_false(message.go.here);
    stage_end();
}

/* The worker's time ran out just before it heard GO: its DONE was on the way. */
static void a_done_that_crosses_with_go_is_no_breach(void **state)
{
    (void)state;
    struct ipc_fetch fetch = following(NULL);
    begin();
    fetch.max_redirects = 0;
    uint32_t id = place(&fetch);
    say_hop(id, 302, "https://a.example/again");
    say_done(id, "timeout.total");
    expect_done("redirect.limit");
    wire_expect(&worker->wire, IPC_GO, id, NULL);
    wire_expect_nothing(&worker->wire);
    assert_int_equal(stage_seat(1)->state, SUPERVISOR_READY);
    wire_expect_nothing(client);
    say_done(id + 1, "timeout.total");
    wire_expect_end(&worker->wire);               /* but an id it never had is one */
    stage_end();
}

static void a_hop_that_leads_nowhere_ends_the_request(void **state)
{
    (void)state;
    static const char *const targets[] = { "ftp://a.example/", "/relative", "https://",
                                           "file:///etc/passwd" };
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct ipc_fetch fetch = following(NULL);
        begin();
        uint32_t id = place(&fetch);
        say_hop(id, 302, targets[i]);
        wire_expect(client, IPC_HOP, 1, NULL);
        expect_done("redirect.invalid");
        wire_expect(&worker->wire, IPC_GO, id, NULL);
        stage_end();
    }
}

/* ---- uploads ---- */

static struct ipc_fetch uploading(bool rewindable)
{
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    fetch.method = IPC_TEXT("PUT");
    fetch.body_streamed = true;
    fetch.rewindable = rewindable;
    return fetch;
}

static void grant(uint32_t id, uint64_t bytes)
{
    union ipc_any message;
    wire_say_credit(&worker->wire, id, bytes);
    wire_expect(client, IPC_CREDIT, 1, &message);
    assert_int_equal(message.credit.bytes, bytes);
}

static void a_body_is_passed_on_under_credit_and_its_end_is_free(void **state)
{
    (void)state;
    struct ipc_fetch fetch = uploading(false);
    begin();
    uint32_t id = place(&fetch);
    grant(id, 64 + 4 + 64);
    wire_say_data(client, 1, "body", 4);
    assert_memory_equal(wire_expect_data(&worker->wire, id).data, "body", 4);
    wire_say_data(client, 1, NULL, 0);
    assert_int_equal(wire_expect_data(&worker->wire, id).length, 0);
    say_response(id, 200);
    say_done(id, NULL);
    wire_expect(client, IPC_RESPONSE, 1, NULL);
    expect_done(NULL);
    stage_end();
}

/* The worker charges it like any DATA: it waits here until the worker takes one. */
static void an_end_said_with_the_last_credit_waits_for_the_workers(void **state)
{
    (void)state;
    struct ipc_fetch fetch = uploading(false);
    begin();
    uint32_t id = place(&fetch);
    grant(id, 68);
    wire_say_data(client, 1, "body", 4);
    wire_say_data(client, 1, NULL, 0);
    assert_memory_equal(wire_expect_data(&worker->wire, id).data, "body", 4);
    wire_expect_nothing(&worker->wire);
    wire_say_credit(&worker->wire, id, 68);
    assert_int_equal(wire_expect_data(&worker->wire, id).length, 0);
    wire_expect_nothing(client);
    stage_end();
}

static void an_empty_body_may_end_before_any_worker_has_it(void **state)
{
    (void)state;
    struct ipc_fetch fetch = uploading(false);
    stage_begin(1, SLOW, NULL);
    client = stage_connect();
    wire_say(client, IPC_FETCH, 1, &fetch);
    wire_say_data(client, 1, NULL, 0);
    wire_expect_nothing(client);
    start_worker();
    wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    wire_expect_nothing(&worker->wire);
    replace_worker();                              /* and is not forgotten with it */
    wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    wire_say_credit(&worker->wire, 1, 65536);
    assert_int_equal(wire_expect_data(&worker->wire, 1).length, 0);
    wire_expect_nothing(client);
    stage_end();
}

static void a_body_after_its_end_or_without_credit_ends_the_client(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct ipc_fetch fetch = uploading(false);
        begin();
        fetch.body_streamed = way != 2;
        uint32_t id = place(&fetch);
        if (way == 0) {
            grant(id, 1000);
            wire_say_data(client, 1, NULL, 0);
        }
        wire_say_data(client, 1, "body", 4);
        wire_expect(client, IPC_ERROR, 0, NULL);
        wire_expect_end(client);
        stage_end();
    }
}

static void a_lost_upload_is_rewound_by_its_client(void **state)
{
    (void)state;
    struct ipc_fetch fetch = uploading(true);
    begin();
    uint32_t id = place(&fetch);
    grant(id, 1000);
    wire_say_data(client, 1, "half a", 6);
    wire_expect_data(&worker->wire, id);
    replace_worker();
    wire_expect(client, IPC_REWIND, 1, NULL);
    wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    wire_say_data(client, 1, " body", 5);          /* said before it saw REWIND */
    wire_say_credit(&worker->wire, 1, 500);
    wire_expect_nothing(client);                   /* withheld */
    wire_say(client, IPC_REWIND, 1, NULL);
    union ipc_any message;
    wire_expect(client, IPC_CREDIT, 1, &message);
    assert_int_equal(message.credit.bytes, 500);
    wire_say_data(client, 1, "whole", 5);
    assert_memory_equal(wire_expect_data(&worker->wire, 1).data, "whole", 5);
    wire_expect_nothing(&worker->wire);
    stage_end();
}

/* Credit was given and none used yet: what the client sends now is on its way to the dead worker. */
static void a_client_with_unused_credit_is_rewound_too(void **state)
{
    (void)state;
    struct ipc_fetch fetch = uploading(true);
    begin();
    uint32_t id = place(&fetch);
    grant(id, 1000);
    replace_worker();
    wire_say_data(client, 1, "too late", 8);
    wire_expect(client, IPC_REWIND, 1, NULL);
    wire_say(client, IPC_REWIND, 1, NULL);
    wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    wire_expect_nothing(&worker->wire);
    wire_expect_nothing(client);
    stage_end();
}

static void a_worker_lost_while_the_client_rewinds_grants_nothing_twice(void **state)
{
    (void)state;
    struct ipc_fetch fetch = uploading(true);
    union ipc_any message;
    begin();
    uint32_t id = place(&fetch);
    grant(id, 1000);
    replace_worker();
    wire_expect(client, IPC_REWIND, 1, NULL);
    wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    wire_say_credit(&worker->wire, 1, 500);
    wire_expect_nothing(&worker->wire);
    replace_worker();
    wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    wire_expect_nothing(client);                   /* one REWIND is enough */
    wire_say_credit(&worker->wire, 1, 300);
    wire_expect_nothing(&worker->wire);
    wire_say(client, IPC_REWIND, 1, NULL);
    wire_expect(client, IPC_CREDIT, 1, &message);
    assert_int_equal(message.credit.bytes, 300);
    stage_end();
}

static void an_upload_that_cannot_be_rewound_is_lost_with_its_worker(void **state)
{
    (void)state;
    for (int granted = 0; granted < 2; granted++) {
        struct ipc_fetch fetch = uploading(false);
        begin();
        uint32_t id = place(&fetch);
        if (granted)
            grant(id, 1000);
        replace_worker();
        if (granted)
            expect_done("worker.lost");
        else
            wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
        stage_end();
    }
}

static void a_redirect_that_keeps_the_body_rewinds_it(void **state)
{
    (void)state;
    struct ipc_fetch fetch = uploading(true);
    begin();
    fetch.follow = true;
    uint32_t id = place(&fetch);
    grant(id, 1000);
    wire_say_data(client, 1, "body", 4);
    wire_expect_data(&worker->wire, id);
    say_hop(id, 307, "https://a.example/next");
    wire_expect(client, IPC_HOP, 1, NULL);
    wire_expect(client, IPC_REWIND, 1, NULL);
    wire_expect(&worker->wire, IPC_GO, id, NULL);
    wire_say(client, IPC_REWIND, 1, NULL);
    grant(id, 1000);
    wire_say_data(client, 1, "body", 4);
    wire_expect_data(&worker->wire, id);
    stage_end();
}

static void a_redirect_that_keeps_a_body_that_cannot_be_rewound_ends_it(void **state)
{
    (void)state;
    struct ipc_fetch fetch = uploading(false);
    begin();
    fetch.follow = true;
    uint32_t id = place(&fetch);
    grant(id, 1000);
    say_hop(id, 308, "https://a.example/next");
    wire_expect(client, IPC_HOP, 1, NULL);
    expect_done("body.rewind");
    wire_expect(&worker->wire, IPC_GO, id, NULL);
    stage_end();
}

/* The client had credit and is in the midst of sending: that is no violation. */
static void a_redirect_that_drops_the_body_lets_the_rest_of_it_come(void **state)
{
    (void)state;
    struct ipc_fetch fetch = uploading(true);
    begin();
    fetch.follow = true;
    fetch.method = IPC_TEXT("POST");
    uint32_t id = place(&fetch);
    grant(id, 1000);
    wire_say_data(client, 1, "half", 4);
    wire_expect_data(&worker->wire, id);
    say_hop(id, 303, "https://a.example/next");
    wire_expect(client, IPC_HOP, 1, NULL);
    wire_expect(&worker->wire, IPC_GO, id, NULL);
    wire_say_data(client, 1, "the rest", 8);
    wire_say_data(client, 1, NULL, 0);
    wire_expect_nothing(client);
    wire_expect_nothing(&worker->wire);
    say_response(id, 200);
    say_done(id, NULL);
    wire_expect(client, IPC_RESPONSE, 1, NULL);
    expect_done(NULL);
    stage_end();
}

/* ---- a body into a file ---- */

static void answer_with_window(uint64_t window)
{
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    begin();
    fetch.window = window;
    place(&fetch);
    say_response(1, 200);
    wire_expect(client, IPC_RESPONSE, 1, NULL);
}

static void the_file_reaches_the_worker_and_done_ends_it(void **state)
{
    (void)state;
    answer_with_window(0);
    int fd = memfd_create("body", 0);
    struct stat mine, theirs;
    fstat(fd, &mine);
    wire_say_descriptor(client, IPC_OUTPUT, 1, fd);
    wire_expect(&worker->wire, IPC_OUTPUT, 1, NULL);
    int arrived = wire_take_descriptor(&worker->wire);
    assert_int_equal(fstat(arrived, &theirs), 0);
    close(arrived);
    assert_int_equal(theirs.st_ino, mine.st_ino);
    say_done(1, NULL);
    expect_done(NULL);
    stage_end();
}

static void what_is_no_file_of_this_machine_is_refused_and_the_body_still_comes(void **state)
{
    (void)state;
    int wrong[] = { open("/dev/null", O_WRONLY), open("/proc/self/comm", O_WRONLY), open("/tmp", O_RDONLY),
                    open("/etc/passwd", O_RDONLY), eventfd(0, 0), open("/tmp", O_PATH) };
    union ipc_any message;
    answer_with_window(0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_true(wrong[i] >= 0);
        wire_say_descriptor(client, IPC_OUTPUT, 1, wrong[i]);
        wire_expect(client, IPC_OUTPUT_REFUSED, 1, &message);
        assert_true(message.output_refused.reason.length > 0);
    }
    wire_expect_nothing(&worker->wire);
    wire_say_credit(client, 1, 1000);
    wire_expect(&worker->wire, IPC_CREDIT, 1, NULL);
    stage_end();
}

static void a_file_after_credit_or_without_descriptor_ends_the_session(void **state)
{
    (void)state;
    answer_with_window(1000);
    wire_say_descriptor(client, IPC_OUTPUT, 1, memfd_create("body", 0));
    wire_expect(client, IPC_ERROR, 0, NULL);
    stage_end();
    answer_with_window(0);
    wire_say(client, IPC_OUTPUT, 1, NULL);
    wire_expect(client, IPC_ERROR, 0, NULL);
    stage_end();
}

/* ---- WebSockets ---- */

static void a_websocket_lost_twice_is_rewound_twice(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("wss://a.example/");
    struct ipc_message told = { .kind = 1, .data = { (const uint8_t *)"stale", 5 } };
    begin();
    fetch.reconnect = true;
    place(&fetch);
    for (int loss = 0; loss < 2; loss++) {
        say_response(1, 101);
        wire_expect(client, IPC_RESPONSE, 1, NULL);
        wire_say_credit(&worker->wire, 1, 1000);
        if (loss == 0)
            wire_expect(client, IPC_CREDIT, 1, NULL);
        wire_expect_nothing(&worker->wire);
        replace_worker();
        wire_expect(client, IPC_REOPEN, 1, NULL);
        sleep_until(find_request(), 0);
        wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    }
    say_response(1, 101);
    wire_expect(client, IPC_RESPONSE, 1, NULL);
    wire_say_credit(&worker->wire, 1, 500);
    wire_say(client, IPC_REWIND, 1, NULL);         /* to the first */
    wire_say(client, IPC_MESSAGE, 1, &told);       /* meant for the second socket */
    wire_expect_nothing(client);
    wire_expect_nothing(&worker->wire);
    wire_say(client, IPC_REWIND, 1, NULL);
    wire_expect(client, IPC_CREDIT, 1, NULL);
    wire_say(client, IPC_MESSAGE, 1, &told);
    wire_expect(&worker->wire, IPC_MESSAGE, 1, NULL);
    stage_end();
}

/* ---- origins ---- */

static void those_behind_a_cancelled_one_in_an_origins_line_move_up(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    union ipc_any message;
    begin();
    char error[CONF_ERROR_BYTES];
    conf_set(stage.daemon->conf, "origin \"*\"", "crawl_delay", "50ms", error);
    for (uint32_t id = 1; id <= 4; id++)
        wire_say(client, IPC_FETCH, id, &fetch);
    wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    wire_say(client, IPC_CANCEL, 2, NULL);         /* it stood first, with the alarm */
    wire_expect(client, IPC_DONE, 2, &message);
    wire_expect(&worker->wire, IPC_FETCH, 2, NULL);
    wire_expect(&worker->wire, IPC_FETCH, 3, NULL);
    stage_end();
}

static struct request *request_of_client(uint32_t id)
{
    struct request *request;
    HASH_FIND(client_handle, stage_session()->requests, &id, sizeof id, request);
    return request;
}

static void one_that_its_origins_limit_held_back_is_told_so(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    union ipc_any message;
    char error[CONF_ERROR_BYTES];
    begin();
    conf_set(stage.daemon->conf, "origin \"*\"", "crawl_delay", "1h", error);
    wire_say(client, IPC_FETCH, 1, &fetch);
    wire_say(client, IPC_FETCH, 2, &fetch);
    wire_expect(&worker->wire, IPC_FETCH, 1, NULL);
    stage_until(request_of_client(2) && request_of_client(2)->parked);
    request_event(request_of_client(2), REQUEST_EXPIRE, NULL);
    wire_expect(client, IPC_DONE, 2, &message);
    assert_text_equal(message.done.error->name, "overloaded");
    assert_text_equal(message.done.error->message, "the limit of https://a.example:443 held it back too long "
                      "([origin] crawl_delay, [limits] queue_timeout)");
    stage_end();
}

static void done_tells_how_long_it_waited_and_was_redirected(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    union ipc_any message;
    begin();
    fetch.follow = true;
    uint32_t id = place(&fetch);
    struct request *request = request_of_client(1);
    request->waited_ms = 30;
    request->begun_ms -= 20;
    say_hop(id, 302, "https://a.example/b");
    wire_expect(client, IPC_HOP, 1, NULL);
    wire_expect(&worker->wire, IPC_GO, id, NULL);
    say_response(id, 204);
    say_done(id, NULL);
    wire_expect(client, IPC_RESPONSE, 1, NULL);
    wire_expect(client, IPC_DONE, 1, &message);
    assert_int_equal(message.done.queue_us, 30000);
    assert_true(message.done.redirect_us >= 20000);
    stage_end();
}

/* ---- the end of the daemon ---- */

static void a_drain_answers_what_is_open_and_refuses_what_comes(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    union ipc_any message;
    begin();
    uint32_t id = place(&fetch);
    daemon_drain(stage.daemon);
    wire_expect(client, IPC_GOAWAY, 0, &message);
    assert_int_equal(message.goaway.last_id, 1);
    wire_say(client, IPC_FETCH, 2, &fetch);
    wire_expect(client, IPC_DONE, 2, &message);
    assert_text_equal(message.done.error->name, "draining");
    say_response(id, 200);
    say_done(id, NULL);
    wire_expect(client, IPC_RESPONSE, 1, NULL);
    expect_done(NULL);
    wire_expect_end(client);
    wire_expect(&worker->wire, IPC_GOAWAY, 0, NULL);
    stage_end();
}

static void a_second_drain_ends_what_is_open_with_its_done(void **state)
{
    (void)state;
    struct ipc_fetch fetch = fetch_of("https://a.example/");
    begin();
    uint32_t id = place(&fetch);
    daemon_drain(stage.daemon);
    daemon_drain(stage.daemon);
    wire_expect(client, IPC_GOAWAY, 0, NULL);
    expect_done("draining");
    wire_expect(&worker->wire, IPC_CANCEL, id, NULL);
    wire_expect_end(client);
    stage_end();
}

UV_TESTS(TEST(every_event_while_queued), TEST(every_event_while_waiting), TEST(every_event_while_placed),
         TEST(every_event_while_answered), TEST(every_event_while_abandoned),
         TEST(every_state_and_event_has_a_name_of_its_own),
         TEST(what_the_client_asks_for_is_what_the_worker_is_told),
         TEST(only_what_is_not_idempotent_is_announced),
         TEST(an_answer_is_passed_on_and_done_names_the_worker),
         TEST(done_without_a_response_is_never_a_success),
         TEST(what_cannot_be_accepted_has_its_done_at_once),
         TEST(a_long_foreign_name_in_an_error_is_still_utf8),
         TEST(limits_refuse_with_the_setting_that_holds),
         TEST(a_request_as_large_as_a_frame_ends_itself_not_the_worker),
         TEST(data_beyond_the_credit_given_is_a_breach), TEST(a_worker_is_granted_what_the_client_grants),
         TEST(more_credit_than_a_stream_can_have_ends_the_client),
         TEST(data_above_the_connections_credit_waits_and_stays_in_order),
         TEST(one_whose_workers_are_killed_again_and_again_ends),
         TEST(one_that_its_origins_limit_held_back_is_told_so),
         TEST(done_tells_how_long_it_waited_and_was_redirected),
         TEST(a_lost_get_is_given_to_the_next_worker), TEST(a_post_is_given_on_only_while_nothing_of_it_left),
         TEST(all_requests_of_a_lost_worker_are_answered_once),
         TEST(a_poison_request_goes_to_quarantine_and_ends_there),
         TEST(a_post_that_became_a_get_may_still_be_announced), TEST(sending_twice_in_a_hop_is_a_breach),
         TEST(a_lost_redirected_request_starts_where_the_redirect_led),
         TEST(the_redirect_limit_is_the_clients),
         TEST(a_done_that_crosses_with_go_is_no_breach), TEST(a_hop_that_leads_nowhere_ends_the_request),
         TEST(a_body_is_passed_on_under_credit_and_its_end_is_free),
         TEST(an_end_said_with_the_last_credit_waits_for_the_workers),
         TEST(an_empty_body_may_end_before_any_worker_has_it),
         TEST(a_body_after_its_end_or_without_credit_ends_the_client),
         TEST(a_lost_upload_is_rewound_by_its_client),
         TEST(a_client_with_unused_credit_is_rewound_too),
         TEST(a_worker_lost_while_the_client_rewinds_grants_nothing_twice),
         TEST(an_upload_that_cannot_be_rewound_is_lost_with_its_worker),
         TEST(a_redirect_that_keeps_the_body_rewinds_it),
         TEST(a_redirect_that_keeps_a_body_that_cannot_be_rewound_ends_it),
         TEST(a_redirect_that_drops_the_body_lets_the_rest_of_it_come),
         TEST(the_file_reaches_the_worker_and_done_ends_it),
         TEST(what_is_no_file_of_this_machine_is_refused_and_the_body_still_comes),
         TEST(a_file_after_credit_or_without_descriptor_ends_the_session),
         TEST(a_websocket_lost_twice_is_rewound_twice),
         TEST(those_behind_a_cancelled_one_in_an_origins_line_move_up),
         TEST(a_drain_answers_what_is_open_and_refuses_what_comes),
         TEST(a_second_drain_ends_what_is_open_with_its_done))
