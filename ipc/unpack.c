/* Frames to checked structs. */
#include "unpack.h"

#include "scan.h"
#include "utf8.h"

#include <assert.h>
#include <msgpack/unpack.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ZONE_BYTES 8192
#define FIELDS_MOST 128   /* of one table */
#define TRUSTED_SPEAKERS (IPC_DAEMON_TO_WORKER | IPC_WORKER)

int ipc_decoder_init(struct ipc_decoder *decoder)
{
    decoder->reason[0] = '\0';
    return msgpack_zone_init(&decoder->zone, ZONE_BYTES) ? 0 : -1;
}

void ipc_decoder_finish(struct ipc_decoder *decoder)
{
    if (decoder->zone.chunk_list.head)   /* else it was never made */
        msgpack_zone_destroy(&decoder->zone);
}

static int __attribute__((format(gnu_printf, 2, 3))) fail(struct ipc_decoder *decoder, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(decoder->reason, sizeof decoder->reason, format, arguments);
    va_end(arguments);
    return -1;
}

static void *allocate(struct ipc_decoder *decoder, size_t count, size_t size)
{
    return msgpack_zone_malloc(&decoder->zone, count * size);
}

static bool read_bytes(const msgpack_object *object, struct ipc_bytes *ret_bytes)
{
    if (object->type == MSGPACK_OBJECT_BIN)
        *ret_bytes = (struct ipc_bytes){ (const uint8_t *)object->via.bin.ptr, object->via.bin.size };
    else if (object->type == MSGPACK_OBJECT_STR)
        *ret_bytes = (struct ipc_bytes){ (const uint8_t *)object->via.str.ptr, object->via.str.size };
    else
        return false;
    return true;
}

static bool read_text(const msgpack_object *object, struct ipc_text *ret_text)
{
    if (object->type != MSGPACK_OBJECT_STR || !ipc_utf8_valid(object->via.str.ptr, object->via.str.size))
        return false;
    *ret_text = (struct ipc_text){ object->via.str.ptr, object->via.str.size };
    return true;
}

/* Each reader returns NULL, or what is wrong with the value. */

static const char *read_uint_field(const struct ipc_field *field, const msgpack_object *object, void *place)
{
    if (object->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return "is not an unsigned integer";
    if (object->via.u64 > field->limit)
        return "is too large";
    *(uint64_t *)place = object->via.u64;
    return NULL;
}

static const char *read_bool_field(const msgpack_object *object, void *place)
{
    if (object->type != MSGPACK_OBJECT_BOOLEAN)
        return "is not a boolean";
    *(bool *)place = object->via.boolean;
    return NULL;
}

static const char *read_text_field(const struct ipc_field *field, const msgpack_object *object, void *place)
{
    if (!read_text(object, place))
        return "is not a UTF-8 string";
    return ((struct ipc_text *)place)->length > field->limit ? "is too long" : NULL;
}

static const char *read_bytes_field(const struct ipc_field *field, const msgpack_object *object, void *place)
{
    if (!read_bytes(object, place))
        return "is neither bin nor string";
    return ((struct ipc_bytes *)place)->length > field->limit ? "is too long" : NULL;
}

static bool read_pair(const msgpack_object *object, struct ipc_pair *ret_pair)
{
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size != 2
        || !read_bytes(&object->via.array.ptr[0], &ret_pair->name))
        return false;
    ret_pair->value = (struct ipc_bytes){ NULL, 0 };
    return object->via.array.ptr[1].type == MSGPACK_OBJECT_NIL
        || read_bytes(&object->via.array.ptr[1], &ret_pair->value);
}

