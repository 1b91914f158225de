/* getrandom(2), which macOS and OpenBSD lack. */
#ifndef PORTABLE_SYS_RANDOM_H
#define PORTABLE_SYS_RANDOM_H

#include <stddef.h>
#include <sys/types.h>

/* `flags` must be 0. */
ssize_t getrandom(void *place, size_t bytes, unsigned flags);

#endif
