/* Deep copies by the message's table: measure, allocate once, copy. */
#include "keep.h"

#include "ipc/message.h"
#include "ipc/secret.h"

#include <assert.h>
#include <string.h>

/* Arrays come first behind the struct, where they are aligned; the bytes they point to follow. */
struct block { size_t arrays, bytes; };
struct cursor { char *arrays, *bytes; };

static void measure(const struct ipc_field *field, const void *value, struct block *block)
{
    switch (field->type) {
    case IPC_TYPE_UINT: case IPC_TYPE_BOOL:
        break;
    case IPC_TYPE_TEXT:
        block->bytes += ((const struct ipc_text *)value)->length + 1;
        break;
    case IPC_TYPE_BYTES:
        block->bytes += ((const struct ipc_bytes *)value)->length + 1;
        break;
    case IPC_TYPE_PAIRS: {
        const struct ipc_pairs *pairs = value;
        block->arrays += pairs->count * sizeof *pairs->items;
        for (size_t i = 0; i < pairs->count; i++)
            block->bytes += pairs->items[i].name.length + pairs->items[i].value.length + 2;
        break;
    }
    case IPC_TYPE_TEXTS: {
        const struct ipc_texts *texts = value;
        block->arrays += texts->count * sizeof *texts->items;
        for (size_t i = 0; i < texts->count; i++)
            block->bytes += texts->items[i].length + 1;
        break;
    }
    case IPC_TYPE_ONE: case IPC_TYPE_LIST:
        assert(!"a message with nested maps");
    }
}

static inline const char *copy_bytes(struct cursor *cursor, const void *data, size_t length)
{
    if (length == 0)
        return "";
    char *copy = cursor->bytes;
    memcpy(copy, data, length);
    copy[length] = '\0';
    cursor->bytes += length + 1;
    return copy;
}

static struct ipc_text copy_text(struct cursor *cursor, struct ipc_text text)
{
    return (struct ipc_text){ copy_bytes(cursor, text.data, text.length), text.length };
}

static struct ipc_bytes copy_octets(struct cursor *cursor, struct ipc_bytes bytes)
{
    return (struct ipc_bytes){ (const uint8_t *)copy_bytes(cursor, bytes.data, bytes.length), bytes.length };
}

static struct ipc_bytes copy_value(struct cursor *cursor, struct ipc_bytes value)
{
    return value.data ? copy_octets(cursor, value) : value;
}

static void copy_pairs(struct cursor *cursor, struct ipc_pairs *pairs)
{
    struct ipc_pair *items = (struct ipc_pair *)(void *)cursor->arrays;
    cursor->arrays += pairs->count * sizeof *items;
    for (size_t i = 0; i < pairs->count; i++)
        items[i] = (struct ipc_pair){ copy_octets(cursor, pairs->items[i].name),
                                      copy_value(cursor, pairs->items[i].value) };
    pairs->items = items;
}

static void copy_texts(struct cursor *cursor, struct ipc_texts *texts)
{
    struct ipc_text *items = (struct ipc_text *)(void *)cursor->arrays;
    cursor->arrays += texts->count * sizeof *items;
    for (size_t i = 0; i < texts->count; i++)
        items[i] = copy_text(cursor, texts->items[i]);
    texts->items = items;
}

static void copy_field(const struct ipc_field *field, void *value, struct cursor *cursor)
{
    switch (field->type) {
    case IPC_TYPE_UINT: case IPC_TYPE_BOOL: case IPC_TYPE_ONE: case IPC_TYPE_LIST:
        break;
    case IPC_TYPE_TEXT: {
        struct ipc_text *text = value;
        *text = copy_text(cursor, *text);
        break;
    }
    case IPC_TYPE_BYTES: {
        struct ipc_bytes *bytes = value;
        *bytes = copy_octets(cursor, *bytes);
        break;
    }
    case IPC_TYPE_PAIRS:
        copy_pairs(cursor, value);
        break;
    case IPC_TYPE_TEXTS:
        copy_texts(cursor, value);
        break;
    }
}

void *keep_message(unsigned number, const void *message)
{
    const struct ipc_table *table = ipc_table(number);
    struct block block = { 0, 0 };
    for (size_t i = 0; i < table->field_count; i++)
        measure(&table->fields[i], (const char *)message + table->fields[i].offset, &block);
    char *copy = ipc_secret_alloc(table->size + block.arrays + block.bytes);
    if (!copy)
        return NULL;
    memcpy(copy, message, table->size);
    struct cursor cursor = { copy + table->size, copy + table->size + block.arrays };
    for (size_t i = 0; i < table->field_count; i++)
        copy_field(&table->fields[i], copy + table->fields[i].offset, &cursor);
    return copy;
}
