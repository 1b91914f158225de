/* unpack.c: a handler gets a whole checked struct or is never called. Bodies are made with
 * msgpack-c's packer here, so that they may hold what pack.c would never write. */
#include "ipc/unpack.h"

#include "unit.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

static struct ipc_decoder decoder;
static msgpack_sbuffer body;
static msgpack_packer packer;
static union ipc_any message;

static void begin(void)
{
    assert_int_equal(ipc_decoder_init(&decoder), 0);
    msgpack_sbuffer_init(&body);
    msgpack_packer_init(&packer, &body, msgpack_sbuffer_write);
}

static void end(void)
{
    ipc_decoder_finish(&decoder);
    msgpack_sbuffer_destroy(&body);
}

static int unpack_bytes(enum ipc_speaker speaker, unsigned number, const void *bytes, size_t length)
{
    struct ipc_frame frame = { .type = number, .id = 1, .body = bytes, .body_length = length };
    memset(&message, 0xa5, sizeof message);
    return ipc_unpack(&decoder, speaker, &frame, &message);
}

/* What was packed so far, from somebody who may say it. */
static int unpack(unsigned number)
{
    const struct ipc_table *table = ipc_table(number);
    enum ipc_speaker speaker = (enum ipc_speaker)(table->speakers & -table->speakers);
    int result = unpack_bytes(speaker, number, body.data, body.size);
    msgpack_sbuffer_clear(&body);
    return result;
}

static void put_text(const char *text)
{
    msgpack_pack_str(&packer, strlen(text));
    msgpack_pack_str_body(&packer, text, strlen(text));
}

static void put_key(const struct ipc_field *field)
{
    put_text(field->name);
}

static void put_valid(const struct ipc_field *field);

static size_t count_required(const struct ipc_table *table, const struct ipc_field *except)
{
    size_t count = 0;
    for (size_t i = 0; i < table->field_count; i++)
        count += table->fields[i].rule == IPC_REQUIRED && &table->fields[i] != except;
    return count;
}

static void put_required(const struct ipc_table *table, const struct ipc_field *except)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct ipc_field *field = &table->fields[i];
        if (field->rule == IPC_REQUIRED && field != except) {
            put_key(field);
            put_valid(field);
        }
    }
}

static void put_valid_record(const struct ipc_table *table)
{
    msgpack_pack_map(&packer, count_required(table, NULL));
    put_required(table, NULL);
}

static void put_valid(const struct ipc_field *field)
{
    switch (field->type) {
    case IPC_TYPE_UINT: msgpack_pack_uint64(&packer, 1); break;
    case IPC_TYPE_BOOL: msgpack_pack_true(&packer); break;
    case IPC_TYPE_TEXT: case IPC_TYPE_BYTES: put_text("x"); break;
    case IPC_TYPE_PAIRS: case IPC_TYPE_TEXTS: msgpack_pack_array(&packer, 0); break;
    case IPC_TYPE_ONE: put_valid_record(field->record); break;
    case IPC_TYPE_LIST:
        msgpack_pack_array(&packer, 1);
        put_valid_record(field->record);
        break;
    }
}

/* A map with all that is required, and `field` last with what the caller packs next. */
static void begin_with(const struct ipc_table *table, const struct ipc_field *field)
{
    msgpack_pack_map(&packer, count_required(table, field) + 1);
    put_required(table, field);
    put_key(field);
}

/* Calls `check` for every field of every message that has a map. */
static void for_each_field(void (*check)(const struct ipc_table *table, const struct ipc_field *field))
{
    size_t count;
    const struct ipc_table *const *tables = ipc_tables(&count);
    begin();
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; tables[i]->number != IPC_DATA && k < tables[i]->field_count; k++)
            check(tables[i], &tables[i]->fields[k]);
    end();
}

static bool is_heard(const struct ipc_table *table, const struct ipc_field *field)
{
    unsigned first = table->speakers & -table->speakers;
    return field->rule != IPC_TRUSTED || (first & (IPC_DAEMON_TO_WORKER | IPC_WORKER));
}

