/* wsreader.c: what a WebSocket client may receive (RFC 6455, section 5). */
#include "worker/wsreader.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything that a stream of bytes made, as text: "T'..'" and "B'..'" are pieces ('.' after the last
 * of a message), "P'..'", "O'..'" and "C1000'..'" ping, pong and close, "!1002" a failure. */
struct story { char text[4096]; size_t length; };

static void tell(struct story *story, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    story->length += (size_t)vsnprintf(story->text + story->length, sizeof story->text - story->length,
                                       format, arguments);
    va_end(arguments);
}

static void tell_piece(struct story *story, const struct wsreader_piece *piece)
{
    static const char letters[] = {
        [WS_TEXT] = 'T', [WS_BINARY] = 'B', [WS_CLOSE] = 'C', [WS_PING] = 'P', [WS_PONG] = 'O',
    };
    tell(story, "%c", letters[piece->kind]);
    if (piece->kind == WS_CLOSE)
        tell(story, "%u", piece->code);
    tell(story, "'%.*s'", (int)piece->payload.length, (const char *)piece->payload.data);
    if (piece->kind < WS_CLOSE && piece->final)
        tell(story, ".");
}

/* Reads `length` bytes, in memory of their exact size. False after a failure. */
static bool read(struct wsreader *reader, struct story *story, const void *bytes, size_t length)
{
    uint8_t *exact = malloc(length ? length : 1);
    struct ipc_bytes input = { exact, length };
    struct wsreader_piece piece;
    enum wsreader_result result;
    if (length > 0)
        memcpy(exact, bytes, length);
    while ((result = wsreader_next(reader, &input, &piece)) == WSREADER_PIECE || result == WSREADER_CONTROL)
        tell_piece(story, &piece);
    free(exact);
    if (result == WSREADER_FAILED)
        tell(story, "!%u", reader->code);
    else
        assert_int_equal(input.length, 0);
    return result != WSREADER_FAILED;
}

static void expect_limited(const void *bytes, size_t length, uint64_t limit_bytes, const char *expected)
{
    struct wsreader reader;
    struct story story = { "", 0 };
    wsreader_init(&reader, limit_bytes);
    read(&reader, &story, bytes, length);
    assert_string_equal(story.text, expected);
}

#define EXPECT(bytes, expected) expect_limited(bytes, sizeof(bytes) - 1, 0, expected)

static void the_examples_of_section_5_7_are_read(void **state)
{
    (void)state;
    EXPECT("\x81\x05Hello", "T'Hello'.");
    EXPECT("\x01\x03Hel\x80\x02lo", "T'Hel'T'lo'.");
    EXPECT("\x89\x05Hello", "P'Hello'");
    EXPECT("\x8a\x05Hello", "O'Hello'");
}

static void lengths_of_two_and_eight_bytes_are_read(void **state)
{
    (void)state;
    static const struct { const char *head; size_t head_length, payload; } rows[] = {
        { "\x82\x7d", 2, 125 }, { "\x82\x7e\x00\x7e", 4, 126 }, { "\x82\x7e\x01\x00", 4, 256 },
        { "\x82\x7e\xff\xff", 4, 65535 }, { "\x82\x7f\0\0\0\0\0\1\0\0", 10, 65536 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wsreader reader;
        struct wsreader_piece piece;
        uint8_t *bytes = calloc(1, rows[i].head_length + rows[i].payload);
        struct ipc_bytes input = { bytes, rows[i].head_length + rows[i].payload };
        memcpy(bytes, rows[i].head, rows[i].head_length);
        wsreader_init(&reader, 0);
        assert_int_equal(wsreader_next(&reader, &input, &piece), WSREADER_PIECE);
        assert_int_equal(piece.payload.length, rows[i].payload);
        assert_true(piece.final);
        assert_int_equal(piece.message_bytes, rows[i].payload);
        free(bytes);
    }
}

static void empty_messages_and_empty_fragments_are_read(void **state)
{
    (void)state;
    EXPECT("\x81\x00\x82\x00", "T''.B''.");
    EXPECT("\x01\x00\x00\x00\x80\x00", "T''.");
    EXPECT("\x02\x00\x80\x01x", "B'x'.");
}

static void control_frames_may_come_between_fragments(void **state)
{
    (void)state;
    EXPECT("\x01\x01" "a\x89\x01p\x00\x01" "b\x8a\x01o\x80\x01" "c", "T'a'P'p'T'b'O'o'T'c'.");
    EXPECT("\x02\x01" "a\x88\x02\x03\xe8", "B'a'C1000''");
}

/* One stream with everything in it. */
static const char much[] = "\x81\x05" "gr\xc3\xbc" "n\x01\x02\xe2\x82\x89\x02pp\x80\x01\xac\x82\x00\x02\x01x"
    "\x00\x00\x80\x01y"
    "\x8a\x00\x88\x07\x0b\xb8" "later";
static const char much_told[] = "T'gr\xc3\xbcn'.T'\xe2\x82'P'pp'T'\xac'.B''.B'x'B'y'.O''C3000'later'";

static void a_stream_may_be_cut_anywhere(void **state)
{
    (void)state;
    EXPECT(much, much_told);
    for (size_t cut = 0; cut < sizeof much; cut++) {
        struct wsreader reader;
        struct story story = { "", 0 };
        wsreader_init(&reader, 0);
        read(&reader, &story, much, cut);
        read(&reader, &story, much + cut, sizeof much - 1 - cut);
        if (strchr(story.text, '!'))
            fail_msg("cut at %zu: %s", cut, story.text);
    }
}

static void a_stream_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct wsreader reader;
    struct story story = { "", 0 };
    wsreader_init(&reader, 0);
    for (size_t i = 0; i < sizeof much - 1; i++)
        assert_true(read(&reader, &story, much + i, 1));
    assert_string_equal(story.text, "T'g'T'r'T'\xc3'T'\xbc'T'n'.T'\xe2'T'\x82'P'pp'T'\xac'.B''.B'x'B'y'.O''"
                        "C3000'later'");
}

