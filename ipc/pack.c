/* Structs to frames: measured first, so that there is room for all of it, then written straight there. */
#include "pack.h"

#include "frame.h"
#include "utf8.h"

#include <assert.h>
#include <limits.h>
#include <msgpack/sysdep.h>
#include <msgpack/timestamp.h>
#include <string.h>

/* msgpack-c's own writing of each type, to a place instead of through a callback for each byte. */
static inline int put(uint8_t **at, const void *bytes, size_t length)
{
    memcpy(*at, bytes, length);
    *at += length;
    return 0;
}

#define msgpack_pack_inline_func(name) static inline int write##name
#define msgpack_pack_inline_func_cint(name) static inline int write##name
#define msgpack_pack_inline_func_fixint(name) static inline int write_fix##name
#define msgpack_pack_ext write_ext   /* a timestamp's head, which nobody writes */
#define msgpack_pack_user uint8_t **
#define msgpack_pack_append_buffer(at, bytes, length) return put(at, bytes, length)
#include <msgpack/pack_template.h>

/* [type, id as a full u32, body]: a fixed size, so that a relay can set another id in place. */
#define HEADER_BYTES (IPC_FRAME_PREFIX + 1 + 1 + 5)
#define FIELDS_MOST 128       /* of one table */
#define NAME_MOST 31          /* of a field, so that its head is one byte */

#define REPLACEMENT "\xef\xbf\xbd"   /* U+FFFD */

struct packing {
    uint8_t *at;
    bool trusted;
    bool dirty;      /* a text is not UTF-8 */
};

/* The fields of a record that go into the frame. */
struct chosen { size_t count; uint8_t indexes[FIELDS_MOST]; };

/* What every LIST looks like, whatever its record. */
struct any_list { const void *items; size_t count; };

static void choose(const struct packing *packing, const struct ipc_table *table, const void *record,
                   struct chosen *ret_chosen)
{
    assert(table->field_count < FIELDS_MOST);
    ret_chosen->count = table->choose(record, packing->trusted, ret_chosen->indexes);
}

/* ---- how much room it takes, to the byte ---- */

static size_t room_of_record(struct packing *packing, const struct ipc_table *table, const void *record);

static size_t room_of_uint(uint64_t value)
{
    if (value < 0x80)
        return 1;
    if (value <= UINT8_MAX)
        return 2;
    if (value <= UINT16_MAX)
        return 3;
    return value <= UINT32_MAX ? 5 : 9;
}

static size_t room_of_bin(size_t length)
{
    return length + (length <= UINT8_MAX ? 2 : length <= UINT16_MAX ? 3 : 5);
}

static size_t room_of_str(size_t length)
{
    return length < 32 ? length + 1 : room_of_bin(length);
}

/* Of an array's or a map's head. */
static size_t room_of_count(size_t count)
{
    return count < 16 ? 1 : count <= UINT16_MAX ? 3 : 5;
}

/* The length of a text in which each byte that belongs to no UTF-8 is replaced. */
static size_t count_clean(const char *data, size_t length)
{
    size_t size = 0;
    for (size_t at = 0; at < length; at++) {
        size_t valid = ipc_utf8_prefix(data + at, length - at);
        at += valid;
        size += valid + (at < length ? sizeof REPLACEMENT - 1 : 0);
    }
    return size;
}

static size_t room_of_text(struct packing *packing, const struct ipc_text *text)
{
    if (text->length == 0 || ipc_utf8_valid(text->data, text->length))
        return room_of_str(text->length);
    packing->dirty = true;
    return room_of_str(count_clean(text->data, text->length));
}

static size_t room_of_pairs(const struct ipc_pairs *pairs)
{
    size_t room = room_of_count(pairs->count);
    for (size_t i = 0; i < pairs->count; i++) {
        const struct ipc_pair *pair = &pairs->items[i];
        room += 1 + room_of_bin(pair->name.length) + (pair->value.data ? room_of_bin(pair->value.length) : 1);
    }
    return room;
}