static void assert_reason(const struct ipc_table *table, const struct ipc_field *field, const char *wrong)
{
    char wanted[160];
    snprintf(wanted, sizeof wanted, "%s: %s %s", table->name, field->name, wrong);
    assert_string_equal(decoder.reason, wanted);
}

/* ---- types ---- */

enum kind { NIL, TRUE, POSITIVE, WIDE, NEGATIVE, FLOAT, STR, BAD_STR, BIN, ARRAY, MAP, KINDS };

static void put_kind(enum kind kind)
{
    switch (kind) {
    case NIL: msgpack_pack_nil(&packer); break;
    case TRUE: msgpack_pack_true(&packer); break;
    case POSITIVE: msgpack_pack_uint8(&packer, 1); break;
    case WIDE: msgpack_sbuffer_write(&body, "\xd3\0\0\0\0\0\0\0\1", 9); break;   /* a signed 1 */
    case NEGATIVE: msgpack_pack_int8(&packer, -1); break;
    case FLOAT: msgpack_pack_double(&packer, 1.0); break;
    case STR: put_text("x"); break;
    case BAD_STR: put_text("\xff"); break;
    case BIN:
        msgpack_pack_bin(&packer, 1);
        msgpack_pack_bin_body(&packer, "x", 1);
        break;
    case ARRAY: msgpack_pack_array(&packer, 0); break;
    case MAP: msgpack_pack_map(&packer, 0); break;
    case KINDS: break;
    }
}

static bool is_right(enum ipc_type type, enum kind kind)
{
    switch (type) {
    case IPC_TYPE_UINT: return kind == POSITIVE || kind == WIDE;
    case IPC_TYPE_BOOL: return kind == TRUE;
    case IPC_TYPE_TEXT: return kind == STR;
    case IPC_TYPE_BYTES: return kind == STR || kind == BAD_STR || kind == BIN;
    case IPC_TYPE_PAIRS: case IPC_TYPE_TEXTS: case IPC_TYPE_LIST: return kind == ARRAY;
    case IPC_TYPE_ONE: return false;   /* an empty map lacks what is required in it */
    }
    return false;
}

static void check_types(const struct ipc_table *table, const struct ipc_field *field)
{
    for (int kind = 0; kind < KINDS; kind++) {
        begin_with(table, field);
        put_kind((enum kind)kind);
        int wanted = !is_heard(table, field) || is_right(field->type, (enum kind)kind) ? 0 : -1;
        if (unpack(table->number) != wanted)
            fail_msg("%s: %s with kind %d: %s", table->name, field->name, kind, decoder.reason);
    }
}

static void every_field_takes_its_own_type_and_no_other(void **state)
{
    (void)state;
    for_each_field(check_types);
}

/* ---- presence ---- */

static void check_missing(const struct ipc_table *table, const struct ipc_field *field)
{
    msgpack_pack_map(&packer, count_required(table, field));
    put_required(table, field);
    int result = unpack(table->number);
    assert_int_equal(result, field->rule == IPC_REQUIRED ? -1 : 0);
    if (result < 0)
        assert_reason(table, field, "is missing");
}

static void a_missing_required_field_is_named_and_others_may_be_absent(void **state)
{
    (void)state;
    for_each_field(check_missing);
}

static void check_twice(const struct ipc_table *table, const struct ipc_field *field)
{
    msgpack_pack_map(&packer, count_required(table, field) + 2);
    put_key(field);
    put_valid(field);
    put_required(table, field);
    put_key(field);
    put_valid(field);
    int result = unpack(table->number);
    assert_int_equal(result, is_heard(table, field) ? -1 : 0);
    if (result < 0)
        assert_reason(table, field, "stands twice");
}

static void a_duplicate_key_is_refused_and_named(void **state)
{
    (void)state;
    for_each_field(check_twice);
}

