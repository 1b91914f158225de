/* listener_windows.c and peer_windows.c: the pipe, its permissions, and who comes. */
#include "daemon/account.h"
#include "daemon/listener.h"
#include "daemon/peer.h"

#include "conf/sid.h"
#include "far.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
/* After windows.h. */
#include <aclapi.h>
#include <sddl.h>

#define MANY 200

#define PERMISSIONS (OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION)

static uv_loop_t loop;
static struct listener listener;
static struct conf *conf;
static char path[100], address[110], error[LISTENER_ERROR_BYTES];
static unsigned accepted;
static int fds[MANY];

static void on_accept(void *owner, int fd)
{
    assert_ptr_equal(owner, &accepted);
    assert_in_range(accepted, 0, MANY - 1);
    fds[accepted++] = fd;
}

static void set(const char *key, const char *value)
{
    char reason[CONF_ERROR_BYTES];
    if (conf_set(conf, "access", key, value, reason) < 0)
        fail_msg("%s", reason);
}

static void listen_here(void)
{
    if (listener_open(&listener, &loop, address, conf, on_accept, &accepted, error) < 0)
        fail_msg("%s", error);
}

static void begin(void)
{
    snprintf(path, sizeof path, "\\\\.\\pipe\\fetchd-unit-%lu", GetCurrentProcessId());
    snprintf(address, sizeof address, "pipe:%s", path);
    conf = conf_create();
    assert_non_null(conf);
    assert_int_equal(uv_loop_init(&loop), 0);
}

static void end(void)
{
    listener_close(&listener);
    uv_run(&loop, UV_RUN_DEFAULT);
    listener_finish(&listener);
    assert_int_equal(uv_loop_close(&loop), 0);
    conf_destroy(conf);
    for (unsigned i = 0; i < accepted; i++)
        _close(fds[i]);
}

static HANDLE open_pipe(DWORD access)
{
    return CreateFileA(path, access, 0, NULL, OPEN_EXISTING,
                       FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
}

/* Waits where all instances are taken, as clients do. */
static HANDLE connect_for(DWORD access)
{
    HANDLE pipe = open_pipe(access);
    while (pipe == INVALID_HANDLE_VALUE && GetLastError() == ERROR_PIPE_BUSY) {
        WaitNamedPipeA(path, 1000);
        uv_run(&loop, UV_RUN_NOWAIT);
        pipe = open_pipe(access);
    }
    assert_ptr_not_equal(pipe, INVALID_HANDLE_VALUE);
    return pipe;
}

static HANDLE connect_client(void)
{
    return connect_for(GENERIC_READ | FILE_WRITE_DATA);
}

static void wait_for(unsigned count)
{
    while (accepted < count)
        uv_run(&loop, UV_RUN_ONCE);
}

/* ---- permissions ---- */

/* As the system writes it. */
static LPSTR canonical(const char *sddl)
{
    PSECURITY_DESCRIPTOR descriptor = NULL;
    LPSTR text = NULL;
    assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorA(sddl, SDDL_REVISION_1, &descriptor, NULL));
    assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorA(descriptor, SDDL_REVISION_1,
                                                                     PERMISSIONS, &text, NULL));
    LocalFree(descriptor);
    return text;
}

static LPSTR read_permissions(void)
{
    PSECURITY_DESCRIPTOR found = NULL;
    LPSTR text = NULL;
    HANDLE pipe = connect_for(READ_CONTROL);
    assert_int_equal(GetSecurityInfo(pipe, SE_KERNEL_OBJECT, PERMISSIONS, NULL, NULL, NULL, NULL, &found), 0);
    assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorA(found, SDDL_REVISION_1, PERMISSIONS,
                                                                     &text, NULL));
    LocalFree(found);
    CloseHandle(pipe);
    return text;
}

/* The pipe's thread may take a moment to set them. */
static void expect_permissions(const char *wanted)
{
    char expected[1000], own[CONF_SID_TEXT_BYTES];
    conf_sid_text(account_own(), own);
    snprintf(expected, sizeof expected, "O:%sD:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;%s)%s", own, own, wanted);
    LPSTR same = canonical(expected), text = read_permissions();
    for (int tries = 0; tries < 500 && strcmp(text, same) != 0; tries++) {
        LocalFree(text);
        Sleep(10);
        text = read_permissions();
    }
    assert_string_equal(text, same);
    LocalFree(same);
    LocalFree(text);
}

