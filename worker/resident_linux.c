/* proc_pid_statm(5), opened once: the sandbox lets nothing be opened later. */
#include "resident.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int statm = -1;

void resident_prepare(void)
{
    statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

/* "SIZE RESIDENT ..." in pages. */
size_t resident_bytes(void)
{
    char text[128];
    ssize_t length = statm < 0 ? -1 : pread(statm, text, sizeof text - 1, 0);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    const char *resident = strchr(text, ' ');
    return resident ? strtoul(resident, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}
