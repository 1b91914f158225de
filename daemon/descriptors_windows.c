/* Descriptors are the C library's own, for pipes and files; sockets are none. */
#include "descriptors.h"

#include "log.h"

#define MOST 2048      /* of msvcrt.dll, which no call changes (_setmaxstdio is for streams) */
#define FILES 32       /* those of the start, and some for a while */
#define PER_WORKER 4   /* two, and two of its successor */

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

uint64_t descriptors_for_clients(unsigned workers)
{
    unsigned others = FILES + PER_WORKER * workers;
    return others < MOST / 2 ? MOST - others : MOST / 2;
}
