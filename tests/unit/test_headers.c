/* headers.c: the head of an answer, line by line. */
#include "worker/headers.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

static enum headers_event take(struct headers *headers, const char *line)
{
    return headers_take(headers, line, strlen(line));
}

/* Lines separated by '\n' in `text`; returns what the last one gave. */
static enum headers_event take_all(struct headers *headers, const char *text)
{
    enum headers_event event = HEADERS_MORE;
    while (*text) {
        size_t length = strcspn(text, "\n") + 1;
        event = headers_take(headers, text, length);
        text += length;
    }
    return event;
}

static void begin(struct headers *headers, size_t limit)
{
    headers_init(headers);
    headers_reset(headers, limit);
}

static void fields_keep_their_order_names_and_repetitions(void **state)
{
    (void)state;
    struct headers headers;
    begin(&headers, 10000);
    assert_int_equal(take_all(&headers, "HTTP/1.1 200 OK\r\nServer: x\r\nSET-cookie: a=1\r\n"
                                        "Set-Cookie:b=2 \t\r\nX-Empty:\r\nX-Colon: a:b\r\n\r\n"),
                     HEADERS_COMPLETE);
    assert_int_equal(headers.status, 200);
    assert_string_equal(headers.version, "1.1");
    static const char *const expected[][2] = {
        { "Server", "x" }, { "SET-cookie", "a=1" }, { "Set-Cookie", "b=2" }, { "X-Empty", "" },
        { "X-Colon", "a:b" },
    };
    struct ipc_pair items[5];
    assert_int_equal(headers.count, 5);
    struct ipc_pairs pairs = headers_pairs(&headers, items);
    for (size_t i = 0; i < 5; i++) {
        assert_text_equal(pairs.items[i].name, expected[i][0]);
        assert_text_equal(pairs.items[i].value, expected[i][1]);
    }
    headers_finish(&headers);
}

static void a_field_is_found_in_any_case(void **state)
{
    (void)state;
    struct headers headers;
    begin(&headers, 10000);
    take_all(&headers, "HTTP/2 302 \r\nLocation: /a\r\nlocation: /b\r\n\r\n");
    assert_text_equal(headers_find(&headers, "location"), "/a");
    assert_null(headers_find(&headers, "locatio").data);
    assert_null(headers_find(&headers, "locations").data);
    assert_string_equal(headers.version, "2");
    headers_finish(&headers);
}

static void interim_answers_are_left_out(void **state)
{
    (void)state;
    struct headers headers;
    begin(&headers, 10000);
    assert_int_equal(take_all(&headers, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), HEADERS_MORE);
    assert_int_equal(take_all(&headers, "HTTP/1.1 100 Continue\r\n\r\n"), HEADERS_MORE);
    assert_int_equal(take_all(&headers, "HTTP/1.0 404 No\r\nA: b\r\n\r\n"), HEADERS_COMPLETE);
    assert_int_equal(headers.status, 404);
    assert_int_equal(headers.count, 1);
    assert_string_equal(headers.version, "1.0");
    headers_finish(&headers);
}

static void a_switch_of_protocols_is_final(void **state)
{
    (void)state;
    struct headers headers;
    begin(&headers, 10000);
    assert_int_equal(take_all(&headers, "HTTP/1.1 101 Switching\r\n\r\n"), HEADERS_COMPLETE);
    headers_finish(&headers);
}

