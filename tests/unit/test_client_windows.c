/* libfetchd over a named pipe: a thread is the daemon, as far as these tests need one. */
#include "fetchd/client.h"
#include "ipc/credit.h"
#include "ipc/endpoint.h"
#include "ipc/pack.h"
#include "ipc/unpack.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
/* After windows.h. */
#include <process.h>
#include <sddl.h>

#define NAME "\\\\.\\pipe\\fetchd-unit-client"
#define WAIT_MS 10000

enum manner {
    ANSWERS,                   /* each FETCH: 200, "hello", DONE */
    HANGS_UP,                  /* at the first FETCH */
    TAKES_BODIES,              /* slowly */
};

static struct daemon {
    HANDLE pipe, thread;
    enum manner manner;
    uint64_t body_bytes, body_sum;
} server;

/* ---- the daemon ---- */

static void say(const struct ipc_buffer *out)
{
    DWORD written;
    assert_true(WriteFile(server.pipe, ipc_buffer_data(out), (DWORD)ipc_buffer_length(out), &written, NULL));
}

static void say_message(unsigned number, uint32_t id, const void *message)
{
    struct ipc_buffer out;
    ipc_buffer_init(&out, 1 << 20);
    assert_int_equal(ipc_pack(&out, IPC_DAEMON_TO_CLIENT, number, id, message), 0);
    say(&out);
    ipc_buffer_finish(&out);
}

static void welcome(void)
{
    struct ipc_welcome message;
    IPC_INIT(WELCOME, &message);
    message.version = message.version_min = message.version_max = 1;
    message.server = IPC_TEXT("a test");
    message.window = 1 << 20;
    say_message(IPC_WELCOME, 0, &message);
}

static void respond(uint32_t id)
{
    struct ipc_response response;
    IPC_INIT(RESPONSE, &response);
    response.status = 200;
    say_message(IPC_RESPONSE, id, &response);
}

static void end_request(uint32_t id)
{
    struct ipc_done done;
    IPC_INIT(DONE, &done);
    done.status = 200;
    done.complete = true;
    say_message(IPC_DONE, id, &done);
}

static void answer(uint32_t id)
{
    struct ipc_buffer out;
    respond(id);
    ipc_buffer_init(&out, 1 << 20);
    assert_int_equal(ipc_pack_data(&out, id, "hello", 5), 0);
    say(&out);
    ipc_buffer_finish(&out);
    end_request(id);
}

static void give_credit(uint32_t id, size_t bytes)
{
    struct ipc_credit credit = { .bytes = bytes };
    say_message(IPC_CREDIT, id, &credit);
}

/* Not faster than a byte a microsecond or so: what the client sends has to wait. */
static void take_data(const struct ipc_frame *frame)
{
    struct ipc_bytes data;
    assert_int_equal(ipc_unpack_data(NULL, frame, &data), 0);
    for (size_t i = 0; i < data.length; i++)
        server.body_sum = server.body_sum * 31 + data.data[i];
    server.body_bytes += data.length;
    give_credit(frame->id, data.length + IPC_FRAME_CHARGE);
    give_credit(0, data.length + IPC_FRAME_CHARGE);
    if (data.length > 0)
        return;
    respond(frame->id);
    end_request(frame->id);
}

/* False when the connection is to end. */
static bool hear(const struct ipc_frame *frame)
{
    if (frame->type == IPC_HELLO)
        welcome();
    else if (frame->type == IPC_FETCH && server.manner == HANGS_UP)
        return false;
    else if (frame->type == IPC_FETCH && server.manner == ANSWERS)
        answer(frame->id);
    else if (frame->type == IPC_FETCH)
        give_credit(frame->id, 300000);
    else if (frame->type == IPC_DATA)
        take_data(frame);
    return true;
}

static bool hear_all(struct ipc_buffer *in)
{
    struct ipc_frame frame;
    bool goes_on = true;
    while (goes_on && ipc_frame_read(ipc_buffer_data(in), ipc_buffer_length(in), &frame, NULL) == IPC_FRAME_OK) {
        goes_on = hear(&frame);
        ipc_buffer_consume(in, frame.whole_length);
    }
    return goes_on;
}