static void check_absent(const struct ipc_table *table, const struct ipc_field *field)
{
    put_valid_record(table);
    if (field->rule == IPC_REQUIRED || unpack(table->number) < 0) {
        msgpack_sbuffer_clear(&body);
        return;
    }
    const char *place = (const char *)&message + field->offset;
    if (field->type == IPC_TYPE_UINT)
        assert_int_equal(*(const uint64_t *)(const void *)place, field->initial);
    else if (field->type == IPC_TYPE_BOOL)
        assert_int_equal(*(const bool *)place, field->initial);
    else
        assert_int_equal(((const struct ipc_bytes *)(const void *)place)->length, 0);
}

static void an_absent_field_has_its_initial_value(void **state)
{
    (void)state;
    for_each_field(check_absent);
}

static void unknown_keys_are_ignored_whatever_they_hold(void **state)
{
    (void)state;
    begin();
    msgpack_pack_map(&packer, 4);
    put_text("colour");
    put_text("\xff\xfe");
    put_text("bytes");
    msgpack_pack_uint8(&packer, 9);
    put_text("");
    msgpack_pack_map(&packer, 1);
    msgpack_pack_nil(&packer);
    msgpack_pack_double(&packer, -1.5);
    put_text("colour");   /* twice: not ours to judge */
    msgpack_pack_nil(&packer);
    assert_int_equal(unpack(IPC_CREDIT), 0);
    assert_int_equal(message.credit.bytes, 9);
    end();
}

static void keys_in_any_order_are_found(void **state)
{
    (void)state;
    const struct ipc_table *table = ipc_table(IPC_DONE);
    begin();
    msgpack_pack_map(&packer, table->field_count);
    for (size_t i = table->field_count; i-- > 0;) {
        put_key(&table->fields[i]);
        put_valid(&table->fields[i]);
    }
    assert_int_equal(unpack(IPC_DONE), 0);
    assert_int_equal(message.done.total_us, 1);
    assert_int_equal(message.done.status, 1);
    assert_non_null(message.done.error);
    assert_text_equal(message.done.error->name, "x");
    end();
}

static void a_key_that_is_not_a_string_is_refused(void **state)
{
    (void)state;
    begin();
    for (int kind = 0; kind < KINDS; kind++) {
        msgpack_pack_map(&packer, 1);
        put_kind((enum kind)kind);
        msgpack_pack_nil(&packer);
        bool is_string = kind == STR || kind == BAD_STR;
        assert_int_equal(unpack(IPC_PING), is_string ? 0 : -1);
        if (!is_string)
            assert_string_equal(decoder.reason, "PING: a key is not a string");
    }
    end();
}

static void a_body_that_is_not_a_map_is_refused(void **state)
{
    (void)state;
    begin();
    for (int kind = 0; kind < KINDS; kind++) {
        put_kind((enum kind)kind);
        assert_int_equal(unpack(IPC_PING), kind == MAP ? 0 : -1);
    }
    assert_int_equal(unpack_bytes(IPC_CLIENT, IPC_PING, "\x80\x80", 2), -1);
    assert_int_equal(unpack_bytes(IPC_CLIENT, IPC_PING, "\x81", 1), -1);
    end();
}

/* ---- what lists hold ---- */

static void a_pair_is_two_strings_or_bins(void **state)
{
    (void)state;
    static const struct { const char *pair; size_t length; int result; } pairs[] = {
        { "\x92\xa1" "a\xa1" "b", 5, 0 }, { "\x92\xc4\x01" "a\xc4\x00", 6, 0 }, { "\x92\xa0\xa0", 3, 0 },
        { "\x91\xa1" "a", 3, -1 }, { "\x93\xa0\xa0\xa0", 4, -1 }, { "\x90", 1, -1 }, { "\x80", 1, -1 },
        { "\x92\x01\xa0", 3, -1 }, { "\x92\xa0\xc0", 3, 0 }, { "\x92\xc0\xa0", 3, -1 }, { "\xa1" "a", 2, -1 },
        { "\x92\xa0\x90", 3, -1 },
    };
    begin();
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        msgpack_pack_map(&packer, 2);
        put_text("url");
        put_text("u");
        put_text("headers");
        msgpack_pack_array(&packer, 1);
        msgpack_sbuffer_write(&body, pairs[i].pair, pairs[i].length);
        assert_int_equal(unpack(IPC_FETCH), pairs[i].result);
        if (pairs[i].result < 0)
            assert_string_equal(decoder.reason, "FETCH: headers has an item that is not [name, value]");
    }
    end();
}

