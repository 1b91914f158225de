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

static void fill(struct ipc_buffer *buffer, size_t bytes)
{
    uint8_t *place = ipc_buffer_reserve(buffer, bytes);
    assert_non_null(place);
    memset(place, 'x', bytes);
    ipc_buffer_commit(buffer, bytes);
}

static void buffers_that_share_a_spare_use_it_in_turn(void **state)
{
    (void)state;
    struct ipc_spare spare = { NULL, 0 };
    struct ipc_buffer first, second;
    ipc_buffer_init(&first, 1 << 20);
    ipc_buffer_init(&second, 1 << 20);
    first.spare = second.spare = &spare;
    fill(&first, 300000);
    const uint8_t *memory = first.memory;
    ipc_buffer_consume(&first, 300000);
    assert_null(first.memory);
    assert_ptr_equal(spare.memory, memory);

    ipc_buffer_append(&second, "small", 5);
    assert_ptr_equal(spare.memory, memory);        /* too little to want it */
    fill(&second, 200000);
    assert_ptr_equal(second.memory, memory);
    assert_null(spare.memory);
    assert_memory_equal(ipc_buffer_data(&second), "smallxxx", 8);

    fill(&first, 300000);
    ipc_buffer_consume(&first, 300000);
    const uint8_t *kept = spare.memory;
    ipc_buffer_consume(&second, 200005);           /* no larger than the one that is kept */
    assert_ptr_equal(spare.memory, kept);
    ipc_buffer_finish(&first);
    ipc_buffer_finish(&second);
    ipc_spare_finish(&spare);
}

UNIT_TESTS(TEST(buffers_that_share_a_spare_use_it_in_turn), TEST(an_empty_buffer_holds_nothing_and_no_memory), TEST(what_is_appended_is_read_in_order),
           TEST(the_limit_counts_unread_bytes_and_is_exact), TEST(nothing_is_appended_even_at_the_limit),
           TEST(truncate_undoes_what_was_written_last), TEST(an_emptied_large_buffer_gives_its_memory_back),
           TEST(a_lagging_reader_costs_no_growing_memory), TEST(any_mixture_of_operations_keeps_the_bytes))
