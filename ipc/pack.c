/* Structs to frames. */
#include "pack.h"

#include "frame.h"
#include "utf8.h"

#include <msgpack/pack.h>
#include <string.h>

/* [type, id as a full u32, body]: a fixed size, so that a relay can set another id in place. */
#define HEADER_BYTES (IPC_FRAME_PREFIX + 1 + 1 + 5)

struct packing {
    struct ipc_buffer *out;
    msgpack_packer packer;
    bool trusted;
};

static int write_bytes(void *data, const char *bytes, size_t length)
{
    return ipc_buffer_append(data, bytes, length);
}

static void put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static int begin_frame(struct ipc_buffer *out, unsigned number, uint32_t id)
{
    uint8_t *header = ipc_buffer_reserve(out, HEADER_BYTES);
    if (!header)
        return -1;
    header[4] = 0x93;
    header[5] = (uint8_t)number;
    header[6] = 0xce;
    put_u32(header + 7, id);
    ipc_buffer_commit(out, HEADER_BYTES);
    return 0;
}

/* Fills in the length, or undoes the frame. */
static int end_frame(struct ipc_buffer *out, size_t start, int result)
{
    size_t length = ipc_buffer_length(out) - start - IPC_FRAME_PREFIX;
    if (result < 0 || length > IPC_FRAME_BYTES) {
        ipc_buffer_truncate(out, start);
        return -1;
    }
    put_u32(ipc_buffer_data(out) + start, (uint32_t)length);
    return 0;
}

#define REPLACEMENT "\xef\xbf\xbd"   /* U+FFFD */

/* Each byte that belongs to no UTF-8 goes as U+FFFD: words of curl's, of a certificate or of a file
 * must not make a frame that its receiver has to refuse. */
static int pack_dirty_text(struct packing *packing, const char *data, size_t length, size_t valid)
{
    size_t size = length, at = valid;
    while (at < length) {
        size += sizeof REPLACEMENT - 1 - 1;
        at++;
        at += ipc_utf8_prefix(data + at, length - at);
    }
    if (msgpack_pack_str(&packing->packer, size) < 0 || ipc_buffer_append(packing->out, data, valid) < 0)
        return -1;
    for (at = valid; at < length; at += valid) {
        at++;
        valid = ipc_utf8_prefix(data + at, length - at);
        if (ipc_buffer_append(packing->out, REPLACEMENT, sizeof REPLACEMENT - 1) < 0
            || ipc_buffer_append(packing->out, data + at, valid) < 0)
            return -1;
    }
    return 0;
}

static int pack_text(struct packing *packing, const void *data, size_t length)
{
    size_t valid = length ? ipc_utf8_prefix(data, length) : 0;
    if (valid < length)
        return pack_dirty_text(packing, data, length, valid);
    if (msgpack_pack_str(&packing->packer, length) < 0)
        return -1;
    return length ? msgpack_pack_str_body(&packing->packer, data, length) : 0;
}

static int pack_bytes(struct packing *packing, const void *data, size_t length)
{
    if (msgpack_pack_bin(&packing->packer, length) < 0)
        return -1;
    return length ? msgpack_pack_bin_body(&packing->packer, data, length) : 0;
}

static int pack_pairs(struct packing *packing, const struct ipc_pairs *pairs)
{
    int result = msgpack_pack_array(&packing->packer, pairs->count);
    for (size_t i = 0; result >= 0 && i < pairs->count; i++) {
        const struct ipc_pair *pair = &pairs->items[i];
        result = msgpack_pack_array(&packing->packer, 2);
        if (result >= 0)
            result = pack_bytes(packing, pair->name.data, pair->name.length);
        if (result >= 0 && !pair->value.data)
            result = msgpack_pack_nil(&packing->packer);
        else if (result >= 0)
            result = pack_bytes(packing, pair->value.data, pair->value.length);
    }
    return result;
}

static int pack_texts(struct packing *packing, const struct ipc_texts *texts)
{
    int result = msgpack_pack_array(&packing->packer, texts->count);
    for (size_t i = 0; result >= 0 && i < texts->count; i++)
        result = pack_text(packing, texts->items[i].data, texts->items[i].length);
    return result;
}

/* What every LIST looks like, whatever its record. */
struct any_list { const void *items; size_t count; };

static int pack_record(struct packing *packing, const struct ipc_table *table, const void *record);