static void a_value_that_is_nil_is_not_one_that_is_empty(void **state)
{
    (void)state;
    static const char pairs[] = "\x92" "\x92\xa1" "a\xc0" "\x92\xa1" "b\xa0";
    begin();
    msgpack_pack_map(&packer, 2);
    put_text("url");
    put_text("u");
    put_text("headers");
    msgpack_sbuffer_write(&body, pairs, sizeof pairs - 1);
    assert_int_equal(unpack(IPC_FETCH), 0);
    assert_int_equal(message.fetch.headers.count, 2);
    assert_null(message.fetch.headers.items[0].value.data);
    assert_non_null(message.fetch.headers.items[1].value.data);
    assert_int_equal(message.fetch.headers.items[1].value.length, 0);
    end();
}

static void texts_hold_utf8_strings_only(void **state)
{
    (void)state;
    begin();
    for (int kind = 0; kind < KINDS; kind++) {
        msgpack_pack_map(&packer, 2);
        put_text("url");
        put_text("u");
        put_text("require");
        msgpack_pack_array(&packer, 2);
        put_text("ok");
        put_kind((enum kind)kind);
        assert_int_equal(unpack(IPC_FETCH), kind == STR ? 0 : -1);
    }
    end();
}

static const struct ipc_field *field_named(unsigned number, const char *name)
{
    const struct ipc_table *table = ipc_table(number);
    for (size_t i = 0; i < table->field_count; i++)
        if (strcmp(table->fields[i].name, name) == 0)
            return &table->fields[i];
    fail_msg("%s has no field %s", table->name, name);
    return NULL;
}

static void a_nested_record_is_checked_like_a_message(void **state)
{
    (void)state;
    begin();
    msgpack_pack_map(&packer, 1);
    put_text("error");
    msgpack_pack_map(&packer, 2);
    put_text("name");
    put_text("dns.failed");
    put_text("attempts");
    put_text("three");
    assert_int_equal(unpack(IPC_DONE), -1);
    msgpack_pack_map(&packer, 1);
    put_text("workers");
    msgpack_pack_array(&packer, 2);
    put_valid_record(field_named(IPC_STATUS_REPLY, "workers")->record);
    msgpack_pack_map(&packer, 0);   /* lacks worker and state */
    assert_int_equal(unpack(IPC_STATUS_REPLY), -1);
    assert_string_equal(decoder.reason, "STATUS_REPLY: workers has an item that is not right");
    end();
}

/* ---- speakers ---- */

static void only_its_speakers_may_say_a_message(void **state)
{
    (void)state;
    size_t count;
    const struct ipc_table *const *tables = ipc_tables(&count);
    begin();
    for (size_t i = 0; i < count; i++) {
        for (unsigned speaker = IPC_CLIENT; tables[i]->number != IPC_DATA
             && speaker <= IPC_WORKER; speaker *= 2) {
            bool may = (tables[i]->speakers & speaker) != 0;
            put_valid_record(tables[i]);
            assert_int_equal(unpack_bytes((enum ipc_speaker)speaker, tables[i]->number, body.data, body.size),
                             may ? 0 : -1);
            if (!may)
                assert_non_null(strstr(decoder.reason, "is not yours to say"));
            msgpack_sbuffer_clear(&body);
        }
    }
    end();
}

static void a_client_may_say_none_of_what_is_private_to_daemon_and_worker(void **state)
{
    (void)state;
    static const unsigned private[] = { IPC_SETTINGS, IPC_READY, IPC_BEAT, IPC_SENDING, IPC_GO, IPC_WELCOME,
                                        IPC_RESPONSE, IPC_DONE, IPC_HOP, IPC_GOAWAY, IPC_ERROR,
                                        IPC_STATUS_REPLY };
    begin();
    for (size_t i = 0; i < sizeof private / sizeof private[0]; i++)
        assert_int_equal(unpack_bytes(IPC_CLIENT, private[i], "\x80", 1), -1);
    end();
}