static size_t room_of_texts(struct packing *packing, const struct ipc_texts *texts)
{
    size_t room = room_of_count(texts->count);
    for (size_t i = 0; i < texts->count; i++)
        room += room_of_text(packing, &texts->items[i]);
    return room;
}

static size_t room_of_list(struct packing *packing, const struct ipc_table *table, const struct any_list *list)
{
    size_t room = room_of_count(list->count);
    for (size_t i = 0; i < list->count; i++)
        room += room_of_record(packing, table, (const char *)list->items + i * table->size);
    return room;
}

static size_t room_of_value(struct packing *packing, const struct ipc_field *field, const void *place)
{
    switch (field->type) {
    case IPC_TYPE_UINT: return room_of_uint(*(const uint64_t *)place);
    case IPC_TYPE_BOOL: return 1;
    case IPC_TYPE_TEXT: return room_of_text(packing, place);
    case IPC_TYPE_BYTES: return room_of_bin(((const struct ipc_bytes *)place)->length);
    case IPC_TYPE_PAIRS: return room_of_pairs(place);
    case IPC_TYPE_TEXTS: return room_of_texts(packing, place);
    case IPC_TYPE_ONE: return room_of_record(packing, field->record, *(const void *const *)place);
    case IPC_TYPE_LIST: return room_of_list(packing, field->record, place);
    }
    return 0;
}

static size_t room_of_chosen(struct packing *packing, const struct ipc_table *table, const void *record,
                             const struct chosen *chosen)
{
    size_t room = room_of_count(chosen->count);
    for (size_t i = 0; i < chosen->count; i++) {
        const struct ipc_field *field = &table->fields[chosen->indexes[i]];
        room += 1 + field->name_length + room_of_value(packing, field, (const char *)record + field->offset);
    }
    return room;
}

static size_t room_of_record(struct packing *packing, const struct ipc_table *table, const void *record)
{
    struct chosen chosen;
    choose(packing, table, record, &chosen);
    return room_of_chosen(packing, table, record, &chosen);
}

/* ---- writing ---- */

static void write_record(struct packing *packing, const struct ipc_table *table, const void *record);

/* Each byte that belongs to no UTF-8 goes as U+FFFD: words of curl's, of a certificate or of a file
 * must not make a frame that its receiver has to refuse. */
static void write_cleaned(struct packing *packing, const char *data, size_t length)
{
    write_str(&packing->at, count_clean(data, length));
    for (size_t at = 0; at < length; at++) {
        size_t valid = ipc_utf8_prefix(data + at, length - at);
        put(&packing->at, data + at, valid);
        at += valid;
        if (at < length)
            put(&packing->at, REPLACEMENT, sizeof REPLACEMENT - 1);
    }
}

static void write_text(struct packing *packing, const struct ipc_text *text)
{
    if (packing->dirty) {
        write_cleaned(packing, text->data, text->length);
        return;
    }
    write_str(&packing->at, text->length);
    if (text->length > 0)
        put(&packing->at, text->data, text->length);
}

static void write_bytes(struct packing *packing, const struct ipc_bytes *bytes)
{
    write_bin(&packing->at, bytes->length);
    if (bytes->length > 0)
        put(&packing->at, bytes->data, bytes->length);
}

static void write_pairs(struct packing *packing, const struct ipc_pairs *pairs)
{
    write_array(&packing->at, pairs->count);
    for (size_t i = 0; i < pairs->count; i++) {
        write_array(&packing->at, 2);
        write_bytes(packing, &pairs->items[i].name);
        if (pairs->items[i].value.data)
            write_bytes(packing, &pairs->items[i].value);
        else
            write_nil(&packing->at);
    }
}

static void write_texts(struct packing *packing, const struct ipc_texts *texts)
{
    write_array(&packing->at, texts->count);
    for (size_t i = 0; i < texts->count; i++)
        write_text(packing, &texts->items[i]);
}

static void write_list(struct packing *packing, const struct ipc_table *table, const struct any_list *list)
{
    write_array(&packing->at, list->count);
    for (size_t i = 0; i < list->count; i++)
        write_record(packing, table, (const char *)list->items + i * table->size);
}