static void the_pipe_has_the_permissions_of_access(void **state)
{
    (void)state;
    begin();
    set("deny", "@\"S-1-5-32-546\"");
    set("allow", "*, @S-1-5-6");
    set("admin", "S-1-5-20");
    listen_here();
    expect_permissions("(D;;GA;;;BG)(A;;0x12019b;;;NS)(A;;0x12019b;;;IU)(A;;0x12019b;;;SU)");
    end();
}

static void denied_to_all_it_is_open_to_nobody_but_those_whom_the_lists_do_not_concern(void **state)
{
    (void)state;
    begin();
    set("deny", "*");
    listen_here();
    expect_permissions("");
    end();
}

static void a_reload_changes_the_permissions(void **state)
{
    (void)state;
    begin();
    listen_here();
    expect_permissions("(A;;0x12019b;;;IU)");
    set("allow", "@S-1-5-6");
    listener_permit(&listener, conf);
    expect_permissions("(A;;0x12019b;;;SU)");
    end();
}

/* ---- the name ---- */

static void only_one_has_a_pipe_of_a_name(void **state)
{
    struct listener second;
    (void)state;
    begin();
    listen_here();
    assert_int_equal(listener_open(&second, &loop, address, conf, on_accept, &accepted, error), -1);
    assert_non_null(strstr(error, "another fetchd, or another program, has a pipe of this name"));
    assert_int_equal(listener_open(&second, &loop, "unix:/run/x", conf, on_accept, &accepted, error), -1);
    assert_non_null(strstr(error, "an address begins with pipe:"));
    end();
}

static void after_the_end_nobody_finds_it(void **state)
{
    (void)state;
    begin();
    listen_here();
    listener_close(&listener);
    assert_ptr_equal(open_pipe(GENERIC_READ | FILE_WRITE_DATA), INVALID_HANDLE_VALUE);
    assert_int_equal(GetLastError(), ERROR_FILE_NOT_FOUND);
    end();
}

/* ---- clients ---- */

static void many_come_at_once(void **state)
{
    static HANDLE clients[MANY];
    (void)state;
    begin();
    listen_here();
    for (unsigned i = 0; i < MANY; i++)
        clients[i] = connect_client();
    wait_for(MANY);
    for (unsigned i = 0; i < MANY; i++)
        CloseHandle(clients[i]);
    end();
}

static void say(HANDLE client, char byte)
{
    OVERLAPPED overlapped = { .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL) };
    DWORD written = 0;
    WriteFile(client, &byte, 1, NULL, &overlapped);
    assert_true(GetOverlappedResult(client, &overlapped, &written, TRUE));
    CloseHandle(overlapped.hEvent);
}

static bool was_heard(char wanted)
{
    for (unsigned i = 0; i < accepted; i++) {
        char byte = 0;
        if (far_read(fds[i], &byte, 1) == 1 && byte == wanted)
            return true;
    }
    return false;
}

static void who_goes_again_at_once_keeps_nobody_out(void **state)
{
    (void)state;
    begin();
    listen_here();
    for (unsigned i = 0; i < 50; i++)
        CloseHandle(connect_client());
    HANDLE last = connect_client();
    say(last, 'x');
    while (!was_heard('x'))
        uv_run(&loop, UV_RUN_ONCE);
    CloseHandle(last);
    end();
}

static void a_client_is_known_once_it_has_spoken(void **state)
{
    char byte = 0;
    struct peer peer;
    (void)state;
    begin();
    listen_here();
    HANDLE client = connect_client();
    wait_for(1);
    int before = peer_read(fds[0], &peer);
    assert_true(before == 0 || before == UV_EAGAIN);   /* Windows itself waits for a first byte */
    assert_int_equal(peer.pid, GetCurrentProcessId());
    peer_finish(&peer);
    say(client, 'x');
    assert_int_equal(far_read(fds[0], &byte, 1), 1);
    assert_int_equal(peer_read(fds[0], &peer), 0);
    assert_true(peer.user == account_own());
    assert_true(peer.group_count > 0);
    peer_finish(&peer);
    CloseHandle(client);
    end();
}

UV_TESTS(TEST(the_pipe_has_the_permissions_of_access),
         TEST(denied_to_all_it_is_open_to_nobody_but_those_whom_the_lists_do_not_concern),
         TEST(a_reload_changes_the_permissions), TEST(only_one_has_a_pipe_of_a_name),
         TEST(after_the_end_nobody_finds_it), TEST(many_come_at_once), TEST(who_goes_again_at_once_keeps_nobody_out),
         TEST(a_client_is_known_once_it_has_spoken))