static void an_unknown_message_is_refused_by_its_number(void **state)
{
    (void)state;
    begin();
    static const unsigned unknown[] = { 0, 8, 15, 31, 63, 100, 255, 65536, UINT32_MAX };
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "message %u is unknown", unknown[i]);
        assert_int_equal(unpack_bytes(IPC_CLIENT, unknown[i], "\x80", 1), -1);
        assert_string_equal(decoder.reason, wanted);
    }
    end();
}

static void trusted_fields_from_a_client_are_ignored_even_when_wrong(void **state)
{
    (void)state;
    const struct ipc_table *table = ipc_table(IPC_FETCH);
    begin();
    for (int kind = 0; kind < KINDS; kind++) {
        msgpack_pack_map(&packer, 4);
        put_text("principal");
        put_kind((enum kind)kind);
        put_text("from_public");
        put_kind((enum kind)kind);
        put_text("announce");
        put_kind((enum kind)kind);
        put_required(table, NULL);
        assert_int_equal(unpack(IPC_FETCH), 0);
        assert_int_equal(message.fetch.principal, 0);
        assert_false(message.fetch.from_public);
        assert_false(message.fetch.announce);
    }
    end();
}

/* ---- bounds ---- */

static void bombs_are_refused_by_the_scan_before_anything_is_allocated(void **state)
{
    (void)state;
    static const char *const bombs[] = { "\xdf\xff\xff\xff\xff", "\xdd\xff\xff\xff\xff",
                                         "\xc6\xff\xff\xff\xff" };
    begin();
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        assert_int_equal(unpack_bytes(IPC_CLIENT, IPC_PING, bombs[i], 5), -1);
        assert_non_null(strstr(decoder.reason, "within bounds"));
    }
    assert_int_equal(unpack_bytes(IPC_CLIENT, IPC_PING, "\x81\xa1x\x91\x91\x91\x91\x91\x91\x91\x91\xc0", 12),
                     -1);
    end();
}

static void every_table_fits_the_set_of_seen_fields(void **state)
{
    (void)state;
    size_t count;
    const struct ipc_table *const *tables = ipc_tables(&count);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(tables[i]->field_count, 0, 128);
        for (size_t k = 0; k < tables[i]->field_count; k++)
            if (tables[i]->fields[k].record)
                assert_in_range(tables[i]->fields[k].record->field_count, 1, 128);
    }
}

static void reasons_are_printable_whatever_the_peer_sends(void **state)
{
    (void)state;
    uint64_t seed = 3;
    begin();
    for (int turn = 0; turn < 50000; turn++) {
        uint8_t bytes[24];
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (uint8_t)(seed >> 40);
        }
        bytes[0] = (uint8_t)(0x80 + turn % 4);
        bytes[1] = 0xa3;
        memcpy(bytes + 2, turn % 2 ? "url" : "win", 3);
        if (unpack_bytes(IPC_CLIENT, IPC_FETCH, bytes, 5 + (size_t)turn % 19) == 0)
            continue;
        assert_true(decoder.reason[0] != '\0');
        for (const char *at = decoder.reason; *at; at++)
            assert_in_range(*at, 0x20, 0x7e);
    }
    end();
}

static void a_decoder_is_used_again_and_again(void **state)
{
    (void)state;
    begin();
    msgpack_pack_map(&packer, 2);
    put_text("url");
    put_text("u");
    put_text("headers");
    msgpack_pack_array(&packer, 200);
    for (int i = 0; i < 200; i++) {
        msgpack_pack_array(&packer, 2);
        put_text("name");
        put_text("value");
    }
    for (int turn = 0; turn < 5000; turn++) {
        assert_int_equal(unpack_bytes(IPC_CLIENT, IPC_FETCH, body.data, body.size), 0);
        assert_int_equal(message.fetch.headers.count, 200);
        assert_memory_equal(message.fetch.headers.items[199].value.data, "value", 5);
    }
    end();
}

