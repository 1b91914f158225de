/* And what mingw-w64 lacks of it. */
#ifndef PORTABLE_STDIO_H
#define PORTABLE_STDIO_H

#include_next <stdio.h>

#include <sys/types.h>

ssize_t getline(char **line, size_t *size, FILE *file);

#endif
