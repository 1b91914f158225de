/* query.c and date.c: what goes into a URL, and dates as people write them. */
#include "client/fetchctl/date.h"
#include "client/query.h"

#include "unit.h"

#include <string.h>

static void assert_encoded(const char *text, size_t length, const char *expected)
{
    struct text out = { 0 };
    query_encode(&out, text, length);
    assert_string_equal(out.data, expected);
    text_finish(&out);
}

static void all_but_the_unreserved_is_encoded(void **state)
{
    (void)state;
    assert_encoded("azAZ09-._~", 10, "azAZ09-._~");
    assert_encoded(" &=+%#?/\"", 9, "+%26%3D%2B%25%23%3F%2F%22");
    assert_encoded("\xc3\xa4\r\n\0z", 6, "%C3%A4%0D%0A%00z");
}

static void a_query_goes_behind_the_one_there_is_and_before_the_fragment(void **state)
{
    (void)state;
    static const struct { const char *url, *expected; } rows[] = {
        { "http://a", "http://a?q=1" }, { "http://a/", "http://a/?q=1" }, { "http://a/?", "http://a/?q=1" },
        { "http://a/?b=2", "http://a/?b=2&q=1" }, { "http://a/?b=2&", "http://a/?b=2&q=1" },
        { "http://a/#f?x", "http://a/?q=1#f?x" }, { "http://a/?b#f", "http://a/?b&q=1#f" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text out = { 0 };
        query_append(&out, rows[i].url, "q=1");
        assert_string_equal(out.data, rows[i].expected);
        text_finish(&out);
    }
}

static void each_form_of_a_date_is_read_as_utc(void **state)
{
    (void)state;
    static const struct { const char *text; time_t expected; } rows[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 }, { "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
        { "Sun Nov  6 08:49:37 1994", 784111777 }, { "06 Nov 1994 08:49:37", 784111777 },
        { "6 Nov 1994", 784080000 }, { "1994-11-06T08:49:37Z", 784111777 }, { "1994-11-06 08:49:37", 784111777 },
        { "1994-11-06", 784080000 }, { "19941106", 784080000 }, { "19941106 08:49:37", 784111777 },
        { "1970-01-01", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        time_t when = -1;
        if (date_read(rows[i].text, &when) < 0 || when != rows[i].expected)
            fail_msg("%s is %lld", rows[i].text, (long long)when);
    }
}

static void what_is_no_date_is_not_read(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "soon", "1994", "1994-13-06", "1994-11-06 CET", "06 Nov", "/etc/passwd", "12:30" };
    time_t when;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (date_read(texts[i], &when) == 0)
            fail_msg("%s is a date", texts[i]);
}

static void a_date_is_written_as_http_has_it(void **state)
{
    (void)state;
    char text[DATE_BYTES];
    date_write(784111777, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
}

UNIT_TESTS(TEST(all_but_the_unreserved_is_encoded), TEST(a_query_goes_behind_the_one_there_is_and_before_the_fragment),
           TEST(each_form_of_a_date_is_read_as_utc), TEST(what_is_no_date_is_not_read),
           TEST(a_date_is_written_as_http_has_it))
