/* spawn_windows.c and child_windows.c: with what a worker is born, and how its death is told. */
#include "daemon/spawn.h"

#include "far.h"
#include "unit.h"

#include <errno.h>
#include <io.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

static uv_loop_t loop;
static struct child child;
static struct spawned spawned;
static bool ended;
static int64_t status;
static int died_by;
static char folder[2048];

static void on_exit_told(struct child *who, int64_t exit_status, int signal)
{
    assert_ptr_equal(who, &child);
    ended = true;
    status = exit_status;
    died_by = signal;
}

static void begin(bool unconfined)
{
    char program[2200];
    size_t size = sizeof folder;
    assert_int_equal(uv_exepath(folder, &size), 0);
    *strrchr(folder, '\\') = '\0';
    snprintf(program, sizeof program, "%s\\spawnling.exe", folder);
    struct spawn_order order = { program, unconfined, (uint64_t)1 << 30 };
    assert_int_equal(uv_loop_init(&loop), 0);
    child = (struct child){ .on_exit = on_exit_told };
    assert_int_equal(spawn_worker(&loop, &child, &order, &spawned), 0);
    assert_true(child.open && child.pid > 0);
}

static void say(const void *bytes, size_t length)
{
    assert_int_equal(far_write(spawned.channel_fd, bytes, length), (ssize_t)length);
}

/* far_read waits for nobody. */
static char hear(void)
{
    char answer = 0;
    for (int tries = 0; tries < 3000; tries++) {
        ssize_t got = far_read(spawned.channel_fd, &answer, 1);
        if (got == 1)
            return answer;
        assert_true(got < 0 && errno == EAGAIN);
        Sleep(10);
    }
    fail_msg("no answer");
    return 0;
}

static void on_closed(struct child *who)
{
    assert_false(who->open);
}

static void wait_for_end(void)
{
    while (!ended)
        uv_run(&loop, UV_RUN_ONCE);
}

static void end(void)
{
    wait_for_end();
    child_close(&child, on_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    _close(spawned.channel_fd);
    _close(spawned.log_fd);
}

/* ---- what it has ---- */

static void it_has_its_channel_and_nothing_else_of_ours(void **state)
{
    char path[2200];
    SECURITY_ATTRIBUTES inherited = { sizeof inherited, NULL, TRUE };
    (void)state;
    SetEnvironmentVariableA("UNIT_SECRET", "here");
    snprintf(path, sizeof path, "C:\\windows\\win.ini");
    HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ, &inherited, OPEN_EXISTING, 0, NULL);
    assert_ptr_not_equal(file, INVALID_HANDLE_VALUE);
    begin(false);
    uint64_t value = (uint64_t)(uintptr_t)file;
    say("h", 1);
    say(&value, sizeof value);
    assert_int_equal(hear(), 'n');
    say("v", 1);
    assert_int_equal(hear(), 'n');
    say("7", 1);
    end();
    CloseHandle(file);
}

static void what_it_says_of_itself_is_its_log(void **state)
{
    char line[100] = "";
    (void)state;
    begin(false);
    say("l", 1);
    assert_int_equal(hear(), 'y');
    ssize_t length = far_read(spawned.log_fd, line, sizeof line - 1);
    assert_true(length > 0);
    line[strcspn(line, "\r\n")] = '\0';
    assert_string_equal(line, "a line");
    say("7", 1);
    end();
}

/* The job's handle is ours alone, so that it closes however we end. */
static void it_dies_with_its_job(void **state)
{
    (void)state;
    begin(false);
    say("j", 1);
    assert_int_equal(hear(), 'y');
    DWORD flags = 0;
    assert_true(GetHandleInformation(child.job, &flags));
    assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
    CloseHandle(child.job);
    child.job = CreateEventW(NULL, FALSE, FALSE, NULL);   /* child_close closes it */
    end();
}

static void a_debugger_gets_one_that_is_not_confined(void **state)
{
    (void)state;
    begin(true);
    say("j", 1);
    assert_int_equal(hear(), 'y');
    say("7", 1);
    end();
    assert_int_equal(status, 7);
}

static void a_program_that_is_not_there_is_an_error(void **state)
{
    struct spawn_order order = { "C:\\windows\\no-such-worker.exe", false, 0 };
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    child = (struct child){ .on_exit = on_exit_told };
    assert_int_equal(spawn_worker(&loop, &child, &order, &spawned), UV_ENOENT);
    assert_false(child.open);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* ---- how it ends ---- */

static void its_end_is_told_as_a_signal_or_a_status(void **state)
{
    static const struct { const char *order; int64_t status; int signal; bool fault; } deaths[] = {
        { "7", 7, 0, false }, { "a", 0, SIGABRT, true }, { "c", 0, SIGSEGV, true }, { "s", 0, SIGSEGV, true },
        { "i", 0, SIGILL, true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
        ended = false;
        begin(false);
        say(deaths[i].order, 1);
        end();
        assert_int_equal(status, deaths[i].status);
        assert_int_equal(died_by, deaths[i].signal);
        assert_int_equal(child_is_fault(died_by), deaths[i].fault);
    }
}

static void who_ends_it_is_told_apart(void **state)
{
    (void)state;
    begin(false);
    child_kill(&child);
    end();
    assert_int_equal(died_by, SIGKILL);
    ended = false;
    begin(false);
    child_abort(&child);
    end();
    assert_int_equal(died_by, SIGABRT);
    ended = false;
    begin(false);
    TerminateProcess(child.handle, 1);   /* as the Task Manager does */
    end();
    assert_int_equal(died_by, SIGKILL);
    assert_false(child_is_fault(died_by));
}

static void it_ends_when_its_channel_closes(void **state)
{
    (void)state;
    begin(false);
    say("j", 1);
    assert_int_equal(hear(), 'y');
    _close(spawned.channel_fd);
    wait_for_end();
    spawned.channel_fd = _dup(spawned.log_fd);   /* end closes it */
    end();
    assert_int_equal(status, 0);
    assert_int_equal(died_by, 0);
}

UV_TESTS(TEST(it_has_its_channel_and_nothing_else_of_ours), TEST(what_it_says_of_itself_is_its_log),
         TEST(it_dies_with_its_job), TEST(a_debugger_gets_one_that_is_not_confined),
         TEST(a_program_that_is_not_there_is_an_error), TEST(its_end_is_told_as_a_signal_or_a_status),
         TEST(who_ends_it_is_told_apart), TEST(it_ends_when_its_channel_closes))
