/* value.c: JSON read into a tree. */
#include "client/fetchctl/value.h"

#include "unit.h"

#include <string.h>

static void every_kind_is_read(void **state)
{
    (void)state;
    struct value *value = value_read(" { \"a\" : 1, \"b\":[true,false,null, \"x\"],\"c\":{},"
                                     " \"d\": 2.5e3,\"e\":-7 } ");
    assert_non_null(value);
    assert_int_equal(value->kind, VALUE_OBJECT);
    assert_int_equal(value_number(value, "a"), 1);
    const struct value *list = value_get(value, "b");
    assert_int_equal(list->kind, VALUE_ARRAY);
    assert_int_equal(list->first->number, 1);
    assert_int_equal(list->first->next->number, 0);
    assert_int_equal(list->first->next->next->kind, VALUE_NULL);
    assert_string_equal(list->first->next->next->next->text, "x");
    assert_null(list->first->next->next->next->next);
    assert_null(value_get(value, "c")->first);
    assert_int_equal(value_number(value, "d"), 2);
    assert_int_equal(value_number(value, "e"), 0);
    value_free(value);
}

static void large_numbers_are_whole(void **state)
{
    (void)state;
    struct value *value = value_read("{\"n\":18446744073709551615}");
    assert_true(value_number(value, "n") == UINT64_MAX);
    value_free(value);
}

static void escapes_become_utf8(void **state)
{
    (void)state;
    struct value *value = value_read("{\"t\":"
                                     "\"\\\"\\\\\\/\\b\\f\\n\\r\\t \\u0041\\u00e4\\u20ac\\ud83d\\ude00\\ud83dx\"}");
    assert_string_equal(value_text(value, "t"),
                        "\"\\/\b\f\n\r\t A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbdx");
    value_free(value);
}

static void what_is_no_json_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", " ", "{", "}", "[", "[1", "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "\"",
        "\"\\", "\"\\x\"",
        "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "tru", "nul", "-", "+1", "1 2", "{} x", "{\"a\":1 \"b\":2}",
        "[1 2]", "'a'",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (value_read(texts[i]))
            fail_msg("\"%s\" was read", texts[i]);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char deep[100001];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_null(value_read(deep));
    struct value *value = value_read("[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]");
    assert_non_null(value);
    value_free(value);
}

static void a_part_can_be_printed_as_it_was(void **state)
{
    (void)state;
    struct value *value = value_read("{ \"a\": [1, {\"b\":\"]\"}] , \"c\":2}");
    const struct value *part = value_get(value, "a");
    assert_int_equal(part->source_length, strlen("[1, {\"b\":\"]\"}]"));
    assert_memory_equal(part->source, "[1, {\"b\":\"]\"}]", part->source_length);
    value_free(value);
}

static void what_is_missing_is_nothing(void **state)
{
    (void)state;
    struct value *value = value_read("{\"a\":\"text\",\"b\":[]}");
    assert_null(value_get(value, "x"));
    assert_null(value_get(NULL, "a"));
    assert_null(value_get(value_get(value, "b"), "a"));
    assert_int_equal(value_number(value, "a"), 0);
    assert_string_equal(value_text(value, "b"), "");
    assert_string_equal(value_text(NULL, "b"), "");
    value_free(value);
}

UNIT_TESTS(TEST(every_kind_is_read), TEST(large_numbers_are_whole), TEST(escapes_become_utf8),
           TEST(what_is_no_json_is_none), TEST(depth_is_bounded), TEST(a_part_can_be_printed_as_it_was),
           TEST(what_is_missing_is_nothing))
