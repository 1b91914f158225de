/* Limits and counts on Unix. */
#include "vitals.h"

#include <dirent.h>
#include <limits.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define RESERVED_FDS 128      /* channel, log, loop, name look-ups, and libcurl's own by multi */
#define UNLIMITED_FDS 1000000

/* Opened before the sandbox closes, and asked each second. */
static DIR *own_fds;
static int own_memory = -1;

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
    own_memory = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
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

/* "SIZE RESIDENT ..." in pages. */
static size_t read_statm(void)
{
    char text[128];
    ssize_t length = pread(own_memory, text, sizeof text - 1, 0);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    const char *resident = strchr(text, ' ');
    return resident ? strtoul(resident, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

size_t vitals_rss_bytes(void)
{
    size_t bytes = 0;
    if (own_memory >= 0)
        return read_statm();
    return uv_resident_set_memory(&bytes) == 0 ? bytes : 0;
}