static const char *read_pairs_field(struct ipc_decoder *decoder, const struct ipc_field *field,
                                    const msgpack_object *object, struct ipc_pairs *place)
{
    if (object->type != MSGPACK_OBJECT_ARRAY)
        return "is not an array of pairs";
    size_t count = object->via.array.size;
    if (count > field->limit)
        return "has too many items";
    struct ipc_pair *items = allocate(decoder, count, sizeof *items);
    if (!items && count > 0)
        return "needs more memory than there is";
    for (size_t i = 0; i < count; i++)
        if (!read_pair(&object->via.array.ptr[i], &items[i]))
            return "has an item that is not [name, value]";
    *place = (struct ipc_pairs){ items, count };
    return NULL;
}

static const char *read_texts_field(struct ipc_decoder *decoder, const struct ipc_field *field,
                                    const msgpack_object *object, struct ipc_texts *place)
{
    if (object->type != MSGPACK_OBJECT_ARRAY)
        return "is not an array of strings";
    size_t count = object->via.array.size;
    if (count > field->limit)
        return "has too many items";
    struct ipc_text *items = allocate(decoder, count, sizeof *items);
    if (!items && count > 0)
        return "needs more memory than there is";
    for (size_t i = 0; i < count; i++)
        if (!read_text(&object->via.array.ptr[i], &items[i]))
            return "has an item that is not a UTF-8 string";
    *place = (struct ipc_texts){ items, count };
    return NULL;
}

static int read_record(struct ipc_decoder *decoder, const struct ipc_table *table, bool trusted,
                       const msgpack_object *object, void *record);

static const char *read_one_field(struct ipc_decoder *decoder, const struct ipc_field *field, bool trusted,
                                  const msgpack_object *object, const void **place)
{
    void *record = allocate(decoder, 1, field->record->size);
    if (!record)
        return "needs more memory than there is";
    if (read_record(decoder, field->record, trusted, object, record) < 0)
        return "is not right";
    *place = record;
    return NULL;
}

struct any_list { const void *items; size_t count; };

static const char *read_list_field(struct ipc_decoder *decoder, const struct ipc_field *field, bool trusted,
                                   const msgpack_object *object, struct any_list *place)
{
    if (object->type != MSGPACK_OBJECT_ARRAY)
        return "is not an array of maps";
    size_t count = object->via.array.size, size = field->record->size;
    if (count > field->limit)
        return "has too many items";
    char *items = allocate(decoder, count, size);
    if (!items && count > 0)
        return "needs more memory than there is";
    for (size_t i = 0; i < count; i++)
        if (read_record(decoder, field->record, trusted, &object->via.array.ptr[i], items + i * size) < 0)
            return "has an item that is not right";
    *place = (struct any_list){ items, count };
    return NULL;
}

static const char *read_field(struct ipc_decoder *decoder, const struct ipc_field *field, bool trusted,
                              const msgpack_object *object, void *place)
{
    switch (field->type) {
    case IPC_TYPE_UINT: return read_uint_field(field, object, place);
    case IPC_TYPE_BOOL: return read_bool_field(object, place);
    case IPC_TYPE_TEXT: return read_text_field(field, object, place);
    case IPC_TYPE_BYTES: return read_bytes_field(field, object, place);
    case IPC_TYPE_PAIRS: return read_pairs_field(decoder, field, object, place);
    case IPC_TYPE_TEXTS: return read_texts_field(decoder, field, object, place);
    case IPC_TYPE_ONE: return read_one_field(decoder, field, trusted, object, place);
    case IPC_TYPE_LIST: return read_list_field(decoder, field, trusted, object, place);
    }
    return "has no type";
}

/* Packers write fields in the table's order, so the search begins behind the last one found. */
static const struct ipc_field *find_field(const struct ipc_table *table, const msgpack_object_str *key,
                                          size_t *cursor)
{
    for (size_t tried = 0; tried < table->field_count; tried++) {
        size_t i = *cursor;
        *cursor = i + 1 < table->field_count ? i + 1 : 0;
        const struct ipc_field *field = &table->fields[i];
        if (field->name_length == key->size && memcmp(field->name, key->ptr, key->size) == 0)
            return field;
    }
    return NULL;
}

