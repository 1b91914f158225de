/* A process handle, waited for by a thread of Windows' own, which wakes the loop. A process that is ended gets its
 * exit code from who ends it; one that crashes has the exception's for a code. */
#include "child.h"

#include <signal.h>
#include <windows.h>
/* After windows.h. */
#include <ntstatus.h>

#define ENDED_BY_US 0x46440009u   /* nobody else's exit code, we hope */
#define ABORT_CODE 3              /* of msvcrt's abort() */

/* THE table: what a code says. */
static const struct { DWORD code; int signal; } deaths[] = {
    { 1, SIGKILL },                                /* Task Manager, taskkill: a worker's own failures end otherwise */
    { 0xffffffff, SIGKILL },                       /* .NET's Process.Kill, PowerShell's Stop-Process */
    { STATUS_CONTROL_C_EXIT, SIGINT },
    { ABORT_CODE, SIGABRT },
    { (DWORD)STATUS_ACCESS_VIOLATION, SIGSEGV },
    { (DWORD)STATUS_IN_PAGE_ERROR, SIGSEGV },
    { (DWORD)STATUS_STACK_OVERFLOW, SIGSEGV },
    { (DWORD)STATUS_ILLEGAL_INSTRUCTION, SIGILL },
    { (DWORD)STATUS_PRIVILEGED_INSTRUCTION, SIGILL },
    { (DWORD)STATUS_INTEGER_DIVIDE_BY_ZERO, SIGFPE },
    { (DWORD)STATUS_INTEGER_OVERFLOW, SIGFPE },
    { (DWORD)STATUS_STACK_BUFFER_OVERRUN, SIGABRT },   /* __fastfail too */
    { (DWORD)STATUS_HEAP_CORRUPTION, SIGABRT },
    { (DWORD)STATUS_NO_MEMORY, SIGABRT },
    { (DWORD)STATUS_BREAKPOINT, SIGABRT },
};

static const struct { int signal; const char *name; } names[] = {
    { SIGKILL, "ended" }, { SIGABRT, "abort" }, { SIGSEGV, "access violation" }, { SIGILL, "illegal instruction" },
    { SIGFPE, "arithmetic" }, { SIGINT, "Ctrl+C" },
};

/* Of a program that never ran. */
static const struct { DWORD code; const char *words; } stillbirths[] = {
    { (DWORD)STATUS_DLL_NOT_FOUND, " (a DLL that it needs is missing)" },
    { (DWORD)STATUS_ENTRYPOINT_NOT_FOUND, " (a DLL that it needs is another version)" },
    { (DWORD)STATUS_DLL_INIT_FAILED, " (a DLL that it needs could not start)" },
};
#define STILLBIRTHS (sizeof stillbirths / sizeof stillbirths[0])

const char *child_status_name(int64_t status)
{
    for (size_t i = 0; i < STILLBIRTHS; i++)
        if (stillbirths[i].code == (uint64_t)status)
            return stillbirths[i].words;
    return "";
}

static int signal_of(const struct child *child, DWORD code)
{
    if (code == ENDED_BY_US && child->ended_by)
        return child->ended_by;
    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++)
        if (deaths[i].code == code)
            return deaths[i].signal;
    return code >= 0xc0000000u && !*child_status_name(code) ? SIGSEGV : 0;   /* an exception of whatever kind */
}

/* ---- the end ---- */

static void on_uv_ended(uv_async_t *async)
{
    struct child *child = async->data;
    DWORD code = 0;
    if (!child->wait)
        return;
    UnregisterWaitEx(child->wait, INVALID_HANDLE_VALUE);
    child->wait = NULL;
    GetExitCodeProcess(child->handle, &code);
    int signal = signal_of(child, code);
    child->on_exit(child, signal ? 0 : (int64_t)code, signal);
}

/* In a thread that is not ours. */
static void CALLBACK on_ended(void *context, BOOLEAN timed_out)
{
    struct child *child = context;
    (void)timed_out;
    uv_async_send(&child->uv.async);
}

int child_watch(struct child *child, uv_loop_t *loop, void *handle, void *job, uint32_t pid)
{
    int status = uv_async_init(loop, &child->uv.async, on_uv_ended);
    if (status < 0)
        return status;
    child->open = true;
    child->uv.async.data = child;
    child->handle = handle;
    child->job = job;
    child->pid = pid;
    if (!RegisterWaitForSingleObject(&child->wait, handle, on_ended, child, INFINITE, WT_EXECUTEONLYONCE))
        return uv_translate_sys_error((int)GetLastError());
    return 0;
}

static void on_uv_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;
    child->open = false;
    child->on_closed(child);
}

void child_close(struct child *child, void (*on_closed)(struct child *child))
{
    child->on_closed = on_closed;
    CloseHandle(child->handle);
    CloseHandle(child->job);   /* and with it all that may have been left of it */
    uv_close(&child->uv.handle, on_uv_closed);
}

/* ---- ending it ---- */

static void end(struct child *child, int signal)
{
    child->ended_by = signal;
    TerminateProcess(child->handle, ENDED_BY_US);
}

void child_abort(struct child *child)
{
    end(child, SIGABRT);
}

void child_kill(struct child *child)
{
    end(child, SIGKILL);
}

/* ---- words ---- */

bool child_is_fault(int signal)
{
    return signal == SIGSEGV || signal == SIGABRT || signal == SIGILL || signal == SIGFPE;
}

const char *child_signal_name(int signal)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].signal == signal)
            return names[i].name;
    return "?";
}
