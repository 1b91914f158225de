/* pack.c and unpack.c together: what one end says, the other understands, for every message and
 * every field of messages.def. */
#include "ipc/pack.h"
#include "ipc/unpack.h"

#include "sample.h"
#include "unit.h"

#include <string.h>

static const enum ipc_speaker speakers[] = { IPC_CLIENT, IPC_DAEMON_TO_CLIENT, IPC_DAEMON_TO_WORKER,
                                             IPC_WORKER };

static struct sample sample;
static struct ipc_buffer packed;
static struct ipc_decoder decoder;

static void begin(void)
{
    ipc_buffer_init(&packed, 4 * IPC_FRAME_BYTES);
    assert_int_equal(ipc_decoder_init(&decoder), 0);
}

static void end(void)
{
    ipc_buffer_finish(&packed);
    ipc_decoder_finish(&decoder);
    sample_finish(&sample);
}

/* Packs and unpacks as `speaker`; 0 or ipc_unpack's -1. */
static int round_trip(enum ipc_speaker speaker, unsigned number, const void *message,
                      union ipc_any *ret_message)
{
    struct ipc_frame frame;
    ipc_buffer_truncate(&packed, 0);
    assert_int_equal(ipc_pack(&packed, speaker, number, 77, message), 0);
    assert_int_equal(ipc_frame_read(ipc_buffer_data(&packed), ipc_buffer_length(&packed), &frame, NULL),
                     IPC_FRAME_OK);
    assert_int_equal(frame.whole_length, ipc_buffer_length(&packed));
    assert_int_equal(frame.type, number);
    assert_int_equal(frame.id, 77);
    return ipc_unpack(&decoder, speaker, &frame, ret_message);
}

/* Calls `check` for every message and each of its speakers; DATA has no map. */
static void for_each_message(void (*check)(const struct ipc_table *table, enum ipc_speaker speaker))
{
    size_t count;
    const struct ipc_table *const *tables = ipc_tables(&count);
    assert_in_range(count, 10, 100);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < 4; k++)
            if (tables[i]->number != IPC_DATA && (tables[i]->speakers & (unsigned)speakers[k]))
                check(tables[i], speakers[k]);
}

static bool is_trusted(enum ipc_speaker speaker)
{
    return speaker == IPC_DAEMON_TO_WORKER || speaker == IPC_WORKER;
}

/* What must arrive: all of it, but for TRUSTED fields said to or by a client. */
static void expect(const struct ipc_table *table, enum ipc_speaker speaker, const void *said,
                   const void *heard)
{
    static const size_t sizes[] = {
        [IPC_TYPE_UINT] = sizeof(uint64_t), [IPC_TYPE_BOOL] = sizeof(bool), [IPC_TYPE_TEXT] = sizeof(struct ipc_text),
        [IPC_TYPE_BYTES] = sizeof(struct ipc_bytes), [IPC_TYPE_PAIRS] = sizeof(struct ipc_pairs),
        [IPC_TYPE_TEXTS] = sizeof(struct ipc_texts), [IPC_TYPE_ONE] = sizeof(void *),
        [IPC_TYPE_LIST] = sizeof(struct sample_list),
    };
    union ipc_any wanted, initial;
    memcpy(&wanted, said, table->size);
    ipc_table_init(table, &initial);
    for (size_t i = 0; !is_trusted(speaker) && i < table->field_count; i++) {
        const struct ipc_field *field = &table->fields[i];
        if (field->rule == IPC_TRUSTED)
            memcpy((char *)&wanted + field->offset, (char *)&initial + field->offset, sizes[field->type]);
    }
    const char *difference = sample_difference(table, &wanted, heard);
    if (difference)
        fail_msg("%s: %s differs", table->name, difference);
}

static void check_full(const struct ipc_table *table, enum ipc_speaker speaker)
{
    union ipc_any said, heard;
    sample_fill(&sample, table, &said);
    if (round_trip(speaker, table->number, &said, &heard) < 0)
        fail_msg("%s: %s", table->name, decoder.reason);
    expect(table, speaker, &said, &heard);
}

static void every_message_with_every_field_set_survives(void **state)
{
    (void)state;
    begin();
    for_each_message(check_full);
    end();
}

/* A REQUIRED text may well be empty; it is sent all the same. */
static void check_initial(const struct ipc_table *table, enum ipc_speaker speaker)
{
    union ipc_any said, heard;
    ipc_message_init(table->number, &said);
    if (round_trip(speaker, table->number, &said, &heard) < 0)
        fail_msg("%s: %s", table->name, decoder.reason);
    expect(table, speaker, &said, &heard);
}

static void every_message_with_no_field_set_survives(void **state)
{
    (void)state;
    begin();
    for_each_message(check_initial);
    end();
}

