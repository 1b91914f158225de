/* assembly.c: messages from pieces. */
#include "client/assembly.h"

#include "unit.h"

#include <string.h>

static void assert_holds(const struct assembly *assembly, const char *text)
{
    assert_int_equal(assembly->bytes.length, strlen(text));
    assert_memory_equal(assembly->bytes.data, text, strlen(text));
}

static void a_message_of_one_piece_is_whole_at_once(void **state)
{
    (void)state;
    struct assembly assembly;
    assembly_init(&assembly, 100);
    assert_false(assembly_is_partial(&assembly));
    assert_int_equal(assembly_add(&assembly, 1, "hello", 5, false), ASSEMBLY_WHOLE);
    assert_holds(&assembly, "hello");
    assert_false(assembly_is_partial(&assembly));
    assembly_finish(&assembly);
}

static void pieces_are_put_together_in_order(void **state)
{
    (void)state;
    struct assembly assembly;
    assembly_init(&assembly, 100);
    assert_int_equal(assembly_add(&assembly, 2, "one ", 4, true), ASSEMBLY_PARTIAL);
    assert_true(assembly_is_partial(&assembly));
    assert_int_equal(assembly_add(&assembly, 2, NULL, 0, true), ASSEMBLY_PARTIAL);
    assert_int_equal(assembly_add(&assembly, 2, "two ", 4, true), ASSEMBLY_PARTIAL);
    assert_int_equal(assembly_add(&assembly, 2, NULL, 0, false), ASSEMBLY_WHOLE);
    assert_holds(&assembly, "one two ");
    assert_int_equal(assembly.kind, 2);
    assembly_finish(&assembly);
}

static void the_next_message_begins_anew(void **state)
{
    (void)state;
    struct assembly assembly;
    assembly_init(&assembly, 100);
    assembly_add(&assembly, 1, "first", 5, false);
    assert_int_equal(assembly_add(&assembly, 2, "2nd", 3, true), ASSEMBLY_PARTIAL);
    assert_int_equal(assembly.kind, 2);
    assert_holds(&assembly, "2nd");
    assembly_finish(&assembly);
}

static void an_empty_message_is_one(void **state)
{
    (void)state;
    struct assembly assembly;
    assembly_init(&assembly, 0);
    assert_int_equal(assembly_add(&assembly, 1, NULL, 0, false), ASSEMBLY_WHOLE);
    assert_int_equal(assembly.kind, 1);
    assert_true(assembly.whole);
    assert_non_null(assembly.bytes.data);
    assembly_finish(&assembly);
}

static void the_limit_is_reached_and_not_passed(void **state)
{
    (void)state;
    struct assembly assembly;
    assembly_init(&assembly, 10);
    assert_int_equal(assembly_add(&assembly, 1, "01234567", 8, true), ASSEMBLY_PARTIAL);
    assert_int_equal(assembly_add(&assembly, 1, "89", 2, false), ASSEMBLY_WHOLE);
    assert_int_equal(assembly_add(&assembly, 1, "01234567", 8, true), ASSEMBLY_PARTIAL);
    assert_int_equal(assembly_add(&assembly, 1, "89x", 3, true), ASSEMBLY_TOO_LARGE);
    assert_false(assembly_is_partial(&assembly));
    assert_int_equal(assembly_add(&assembly, 1, "0123456789x", 11, false), ASSEMBLY_TOO_LARGE);
    assert_int_equal(assembly_add(&assembly, 1, "ok", 2, false), ASSEMBLY_WHOLE);
    assert_holds(&assembly, "ok");
    assembly_finish(&assembly);
}

static void a_dropped_message_leaves_nothing(void **state)
{
    (void)state;
    struct assembly assembly;
    assembly_init(&assembly, 100);
    assembly_add(&assembly, 1, "half", 4, true);
    assembly_drop(&assembly);
    assert_false(assembly_is_partial(&assembly));
    assert_int_equal(assembly_add(&assembly, 2, "new", 3, false), ASSEMBLY_WHOLE);
    assert_holds(&assembly, "new");
    assembly_finish(&assembly);
}

static void memory_of_a_large_message_goes_back_with_the_next(void **state)
{
    (void)state;
    static char block[65536];
    struct assembly assembly;
    assembly_init(&assembly, 64 << 20);
    for (int i = 0; i < 100; i++)
        assert_int_equal(assembly_add(&assembly, 2, block, sizeof block, i < 99),
                         i < 99 ? ASSEMBLY_PARTIAL : ASSEMBLY_WHOLE);
    assert_int_equal(assembly.bytes.length, 100 * sizeof block);
    assembly_add(&assembly, 2, "small", 5, false);
    assert_true(assembly.bytes.capacity <= 4096);
    assert_holds(&assembly, "small");
    assembly_finish(&assembly);
}

UNIT_TESTS(TEST(a_message_of_one_piece_is_whole_at_once), TEST(pieces_are_put_together_in_order),
           TEST(the_next_message_begins_anew), TEST(an_empty_message_is_one),
           TEST(the_limit_is_reached_and_not_passed), TEST(a_dropped_message_leaves_nothing),
           TEST(memory_of_a_large_message_goes_back_with_the_next))
