/* One block of memory for the C strings and arrays of one message: sized first, then filled, so
 * that what was handed out never moves. */
#ifndef CLIENT_WORDS_H
#define CLIENT_WORDS_H

#include "ipc/message.h"

#include <stddef.h>

struct words {
    char *memory;
    size_t capacity, used;
};

void words_finish(struct words *words);

/* Empties the block and makes it hold `bytes`. 0, or -1 without memory. */
int words_begin(struct words *words, size_t bytes);

/* What a string takes. */
static inline size_t words_size(size_t length)
{
    return length + 1;
}

/* A NUL-terminated copy; NULs inside become spaces (RFC 9110 5.5). There must be room. */
const char *words_add(struct words *words, const void *data, size_t length);

/* Aligned room for an array; to be taken before any string. */
void *words_array(struct words *words, size_t bytes);

#endif
