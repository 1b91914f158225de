/* Frames to checked structs. */
#include "unpack.h"

#include "scan.h"
#include "utf8.h"

#include <assert.h>
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

/* ---- values ---- */

/* A body that ipc_scan() has passed: every head is known and all that it announces is there, so nothing is
 * checked for that once more. */
struct reading {
    struct ipc_decoder *decoder;
    const uint8_t *at, *end;
    bool trusted;        /* the speaker may say TRUSTED fields */
};

enum kind { KIND_OTHER, KIND_NIL, KIND_FALSE, KIND_TRUE, KIND_UINT, KIND_INT, KIND_BIN, KIND_STR, KIND_ARRAY, KIND_MAP };

struct value {
    enum kind kind;
    uint64_t number;         /* a UINT, or how many bytes or items there are */
    const uint8_t *bytes;    /* of BIN and STR; the items of an ARRAY or MAP come next */
};

/* By first byte, for 0xc0 to 0xdf: the kind, and the width of the number that follows. */
static const struct { uint8_t kind, width; } heads[32] = {
    [0x00] = { KIND_NIL, 0 }, [0x02] = { KIND_FALSE, 0 }, [0x03] = { KIND_TRUE, 0 },
    [0x04] = { KIND_BIN, 1 }, [0x05] = { KIND_BIN, 2 }, [0x06] = { KIND_BIN, 4 },
    [0x0a] = { KIND_OTHER, 4 }, [0x0b] = { KIND_OTHER, 8 },
    [0x0c] = { KIND_UINT, 1 }, [0x0d] = { KIND_UINT, 2 }, [0x0e] = { KIND_UINT, 4 }, [0x0f] = { KIND_UINT, 8 },
    [0x10] = { KIND_INT, 1 }, [0x11] = { KIND_INT, 2 }, [0x12] = { KIND_INT, 4 }, [0x13] = { KIND_INT, 8 },
    [0x19] = { KIND_STR, 1 }, [0x1a] = { KIND_STR, 2 }, [0x1b] = { KIND_STR, 4 },
    [0x1c] = { KIND_ARRAY, 2 }, [0x1d] = { KIND_ARRAY, 4 }, [0x1e] = { KIND_MAP, 2 }, [0x1f] = { KIND_MAP, 4 },
};

static uint64_t take_number(struct reading *reading, unsigned width)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < width; i++)
        number = number << 8 | *reading->at++;
    return number;
}

static inline struct value take_content(struct reading *reading, enum kind kind, uint64_t length)
{
    struct value value = { kind, length, reading->at };
    reading->at += length;
    return value;
}

static struct value take_sized(struct reading *reading, uint8_t first)
{
    enum kind kind = heads[first - 0xc0].kind;
    unsigned width = heads[first - 0xc0].width;
    uint64_t number = take_number(reading, width);
    if (kind == KIND_BIN || kind == KIND_STR)
        return take_content(reading, kind, number);
    if (kind == KIND_INT)   /* programs with signed integers write them as such */
        kind = number >> (8 * width - 1) ? KIND_OTHER : KIND_UINT;
    return (struct value){ kind, number, NULL };
}

static inline struct value take_value(struct reading *reading)
{
    uint8_t first = *reading->at++;
    if (first < 0x80)
        return (struct value){ KIND_UINT, first, NULL };
    if (first < 0x90)
        return (struct value){ KIND_MAP, first & 0x0fu, NULL };
    if (first < 0xa0)
        return (struct value){ KIND_ARRAY, first & 0x0fu, NULL };
    if (first < 0xc0)
        return take_content(reading, KIND_STR, first & 0x1fu);
    if (first < 0xe0)
        return take_sized(reading, first);
    return (struct value){ KIND_OTHER, 0, NULL };
}

static void skip_value(struct reading *reading)
{
    for (uint64_t left = 1; left > 0; left--) {
        struct value value = take_value(reading);
        if (value.kind == KIND_ARRAY || value.kind == KIND_MAP)
            left += value.kind == KIND_MAP ? 2 * value.number : value.number;
    }
}

