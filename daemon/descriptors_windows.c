/* Descriptors are the C library's own, for pipes and files; sockets are none. */
#include "descriptors.h"

#include "log.h"

#define MOST 2048   /* of msvcrt.dll, which no call changes (_setmaxstdio is for streams) */

void descriptors_raise(void)
{
    log_info("daemon: %d descriptors allowed, one for each client and two for each worker", MOST);
}

uint64_t descriptors_allowed(void)
{
    return MOST;
}

uint64_t descriptors_allowed_worker(void)
{
    return 0;
}
