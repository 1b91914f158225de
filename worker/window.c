/* The budget of all multiplexed answers. */
#include "window.h"

#define BUDGET_BYTES (2 * 1024 * 1024)
#define MOST_BYTES (1024 * 1024)

static unsigned streams;

void window_enter(void)
{
    streams++;
}

void window_leave(void)
{
    streams--;
}

int32_t window_share(void)
{
    int32_t bytes = BUDGET_BYTES / (int32_t)(streams ? streams : 1);
    return bytes < WINDOW_LEAST_BYTES ? WINDOW_LEAST_BYTES : bytes > MOST_BYTES ? MOST_BYTES : bytes;
}
