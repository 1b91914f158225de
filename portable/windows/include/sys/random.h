/* getrandom(2). */
#ifndef PORTABLE_SYS_RANDOM_H
#define PORTABLE_SYS_RANDOM_H

#include <sys/types.h>

/* As on Linux; `flags` must be 0. */
ssize_t getrandom(void *place, size_t bytes, unsigned flags);

#endif
