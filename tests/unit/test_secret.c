/* secret.c: memory that is overwritten before it goes back; and the buffers that do the same. */
#include "ipc/secret.h"

#include "ipc/buffer.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define SECRET "s3cret-that-nobody-may-find"

static void wiping_leaves_nothing(void **state)
{
    (void)state;
    char text[] = SECRET;
    ipc_secret_wipe(text, sizeof text);
    for (size_t i = 0; i < sizeof text; i++)
        assert_int_equal(text[i], 0);
    ipc_secret_wipe(NULL, 0);
    ipc_secret_free(NULL);
    char *block = ipc_secret_alloc(100000);
    assert_non_null(block);
    memset(block, 'x', 100000);
    ipc_secret_free(block);
    assert_null(ipc_secret_alloc(SIZE_MAX));
}

static void a_place_that_grows_takes_its_content_along(void **state)
{
    (void)state;
    char *place = ipc_secret_realloc(NULL, sizeof SECRET);
    assert_non_null(place);
    memcpy(place, SECRET, sizeof SECRET);
    char *larger = ipc_secret_realloc(place, 100000);
    assert_non_null(larger);
    assert_string_equal(larger, SECRET);
    assert_ptr_equal(ipc_secret_realloc(larger, 10), larger);
    assert_null(ipc_secret_realloc(larger, SIZE_MAX));
    assert_string_equal(larger, SECRET);
    assert_ptr_equal(ipc_secret_realloc(larger, 100000), larger);
    ipc_secret_free(larger);
}

static bool holds(const struct ipc_buffer *buffer, size_t bytes)
{
    return memmem(buffer->memory, bytes, SECRET, strlen(SECRET)) != NULL;
}

static void a_buffer_that_wipes_keeps_nothing_that_was_read(void **state)
{
    (void)state;
    for (int wipes = 0; wipes < 2; wipes++) {
        struct ipc_buffer buffer;
        ipc_buffer_init(&buffer, 1 << 20);
        buffer.wipes = wipes;
        ipc_buffer_append(&buffer, SECRET, strlen(SECRET));
        ipc_buffer_append(&buffer, "rest", 4);
        ipc_buffer_consume(&buffer, strlen(SECRET));
        assert_int_equal(holds(&buffer, strlen(SECRET) + 4), !wipes);
        assert_memory_equal(ipc_buffer_data(&buffer), "rest", 4);
        for (int i = 0; i < 3000; i++)   /* it moves, and what is unread moves along */
            assert_int_equal(ipc_buffer_append(&buffer, "0123456789", 10), 0);
        assert_memory_equal(ipc_buffer_data(&buffer), "rest0123456789", 14);
        ipc_buffer_finish(&buffer);
    }
}

UNIT_TESTS(
    TEST(wiping_leaves_nothing),
    TEST(a_place_that_grows_takes_its_content_along),
    TEST(a_buffer_that_wipes_keeps_nothing_that_was_read))
