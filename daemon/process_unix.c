/* libuv's processes and Unix' signals. */
#include "process.h"

#include <signal.h>
#include <string.h>

static void on_uv_exit(uv_process_t *handle, int64_t status, int signal)
{
    struct process *process = handle->data;
    process->on_exit(process, status, signal);
}

int process_spawn(struct process *process, uv_loop_t *loop, uv_process_options_t *options)
{
    options->exit_cb = on_uv_exit;
    memset(&process->uv, 0, sizeof process->uv);
    int status = uv_spawn(loop, &process->uv.process, options);
    process->uv.process.data = process;
    process->open = process->uv.process.type == UV_PROCESS;
    process->pid = status == 0 ? (uint32_t)process->uv.process.pid : 0;
    return status;
}

void process_abort(struct process *process)
{
    uv_process_kill(&process->uv.process, SIGABRT);
    /* A stopped process takes no SIGABRT until it goes on; SIGKILL needs no help. */
    uv_process_kill(&process->uv.process, SIGCONT);
}

void process_kill(struct process *process)
{
    uv_process_kill(&process->uv.process, SIGKILL);
}

static void on_uv_closed(uv_handle_t *handle)
{
    struct process *process = handle->data;
    process->open = false;
    process->on_closed(process);
}

void process_close(struct process *process, void (*on_closed)(struct process *process))
{
    process->on_closed = on_closed;
    uv_close(&process->uv.handle, on_uv_closed);
}

bool process_is_fault(int signal)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP };
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (signal == signals[i])
            return true;
    return false;
}

const char *process_signal_name(int signal)
{
    return strsignal(signal);
}
