/* buffer.c: a growing byte buffer with a ceiling. */
#include "ipc/buffer.h"

#include "unit.h"

#include <string.h>

static void an_empty_buffer_holds_nothing_and_no_memory(void **state)
{
    (void)state;
    struct ipc_buffer buffer;
    ipc_buffer_init(&buffer, 100);
    assert_int_equal(ipc_buffer_length(&buffer), 0);
    assert_null(buffer.memory);
    ipc_buffer_finish(&buffer);
    ipc_buffer_finish(&buffer);
}

static void what_is_appended_is_read_in_order(void **state)
{
    (void)state;
    struct ipc_buffer buffer;
    ipc_buffer_init(&buffer, 100);
    assert_int_equal(ipc_buffer_append(&buffer, "hello ", 6), 0);
    assert_int_equal(ipc_buffer_append(&buffer, "world", 5), 0);
    ipc_buffer_consume(&buffer, 3);
    assert_int_equal(ipc_buffer_length(&buffer), 8);
    assert_memory_equal(ipc_buffer_data(&buffer), "lo world", 8);
    ipc_buffer_finish(&buffer);
}

static void the_limit_counts_unread_bytes_and_is_exact(void **state)
{
    (void)state;
    char bytes[64] = { 0 };
    struct ipc_buffer buffer;
    ipc_buffer_init(&buffer, 64);
    assert_int_equal(ipc_buffer_append(&buffer, bytes, 64), 0);
    assert_int_equal(ipc_buffer_append(&buffer, bytes, 1), -1);
    assert_int_equal(ipc_buffer_length(&buffer), 64);
    ipc_buffer_consume(&buffer, 10);
    assert_int_equal(ipc_buffer_append(&buffer, bytes, 11), -1);
    assert_int_equal(ipc_buffer_append(&buffer, bytes, 10), 0);
    assert_null(ipc_buffer_reserve(&buffer, 1));
    assert_null(ipc_buffer_reserve(&buffer, SIZE_MAX));
    ipc_buffer_finish(&buffer);
}

static void nothing_is_appended_even_at_the_limit(void **state)
{
    (void)state;
    struct ipc_buffer buffer;
    ipc_buffer_init(&buffer, 0);
    assert_int_equal(ipc_buffer_append(&buffer, NULL, 0), 0);
    assert_int_equal(ipc_buffer_append(&buffer, "x", 1), -1);
    ipc_buffer_finish(&buffer);
}

static void truncate_undoes_what_was_written_last(void **state)
{
    (void)state;
    struct ipc_buffer buffer;
    ipc_buffer_init(&buffer, 100);
    ipc_buffer_append(&buffer, "abcdef", 6);
    ipc_buffer_consume(&buffer, 2);
    ipc_buffer_truncate(&buffer, 3);
    assert_int_equal(ipc_buffer_length(&buffer), 3);
    assert_memory_equal(ipc_buffer_data(&buffer), "cde", 3);
    ipc_buffer_finish(&buffer);
}

static void an_emptied_large_buffer_gives_its_memory_back(void **state)
{
    (void)state;
    static char bytes[200 * 1024];
    struct ipc_buffer buffer;
    ipc_buffer_init(&buffer, sizeof bytes);
    ipc_buffer_append(&buffer, bytes, 1000);
    ipc_buffer_consume(&buffer, 1000);
    assert_non_null(buffer.memory);
    ipc_buffer_append(&buffer, bytes, sizeof bytes);
    ipc_buffer_consume(&buffer, sizeof bytes);
    assert_null(buffer.memory);
    assert_int_equal(buffer.capacity, 0);
    ipc_buffer_finish(&buffer);
}

/* A reader that always lags a little must not let the dead front grow. */
static void a_lagging_reader_costs_no_growing_memory(void **state)
{
    (void)state;
    char bytes[1000] = { 0 };
    struct ipc_buffer buffer;
    ipc_buffer_init(&buffer, 8000);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ipc_buffer_append(&buffer, bytes, sizeof bytes), 0);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(ipc_buffer_append(&buffer, bytes, sizeof bytes), 0);
        ipc_buffer_consume(&buffer, sizeof bytes);
    }
    assert_int_equal(ipc_buffer_length(&buffer), 5000);
    assert_in_range(buffer.capacity, 5000, 4 * 8000);
    ipc_buffer_finish(&buffer);
}

/* Against a plain model: bytes in, bytes out, in any mixture. */
static void any_mixture_of_operations_keeps_the_bytes(void **state)
{
    (void)state;
    struct ipc_buffer buffer;
    uint8_t piece[900];
    uint64_t seed = 42, written = 0, read = 0;
    ipc_buffer_init(&buffer, 20000);
    for (int turn = 0; turn < 20000; turn++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t size = (size_t)(seed >> 33) % sizeof piece;
        for (size_t i = 0; i < size; i++)
            piece[i] = (uint8_t)((written + i) * 31 >> 3);
        if ((seed >> 60) % 2 == 0) {
            bool fits = ipc_buffer_length(&buffer) + size <= 20000;
            assert_int_equal(ipc_buffer_append(&buffer, piece, size), fits ? 0 : -1);
            written += fits ? size : 0;
        } else {
            size = size < ipc_buffer_length(&buffer) ? size : ipc_buffer_length(&buffer);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(ipc_buffer_data(&buffer)[i], (uint8_t)((read + i) * 31 >> 3));
            ipc_buffer_consume(&buffer, size);
            read += size;
        }
        assert_int_equal(ipc_buffer_length(&buffer), written - read);
    }
    ipc_buffer_finish(&buffer);
}

UNIT_TESTS(TEST(an_empty_buffer_holds_nothing_and_no_memory), TEST(what_is_appended_is_read_in_order),
           TEST(the_limit_counts_unread_bytes_and_is_exact), TEST(nothing_is_appended_even_at_the_limit),
           TEST(truncate_undoes_what_was_written_last), TEST(an_emptied_large_buffer_gives_its_memory_back),
           TEST(a_lagging_reader_costs_no_growing_memory), TEST(any_mixture_of_operations_keeps_the_bytes))
