/* One block, given up when it is needed. */
#include "reserve.h"

#include "log.h"

#include <stdlib.h>

#define RESERVE_BYTES ((size_t)1024 * 1024)

static void *kept;

void reserve_refill(void)
{
    if (!kept)
        kept = malloc(RESERVE_BYTES);
}

void reserve_finish(void)
{
    free(kept);
    kept = NULL;
}

void *reserve_alloc(size_t bytes)
{
    void *memory = malloc(bytes);
    if (!memory && kept) {
        log_warning("daemon: no memory for %zu bytes, using the reserve", bytes);
        reserve_finish();
    }
    if (!memory)
        memory = malloc(bytes);
    if (!memory) {
        log_error("daemon: no memory for %zu bytes, and nothing sensible can follow", bytes);
        abort();
    }
    return memory;
}
