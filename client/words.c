/* Strings in one block. */
#include "words.h"

#include <stdlib.h>
#include <string.h>

void words_finish(struct words *words)
{
    free(words->memory);
    *words = (struct words){ 0 };
}

int words_begin(struct words *words, size_t bytes)
{
    words->used = 0;
    if (bytes <= words->capacity)
        return 0;
    size_t capacity = bytes < 1024 ? 1024 : bytes;
    char *memory = malloc(capacity);
    if (!memory)
        return -1;
    free(words->memory);
    words->memory = memory;
    words->capacity = capacity;
    return 0;
}

const char *words_add(struct words *words, const void *data, size_t length)
{
    char *copy = words->memory + words->used;
    if (length > 0)
        memcpy(copy, data, length);
    copy[length] = '\0';
    for (char *nul = memchr(copy, '\0', length); nul; nul = memchr(nul, '\0', length - (size_t)(nul - copy)))
        *nul = ' ';
    words->used += length + 1;
    return copy;
}

void *words_array(struct words *words, size_t bytes)
{
    void *array = words->memory + words->used;
    words->used += bytes;
    return array;
}
