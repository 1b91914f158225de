/* What is the same under a manager that asks by signals and without one: nothing stands around the program. */
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
