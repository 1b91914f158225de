/* A growing byte buffer with a ceiling. */
#include "buffer.h"

#include "secret.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_BYTES 4096
#define KEPT_BYTES (64 * 1024)
#define SPARE_BYTES (1024 * 1024)

void ipc_buffer_init(struct ipc_buffer *buffer, size_t limit_bytes)
{
    *buffer = (struct ipc_buffer){ .limit = limit_bytes, .kept = KEPT_BYTES };
}

void ipc_buffer_finish(struct ipc_buffer *buffer)
{
    if (buffer->wipes)
        ipc_secret_wipe(buffer->memory, buffer->end);
    free(buffer->memory);
    *buffer = (struct ipc_buffer){ .limit = buffer->limit, .kept = KEPT_BYTES };
}

static void move_to_front(struct ipc_buffer *buffer)
{
    size_t length = ipc_buffer_length(buffer);
    if (length > 0)
        memmove(buffer->memory, ipc_buffer_data(buffer), length);
    if (buffer->wipes)
        ipc_secret_wipe(buffer->memory + length, buffer->end - length);
    buffer->start = 0;
    buffer->end = length;
}

/* realloc would leave a copy behind. */
static uint8_t *move_to_larger(struct ipc_buffer *buffer, size_t capacity)
{
    uint8_t *memory = malloc(capacity);
    if (!memory)
        return NULL;
    if (buffer->end > 0)
        memcpy(memory, buffer->memory, buffer->end);
    ipc_secret_wipe(buffer->memory, buffer->end);
    free(buffer->memory);
    return memory;
}

void ipc_spare_finish(struct ipc_spare *spare)
{
    free(spare->memory);
    *spare = (struct ipc_spare){ NULL, 0 };
}

static bool take_spare(struct ipc_buffer *buffer, size_t needed)
{
    struct ipc_spare *spare = buffer->spare;
    if (!spare || spare->capacity < needed || needed <= buffer->kept)
        return false;
    if (buffer->end > 0)
        memcpy(spare->memory, buffer->memory, buffer->end);
    free(buffer->memory);
    buffer->memory = spare->memory;
    buffer->capacity = spare->capacity;
    *spare = (struct ipc_spare){ NULL, 0 };
    return true;
}

static void give_back(struct ipc_buffer *buffer)
{
    struct ipc_spare *spare = buffer->spare;
    if (spare && spare->capacity < buffer->capacity && buffer->capacity <= SPARE_BYTES) {
        free(spare->memory);
        *spare = (struct ipc_spare){ buffer->memory, buffer->capacity };
    } else {
        free(buffer->memory);
    }
    buffer->memory = NULL;
    buffer->capacity = 0;
}

static int grow(struct ipc_buffer *buffer, size_t needed)
{
    if (take_spare(buffer, needed))
        return 0;
    size_t capacity = buffer->capacity ? buffer->capacity : SMALL_BYTES;
    while (capacity < needed)
        capacity *= 2;
    uint8_t *memory = buffer->wipes ? move_to_larger(buffer, capacity) : realloc(buffer->memory, capacity);
    if (!memory)
        return -1;
    buffer->memory = memory;
    buffer->capacity = capacity;
    return 0;
}

uint8_t *ipc_buffer_reserve(struct ipc_buffer *buffer, size_t bytes)
{
    size_t length = ipc_buffer_length(buffer);
    if (bytes > buffer->limit || length > buffer->limit - bytes)
        return NULL;
    if (bytes <= buffer->capacity - buffer->end && buffer->memory)
        return buffer->memory + buffer->end;
    /* Moving is worth it only when it frees much, or a slow reader would cost a copy a frame. */
    if (buffer->start >= length && length + bytes <= buffer->capacity)
        move_to_front(buffer);
    else if (grow(buffer, buffer->end + bytes) < 0)
        return NULL;
    return buffer->memory + buffer->end;
}

void ipc_buffer_commit(struct ipc_buffer *buffer, size_t bytes)
{
    buffer->end += bytes;
}

int ipc_buffer_append(struct ipc_buffer *buffer, const void *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    uint8_t *place = ipc_buffer_reserve(buffer, bytes);
    if (!place)
        return -1;
    memcpy(place, data, bytes);
    ipc_buffer_commit(buffer, bytes);
    return 0;
}

void ipc_buffer_consume(struct ipc_buffer *buffer, size_t bytes)
{
    if (buffer->wipes)
        ipc_secret_wipe(ipc_buffer_data(buffer), bytes);
    buffer->start += bytes;
    if (buffer->start < buffer->end)
        return;
    buffer->start = buffer->end = 0;
    if (buffer->capacity > buffer->kept)
        give_back(buffer);
}

void ipc_buffer_truncate(struct ipc_buffer *buffer, size_t length)
{
    buffer->end = buffer->start + length;
}