static unsigned __stdcall serve(void *data)
{
    char bytes[8192];
    DWORD got;
    struct ipc_buffer in;
    (void)data;
    ConnectNamedPipe(server.pipe, NULL);
    ipc_buffer_init(&in, 8 << 20);
    while (ReadFile(server.pipe, bytes, sizeof bytes, &got, NULL) && ipc_buffer_append(&in, bytes, got) == 0)
        if (!hear_all(&in))
            break;
    ipc_buffer_finish(&in);
    CloseHandle(server.pipe);
    return 0;
}

/* `permissions` NULL: the system's default, which makes us the owner of the pipe. */
static HANDLE make_pipe(const char *permissions)
{
    SECURITY_ATTRIBUTES attributes = { .nLength = sizeof attributes };
    char own[300] = "";
    if (!permissions) {
        char user[200];
        assert_int_equal(ipc_endpoint_default(user, sizeof user), 0);
        snprintf(own, sizeof own, "O:%sD:(A;;GA;;;WD)", strstr(user, "S-1-"));
        permissions = own;
    }
    assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorA(permissions, SDDL_REVISION_1,
                                                                     &attributes.lpSecurityDescriptor, NULL));
    HANDLE pipe = CreateNamedPipeA(NAME, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE | PIPE_REJECT_REMOTE_CLIENTS, 1, 4096, 4096, 0,
                                   &attributes);
    LocalFree(attributes.lpSecurityDescriptor);
    return pipe;
}

static void begin(enum manner manner)
{
    server = (struct daemon){ .manner = manner, .pipe = make_pipe(NULL) };
    assert_ptr_not_equal(server.pipe, INVALID_HANDLE_VALUE);
    server.thread = (HANDLE)_beginthreadex(NULL, 0, serve, NULL, 0, NULL);
}

static void end(struct fetchd_client *client)
{
    fetchd_close(client);
    assert_int_equal(WaitForSingleObject(server.thread, WAIT_MS), WAIT_OBJECT_0);
    CloseHandle(server.thread);
}

static const struct fetchd_options *get(void)
{
    static const struct fetchd_options options = { .size = sizeof options, .url = "http://example.com/" };
    return &options;
}

/* ---- waiting calls ---- */

static void a_request_is_answered(void **state)
{
    (void)state;
    begin(ANSWERS);
    struct fetchd_client *client = fetchd_open("pipe:" NAME);
    for (int i = 0; i < 50; i++) {
        struct fetchd_reply *reply = fetchd_fetch(client, get(), WAIT_MS);
        if (!reply)
            fail_msg("%s", fetchd_last_error(client)->message);
        assert_int_equal(reply->response->status, 200);
        assert_int_equal(reply->body_size, 5);
        assert_memory_equal(reply->body, "hello", 5);
        fetchd_reply_free(reply);
    }
    end(client);
}

static void a_wait_ends_with_its_time(void **state)
{
    (void)state;
    begin(TAKES_BODIES);   /* and answers none without one */
    struct fetchd_client *client = fetchd_open("pipe:" NAME);
    struct fetchd_request *request = fetchd_start(client, get(), NULL);
    assert_non_null(request);
    ULONGLONG start_ms = GetTickCount64();
    assert_null(fetchd_wait_response(request, 200));
    assert_in_range(GetTickCount64() - start_ms, 150, WAIT_MS);
    end(client);
}