static void what_follows_a_close_is_dropped(void **state)
{
    (void)state;
    EXPECT("\x88\x00\x81\x01x\xff\xff", "C1005''");
}

/* ---- 1002 ---- */

static void every_first_byte_that_is_not_allowed_fails_at_once(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t byte = (uint8_t)first;
        unsigned opcode = first & 15;
        bool known = opcode == 1 || opcode == 2 || opcode == 8 || opcode == 9 || opcode == 10;
        bool allowed = known && !(first & 0x70) && (opcode < 8 || first & 0x80);
        expect_limited(&byte, 1, 0, allowed ? "" : "!1002");
    }
}

static void a_masked_frame_fails_at_its_second_byte(void **state)
{
    (void)state;
    EXPECT("\x81\x80", "!1002");
    EXPECT("\x89\x84", "!1002");
}

static void a_control_frame_above_125_bytes_fails_before_its_payload(void **state)
{
    (void)state;
    EXPECT("\x89\x7e", "!1002");
    EXPECT("\x8a\x7f", "!1002");
    EXPECT("\x88\x7e", "!1002");
}

static void a_continuation_of_nothing_fails(void **state)
{
    (void)state;
    EXPECT("\x80\x01x", "!1002");
    EXPECT("\x00\x01x", "!1002");
    EXPECT("\x81\x01x\x80\x01x", "T'x'.!1002");
    EXPECT("\x01\x01x\x80\x01y\x80\x01z", "T'x'T'y'.!1002");
}

static void a_new_message_within_a_fragmented_one_fails(void **state)
{
    (void)state;
    EXPECT("\x01\x01x\x81\x01y", "T'x'!1002");
    EXPECT("\x02\x01x\x01\x01y", "B'x'!1002");
}

static void a_length_with_its_highest_bit_set_fails(void **state)
{
    (void)state;
    EXPECT("\x82\x7f\x80\0\0\0\0\0\0\1", "!1002");
}

static void nothing_is_read_after_a_failure(void **state)
{
    (void)state;
    struct wsreader reader;
    struct story story = { "", 0 };
    wsreader_init(&reader, 0);
    assert_false(read(&reader, &story, "\xf1\x01x", 3));
    assert_false(read(&reader, &story, "\x81\x01x", 3));
    assert_string_equal(story.text, "!1002!1002");
}

/* ---- close ---- */

static void a_close_may_have_no_code(void **state)
{
    (void)state;
    EXPECT("\x88\x00", "C1005''");
}

static void half_a_code_fails(void **state)
{
    (void)state;
    EXPECT("\x88\x01\x03", "!1002");
}

static void every_close_code_is_accepted_or_refused_as_7_4_has_it(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 65536; code++) {
        uint8_t bytes[] = { 0x88, 2, (uint8_t)(code >> 8), (uint8_t)code };
        bool defined = code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
        bool allowed = defined || (code >= 3000 && code <= 4999);
        char expected[16];
        snprintf(expected, sizeof expected, allowed ? "C%u''" : "!1002", code);
        expect_limited(bytes, sizeof bytes, 0, expected);
    }
}

