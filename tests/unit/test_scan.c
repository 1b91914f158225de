/* scan.c: one well-formed value within bounds, before anybody allocates for it. */
#include "ipc/scan.h"

#include "unit.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

/* In memory of its exact size, so that reading behind it is the sanitizer's matter. */
static bool scan(const void *bytes, size_t length)
{
    uint8_t *exact = malloc(length ? length : 1);
    if (length > 0)
        memcpy(exact, bytes, length);
    bool result = ipc_scan(exact, length);
    free(exact);
    return result;
}

#define SCAN(literal) scan(literal, sizeof literal - 1)

/* How many bytes follow a first byte, by the specification's format table, when every length and
 * count field is zero; -1 for what no message uses. */
static int bytes_after(unsigned first)
{
    static const signed char after[32] = { 0, -1, 0, 0, 1, 2, 4, -1, -1, -1, 4, 8, 1, 2, 4, 8,
                                           1, 2, 4, 8, -1, -1, -1, -1, -1, 1, 2, 4, 2, 4, 2, 4 };
    if (first < 0x80 || first >= 0xe0)
        return 0;
    if (first < 0x90)
        return 2 * (int)(first & 0x0f);   /* a fixmap of so many small pairs */
    if (first < 0xa0)
        return (int)(first & 0x0f);
    return first < 0xc0 ? (int)(first & 0x1f) : after[first - 0xc0];
}

static void every_first_byte_is_taken_or_refused_as_the_specification_says(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t bytes[64] = { (uint8_t)first };
        int after = bytes_after(first);
        for (size_t length = 0; length < sizeof bytes; length++)
            if (scan(bytes, length) != (after >= 0 && length == 1 + (size_t)after))
                fail_msg("first byte %02x, %zu bytes", first, length);
    }
}

static void ext_types_and_the_unused_byte_are_refused(void **state)
{
    (void)state;
    static const uint8_t unwanted[] = { 0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8 };
    for (size_t i = 0; i < sizeof unwanted; i++) {
        uint8_t bytes[32] = { 0x91, unwanted[i] };
        for (size_t length = 2; length < sizeof bytes; length++)
            assert_false(scan(bytes, length));
    }
}

/* {"a": [1, 255, 65535, 2^32-1, 2^64-1, -1, -128, ...], "b": bin, "c": {"d": nil, ...}} */
static const char sample[] =
    "\x83\xa1" "a\xdc\x00\x0c\x01\xcc\xff\xcd\xff\xff\xce\xff\xff\xff\xff\xcf\xff\xff\xff\xff\xff\xff\xff\xff"
    "\xff\xd0\x80\xd1\x80\x00\xd2\x80\x00\x00\x00\xd3\x80\x00\x00\x00\x00\x00\x00\x00\xca\x3f\x80\x00\x00"
    "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"
    "\xd9\x01" "b\xc4\x03\x00\x01\x02\xda\x00\x01" "c\xde\x00\x04\xa1" "d\xc0\xa1" "e\xc2\xa1"
    "f\xc3\xdb\x00\x00\x00\x01g\xdd\x00\x00\x00\x02\xc5\x00\x01x\xc6\x00\x00\x00\x01y";

static void a_value_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    assert_true(SCAN(sample));
    for (size_t length = 0; length < sizeof sample - 1; length++)
        if (scan(sample, length))
            fail_msg("cut at %zu", length);
}

static void bytes_behind_the_value_are_refused(void **state)
{
    (void)state;
    for (unsigned next = 0; next < 256; next++) {
        char longer[sizeof sample];
        memcpy(longer, sample, sizeof sample - 1);
        longer[sizeof sample - 1] = (char)next;
        assert_false(scan(longer, sizeof longer));
    }
}

static void counts_above_the_bytes_that_are_there_are_refused(void **state)
{
    (void)state;
    assert_false(SCAN("\xdd\xff\xff\xff\xff"));
    assert_false(SCAN("\xdd\x00\x00\x00\x02\x01"));
    assert_false(SCAN("\xdf\xff\xff\xff\xff"));
    assert_false(SCAN("\xdf\x80\x00\x00\x00"));    /* twice that overflows 32 bits */
    assert_false(SCAN("\xdf\x00\x00\x00\x01\x01"));
    assert_false(SCAN("\xc6\xff\xff\xff\xff"));
    assert_false(SCAN("\xc6\x00\x00\x00\x02x"));
    assert_false(SCAN("\xdb\xff\xff\xff\xffxx"));
    assert_false(SCAN("\x92\xc6\xff\xff\xff\xff\xc0"));
    assert_false(SCAN("\x91\xdd\xff\xff\xff\xff"));
    assert_true(SCAN("\xdd\x00\x00\x00\x02\x01\x02"));
    assert_true(SCAN("\xc6\x00\x00\x00\x01x"));
}