/* What the pipe does not take at once goes while the client waits, every byte and in order. */
static void a_body_that_is_larger_than_the_pipe_arrives_whole(void **state)
{
    (void)state;
    const size_t size = 3 << 20;
    uint8_t *body = malloc(size);
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        body[i] = (uint8_t)(i * 7 >> 4);
        sum = sum * 31 + body[i];
    }
    begin(TAKES_BODIES);
    struct fetchd_client *client = fetchd_open("pipe:" NAME);
    struct fetchd_options options = { .size = sizeof options, .url = "http://example.com/", .method = "PUT",
                                      .body_streamed = true, .body_length = size };
    struct fetchd_request *request = fetchd_start(client, &options, NULL);
    assert_non_null(request);
    for (size_t at = 0; at < size;) {
        int64_t taken = fetchd_write(request, body + at, size - at, WAIT_MS);
        if (taken <= 0)
            fail_msg("%lld at %zu: %s", (long long)taken, at, fetchd_last_error(client)->message);
        at += (size_t)taken;
    }
    assert_int_equal(fetchd_finish_body(request), 0);
    const struct fetchd_done *done = fetchd_wait_done(request, WAIT_MS);
    assert_non_null(done);
    assert_null(done->error);
    end(client);
    assert_int_equal(server.body_bytes, size);
    assert_int_equal(server.body_sum, sum);
    free(body);
}

static void a_daemon_that_goes_is_lost_and_the_next_is_found(void **state)
{
    (void)state;
    begin(HANGS_UP);
    struct fetchd_client *client = fetchd_open("pipe:" NAME);
    assert_null(fetchd_fetch(client, get(), WAIT_MS));
    assert_string_equal(fetchd_last_error(client)->name, "daemon.lost");
    WaitForSingleObject(server.thread, WAIT_MS);
    CloseHandle(server.thread);
    begin(ANSWERS);
    struct fetchd_reply *reply = fetchd_fetch(client, get(), WAIT_MS);
    assert_non_null(reply);
    fetchd_reply_free(reply);
    end(client);
}

/* ---- the event ---- */

static bool is_set(HANDLE event)
{
    return WaitForSingleObject(event, 0) == WAIT_OBJECT_0;
}

/* What comes until DONE, each time when the event says so. */
static unsigned follow(struct fetchd_client *client, HANDLE event, const char **ret_error)
{
    unsigned seen = 0;
    while (!(seen & 1u << FETCHD_EVENT_DONE)) {
        const struct fetchd_event *found;
        assert_int_equal(WaitForSingleObject(event, WAIT_MS), WAIT_OBJECT_0);
        fetchd_process(client);
        while ((found = fetchd_next_event(client))) {
            seen |= 1u << found->type;
            if (found->error)
                *ret_error = found->error->name;
        }
    }
    return seen;
}

static void the_event_is_set_while_there_is_something_to_do_and_then_no_more(void **state)
{
    (void)state;
    begin(ANSWERS);
    struct fetchd_client *client = fetchd_open("pipe:" NAME);
    HANDLE event = fetchd_handle(client);
    assert_non_null(event);
    assert_false(is_set(event));
    for (int i = 0; i < 20; i++) {
        const char *error = NULL;
        struct fetchd_request *request = fetchd_start(client, get(), NULL);
        fetchd_process(client);
        unsigned seen = follow(client, event, &error);
        assert_true(seen & 1u << FETCHD_EVENT_RESPONSE && seen & 1u << FETCHD_EVENT_DATA);
        assert_null(error);
        fetchd_release(request);
        assert_false(is_set(event));
        assert_ptr_equal(fetchd_handle(client), event);
    }
    end(client);
}

static void the_event_tells_of_a_daemon_that_goes(void **state)
{
    (void)state;
    const char *error = "none";
    begin(HANGS_UP);
    struct fetchd_client *client = fetchd_open("pipe:" NAME);
    HANDLE event = fetchd_handle(client);
    assert_non_null(fetchd_start(client, get(), NULL));
    fetchd_process(client);
    assert_true(follow(client, event, &error) & 1u << FETCHD_EVENT_LOST);
    assert_string_equal(error, "daemon.lost");
    assert_false(is_set(event));
    end(client);
}

/* ---- whom it connects to ---- */

static void expect_refusal(const char *address, const char *name, const char *word)
{
    struct fetchd_client *client = fetchd_open(address);
    assert_null(fetchd_start(client, get(), NULL));
    assert_string_equal(fetchd_last_error(client)->name, name);
    if (!strstr(fetchd_last_error(client)->message, word))
        fail_msg("\"%s\" does not say \"%s\"", fetchd_last_error(client)->message, word);
    fetchd_close(client);
}