static void trailers_change_nothing(void **state)
{
    (void)state;
    struct headers headers;
    begin(&headers, 10000);
    take_all(&headers, "HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
    assert_int_equal(take(&headers, "X-After: 1\r\n"), HEADERS_TRAILER);
    assert_int_equal(take(&headers, "HTTP/1.1 500 No\r\n"), HEADERS_TRAILER);
    assert_int_equal(headers.count, 1);
    assert_int_equal(headers.status, 200);
    headers_finish(&headers);
}

static void trailers_are_kept_apart(void **state)
{
    (void)state;
    struct headers headers;
    struct ipc_pair items[2];
    begin(&headers, 10000);
    take_all(&headers, "HTTP/1.1 200 OK\r\nA: b\r\n\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n");
    assert_int_equal(headers.trailers, 2);
    struct ipc_pairs trailers = headers_trailers(&headers, items);
    assert_int_equal(trailers.count, 2);
    assert_text_equal(trailers.items[0].name, "X-Sum");
    assert_text_equal(trailers.items[1].value, "2");
    assert_int_equal(headers_pairs(&headers, items).count, 1);
    assert_null(headers_find(&headers, "x-sum").data);
    headers_reset(&headers, 10000);
    assert_int_equal(headers_trailers(&headers, items).count, 0);
    headers_finish(&headers);
}

static void fields_and_trailers_together_are_at_most_5000(void **state)
{
    (void)state;
    struct headers headers;
    begin(&headers, 1 << 20);
    take_all(&headers, "HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
    for (int i = 1; i < HEADERS_COUNT_MAX; i++)
        assert_int_equal(take(&headers, "A: b\r\n"), HEADERS_TRAILER);
    assert_int_equal(take(&headers, "A: b\r\n"), HEADERS_TOO_LARGE);
    headers_finish(&headers);
}

static void bytes_above_the_limit_are_refused_wherever_they_stand(void **state)
{
    (void)state;
    struct headers headers;
    char line[60] = "X: ";
    memset(line + 3, 'x', 50);
    strcpy(line + 53, "\r\n");
    begin(&headers, 100);
    assert_int_equal(take(&headers, "HTTP/1.1 200 OK\r\n"), HEADERS_MORE);
    assert_int_equal(take(&headers, line), HEADERS_MORE);
    assert_int_equal(take(&headers, line), HEADERS_TOO_LARGE);

    headers_reset(&headers, 100);
    for (int i = 0; i < 4; i++)
        assert_int_equal(take_all(&headers, "HTTP/1.1 100 Go on\r\n\r\n"), HEADERS_MORE);
    assert_int_equal(take_all(&headers, "HTTP/1.1 100 Go on\r\n\r\n"), HEADERS_TOO_LARGE);

    headers_reset(&headers, 100);
    take_all(&headers, "HTTP/1.1 200 OK\r\n\r\n");
    assert_int_equal(take(&headers, line), HEADERS_TRAILER);
    assert_int_equal(take(&headers, line), HEADERS_TOO_LARGE);
    headers_finish(&headers);
}

static void more_fields_than_5000_are_refused(void **state)
{
    (void)state;
    struct headers headers;
    begin(&headers, 1 << 20);
    take(&headers, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < HEADERS_COUNT_MAX; i++)
        assert_int_equal(take(&headers, "A: b\r\n"), HEADERS_MORE);
    assert_int_equal(take(&headers, "A: b\r\n"), HEADERS_TOO_LARGE);
    headers_finish(&headers);
}

static void lines_that_are_no_fields_harm_nothing(void **state)
{
    (void)state;
    struct headers headers;
    begin(&headers, 10000);
    take_all(&headers, "HTTP/\r\nno colon here\r\n: no name\r\n\t\r\nHTTP/9 9999999999 x\r\n\r\n");
    assert_true(headers.count <= 3);
    headers_reset(&headers, 10000);
    assert_int_equal(headers.count, 0);
    assert_int_equal(headers_take(&headers, "", 0), HEADERS_COMPLETE);
    assert_int_equal(headers.status, 0);
    headers_finish(&headers);
}

UNIT_TESTS(
    TEST(fields_keep_their_order_names_and_repetitions),
    TEST(a_field_is_found_in_any_case),
    TEST(interim_answers_are_left_out),
    TEST(a_switch_of_protocols_is_final),
    TEST(trailers_change_nothing),
    TEST(trailers_are_kept_apart),
    TEST(fields_and_trailers_together_are_at_most_5000),
    TEST(bytes_above_the_limit_are_refused_wherever_they_stand),
    TEST(more_fields_than_5000_are_refused),
    TEST(lines_that_are_no_fields_harm_nothing))
