/* And what mingw-w64 lacks of it. */
#ifndef PORTABLE_UNISTD_H
#define PORTABLE_UNISTD_H

#include_next <unistd.h>

#include <sys/types.h>

/* Of a file; its position stays. */
ssize_t pread(int fd, void *buffer, size_t size, off_t offset);

/* The C library's own is true for NUL as well. */
#define isatty portable_isatty
int isatty(int fd);

#endif
