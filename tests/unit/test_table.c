/* table.c and top.c: what people look at. */
#include "client/fetchctl/table.h"
#include "client/fetchctl/top.h"

#include "unit.h"

#include <string.h>

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct table table;
    struct text out = { 0 };
    table_init(&table, 3, 1u << 0 | 1u << 2);
    table_add(&table, "name");
    table_add(&table, "count");
    table_add(&table, "end");
    table_add(&table, "a");
    table_add_number(&table, 7);
    table_addf(&table, "%d", 1);
    table_add(&table, "\xc3\xa4larm");
    table_add_number(&table, 1234567);
    table_add(&table, "");
    table_print(&table, &out);
    assert_string_equal(out.data, "name     count  end\n"
                                  "a            7  1\n"
                                  "\xc3\xa4larm  1234567  \n");
    text_finish(&out);
    table_finish(&table);
}

static void foreign_text_does_nothing_to_a_terminal(void **state)
{
    (void)state;
    struct table table;
    struct text out = { 0 };
    table_init(&table, 1, 1);
    table_add(&table, "a\033[2Jb\x7f\n\xc2\x9b" "c");
    table_print(&table, &out);
    for (size_t i = 0; i + 1 < out.length; i++) {
        unsigned char c = (unsigned char)out.data[i];
        assert_true(c >= 0x20 && c != 0x7f && c != 0xc2);
    }
    text_finish(&out);
    table_finish(&table);
}

static void numbers_get_units(void **state)
{
    (void)state;
    char value[TABLE_VALUE_BYTES];
    assert_string_equal(table_bytes(value, 0), "0 B");
    assert_string_equal(table_bytes(value, 1023), "1023 B");
    assert_string_equal(table_bytes(value, 1536), "1.5 KiB");
    assert_string_equal(table_bytes(value, (uint64_t)5 << 30), "5.0 GiB");
    assert_string_equal(table_ms(value, 999), "999 ms");
    assert_string_equal(table_ms(value, 90000), "1.5 min");
    assert_string_equal(table_ms(value, 36000000), "10.0 h");
}

static const char before_json[] =
    "{\"server\":\"fetchd 1\",\"state\":\"running\",\"accepted\":100,\"failed\":10,\"workers\":["
    "{\"worker\":1,\"state\":\"ready\",\"served\":50},{\"worker\":2,\"state\":\"ready\",\"served\":500}],"
    "\"origins\":[{\"origin\":\"https://a.test:443\",\"attempts\":5,\"tls_failures\":0}]}";
static const char now_json[] =
    "{\"server\":\"fetchd 1\",\"state\":\"running\",\"accepted\":300,\"failed\":15,"
    "\"in_flight\":4,\"queued\":3,"
    "\"workers\":[{\"worker\":2,\"state\":\"ready\",\"served\":20},"
    "{\"worker\":1,\"state\":\"ready\",\"served\":150},"
    "{\"worker\":3,\"state\":\"starting\"}],"
    "\"origins\":[{\"origin\":\"https://a.test:443\",\"attempts\":25,\"tls_failures\":2,"
    "\"breaker\":\"open\"}]}";

static char *line_of(struct text *out, const char *start)
{
    char *found = strstr(out->data, start);
    assert_non_null(found);
    found[strcspn(found, "\n")] = '\0';
    return found;
}

static void rates_are_differences_of_the_same_thing(void **state)
{
    (void)state;
    struct value *before = value_read(before_json), *now = value_read(now_json);
    struct text out = { 0 };
    top_print(&out, before, now, 2);
    assert_non_null(strstr(out.data, "requests/s 100.0 "));
    assert_non_null(strstr(out.data, "failed/s 2.5 "));
    assert_non_null(strstr(out.data, "in flight 4  queued 3 "));
    assert_non_null(strstr(line_of(&out, "https://a.test:443"), " 10.0 "));
    text_reset(&out);
    top_print(&out, before, now, 2);
    assert_non_null(strstr(line_of(&out, "     1  ready"), " 50.0 "));
    text_reset(&out);
    top_print(&out, before, now, 2);
    assert_non_null(strstr(line_of(&out, "     2  ready"), " 10.0 "));   /* its counter began anew */
    text_finish(&out);
    value_free(before);
    value_free(now);
}

static void without_an_earlier_look_rates_are_0(void **state)
{
    (void)state;
    struct value *now = value_read(now_json);
    struct text out = { 0 };
    top_print(&out, NULL, now, 1);
    assert_non_null(strstr(out.data, "requests/s 0.0 "));
    assert_non_null(strstr(out.data, "starting"));
    text_finish(&out);
    value_free(now);
}

UNIT_TESTS(TEST(columns_are_as_wide_as_their_widest_cell), TEST(foreign_text_does_nothing_to_a_terminal),
           TEST(numbers_get_units), TEST(rates_are_differences_of_the_same_thing),
           TEST(without_an_earlier_look_rates_are_0))