static void nesting_is_refused_below_the_depth_limit(void **state)
{
    (void)state;
    for (size_t depth = 1; depth < 200; depth++) {
        uint8_t arrays[256], maps[512];
        memset(arrays, 0x91, depth);
        arrays[depth] = 0xc0;
        for (size_t i = 0; i < depth; i++)
            memcpy(maps + 2 * i, (uint8_t[]){ 0x81, 0x01 }, 2);
        maps[2 * depth] = 0xc0;
        assert_int_equal(scan(arrays, depth + 1), depth <= IPC_SCAN_DEPTH);
        assert_int_equal(scan(maps, 2 * depth + 1), depth <= IPC_SCAN_DEPTH);
    }
}

static void empty_containers_need_no_depth_of_their_own(void **state)
{
    (void)state;
    uint8_t bytes[IPC_SCAN_DEPTH + 1];
    memset(bytes, 0x91, IPC_SCAN_DEPTH);
    bytes[IPC_SCAN_DEPTH] = 0x90;
    assert_true(scan(bytes, sizeof bytes));
}

static void depth_is_counted_on_a_path_not_in_all(void **state)
{
    (void)state;
    uint8_t bytes[2 + 3 * 15];
    bytes[0] = 0x9f;
    for (int i = 0; i < 15; i++)
        memcpy(bytes + 1 + 3 * i, (uint8_t[]){ 0x91, 0x91, 0xc0 }, 3);
    assert_true(scan(bytes, 1 + 3 * 15));
}

static void values_above_the_limit_are_refused_though_their_bytes_are_there(void **state)
{
    (void)state;
    uint32_t count = IPC_SCAN_VALUES - 1;   /* the array is one itself */
    uint8_t *bytes = calloc(1, 5 + IPC_SCAN_VALUES);
    memcpy(bytes, (uint8_t[]){ 0xdd, 0, 0, (uint8_t)(count >> 8), (uint8_t)count }, 5);
    assert_true(ipc_scan(bytes, 5 + count));
    count++;
    memcpy(bytes, (uint8_t[]){ 0xdd, 0, 0, (uint8_t)(count >> 8), (uint8_t)count }, 5);
    assert_false(ipc_scan(bytes, 5 + count));
    free(bytes);
}

/* Random bytes, and the sample with random bytes put in: whatever the scan lets pass, msgpack-c
 * takes to its last byte, and what msgpack-c refuses the scan refused. */
static void what_passes_the_scan_is_what_msgpack_can_decode(void **state)
{
    (void)state;
    uint64_t seed = 7;
    size_t passed = 0;
    for (int turn = 0; turn < 200000; turn++) {
        uint8_t bytes[sizeof sample];
        size_t length = sizeof sample - 1, used = 0;
        memcpy(bytes, sample, length);
        for (int i = 0; i < 1 + turn % 3; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[(seed >> 40) % length] = (uint8_t)(seed >> 32);
        }
        if (turn % 5 == 0)
            length = (size_t)(seed >> 50) % length;
        if (!scan(bytes, length))
            continue;
        passed++;
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        assert_int_equal(msgpack_unpack_next(&unpacked, (const char *)bytes, length, &used),
                         MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(used, length);
        msgpack_unpacked_destroy(&unpacked);
    }
    assert_in_range(passed, 1000, 200000);
}

UNIT_TESTS(TEST(every_first_byte_is_taken_or_refused_as_the_specification_says),
           TEST(ext_types_and_the_unused_byte_are_refused), TEST(a_value_cut_at_any_byte_is_refused),
           TEST(bytes_behind_the_value_are_refused), TEST(counts_above_the_bytes_that_are_there_are_refused),
           TEST(nesting_is_refused_below_the_depth_limit), TEST(empty_containers_need_no_depth_of_their_own),
           TEST(depth_is_counted_on_a_path_not_in_all),
           TEST(values_above_the_limit_are_refused_though_their_bytes_are_there),
           TEST(what_passes_the_scan_is_what_msgpack_can_decode))
