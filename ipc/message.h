/* What is said: one struct per message, generated from messages.def, which documents each field. */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IPC_VERSION_MIN 1
#define IPC_VERSION_MAX 1

#define IPC_FRAME_BYTES (1024 * 1024)     /* most bytes after the length */
#define IPC_DATA_BYTES (64 * 1024)        /* most payload of one DATA */
#define IPC_FRAME_CHARGE 64               /* credit a DATA costs besides its payload */
#define IPC_STREAM_WINDOW (256 * 1024)
#define IPC_CONNECTION_WINDOW (16 * 1024 * 1024)

/* Borrowed strings. In a decoded message they point into the frame or the decoder and live as
 * long as both; `data` may be NULL when `length` is 0. None is NUL-terminated. */
struct ipc_text { const char *data; size_t length; };
struct ipc_bytes { const uint8_t *data; size_t length; };
struct ipc_pair { struct ipc_bytes name, value; };   /* value.data NULL: nil, no value at all */
struct ipc_pairs { const struct ipc_pair *items; size_t count; };
struct ipc_texts { const struct ipc_text *items; size_t count; };

#define IPC_TEXT(literal) ((struct ipc_text){ (literal), sizeof(literal) - 1 })

/* A NUL-terminated string as borrowed text; NULL gives the empty text. */
struct ipc_text ipc_text(const char *string);

/* Inline, so that a literal's length costs nothing. */
static inline bool ipc_text_is(struct ipc_text text, const char *string)
{
    return text.length == strlen(string) && (text.length == 0 || memcmp(text.data, string, text.length) == 0);
}

enum ipc_type {
    IPC_TYPE_UINT, IPC_TYPE_BOOL, IPC_TYPE_TEXT, IPC_TYPE_BYTES,
    IPC_TYPE_PAIRS, IPC_TYPE_TEXTS, IPC_TYPE_ONE, IPC_TYPE_LIST,
};
enum ipc_rule { IPC_REQUIRED, IPC_OPTIONAL, IPC_TRUSTED };

/* Who may say a message, as a set. A decoder is told who is speaking. */
enum ipc_speaker {
    IPC_CLIENT = 1, IPC_DAEMON_TO_CLIENT = 2, IPC_DAEMON_TO_WORKER = 4, IPC_WORKER = 8,
};

/* ---- the structs ---- */

#define RECORD(name) struct ipc_##name {
#define RECORD_END(name) };
#define MESSAGE(NAME, name, number, speakers) struct ipc_##name {
#define MESSAGE_END(name) char end_of_##name; };
#define FIELD(owner, TYPE, name, rule, limit, initial) IPC_C_TYPE_##TYPE name;
#define NEST(owner, TYPE, name, record, rule, limit) IPC_C_TYPE_##TYPE(record) name;
#define IPC_C_TYPE_UINT uint64_t
#define IPC_C_TYPE_BOOL bool
#define IPC_C_TYPE_TEXT struct ipc_text
#define IPC_C_TYPE_BYTES struct ipc_bytes
#define IPC_C_TYPE_PAIRS struct ipc_pairs
#define IPC_C_TYPE_TEXTS struct ipc_texts
#define IPC_C_TYPE_ONE(record) const struct ipc_##record *
#define IPC_C_TYPE_LIST(record) struct { const struct ipc_##record *items; size_t count; }
#include "messages.def"

enum ipc_number {
#define MESSAGE(NAME, name, number, speakers) IPC_##NAME = number,
#include "messages.def"
};

union ipc_any {
#define MESSAGE(NAME, name, number, speakers) struct ipc_##name name;
#include "messages.def"
};

/* ---- the tables ---- */

struct ipc_table;

struct ipc_field {
    const char *name;
    size_t name_length;
    enum ipc_type type;
    enum ipc_rule rule;
    uint64_t limit;
    uint64_t initial;
    size_t offset;                   /* in the struct */
    const struct ipc_table *record;  /* of ONE and LIST */
};

struct ipc_table {
    const char *name;                /* "FETCH"; for a record its own name */
    unsigned number;                 /* 0 for a record */
    unsigned speakers;
    size_t size;                     /* of the struct */
    const void *initial;             /* a struct with every field at its initial value */
    /* The fields of a struct that a frame carries: their indexes, room for one more than there are, and how many. */
    size_t (*choose)(const void *record, bool trusted, uint8_t *ret_indexes);
    const struct ipc_field *fields;
    size_t field_count;
};

/* The table of a message number, or NULL for a number nobody defined. */
const struct ipc_table *ipc_table(unsigned number);

/* All tables in the order of messages.def; *ret_count tells how many. */
const struct ipc_table *const *ipc_tables(size_t *ret_count);

/* "FETCH", or "message 77" is for the caller to say when this is NULL. */
const char *ipc_message_name(unsigned number);

/* A message with every field at its initial value. `number` must be defined. */
void ipc_message_init(unsigned number, void *message);

/* The same for a record, whose table a field of type ONE or LIST names. */
void ipc_table_init(const struct ipc_table *table, void *record);

#define IPC_INIT(NAME, pointer) ipc_message_init(IPC_##NAME, (pointer))

#endif