static void check_alone(const struct ipc_table *table, enum ipc_speaker speaker)
{
    for (size_t i = 0; i < table->field_count; i++) {
        union ipc_any said, heard;
        ipc_message_init(table->number, &said);
        sample_fill_field(&sample, &table->fields[i], &said);
        if (round_trip(speaker, table->number, &said, &heard) < 0)
            fail_msg("%s: %s", table->name, decoder.reason);
        expect(table, speaker, &said, &heard);
    }
}

static void every_field_alone_survives(void **state)
{
    (void)state;
    begin();
    for_each_message(check_alone);
    end();
}

static void check_limits(const struct ipc_table *table, enum ipc_speaker speaker)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct ipc_field *field = &table->fields[i];
        union ipc_any said, heard;
        char wanted[160];
        if (!sample_has_limit(field) || (field->rule == IPC_TRUSTED && !is_trusted(speaker)))
            continue;
        ipc_message_init(table->number, &said);
        sample_fill_limit(&sample, field, &said, 0);
        if (round_trip(speaker, table->number, &said, &heard) < 0)
            fail_msg("%s: %s at its limit: %s", table->name, field->name, decoder.reason);
        expect(table, speaker, &said, &heard);
        ipc_message_init(table->number, &said);
        sample_fill_limit(&sample, field, &said, 1);
        if (round_trip(speaker, table->number, &said, &heard) == 0)
            fail_msg("%s: %s above its limit was taken", table->name, field->name);
        snprintf(wanted, sizeof wanted, "%s: %s ", table->name, field->name);
        if (strncmp(decoder.reason, wanted, strlen(wanted)) != 0)
            fail_msg("%s does not name %s", decoder.reason, wanted);
        sample_finish(&sample);
    }
}

static void every_limit_is_exact_and_its_field_named(void **state)
{
    (void)state;
    begin();
    for_each_message(check_limits);
    end();
}

static void initial_values_are_not_sent(void **state)
{
    (void)state;
    struct ipc_fetch fetch;
    begin();
    IPC_INIT(FETCH, &fetch);
    fetch.url = IPC_TEXT("x");
    ipc_pack(&packed, IPC_CLIENT, IPC_FETCH, 1, &fetch);
    static const char expected[] = "\0\0\0\x0e\x93\x10\xce\0\0\0\1\x81\xa3url\xa1x";
    assert_int_equal(ipc_buffer_length(&packed), sizeof expected - 1);
    assert_memory_equal(ipc_buffer_data(&packed), expected, sizeof expected - 1);
    end();
}

static void trusted_fields_are_written_only_between_daemon_and_worker(void **state)
{
    (void)state;
    struct ipc_fetch fetch;
    begin();
    IPC_INIT(FETCH, &fetch);
    fetch.url = IPC_TEXT("x");
    fetch.principal = 5;
    fetch.announce = true;
    ipc_pack(&packed, IPC_CLIENT, IPC_FETCH, 1, &fetch);
    size_t without = ipc_buffer_length(&packed);
    ipc_buffer_truncate(&packed, 0);
    ipc_pack(&packed, IPC_DAEMON_TO_WORKER, IPC_FETCH, 1, &fetch);
    assert_int_equal(ipc_buffer_length(&packed), without + sizeof "\xa9principal\x05\xa8" "announce\xc3" - 1);
    end();
}

static void text_that_is_not_utf8_goes_with_replacement_characters(void **state)
{
    (void)state;
    static const struct { const char *text, *heard; } rows[] = {
        { "\xff", "\xef\xbf\xbd" }, { "a\xff", "a\xef\xbf\xbd" }, { "\xff" "a", "\xef\xbf\xbd" "a" },
        { "a\xc3", "a\xef\xbf\xbd" }, { "\xc3\xa4\xe2\x82z", "\xc3\xa4\xef\xbf\xbd\xef\xbf\xbdz" },
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, { "\xff\xff plain \xff end",
        "\xef\xbf\xbd\xef\xbf\xbd plain \xef\xbf\xbd end" },
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipc_error error = { .name = IPC_TEXT("internal"), .message = ipc_text(rows[i].text) };
        union ipc_any heard;
        assert_int_equal(round_trip(IPC_WORKER, IPC_ERROR, &error, &heard), 0);
        assert_text_equal(heard.error.message, rows[i].heard);
    }
    end();
}

static void a_message_that_is_null_has_an_empty_map(void **state)
{
    (void)state;
    begin();
    assert_int_equal(ipc_pack(&packed, IPC_CLIENT, IPC_CANCEL, 9, NULL), 0);
    assert_memory_equal(ipc_buffer_data(&packed), "\0\0\0\x08\x93\x14\xce\0\0\0\x09\x80", 12);
    end();
}

