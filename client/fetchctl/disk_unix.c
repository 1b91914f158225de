/* Files as POSIX has them. */
#include "disk.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int disk_make_folder(const char *path)
{
    return mkdir(path, 0777) < 0 && errno != EEXIST ? -1 : 0;
}

int disk_replace(const char *from, const char *to)
{
    return rename(from, to);
}


void disk_clean_name(char *name)
{
    (void)name;   /* without a slash every name is one */
}

bool disk_takes_name(const char *name)
{
    (void)name;
    return true;
}

bool disk_limits_size(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

void disk_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