/* Which fields of a table have come. */
struct seen { uint64_t words[FIELDS_MOST / 64]; };

static bool see(struct seen *seen, size_t index)
{
    uint64_t bit = (uint64_t)1 << index % 64, before = seen->words[index / 64];
    seen->words[index / 64] |= bit;
    return before & bit;
}

static int read_entry(struct ipc_decoder *decoder, const struct ipc_table *table, bool trusted,
                      const msgpack_object_kv *entry, void *record, struct seen *seen, size_t *cursor)
{
    if (entry->key.type != MSGPACK_OBJECT_STR)
        return fail(decoder, "%s: a key is not a string", table->name);
    const struct ipc_field *field = find_field(table, &entry->key.via.str, cursor);
    if (!field || (field->rule == IPC_TRUSTED && !trusted))
        return 0;
    if (see(seen, (size_t)(field - table->fields)))
        return fail(decoder, "%s: %s stands twice", table->name, field->name);
    const char *wrong = read_field(decoder, field, trusted, &entry->val, (char *)record + field->offset);
    return wrong ? fail(decoder, "%s: %s %s", table->name, field->name, wrong) : 0;
}

static int read_record(struct ipc_decoder *decoder, const struct ipc_table *table, bool trusted,
                       const msgpack_object *object, void *record)
{
    if (object->type != MSGPACK_OBJECT_MAP)
        return fail(decoder, "%s: the body is not a map", table->name);
    ipc_table_init(table, record);
    struct seen seen = { { 0 } };
    size_t cursor = 0;
    assert(table->field_count <= FIELDS_MOST);
    for (size_t i = 0; i < object->via.map.size; i++)
        if (read_entry(decoder, table, trusted, &object->via.map.ptr[i], record, &seen, &cursor) < 0)
            return -1;
    for (size_t i = 0; i < table->field_count; i++)
        if (table->fields[i].rule == IPC_REQUIRED && !see(&seen, i))
            return fail(decoder, "%s: %s is missing", table->name, table->fields[i].name);
    return 0;
}

int ipc_unpack(struct ipc_decoder *decoder, enum ipc_speaker speaker, const struct ipc_frame *frame,
               void *ret_message)
{
    const struct ipc_table *table = ipc_table(frame->type);
    if (!table)
        return fail(decoder, "message %u is unknown", frame->type);
    if (!(table->speakers & (unsigned)speaker))
        return fail(decoder, "%s is not yours to say", table->name);
    if (!ipc_scan(frame->body, frame->body_length))
        return fail(decoder, "%s: the body is not one well-formed msgpack value within bounds", table->name);
    msgpack_zone_clear(&decoder->zone);
    msgpack_object object;
    size_t used = 0;
    msgpack_unpack_return result = msgpack_unpack((const char *)frame->body, frame->body_length, &used,
                                                  &decoder->zone, &object);
    if (result != MSGPACK_UNPACK_SUCCESS)
        return fail(decoder, "%s: msgpack can't decode the body", table->name);
    return read_record(decoder, table, (speaker & TRUSTED_SPEAKERS) != 0, &object, ret_message);
}

int ipc_unpack_data(struct ipc_decoder *decoder, const struct ipc_frame *frame, struct ipc_bytes *ret_payload)
{
    static const struct { uint8_t first, header; } forms[] = { { 0xc4, 2 }, { 0xc5, 3 }, { 0xc6, 5 } };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t header = forms[i].header, length = 0;
        if (frame->body[0] != forms[i].first || frame->body_length < header)
            continue;
        for (size_t at = 1; at < header; at++)
            length = length << 8 | frame->body[at];
        if (length != frame->body_length - header)
            break;
        if (length > IPC_DATA_BYTES)
            return fail(decoder, "DATA: more than %d bytes", IPC_DATA_BYTES);
        *ret_payload = (struct ipc_bytes){ frame->body + header, length };
        return 0;
    }
    return fail(decoder, "DATA: the body is not one bin");
}