static int pack_list(struct packing *packing, const struct ipc_field *field, const struct any_list *list)
{
    int result = msgpack_pack_array(&packing->packer, list->count);
    for (size_t i = 0; result >= 0 && i < list->count; i++)
        result = pack_record(packing, field->record, (const char *)list->items + i * field->record->size);
    return result;
}

static bool is_initial(const struct ipc_field *field, const void *place)
{
    switch (field->type) {
    case IPC_TYPE_UINT: return *(const uint64_t *)place == field->initial;
    case IPC_TYPE_BOOL: return *(const bool *)place == (field->initial != 0);
    case IPC_TYPE_TEXT: return ((const struct ipc_text *)place)->length == 0;
    case IPC_TYPE_BYTES: return ((const struct ipc_bytes *)place)->length == 0;
    case IPC_TYPE_PAIRS: return ((const struct ipc_pairs *)place)->count == 0;
    case IPC_TYPE_TEXTS: return ((const struct ipc_texts *)place)->count == 0;
    case IPC_TYPE_ONE: return *(const void *const *)place == NULL;
    case IPC_TYPE_LIST: return ((const struct any_list *)place)->count == 0;
    }
    return true;
}

static bool is_left_out(const struct packing *packing, const struct ipc_field *field, const void *record)
{
    if (field->rule == IPC_REQUIRED)
        return false;
    if (field->rule == IPC_TRUSTED && !packing->trusted)
        return true;
    return is_initial(field, (const char *)record + field->offset);
}

static int pack_value(struct packing *packing, const struct ipc_field *field, const void *place)
{
    switch (field->type) {
    case IPC_TYPE_UINT: return msgpack_pack_uint64(&packing->packer, *(const uint64_t *)place);
    case IPC_TYPE_BOOL:
        return *(const bool *)place ? msgpack_pack_true(&packing->packer) : msgpack_pack_false(&packing->packer);
    case IPC_TYPE_TEXT:
        return pack_text(packing, ((const struct ipc_text *)place)->data, ((const struct ipc_text *)place)->length);
    case IPC_TYPE_BYTES:
        return pack_bytes(packing, ((const struct ipc_bytes *)place)->data,
                          ((const struct ipc_bytes *)place)->length);
    case IPC_TYPE_PAIRS: return pack_pairs(packing, place);
    case IPC_TYPE_TEXTS: return pack_texts(packing, place);
    case IPC_TYPE_ONE: return pack_record(packing, field->record, *(const void *const *)place);
    case IPC_TYPE_LIST: return pack_list(packing, field, place);
    }
    return -1;
}

static int pack_record(struct packing *packing, const struct ipc_table *table, const void *record)
{
    size_t count = 0;
    for (size_t i = 0; i < table->field_count; i++)
        count += !is_left_out(packing, &table->fields[i], record);
    int result = msgpack_pack_map(&packing->packer, count);
    for (size_t i = 0; result >= 0 && i < table->field_count; i++) {
        const struct ipc_field *field = &table->fields[i];
        if (is_left_out(packing, field, record))
            continue;
        result = pack_text(packing, field->name, field->name_length);
        if (result >= 0)
            result = pack_value(packing, field, (const char *)record + field->offset);
    }
    return result;
}

int ipc_pack(struct ipc_buffer *out, enum ipc_speaker speaker, unsigned number, uint32_t id,
             const void *message)
{
    const struct ipc_table *table = ipc_table(number);
    struct packing packing = { .out = out, .trusted = (speaker & (IPC_DAEMON_TO_WORKER | IPC_WORKER)) != 0 };
    msgpack_packer_init(&packing.packer, out, write_bytes);
    size_t start = ipc_buffer_length(out);
    int result = begin_frame(out, number, id);
    if (result >= 0)
        result = message ? pack_record(&packing, table, message) : msgpack_pack_map(&packing.packer, 0);
    return end_frame(out, start, result);
}

int ipc_pack_data(struct ipc_buffer *out, uint32_t id, const void *data, size_t bytes)
{
    struct packing packing = { .out = out };
    msgpack_packer_init(&packing.packer, out, write_bytes);
    size_t start = ipc_buffer_length(out);
    int result = begin_frame(out, IPC_DATA, id);
    if (result >= 0)
        result = pack_bytes(&packing, data, bytes);
    return end_frame(out, start, result);
}

int ipc_pack_body(struct ipc_buffer *out, unsigned number, uint32_t id, const uint8_t *body,
                  size_t body_length)
{
    size_t start = ipc_buffer_length(out);
    int result = begin_frame(out, number, id);
    if (result >= 0)
        result = ipc_buffer_append(out, body, body_length);
    return end_frame(out, start, result);
}
