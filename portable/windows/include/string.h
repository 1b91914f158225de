/* And what mingw-w64 lacks of it. */
#ifndef PORTABLE_STRING_H
#define PORTABLE_STRING_H

#include_next <string.h>

void *memmem(const void *data, size_t length, const void *wanted, size_t wanted_length);
void *memrchr(const void *data, int byte, size_t length);
char *strndup(const char *text, size_t most);
char *stpcpy(char *place, const char *text);
char *strsep(char **rest, const char *ends);
void explicit_bzero(void *place, size_t bytes);

#endif