/* ---- fields: each reader returns NULL, or what is wrong with the value ---- */

static bool take_bytes(struct reading *reading, struct ipc_bytes *ret_bytes)
{
    struct value value = take_value(reading);
    *ret_bytes = (struct ipc_bytes){ value.bytes, (size_t)value.number };
    return value.kind == KIND_BIN || value.kind == KIND_STR;
}

static bool take_text(struct reading *reading, struct ipc_text *ret_text)
{
    struct value value = take_value(reading);
    *ret_text = (struct ipc_text){ (const char *)value.bytes, (size_t)value.number };
    return value.kind == KIND_STR && ipc_utf8_valid(value.bytes, (size_t)value.number);
}

static const char *read_uint_field(struct reading *reading, const struct ipc_field *field, uint64_t *place)
{
    struct value value = take_value(reading);
    if (value.kind != KIND_UINT)
        return "is not an unsigned integer";
    *place = value.number;
    return value.number > field->limit ? "is too large" : NULL;
}

static const char *read_bool_field(struct reading *reading, bool *place)
{
    enum kind kind = take_value(reading).kind;
    *place = kind == KIND_TRUE;
    return kind == KIND_TRUE || kind == KIND_FALSE ? NULL : "is not a boolean";
}

static const char *read_text_field(struct reading *reading, const struct ipc_field *field, struct ipc_text *place)
{
    if (!take_text(reading, place))
        return "is not a UTF-8 string";
    return place->length > field->limit ? "is too long" : NULL;
}

static const char *read_bytes_field(struct reading *reading, const struct ipc_field *field, struct ipc_bytes *place)
{
    if (!take_bytes(reading, place))
        return "is neither bin nor string";
    return place->length > field->limit ? "is too long" : NULL;
}

/* How many items there are, and memory for them. */
static const char *begin_items(struct reading *reading, const struct ipc_field *field, size_t size,
                               const char *not_array, size_t *ret_count, void **ret_items)
{
    struct value value = take_value(reading);
    if (value.kind != KIND_ARRAY)
        return not_array;
    if (value.number > field->limit)
        return "has too many items";
    *ret_count = (size_t)value.number;
    *ret_items = allocate(reading->decoder, *ret_count, size);
    return *ret_items || *ret_count == 0 ? NULL : "needs more memory than there is";
}

static bool take_pair(struct reading *reading, struct ipc_pair *ret_pair)
{
    struct value both = take_value(reading);
    if (both.kind != KIND_ARRAY || both.number != 2 || !take_bytes(reading, &ret_pair->name))
        return false;
    if (*reading->at != 0xc0)
        return take_bytes(reading, &ret_pair->value);
    reading->at++;
    ret_pair->value = (struct ipc_bytes){ NULL, 0 };
    return true;
}

static const char *read_pairs_field(struct reading *reading, const struct ipc_field *field, struct ipc_pairs *place)
{
    void *memory = NULL;
    size_t count = 0;
    const char *wrong =
        begin_items(reading, field, sizeof *place->items, "is not an array of pairs", &count, &memory);
    struct ipc_pair *items = memory;
    for (size_t i = 0; !wrong && i < count; i++)
        if (!take_pair(reading, &items[i]))
            wrong = "has an item that is not [name, value]";
    *place = (struct ipc_pairs){ items, count };
    return wrong;
}

static const char *read_texts_field(struct reading *reading, const struct ipc_field *field, struct ipc_texts *place)
{
    void *memory = NULL;
    size_t count = 0;
    const char *wrong =
        begin_items(reading, field, sizeof *place->items, "is not an array of strings", &count, &memory);
    struct ipc_text *items = memory;
    for (size_t i = 0; !wrong && i < count; i++)
        if (!take_text(reading, &items[i]))
            wrong = "has an item that is not a UTF-8 string";
    *place = (struct ipc_texts){ items, count };
    return wrong;
}

static int read_record(struct reading *reading, const struct ipc_table *table, void *record);

