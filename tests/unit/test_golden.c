/* The protocol as it was last published, in messages.golden. Within a version, optional fields may be
 * added; whatever else changes in messages.def changes IPC_VERSION_MAX, and then this file is made
 * anew:
 *
 *     build/tests/unit/test_golden --print >tests/unit/messages.golden
 */
#include "ipc/message.h"

#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINES 1000
#define LINE_BYTES 160

struct listing { char lines[LINES][LINE_BYTES]; size_t count; };

static const char *const types[] = {
    [IPC_TYPE_UINT] = "UINT", [IPC_TYPE_BOOL] = "BOOL", [IPC_TYPE_TEXT] = "TEXT", [IPC_TYPE_BYTES] = "BYTES",
    [IPC_TYPE_PAIRS] = "PAIRS", [IPC_TYPE_TEXTS] = "TEXTS", [IPC_TYPE_ONE] = "ONE", [IPC_TYPE_LIST] = "LIST",
};
static const char *const rules[] = { [IPC_REQUIRED] = "required", [IPC_OPTIONAL] = "optional",
                                     [IPC_TRUSTED] = "trusted" };

static void __attribute__((format(gnu_printf, 2, 3))) add(struct listing *listing, const char *format, ...)
{
    va_list arguments;
    assert_in_range(listing->count, 0, LINES - 1);
    va_start(arguments, format);
    vsnprintf(listing->lines[listing->count++], LINE_BYTES, format, arguments);
    va_end(arguments);
}

/* Each line says all of one field, so that lines can be looked up in any order. */
static void list_fields(struct listing *listing, const char *owner, const struct ipc_table *table)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct ipc_field *field = &table->fields[i];
        add(listing, "%s.%s %s %s limit %" PRIu64 " initial %" PRIu64, owner, field->name, types[field->type],
            rules[field->rule], field->limit, field->initial);
        if (field->record) {
            char nested[LINE_BYTES];
            snprintf(nested, sizeof nested, "%s.%s", owner, field->name);
            list_fields(listing, nested, field->record);
        }
    }
}

static void list_protocol(struct listing *listing)
{
    static const char *const speakers[] = { "client", "daemon-to-client", "daemon-to-worker", "worker" };
    size_t count;
    const struct ipc_table *const *tables = ipc_tables(&count);
    listing->count = 0;
    add(listing, "version %d to %d", IPC_VERSION_MIN, IPC_VERSION_MAX);
    add(listing, "frame %d data %d charge %d stream %d connection %d", IPC_FRAME_BYTES, IPC_DATA_BYTES,
        IPC_FRAME_CHARGE, IPC_STREAM_WINDOW, IPC_CONNECTION_WINDOW);
    for (size_t i = 0; i < count; i++) {
        char said[LINE_BYTES] = "";
        for (unsigned k = 0; k < 4; k++)
            if (tables[i]->speakers & 1u << k)
                snprintf(said + strlen(said), sizeof said - strlen(said), " %s", speakers[k]);
        add(listing, "%s %u said by%s", tables[i]->name, tables[i]->number, said);
        list_fields(listing, tables[i]->name, tables[i]);
    }
}

static void read_golden(struct listing *listing)
{
    FILE *file = fopen(UNIT_FOLDER "/messages.golden", "r");
    assert_non_null(file);
    listing->count = 0;
    while (listing->count < LINES && fgets(listing->lines[listing->count], LINE_BYTES, file)) {
        char *line = listing->lines[listing->count++];
        line[strcspn(line, "\n")] = '\0';
    }
    fclose(file);
}

static bool holds(const struct listing *listing, const char *line)
{
    for (size_t i = 0; i < listing->count; i++)
        if (strcmp(listing->lines[i], line) == 0)
            return true;
    return false;
}

static struct listing now, golden;

static void golden_file_is_of_this_version(void **state)
{
    (void)state;
    list_protocol(&now);
    read_golden(&golden);
    assert_in_range(golden.count, 100, LINES);
    if (strcmp(now.lines[0], golden.lines[0]) != 0)
        fail_msg("this is %s, messages.golden is %s: make it anew", now.lines[0], golden.lines[0]);
}

static void nothing_published_changed_or_went(void **state)
{
    (void)state;
    list_protocol(&now);
    read_golden(&golden);
    for (size_t i = 0; i < golden.count; i++)
        if (!holds(&now, golden.lines[i]))
            fail_msg("\"%s\" is no more so: change IPC_VERSION_MAX, or leave it", golden.lines[i]);
}

/* A message unknown to a peer ends the connection, a required field too: only with a new version. */
static void nothing_but_optional_fields_was_added(void **state)
{
    (void)state;
    list_protocol(&now);
    read_golden(&golden);
    for (size_t i = 0; i < now.count; i++) {
        bool is_field = strstr(now.lines[i], " limit ") != NULL;
        if (!holds(&golden, now.lines[i]) && (!is_field || strstr(now.lines[i], " required ")))
            fail_msg("\"%s\" is new: change IPC_VERSION_MAX, or make it optional", now.lines[i]);
    }
}

static void numbers_and_names_are_used_once(void **state)
{
    (void)state;
    size_t count;
    const struct ipc_table *const *tables = ipc_tables(&count);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(tables[i]->number, 1, 127);   /* one byte in a frame */
        assert_ptr_equal(ipc_table(tables[i]->number), tables[i]);
        assert_string_equal(ipc_message_name(tables[i]->number), tables[i]->name);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(tables[i]->name, tables[k]->name);
        for (size_t a = 0; a < tables[i]->field_count; a++)
            for (size_t b = 0; b < a; b++)
                assert_string_not_equal(tables[i]->fields[a].name, tables[i]->fields[b].name);
    }
}

static const struct unit_test tests[] = {
    TEST(golden_file_is_of_this_version), TEST(nothing_published_changed_or_went),
    TEST(nothing_but_optional_fields_was_added), TEST(numbers_and_names_are_used_once),
};

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        list_protocol(&now);
        for (size_t i = 0; i < now.count; i++)
            puts(now.lines[i]);
        return 0;
    }
    return unit_run(tests, sizeof tests / sizeof tests[0], argc > 1 ? argv[1] : NULL);
}
