/* RLIMIT_NOFILE. */
#include "descriptors.h"

#include "log.h"

#include <sys/resource.h>

void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        log_info("daemon: %llu descriptors allowed, in each process", (unsigned long long)limit.rlim_cur);
}

uint64_t descriptors_allowed(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : (uint64_t)limit.rlim_cur;
}

uint64_t descriptors_allowed_worker(void)
{
    return descriptors_allowed();
}

uint64_t descriptors_for_clients(unsigned workers)
{
    (void)workers;
    return UINT64_MAX;
}