static const char *read_one_field(struct reading *reading, const struct ipc_field *field, const void **place)
{
    void *record = allocate(reading->decoder, 1, field->record->size);
    if (!record)
        return "needs more memory than there is";
    *place = record;
    return read_record(reading, field->record, record) < 0 ? "is not right" : NULL;
}

struct any_list { const void *items; size_t count; };

static const char *read_list_field(struct reading *reading, const struct ipc_field *field, struct any_list *place)
{
    void *memory = NULL;
    size_t count = 0, size = field->record->size;
    const char *wrong = begin_items(reading, field, size, "is not an array of maps", &count, &memory);
    for (size_t i = 0; !wrong && i < count; i++)
        if (read_record(reading, field->record, (char *)memory + i * size) < 0)
            wrong = "has an item that is not right";
    *place = (struct any_list){ memory, count };
    return wrong;
}

static const char *read_field(struct reading *reading, const struct ipc_field *field, void *place)
{
    switch (field->type) {
    case IPC_TYPE_UINT: return read_uint_field(reading, field, place);
    case IPC_TYPE_BOOL: return read_bool_field(reading, place);
    case IPC_TYPE_TEXT: return read_text_field(reading, field, place);
    case IPC_TYPE_BYTES: return read_bytes_field(reading, field, place);
    case IPC_TYPE_PAIRS: return read_pairs_field(reading, field, place);
    case IPC_TYPE_TEXTS: return read_texts_field(reading, field, place);
    case IPC_TYPE_ONE: return read_one_field(reading, field, place);
    case IPC_TYPE_LIST: return read_list_field(reading, field, place);
    }
    return "has no type";
}

/* ---- records ---- */

/* Packers write fields in the table's order, so the search begins behind the last one found. */
static const struct ipc_field *find_field(const struct ipc_table *table, const struct value *key, size_t *cursor)
{
    size_t i = *cursor;
    for (size_t tried = 0; tried < table->field_count; tried++) {
        const struct ipc_field *field = &table->fields[i];
        i = i + 1 < table->field_count ? i + 1 : 0;
        if (field->name_length == key->number && field->name[0] == (char)key->bytes[0]
            && memcmp(field->name, key->bytes, field->name_length) == 0) {
            *cursor = i;
            return field;
        }
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

static int read_entry(struct reading *reading, const struct ipc_table *table, void *record, struct seen *seen,
                      size_t *cursor)
{
    struct value key = take_value(reading);
    if (key.kind != KIND_STR)
        return fail(reading->decoder, "%s: a key is not a string", table->name);
    const struct ipc_field *field = find_field(table, &key, cursor);
    if (!field || (field->rule == IPC_TRUSTED && !reading->trusted)) {
        skip_value(reading);
        return 0;
    }
    if (see(seen, (size_t)(field - table->fields)))
        return fail(reading->decoder, "%s: %s stands twice", table->name, field->name);
    const char *wrong = read_field(reading, field, (char *)record + field->offset);
    return wrong ? fail(reading->decoder, "%s: %s %s", table->name, field->name, wrong) : 0;
}

static int read_record(struct reading *reading, const struct ipc_table *table, void *record)
{
    struct value map = take_value(reading);
    if (map.kind != KIND_MAP)
        return fail(reading->decoder, "%s: the body is not a map", table->name);
    ipc_table_init(table, record);
    struct seen seen = { { 0 } };
    size_t cursor = 0;
    assert(table->field_count <= FIELDS_MOST);
    for (size_t i = 0; i < map.number; i++)
        if (read_entry(reading, table, record, &seen, &cursor) < 0)
            return -1;
    for (size_t i = 0; i < table->field_count; i++)
        if (table->fields[i].rule == IPC_REQUIRED && !see(&seen, i))
            return fail(reading->decoder, "%s: %s is missing", table->name, table->fields[i].name);
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
    struct reading reading = { decoder, frame->body, frame->body + frame->body_length,
                               (speaker & TRUSTED_SPEAKERS) != 0 };
    msgpack_zone_clear(&decoder->zone);
    int result = read_record(&reading, table, ret_message);
    assert(result < 0 || reading.at == reading.end);
    return result;
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
