/* Limits and counts on Unix. */
#include "vitals.h"

#include "resident.h"

#include <dirent.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define RESERVED_FDS 128      /* channel, log, loop, name look-ups, and libcurl's own by multi */
#define UNLIMITED_FDS 1000000

/* Opened before the sandbox closes, and read each second. */
static DIR *own_fds;

void vitals_prepare(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    vitals_allow_core(false);
    own_fds = opendir("/dev/fd");
    resident_prepare();
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 1);   /* resolver threads would each leave one behind */
#endif
}

void vitals_allow_core(bool allowed)
{
    struct rlimit core;
    if (getrlimit(RLIMIT_CORE, &core) < 0)
        return;
    core.rlim_cur = allowed ? core.rlim_max : 0;
    setrlimit(RLIMIT_CORE, &core);
}

unsigned vitals_connection_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return 256;
    rlim_t count = files.rlim_cur > UNLIMITED_FDS ? UNLIMITED_FDS : files.rlim_cur;
    rlim_t reserve = RESERVED_FDS + count / 16;   /* a multi of 128 connections has a few of its own */
    return count > 2 * reserve ? (unsigned)(count - reserve) : (unsigned)(count / 2);
}

unsigned vitals_open_fds(void)
{
    unsigned count = 0;
    if (!own_fds)
        return 0;
    rewinddir(own_fds);
    for (const struct dirent *entry; (entry = readdir(own_fds));)
        count += entry->d_name[0] != '.';
    return count;
}

size_t vitals_rss_bytes(void)
{
    return resident_bytes();
}
