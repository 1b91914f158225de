/* Landlock by its bare system calls: the C library has no wrappers, and Debian 12's headers know only its
 * first versions. https://docs.kernel.org/userspace-api/landlock.html */
#ifndef WORKER_LANDLOCK_H
#define WORKER_LANDLOCK_H

#include <stddef.h>

/* From here on this thread and its children open for reading only what is at or below these paths, and
 * change nothing; bind no TCP port, and where the kernel can (6.12) signal nobody outside and reach no
 * abstract socket. Paths that are not there are passed over. Needs no_new_privs. The kernel's version of
 * Landlock, 0 where it has none, -1 with errno. */
int landlock_enter(const char *const *readable, size_t count);

#endif