static void without_a_pipe_it_says_how_to_start_a_daemon(void **state)
{
    (void)state;
    expect_refusal("pipe:\\\\.\\pipe\\fetchd-unit-nobody", "daemon.lost", "fetchd service start");
    expect_refusal("unix:/run/x", "request.invalid", "begins with pipe:");
}

static void a_pipe_without_a_free_instance_is_waited_for_and_then_overloaded(void **state)
{
    (void)state;
    HANDLE pipe = make_pipe(NULL);
    HANDLE taken = CreateFileA(NAME, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_ptr_not_equal(taken, INVALID_HANDLE_VALUE);
    expect_refusal("pipe:" NAME, "overloaded", "no more connections");
    CloseHandle(taken);
    CloseHandle(pipe);
}

#define STRANGER "S-1-5-21-1-2-3-1001"

static void a_pipe_of_somebody_else_is_not_talked_to(void **state)
{
    (void)state;
    HANDLE pipe = make_pipe("O:" STRANGER "D:(A;;GA;;;WD)");
    if (pipe == INVALID_HANDLE_VALUE)
        unit_skip("this system makes no pipe for another owner");
    expect_refusal("pipe:" NAME, "access.denied", "not connecting");
    CloseHandle(pipe);
}

static void the_one_whom_the_variable_names_is_trusted(void **state)
{
    (void)state;
    HANDLE pipe = make_pipe("O:" STRANGER "D:(A;;GA;;;WD)");
    if (pipe == INVALID_HANDLE_VALUE)
        unit_skip("this system makes no pipe for another owner");
    SetEnvironmentVariableA("FETCHD_USER", STRANGER);
    struct fetchd_client *client = fetchd_open("pipe:" NAME);
    struct fetchd_request *request = fetchd_start(client, get(), NULL);
    if (!request)
        fail_msg("%s", fetchd_last_error(client)->message);
    fetchd_close(client);
    CloseHandle(pipe);
}

/* ---- files ---- */

static void a_form_reads_a_file_whose_name_is_not_ascii(void **state)
{
    (void)state;
    static const wchar_t name[] = L"fetchd-unit-\u00e4\u4e16\U0001f600.txt";
    DWORD written;
    char buffer[1000] = "";
    HANDLE file = CreateFileW(name, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    assert_true(WriteFile(file, "a\r\nb\x1a" "c", 6, &written, NULL));
    CloseHandle(file);
    struct fetchd_part part = { .name = "f", .path = u8"fetchd-unit-\u00e4\u4e16\U0001f600.txt" };
    struct fetchd_form *form = fetchd_form_open(&part, 1);
    DeleteFileW(name);
    assert_non_null(form);
    for (size_t at = 0; at < fetchd_form_size(form);) {
        int64_t got = fetchd_form_read(form, buffer + at, sizeof buffer - 1 - at);
        assert_true(got > 0);
        at += (size_t)got;
    }
    assert_non_null(strstr(buffer, "\r\n\r\na\r\nb\x1a" "c\r\n--"));
    fetchd_form_close(form);
}

UNIT_TESTS(TEST(a_request_is_answered), TEST(a_wait_ends_with_its_time),
           TEST(a_body_that_is_larger_than_the_pipe_arrives_whole),
           TEST(a_daemon_that_goes_is_lost_and_the_next_is_found),
           TEST(the_event_is_set_while_there_is_something_to_do_and_then_no_more),
           TEST(the_event_tells_of_a_daemon_that_goes), TEST(without_a_pipe_it_says_how_to_start_a_daemon),
           TEST(a_pipe_without_a_free_instance_is_waited_for_and_then_overloaded),
           TEST(a_pipe_of_somebody_else_is_not_talked_to), TEST(the_one_whom_the_variable_names_is_trusted),
           TEST(a_form_reads_a_file_whose_name_is_not_ascii))
