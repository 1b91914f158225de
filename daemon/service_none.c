/* No service manager: a process in somebody's terminal. */
#include "service.h"

const char service_usage[] = "";

int service_run(int argc, char **argv, int (*run)(int argc, char **argv))
{
    return run(argc, argv);
}

int service_open(uv_loop_t *loop, const struct service_calls *calls, void *owner)
{
    (void)loop;
    (void)calls;
    (void)owner;
    return 0;
}

void service_close(void)
{
}

void service_ready(const char *status)
{
    (void)status;
}

void service_status(const char *status)
{
    (void)status;
}

void service_reloading(void)
{
}

void service_stopping(void)
{
}

void service_alive(void)
{
}

void service_log(int level, const char *text)
{
    (void)level;
    (void)text;
}

void service_keep_log(const char *file, uint64_t limit_bytes)
{
    (void)file;
    (void)limit_bytes;
}

int service_inherited_socket(void)
{
    return -1;
}
