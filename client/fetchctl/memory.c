/* Allocation for a program that can't go on without. */
#include "memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_OUT_OF_MEMORY 27

static void *check(void *memory)
{
    if (memory)
        return memory;
    fputs("fetchctl: (27) out_of_memory: not enough memory\n", stderr);
    exit(EXIT_OUT_OF_MEMORY);
}

void must_have(bool there)
{
    if (!there)
        check(NULL);
}

void *must_allocate(size_t count, size_t size)
{
    return check(calloc(count ? count : 1, size ? size : 1));
}

void *must_resize(void *memory, size_t count, size_t size)
{
    if (size > 0 && count > (size_t)-1 / size)
        check(NULL);
    size_t bytes = count * size;
    return check(realloc(memory, bytes > 0 ? bytes : 1));
}

char *must_copy_bytes(const char *data, size_t length)
{
    char *copy = must_allocate(length + 1, 1);
    if (length > 0)
        memcpy(copy, data, length);
    return copy;
}

char *must_copy(const char *string)
{
    return must_copy_bytes(string, strlen(string));
}

char *must_print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = must_allocate((size_t)(length < 0 ? 0 : length) + 1, 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)(length < 0 ? 0 : length) + 1, format, arguments);
    va_end(arguments);
    return text;
}
