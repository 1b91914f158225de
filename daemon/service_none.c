/* No service manager: a process in somebody's terminal. */
#include "service.h"

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