static void write_value(struct packing *packing, const struct ipc_field *field, const void *place)
{
    switch (field->type) {
    case IPC_TYPE_UINT: write_uint64(&packing->at, *(const uint64_t *)place); break;
    case IPC_TYPE_BOOL: *packing->at++ = *(const bool *)place ? 0xc3 : 0xc2; break;
    case IPC_TYPE_TEXT: write_text(packing, place); break;
    case IPC_TYPE_BYTES: write_bytes(packing, place); break;
    case IPC_TYPE_PAIRS: write_pairs(packing, place); break;
    case IPC_TYPE_TEXTS: write_texts(packing, place); break;
    case IPC_TYPE_ONE: write_record(packing, field->record, *(const void *const *)place); break;
    case IPC_TYPE_LIST: write_list(packing, field->record, place); break;
    }
}

static void write_chosen(struct packing *packing, const struct ipc_table *table, const void *record,
                         const struct chosen *chosen)
{
    write_map(&packing->at, chosen->count);
    for (size_t i = 0; i < chosen->count; i++) {
        const struct ipc_field *field = &table->fields[chosen->indexes[i]];
        assert(field->name_length <= NAME_MOST);
        *packing->at++ = (uint8_t)(0xa0 | field->name_length);
        put(&packing->at, field->name, field->name_length);
        write_value(packing, field, (const char *)record + field->offset);
    }
}

static void write_record(struct packing *packing, const struct ipc_table *table, const void *record)
{
    struct chosen chosen;
    choose(packing, table, record, &chosen);
    write_chosen(packing, table, record, &chosen);
}

/* ---- frames ---- */

static void put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

/* The place for the body of a frame, or NULL: there is no room. Nothing has changed until end_frame(). */
static uint8_t *begin_frame(struct ipc_buffer *out, unsigned number, uint32_t id, size_t body_room)
{
    uint8_t *header = ipc_buffer_reserve(out, HEADER_BYTES + body_room);
    if (!header)
        return NULL;
    header[4] = 0x93;
    header[5] = (uint8_t)number;
    header[6] = 0xce;
    put_u32(header + 7, id);
    return header + HEADER_BYTES;
}

static int end_frame(struct ipc_buffer *out, uint8_t *body, const uint8_t *end)
{
    uint8_t *header = body - HEADER_BYTES;
    size_t length = (size_t)(end - header) - IPC_FRAME_PREFIX;
    if (length > IPC_FRAME_BYTES)
        return -1;
    put_u32(header, (uint32_t)length);
    ipc_buffer_commit(out, IPC_FRAME_PREFIX + length);
    return 0;
}

int ipc_pack(struct ipc_buffer *out, enum ipc_speaker speaker, unsigned number, uint32_t id,
             const void *message)
{
    const struct ipc_table *table = ipc_table(number);
    struct packing packing = { .trusted = (speaker & (IPC_DAEMON_TO_WORKER | IPC_WORKER)) != 0 };
    struct chosen chosen = { .count = 0 };
    if (message)
        choose(&packing, table, message, &chosen);
    size_t room = room_of_chosen(&packing, table, message, &chosen);
    uint8_t *body = begin_frame(out, number, id, room);
    if (!body)
        return -1;
    packing.at = body;
    write_chosen(&packing, table, message, &chosen);
    assert((size_t)(packing.at - body) == room);
    return end_frame(out, body, packing.at);
}

int ipc_pack_data(struct ipc_buffer *out, uint32_t id, const void *data, size_t bytes)
{
    uint8_t *body = begin_frame(out, IPC_DATA, id, room_of_bin(bytes));
    if (!body)
        return -1;
    struct packing packing = { .at = body };
    write_bytes(&packing, &(struct ipc_bytes){ data, bytes });
    return end_frame(out, body, packing.at);
}

int ipc_pack_body(struct ipc_buffer *out, unsigned number, uint32_t id, const uint8_t *body,
                  size_t body_length)
{
    uint8_t *place = begin_frame(out, number, id, body_length);
    if (!place)
        return -1;
    memcpy(place, body, body_length);
    return end_frame(out, place, place + body_length);
}