/* ---- DATA ---- */

static int unpack_data(const void *bytes, size_t length, struct ipc_bytes *ret_payload)
{
    uint8_t *exact = malloc(length);   /* a read behind it is the sanitizer's */
    memcpy(exact, bytes, length);
    struct ipc_frame frame = { .type = IPC_DATA, .id = 1, .body = exact, .body_length = length };
    int result = ipc_unpack_data(&decoder, &frame, ret_payload);
    free(exact);
    return result;
}

static void data_is_one_bin_and_nothing_else(void **state)
{
    (void)state;
    struct ipc_bytes payload;
    begin();
    assert_int_equal(unpack_data("\xc4\x00", 2, &payload), 0);
    assert_int_equal(payload.length, 0);
    assert_int_equal(unpack_data("\xc4\x02hi", 4, &payload), 0);
    assert_int_equal(unpack_data("\xc5\x00\x02hi", 5, &payload), 0);
    assert_int_equal(unpack_data("\xc6\x00\x00\x00\x02hi", 7, &payload), 0);
    assert_int_equal(payload.length, 2);
    static const struct { const char *bytes; size_t length; } bad[] = {
        { "\xa2hi", 3 }, { "\x80", 1 }, { "\xc0", 1 }, { "\xc4", 1 }, { "\xc5\x00", 2 },
        { "\xc6\x00\x00\x00", 4 },
        { "\xc4\x03hi", 4 }, { "\xc4\x01hi", 4 }, { "\xc6\xff\xff\xff\xff", 5 }, { "\xc5\xff\xff", 3 },
        { "\xd9\x02hi", 4 }, { "\xc7\x02\x01hi", 5 }, { "\xc4\x02hi\x80", 5 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(unpack_data(bad[i].bytes, bad[i].length, &payload), -1);
    end();
}

static void data_above_64_kib_is_refused(void **state)
{
    (void)state;
    uint8_t *bytes = calloc(1, IPC_DATA_BYTES + 6);
    struct ipc_bytes payload;
    begin();
    memcpy(bytes, "\xc6\x00\x01\x00\x00", 5);
    assert_int_equal(unpack_data(bytes, IPC_DATA_BYTES + 5, &payload), 0);
    assert_int_equal(payload.length, IPC_DATA_BYTES);
    memcpy(bytes, "\xc6\x00\x01\x00\x01", 5);
    assert_int_equal(unpack_data(bytes, IPC_DATA_BYTES + 6, &payload), -1);
    assert_string_equal(decoder.reason, "DATA: more than 65536 bytes");
    end();
    free(bytes);
}

UNIT_TESTS(TEST(every_field_takes_its_own_type_and_no_other),
           TEST(a_missing_required_field_is_named_and_others_may_be_absent),
           TEST(a_duplicate_key_is_refused_and_named), TEST(an_absent_field_has_its_initial_value),
           TEST(unknown_keys_are_ignored_whatever_they_hold), TEST(keys_in_any_order_are_found),
           TEST(a_key_that_is_not_a_string_is_refused), TEST(a_body_that_is_not_a_map_is_refused),
           TEST(a_pair_is_two_strings_or_bins), TEST(a_value_that_is_nil_is_not_one_that_is_empty), TEST(texts_hold_utf8_strings_only),
           TEST(a_nested_record_is_checked_like_a_message), TEST(only_its_speakers_may_say_a_message),
           TEST(a_client_may_say_none_of_what_is_private_to_daemon_and_worker),
           TEST(an_unknown_message_is_refused_by_its_number),
           TEST(trusted_fields_from_a_client_are_ignored_even_when_wrong),
           TEST(bombs_are_refused_by_the_scan_before_anything_is_allocated),
           TEST(every_table_fits_the_set_of_seen_fields), TEST(reasons_are_printable_whatever_the_peer_sends),
           TEST(a_decoder_is_used_again_and_again), TEST(data_is_one_bin_and_nothing_else),
           TEST(data_above_64_kib_is_refused))
