/* frame.c: frames out of a byte stream. */
#include "ipc/frame.h"

#include "ipc/message.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static enum ipc_frame_result read_bytes(const char *bytes, size_t length, struct ipc_frame *ret_frame)
{
    return ipc_frame_read((const uint8_t *)bytes, length, ret_frame, NULL);
}

/* A frame of literal bytes behind a right length. */
#define READ(body, ret_frame) read_framed(body, sizeof body - 1, ret_frame)

static enum ipc_frame_result read_framed(const char *body, size_t length, struct ipc_frame *ret_frame)
{
    static uint8_t bytes[300];
    assert_in_range(length, 0, sizeof bytes - IPC_FRAME_PREFIX);
    memcpy(bytes, (uint8_t[]){ 0, 0, (uint8_t)(length >> 8), (uint8_t)length }, IPC_FRAME_PREFIX);
    memcpy(bytes + IPC_FRAME_PREFIX, body, length);
    return ipc_frame_read(bytes, IPC_FRAME_PREFIX + length, ret_frame, NULL);
}

static void frame_is_read_whole(void **state)
{
    (void)state;
    struct ipc_frame frame;
    const char bytes[] = "\0\0\0\x05\x93\x10\xcc\xc8\x80rest";
    assert_int_equal(read_bytes(bytes, sizeof bytes - 1, &frame), IPC_FRAME_OK);
    assert_int_equal(frame.type, 16);
    assert_int_equal(frame.id, 200);
    assert_int_equal(frame.body_length, 1);
    assert_ptr_equal(frame.body, bytes + 8);
    assert_ptr_equal(frame.whole, bytes);
    assert_int_equal(frame.whole_length, 9);
}

static void frame_fed_byte_by_byte_is_partial_until_its_last_byte(void **state)
{
    (void)state;
    const char bytes[] = "\0\0\0\x09\x93\x12\xce\x01\x02\x03\x04\xc4\x00";
    struct ipc_frame frame = { .type = 77 };
    for (size_t have = 0; have < sizeof bytes - 1; have++) {
        size_t missing = 0;
        assert_int_equal(ipc_frame_read((const uint8_t *)bytes, have, &frame, &missing), IPC_FRAME_PARTIAL);
        size_t whole = have < IPC_FRAME_PREFIX ? IPC_FRAME_PREFIX : sizeof bytes - 1;
        assert_int_equal(missing, whole - have);
        assert_int_equal(frame.type, 77);   /* untouched */
    }
    assert_int_equal(read_bytes(bytes, sizeof bytes - 1, &frame), IPC_FRAME_OK);
    assert_int_equal(frame.id, 0x01020304);
}

static void frames_behind_each_other_are_read_one_at_a_time(void **state)
{
    (void)state;
    const char bytes[] = "\0\0\0\x04\x93\x03\x00\x80" "\0\0\0\x04\x93\x04\x00\x80";
    struct ipc_frame frame;
    assert_int_equal(read_bytes(bytes, sizeof bytes - 1, &frame), IPC_FRAME_OK);
    assert_int_equal(frame.type, IPC_PING);
    assert_int_equal(read_bytes(bytes + frame.whole_length, 8, &frame), IPC_FRAME_OK);
    assert_int_equal(frame.type, IPC_PONG);
}

static void frame_rejects_length_above_limit_by_its_prefix_alone(void **state)
{
    (void)state;
    struct ipc_frame frame;
    size_t missing = 99;
    assert_int_equal(ipc_frame_read((const uint8_t *)"\x00\x10\x00\x01", 4, &frame, &missing),
                     IPC_FRAME_TOO_LARGE);
    assert_int_equal(missing, 0);
    assert_int_equal(read_bytes("\xff\xff\xff\xff", 4, &frame), IPC_FRAME_TOO_LARGE);
    assert_int_equal(read_bytes("\x80\x00\x00\x00", 4, &frame), IPC_FRAME_TOO_LARGE);
}

static void frame_of_exactly_the_limit_is_read(void **state)
{
    (void)state;
    size_t length = IPC_FRAME_PREFIX + IPC_FRAME_BYTES;
    uint8_t *bytes = calloc(1, length);
    struct ipc_frame frame;
    size_t missing;
    memcpy(bytes, "\x00\x10\x00\x00\x93\x10\x01", 7);
    assert_int_equal(ipc_frame_read(bytes, 4, &frame, &missing), IPC_FRAME_PARTIAL);
    assert_int_equal(missing, IPC_FRAME_BYTES);
    assert_int_equal(ipc_frame_read(bytes, length, &frame, NULL), IPC_FRAME_OK);
    assert_int_equal(frame.body_length, IPC_FRAME_BYTES - 3);
    free(bytes);
}

static void frame_takes_type_and_id_in_any_width_of_unsigned(void **state)
{
    (void)state;
    struct ipc_frame frame;
    assert_int_equal(READ("\x93\x7f\x7f\x80", &frame), IPC_FRAME_OK);
    assert_int_equal(frame.type, 127);
    assert_int_equal(frame.id, 127);
    assert_int_equal(READ("\x93\xcc\x05\xcd\x00\x07\x80", &frame), IPC_FRAME_OK);
    assert_int_equal(frame.type, 5);
    assert_int_equal(frame.id, 7);
    assert_int_equal(READ("\x93\xce\x00\x00\x00\x05\xce\xff\xff\xff\xff\x80", &frame), IPC_FRAME_OK);
    assert_int_equal(frame.type, 5);
    assert_int_equal(frame.id, UINT32_MAX);
}

