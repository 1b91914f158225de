/* memrchr(3), which macOS lacks; explicit_bzero(3), which macOS and NetBSD lack. */
#ifndef PORTABLE_STRING_H
#define PORTABLE_STRING_H

#include_next <string.h>

#include <stddef.h>

void *memrchr(const void *data, int byte, size_t length);
void explicit_bzero(void *place, size_t bytes);

#endif
