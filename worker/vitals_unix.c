/* Limits and counts on Unix. */
#include "vitals.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define RESERVED_FDS 128      /* channel, log, loop, name look-ups, and libcurl's own by multi */
#define UNLIMITED_FDS 1000000

void vitals_prepare(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    vitals_allow_core(false);
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
    DIR *folder = opendir("/dev/fd");
    if (!folder)
        return 0;
    for (const struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count > 0 ? count - 1 : 0;   /* without the folder's own */
}