/* Go and Rust programs with 64-bit integers send them as such. */
static void frame_takes_wide_and_signed_integers_that_fit(void **state)
{
    (void)state;
    struct ipc_frame frame;
    assert_int_equal(READ("\x93\xcf\0\0\0\0\0\0\0\x05\xcf\0\0\0\0\xff\xff\xff\xff\x80", &frame),
                     IPC_FRAME_OK);
    assert_int_equal(frame.type, 5);
    assert_int_equal(frame.id, UINT32_MAX);
    assert_int_equal(READ("\x93\xd0\x05\xd1\x01\x00\x80", &frame), IPC_FRAME_OK);
    assert_int_equal(frame.id, 256);
    assert_int_equal(READ("\x93\xd2\0\0\0\x05\xd3\0\0\0\0\x80\0\0\0\x80", &frame), IPC_FRAME_OK);
    assert_int_equal(frame.type, 5);
    assert_int_equal(frame.id, 0x80000000u);
}

static void frame_rejects_integers_that_are_negative_or_above_32_bits(void **state)
{
    (void)state;
    struct ipc_frame frame;
    static const char *const numbers[] = { "\xff", "\xe0", "\xd0\xff", "\xd1\x80\x00",
                                           "\xd2\xff\xff\xff\xff" };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char bytes[16] = "\x93\x03";
        size_t length = i < 2 ? 1 : i == 2 ? 2 : i == 3 ? 3 : 5;
        memcpy(bytes + 2, numbers[i], length);
        bytes[2 + length] = (char)0x80;
        assert_int_equal(read_framed(bytes, 3 + length, &frame), IPC_FRAME_MALFORMED);
    }
    assert_int_equal(READ("\x93\x03\xcf\0\0\0\1\0\0\0\0\x80", &frame), IPC_FRAME_MALFORMED);
    assert_int_equal(READ("\x93\x03\xd3\xff\0\0\0\0\0\0\0\x80", &frame), IPC_FRAME_MALFORMED);
    assert_int_equal(READ("\x93\x03\xd3\0\0\0\1\0\0\0\0\x80", &frame), IPC_FRAME_MALFORMED);
}

static void frame_rejects_all_that_is_not_type_id_body(void **state)
{
    (void)state;
    struct ipc_frame frame;
    assert_int_equal(READ("", &frame), IPC_FRAME_MALFORMED);
    assert_int_equal(READ("\x93", &frame), IPC_FRAME_MALFORMED);
    assert_int_equal(READ("\x93\x03", &frame), IPC_FRAME_MALFORMED);
    assert_int_equal(READ("\x93\x03\x00", &frame), IPC_FRAME_MALFORMED);        /* no body */
    assert_int_equal(READ("\x92\x03\x00", &frame), IPC_FRAME_MALFORMED);
    assert_int_equal(READ("\x94\x03\x00\x80\x80", &frame), IPC_FRAME_MALFORMED);
    assert_int_equal(READ("\x83\x03\x00\x80", &frame), IPC_FRAME_MALFORMED);
    assert_int_equal(READ("\x93\xa1\x03\x00\x80", &frame), IPC_FRAME_MALFORMED);
    assert_int_equal(READ("\x93\x03\xc0\x80", &frame), IPC_FRAME_MALFORMED);
    assert_int_equal(READ("\x93\x03\xca\0\0\0\0\x80", &frame), IPC_FRAME_MALFORMED);
    assert_int_equal(READ("{\"id\":1}", &frame), IPC_FRAME_MALFORMED);
}

static void frame_header_cut_anywhere_is_malformed_never_read_past(void **state)
{
    (void)state;
    const char header[] = "\x93\xce\x00\x00\x00\x10\xcf\x00\x00\x00\x00\x00\x00\x00\x01\x80";
    for (size_t length = 0; length < sizeof header - 1; length++) {
        uint8_t *exact = malloc(IPC_FRAME_PREFIX + length);   /* a read behind it is the sanitizer's */
        struct ipc_frame frame;
        memcpy(exact, (uint8_t[]){ 0, 0, 0, (uint8_t)length }, IPC_FRAME_PREFIX);
        memcpy(exact + IPC_FRAME_PREFIX, header, length);
        assert_int_equal(ipc_frame_read(exact, IPC_FRAME_PREFIX + length, &frame, NULL), IPC_FRAME_MALFORMED);
        free(exact);
    }
}

static void http_is_answered_as_a_length_above_the_limit(void **state)
{
    (void)state;
    struct ipc_frame frame;
    assert_int_equal(read_bytes("GET / HTTP/1.1\r\n", 16, &frame), IPC_FRAME_TOO_LARGE);
}

static void every_result_has_a_text(void **state)
{
    (void)state;
    for (int result = IPC_FRAME_OK; result <= IPC_FRAME_MALFORMED; result++)
        assert_true(strlen(ipc_frame_result_text((enum ipc_frame_result)result)) > 5);
}

UNIT_TESTS(TEST(frame_is_read_whole), TEST(frame_fed_byte_by_byte_is_partial_until_its_last_byte),
           TEST(frames_behind_each_other_are_read_one_at_a_time),
           TEST(frame_rejects_length_above_limit_by_its_prefix_alone),
           TEST(frame_of_exactly_the_limit_is_read),
           TEST(frame_takes_type_and_id_in_any_width_of_unsigned),
           TEST(frame_takes_wide_and_signed_integers_that_fit),
           TEST(frame_rejects_integers_that_are_negative_or_above_32_bits),
           TEST(frame_rejects_all_that_is_not_type_id_body),
           TEST(frame_header_cut_anywhere_is_malformed_never_read_past),
           TEST(http_is_answered_as_a_length_above_the_limit), TEST(every_result_has_a_text))
