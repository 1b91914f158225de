/* json.c: what is written is JSON whatever goes in. */
#include "client/json.h"

#include "unit.h"

#include <math.h>
#include <stdlib.h>

static void assert_json(struct text *out, const char *expected)
{
    char *text = text_take(out);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void commas_stand_between_values_and_nowhere_else(void **state)
{
    (void)state;
    struct text out = { 0 };
    json_begin_object(&out);
    json_name(&out, "a");
    json_uint(&out, 1);
    json_name(&out, "b");
    json_begin_array(&out);
    json_bool(&out, true);
    json_begin_object(&out);
    json_end_object(&out);
    json_begin_array(&out);
    json_end_array(&out);
    json_text(&out, "");
    json_end_array(&out);
    json_name(&out, "c");
    json_bool(&out, false);
    json_end_object(&out);
    assert_json(&out, "{\"a\":1,\"b\":[true,{},[],\"\"],\"c\":false}");
}

static void a_new_line_begins_a_new_value(void **state)
{
    (void)state;
    struct text out = { 0 };
    json_uint(&out, 1);
    text_add_char(&out, '\n');
    json_uint(&out, 2);
    assert_json(&out, "1\n2");
}

static void a_string_that_ends_like_syntax_gets_its_comma(void **state)
{
    (void)state;
    struct text out = { 0 };
    json_begin_array(&out);
    json_text(&out, "{");
    json_text(&out, ":");
    json_end_array(&out);
    assert_json(&out, "[\"{\",\":\"]");
}

static void control_bytes_and_quotes_are_escaped(void **state)
{
    (void)state;
    struct text out = { 0 };
    json_text(&out, "\"\\/\b\f\n\r\t\x01\x1f\x7f");
    assert_json(&out, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\"");
    json_text_bytes(&out, "a\0b", 3);
    assert_json(&out, "\"a\\u0000b\"");
}

static void utf8_stays_as_it_is(void **state)
{
    (void)state;
    struct text out = { 0 };
    json_text(&out, "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf");
    assert_json(&out, "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf\"");
}

static void what_is_not_utf8_becomes_a_replacement_for_each_byte(void **state)
{
    (void)state;
#define R "\xef\xbf\xbd"
    static const struct { const char *bytes; size_t length; const char *expected; } rows[] = {
        { "\xff", 1, "\"" R "\"" },
        { "a\x80z", 3, "\"a" R "z\"" },
        { "\xc0\xaf", 2, "\"" R R "\"" },                     /* too long a form */
        { "\xe0\x80\xaf", 3, "\"" R R R "\"" },
        { "\xed\xa0\x80", 3, "\"" R R R "\"" },               /* a surrogate */
        { "\xf4\x90\x80\x80", 4, "\"" R R R R "\"" },         /* above U+10FFFF */
        { "\xe2\x82", 2, "\"" R R "\"" },                     /* cut short */
        { "\xe2\x82\"", 3, "\"" R R "\\\"\"" },
        { "\xf0\x9f\x98", 3, "\"" R R R "\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text out = { 0 };
        json_text_bytes(&out, rows[i].bytes, rows[i].length);
        assert_json(&out, rows[i].expected);
    }
}

static void numbers_are_finite_and_whole_ones_exact(void **state)
{
    (void)state;
    struct text out = { 0 };
    json_begin_array(&out);
    json_uint(&out, UINT64_MAX);
    json_number(&out, 1.0 / 3, 3);
    json_number(&out, -0.5, 1);
    json_number(&out, NAN, 2);
    json_number(&out, INFINITY, 0);
    json_end_array(&out);
    assert_json(&out, "[18446744073709551615,0.333,-0.5,0.00,0]");
}

UNIT_TESTS(TEST(commas_stand_between_values_and_nowhere_else), TEST(a_new_line_begins_a_new_value),
           TEST(a_string_that_ends_like_syntax_gets_its_comma), TEST(control_bytes_and_quotes_are_escaped),
           TEST(utf8_stays_as_it_is), TEST(what_is_not_utf8_becomes_a_replacement_for_each_byte),
           TEST(numbers_are_finite_and_whole_ones_exact))
