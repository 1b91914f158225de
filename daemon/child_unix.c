/* libuv's processes and Unix' signals. */
#include "child.h"

#include <signal.h>
#include <string.h>

static void on_uv_exit(uv_process_t *handle, int64_t status, int signal)
{
    struct child *child = handle->data;
    child->on_exit(child, status, signal);
}

int child_spawn(struct child *child, uv_loop_t *loop, uv_process_options_t *options)
{
    options->exit_cb = on_uv_exit;
    memset(&child->uv, 0, sizeof child->uv);
    int status = uv_spawn(loop, &child->uv.process, options);
    child->uv.process.data = child;
    child->open = child->uv.process.type == UV_PROCESS;
    child->pid = status == 0 ? (uint32_t)child->uv.process.pid : 0;
    return status;
}

void child_abort(struct child *child)
{
    uv_process_kill(&child->uv.process, SIGABRT);
    /* A stopped process takes no SIGABRT until it goes on; SIGKILL needs no help. */
    uv_process_kill(&child->uv.process, SIGCONT);
}

void child_kill(struct child *child)
{
    uv_process_kill(&child->uv.process, SIGKILL);
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
    uv_close(&child->uv.handle, on_uv_closed);
}

bool child_is_fault(int signal)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP };
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (signal == signals[i])
            return true;
    return false;
}

const char *child_signal_name(int signal)
{
    return strsignal(signal);
}

const char *child_status_name(int64_t status)
{
    (void)status;
    return "";
}
