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

int service_inherited_socket(void)
{
    return -1;
}