static void a_reason_that_is_not_utf8_fails_with_1007(void **state)
{
    (void)state;
    EXPECT("\x88\x04\x03\xe8\xc3\x28", "!1007");
    EXPECT("\x88\x03\x03\xe8\xc3", "!1007");
    EXPECT("\x88\x04\x03\xe8\xc3\xa4", "C1000'\xc3\xa4'");
}

/* ---- text ---- */

static void text_that_is_not_utf8_fails_with_1007_as_soon_as_it_is_certain(void **state)
{
    (void)state;
    EXPECT("\x81\x02\xc3\x28", "!1007");
    EXPECT("\x81\x7f\0\0\0\0\0\0\xff\xff\xff", "!1007");   /* of 64 KiB only one byte has come */
    EXPECT("\x01\x01\xc3\x80\x01\x28", "T'\xc3'!1007");
    EXPECT("\x81\x03\xed\xa0\x80", "!1007");
}

static void text_that_ends_within_a_character_fails_with_1007(void **state)
{
    (void)state;
    EXPECT("\x81\x01\xc3", "!1007");
    EXPECT("\x01\x02\xe2\x82\x80\x00", "T'\xe2\x82'!1007");
}

static void a_character_may_be_split_over_fragments_and_frames_between(void **state)
{
    (void)state;
    EXPECT("\x01\x01\xf0\x89\x01\xff\x00\x02\x9f\x90\x80\x01\x95", "T'\xf0'P'\xff'T'\x9f\x90'T'\x95'.");
}

static void a_message_does_not_inherit_the_text_of_the_one_before(void **state)
{
    (void)state;
    EXPECT("\x82\x01\xff\x81\x01x", "B'\xff'.T'x'.");
    EXPECT("\x81\x02\xc3\xa4\x81\x02\xa4\xc3", "T'\xc3\xa4'.!1007");
}

/* ---- 1009 ---- */

static void a_message_above_the_limit_fails_at_its_head(void **state)
{
    (void)state;
    expect_limited("\x82\x04" "abcd", 6, 4, "B'abcd'.");
    expect_limited("\x82\x05", 2, 4, "!1009");
    expect_limited("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10, 4, "!1009");
}

static void fragments_are_added_up(void **state)
{
    (void)state;
    expect_limited("\x02\x02" "ab\x00\x02" "cd\x80\x00", 10, 4, "B'ab'B'cd'B''.");
    expect_limited("\x02\x02" "ab\x00\x02" "cd\x80\x01", 10, 4, "B'ab'B'cd'!1009");
    expect_limited("\x82\x04" "abcd\x82\x04" "efgh", 12, 4, "B'abcd'.B'efgh'.");
}

static void control_frames_do_not_count(void **state)
{
    (void)state;
    expect_limited("\x02\x02" "ab\x89\x05" "hello\x80\x02" "cd", 15, 4, "B'ab'P'hello'B'cd'.");
}

UNIT_TESTS(TEST(the_examples_of_section_5_7_are_read), TEST(lengths_of_two_and_eight_bytes_are_read),
           TEST(empty_messages_and_empty_fragments_are_read), TEST(control_frames_may_come_between_fragments),
           TEST(a_stream_may_be_cut_anywhere), TEST(a_stream_may_come_byte_by_byte),
           TEST(what_follows_a_close_is_dropped), TEST(every_first_byte_that_is_not_allowed_fails_at_once),
           TEST(a_masked_frame_fails_at_its_second_byte),
           TEST(a_control_frame_above_125_bytes_fails_before_its_payload),
           TEST(a_continuation_of_nothing_fails),
           TEST(a_new_message_within_a_fragmented_one_fails), TEST(a_length_with_its_highest_bit_set_fails),
           TEST(nothing_is_read_after_a_failure), TEST(a_close_may_have_no_code), TEST(half_a_code_fails),
           TEST(every_close_code_is_accepted_or_refused_as_7_4_has_it),
           TEST(a_reason_that_is_not_utf8_fails_with_1007),
           TEST(text_that_is_not_utf8_fails_with_1007_as_soon_as_it_is_certain),
           TEST(text_that_ends_within_a_character_fails_with_1007),
           TEST(a_character_may_be_split_over_fragments_and_frames_between),
           TEST(a_message_does_not_inherit_the_text_of_the_one_before),
           TEST(a_message_above_the_limit_fails_at_its_head), TEST(fragments_are_added_up),
           TEST(control_frames_do_not_count))
