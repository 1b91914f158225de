#include <string.h>

void *memmem(const void *data, size_t length, const void *wanted, size_t wanted_length)
{
    const char *at = data, *first = wanted;
    if (wanted_length == 0)
        return (void *)(size_t)at;
    while (length >= wanted_length) {
        const char *next = memchr(at, *first, length - wanted_length + 1);
        if (!next || memcmp(next, wanted, wanted_length) == 0)
            return (void *)(size_t)next;
        length -= (size_t)(next + 1 - at);
        at = next + 1;
    }
    return NULL;
}