static void a_frame_above_the_limit_is_not_packed_and_leaves_no_trace(void **state)
{
    (void)state;
    struct ipc_fetch fetch;
    begin();
    ipc_pack(&packed, IPC_CLIENT, IPC_CANCEL, 9, NULL);
    size_t before = ipc_buffer_length(&packed);
    IPC_INIT(FETCH, &fetch);
    fetch.url = IPC_TEXT("x");
    fetch.body = (struct ipc_bytes){ sample_allocate(&sample, IPC_FRAME_BYTES), IPC_FRAME_BYTES };
    assert_int_equal(ipc_pack(&packed, IPC_CLIENT, IPC_FETCH, 1, &fetch), -1);
    assert_int_equal(ipc_buffer_length(&packed), before);
    assert_int_equal(ipc_pack_data(&packed, 1, fetch.body.data, IPC_FRAME_BYTES), -1);
    assert_int_equal(ipc_pack_body(&packed, IPC_FETCH, 1, fetch.body.data, IPC_FRAME_BYTES), -1);
    assert_int_equal(ipc_buffer_length(&packed), before);
    end();
}

static void a_full_buffer_takes_no_part_of_a_frame(void **state)
{
    (void)state;
    struct ipc_buffer small;
    struct ipc_error error = { .name = IPC_TEXT("internal"), .message = IPC_TEXT("a longer text") };
    size_t whole = 11 + sizeof "\x82\xa4name\xa8internal\xa7message\xad" "a longer text" - 1;
    for (size_t limit = 0; limit < whole + 10; limit++) {
        ipc_buffer_init(&small, limit);
        int result = ipc_pack(&small, IPC_WORKER, IPC_ERROR, 0, &error);
        assert_int_equal(result, limit < whole ? -1 : 0);
        assert_int_equal(ipc_buffer_length(&small), result < 0 ? 0 : whole);
        ipc_buffer_finish(&small);
    }
}

static void data_of_every_length_survives(void **state)
{
    (void)state;
    static const size_t lengths[] = { 0, 1, 255, 256, 65535, 65536 };
    begin();
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t *data = sample_allocate(&sample, lengths[i]);
        struct ipc_frame frame;
        struct ipc_bytes payload;
        memset(data, 'a' + (int)i, lengths[i]);
        ipc_buffer_truncate(&packed, 0);
        assert_int_equal(ipc_pack_data(&packed, 5, data, lengths[i]), 0);
        assert_int_equal(ipc_frame_read(ipc_buffer_data(&packed), ipc_buffer_length(&packed), &frame, NULL),
                         IPC_FRAME_OK);
        assert_int_equal(frame.type, IPC_DATA);
        assert_int_equal(ipc_unpack_data(&decoder, &frame, &payload), 0);
        assert_int_equal(payload.length, lengths[i]);
        assert_memory_equal(payload.data, data, lengths[i]);
    }
    end();
}

static void a_relayed_body_is_the_same_bytes_under_another_id(void **state)
{
    (void)state;
    struct ipc_frame first, second;
    struct ipc_response response = { .status = 200, .url = IPC_TEXT("https://example.com/") };
    struct ipc_buffer relayed;
    begin();
    ipc_buffer_init(&relayed, IPC_FRAME_BYTES);
    ipc_pack(&packed, IPC_WORKER, IPC_RESPONSE, 3, &response);
    ipc_frame_read(ipc_buffer_data(&packed), ipc_buffer_length(&packed), &first, NULL);
    assert_int_equal(ipc_pack_body(&relayed, IPC_RESPONSE, 9, first.body, first.body_length), 0);
    ipc_frame_read(ipc_buffer_data(&relayed), ipc_buffer_length(&relayed), &second, NULL);
    assert_int_equal(second.id, 9);
    assert_int_equal(second.type, IPC_RESPONSE);
    assert_int_equal(second.body_length, first.body_length);
    assert_memory_equal(second.body, first.body, first.body_length);
    ipc_buffer_finish(&relayed);
    end();
}

UNIT_TESTS(TEST(every_message_with_every_field_set_survives), TEST(every_message_with_no_field_set_survives),
           TEST(every_field_alone_survives), TEST(every_limit_is_exact_and_its_field_named),
           TEST(initial_values_are_not_sent), TEST(trusted_fields_are_written_only_between_daemon_and_worker),
           TEST(text_that_is_not_utf8_goes_with_replacement_characters),
           TEST(a_message_that_is_null_has_an_empty_map),
           TEST(a_frame_above_the_limit_is_not_packed_and_leaves_no_trace),
           TEST(a_full_buffer_takes_no_part_of_a_frame), TEST(data_of_every_length_survives),
           TEST(a_relayed_body_is_the_same_bytes_under_another_id))
