/* The tables that messages.def expands to. */
#include "message.h"

#include <string.h>

struct ipc_text ipc_text(const char *string)
{
    return (struct ipc_text){ string, string ? strlen(string) : 0 };
}

/* A message without fields still needs an array; the sentinel is not counted. */
#define SENTINEL { NULL, 0, IPC_TYPE_UINT, IPC_OPTIONAL, 0, 0, 0, NULL }
#define TABLE(text, record, number, speakers)                                                                  \
    { text, number, speakers, sizeof(struct ipc_##record), &record##_initial, record##_choose,                 \
      record##_fields,                                                                                         \
      sizeof record##_fields / sizeof record##_fields[0] - 1 }

#define IPC_INITIAL_UINT(value) (value)
#define IPC_INITIAL_BOOL(value) ((value) != 0)
#define IPC_INITIAL_TEXT(value) { NULL, 0 }
#define IPC_INITIAL_BYTES(value) { NULL, 0 }
#define IPC_INITIAL_PAIRS(value) { NULL, 0 }
#define IPC_INITIAL_TEXTS(value) { NULL, 0 }

#define RECORD(record) static const struct ipc_##record record##_initial = {
#define RECORD_END(record) };
#define MESSAGE(NAME, record, number, speakers) static const struct ipc_##record record##_initial = {
#define MESSAGE_END(record) .end_of_##record = 0 };
#define FIELD(owner, TYPE, field, rule, limit, initial) .field = IPC_INITIAL_##TYPE(initial),
#include "messages.def"

#define IPC_IS_SET_UINT(field, initial) ((field) != (initial))
#define IPC_IS_SET_BOOL(field, initial) ((field) != ((initial) != 0))
#define IPC_IS_SET_TEXT(field, initial) ((field).length > 0)
#define IPC_IS_SET_BYTES(field, initial) ((field).length > 0)
#define IPC_IS_SET_PAIRS(field, initial) ((field).count > 0)
#define IPC_IS_SET_TEXTS(field, initial) ((field).count > 0)
#define IPC_IS_SET_ONE(field, initial) ((field) != NULL)
#define IPC_IS_SET_LIST(field, initial) ((field).count > 0)
#define IPC_GOES_REQUIRED(set) 1
#define IPC_GOES_OPTIONAL(set) (set)
#define IPC_GOES_TRUSTED(set) (trusted && (set))

/* Written out for each message, because FETCH has some eighty fields of which few are set. */
#define BEGIN_CHOOSE(record)                                                                                   \
    static size_t record##_choose(const void *place, bool trusted, uint8_t *ret_indexes)                       \
    {                                                                                                          \
        const struct ipc_##record *from = place;                                                               \
        size_t count = 0;                                                                                      \
        uint8_t index = 0;                                                                                     \
        (void)from, (void)trusted, (void)index, (void)ret_indexes;
#define END_CHOOSE                                                                                             \
        return count;                                                                                          \
    }
#define RECORD(record) BEGIN_CHOOSE(record)
#define RECORD_END(record) END_CHOOSE
#define MESSAGE(NAME, record, number, speakers) BEGIN_CHOOSE(record)
#define MESSAGE_END(record) END_CHOOSE
#define FIELD(owner, TYPE, field, rule, limit, initial)                                                        \
        ret_indexes[count] = index++;                                                                          \
        count += IPC_GOES_##rule(IPC_IS_SET_##TYPE(from->field, initial));
#define NEST(owner, TYPE, field, record, rule, limit) FIELD(owner, TYPE, field, rule, limit, 0)
#include "messages.def"

#define CLIENT IPC_CLIENT
#define DAEMON_TO_CLIENT IPC_DAEMON_TO_CLIENT
#define DAEMON_TO_WORKER IPC_DAEMON_TO_WORKER
#define WORKER IPC_WORKER

#define RECORD(record) static const struct ipc_field record##_fields[] = {
#define RECORD_END(record) SENTINEL };                                                                         \
    static const struct ipc_table record##_table = TABLE(#record, record, 0, 0);
#define MESSAGE(NAME, record, number, speakers) static const struct ipc_field record##_fields[] = {
#define MESSAGE_END(record) SENTINEL };
#define FIELD(owner, TYPE, field, rule, limit, initial)                                                        \
    { #field, sizeof #field - 1, IPC_TYPE_##TYPE, IPC_##rule, limit, initial,                                  \
      offsetof(struct ipc_##owner, field), NULL },
#define NEST(owner, TYPE, field, record, rule, limit)                                                          \
    { #field, sizeof #field - 1, IPC_TYPE_##TYPE, IPC_##rule, limit, 0, offsetof(struct ipc_##owner, field),   \
      &record##_table },
#include "messages.def"

#define MESSAGE(NAME, record, number, speakers)                                                                \
    static const struct ipc_table record##_table = TABLE(#NAME, record, number, speakers);
#include "messages.def"

static const struct ipc_table *const all_tables[] = {
#define MESSAGE(NAME, record, number, speakers) &record##_table,
#include "messages.def"
};

static const struct ipc_table *const by_number[] = {
#define MESSAGE(NAME, record, number, speakers) [number] = &record##_table,
#include "messages.def"
};

const struct ipc_table *ipc_table(unsigned number)
{
    return number < sizeof by_number / sizeof by_number[0] ? by_number[number] : NULL;
}

const struct ipc_table *const *ipc_tables(size_t *ret_count)
{
    *ret_count = sizeof all_tables / sizeof all_tables[0];
    return all_tables;
}

const char *ipc_message_name(unsigned number)
{
    const struct ipc_table *table = ipc_table(number);
    return table ? table->name : NULL;
}

void ipc_table_init(const struct ipc_table *table, void *record)
{
    memcpy(record, table->initial, table->size);
}

void ipc_message_init(unsigned number, void *message)
{
    ipc_table_init(ipc_table(number), message);
}
