/* Blocks that know their size, so that they can be wiped. */
#include "secret.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct block { size_t bytes; max_align_t data[]; };

/* A call through this pointer can't be seen through. */
static void *(*const volatile overwrite)(void *, int, size_t) = memset;

void ipc_secret_wipe(void *place, size_t bytes)
{
    if (bytes > 0)
        overwrite(place, 0, bytes);
}

void *ipc_secret_alloc(size_t bytes)
{
    if (bytes > SIZE_MAX - sizeof(struct block))
        return NULL;
    struct block *block = malloc(sizeof *block + bytes);
    if (!block)
        return NULL;
    block->bytes = bytes;
    return block->data;
}

static struct block *block_of(void *place)
{
    return (struct block *)(void *)((char *)place - offsetof(struct block, data));
}

void *ipc_secret_realloc(void *place, size_t bytes)
{
    size_t has = place ? block_of(place)->bytes : 0;
    if (place && bytes <= has)
        return place;
    void *larger = ipc_secret_alloc(bytes);
    if (!larger)
        return NULL;
    if (has > 0)
        memcpy(larger, place, has);
    ipc_secret_free(place);
    return larger;
}

void ipc_secret_free(void *place)
{
    if (!place)
        return;
    struct block *block = block_of(place);
    size_t bytes = block->bytes;
    ipc_secret_wipe(block, sizeof *block + bytes);
    free(block);
}
