/* lines.c: a request's headers in libcurl's form. */
#include "worker/lines.h"

#include "ipc/secret.h"
#include "unit.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

static struct ipc_fetch request(void)
{
    struct ipc_fetch fetch;
    IPC_INIT(FETCH, &fetch);
    fetch.url = IPC_TEXT("http://a/");
    return fetch;
}

static struct ipc_pair pair(const char *name, const char *value)
{
    return (struct ipc_pair){ { (const uint8_t *)name, strlen(name) },
                              { (const uint8_t *)value, strlen(value) } };
}

/* `expected` ends with NULL. */
static void assert_lines(const struct ipc_fetch *fetch, const char *const *expected)
{
    struct curl_slist *lines;
    assert_int_equal(lines_create(fetch, &lines), 0);
    const struct curl_slist *at = lines;
    for (; *expected; expected++, at = at->next) {
        assert_non_null(at);
        assert_string_equal(at->data, *expected);
    }
    assert_null(at);
    ipc_secret_free(lines);
}

static void a_request_without_headers_has_no_lines(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request();
    assert_lines(&fetch, (const char *const[]){ NULL });
}

static void headers_come_in_order_trimmed_and_empty_ones_are_sent(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request();
    struct ipc_pair pairs[] = { pair("X-One", "1"), pair("x-two", " \t2 2\t "), pair("X-Empty", ""),
                                pair("X-Blank", "  "), pair("X-One", "again") };
    fetch.headers = (struct ipc_pairs){ pairs, 5 };
    assert_lines(&fetch, (const char *const[]){ "X-One: 1", "x-two: 2 2", "X-Empty;", "X-Blank;",
                                                "X-One: again", NULL });
}

static void codings_are_offered_unless_the_client_does_it(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request();
    fetch.compressed = true;
    assert_lines(&fetch, (const char *const[]){ "Accept-Encoding: gzip, br, zstd", NULL });
    struct ipc_pair own = pair("ACCEPT-encoding", "br");
    fetch.headers = (struct ipc_pairs){ &own, 1 };
    assert_lines(&fetch, (const char *const[]){ "ACCEPT-encoding: br", NULL });
}

static void libcurls_own_guesses_about_a_body_are_turned_off(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request();
    fetch.method = IPC_TEXT("POST");
    assert_lines(&fetch, (const char *const[]){ "Expect:", "Content-Type:", NULL });
    struct ipc_pair type = pair("content-type", "text/plain");
    fetch.headers = (struct ipc_pairs){ &type, 1 };
    fetch.body = (struct ipc_bytes){ (const uint8_t *)"x", 1 };
    assert_lines(&fetch, (const char *const[]){ "content-type: text/plain", "Expect:", NULL });
}

/* The session's cookies come first, as with curl; what the client names itself counts. */
static void the_sessions_cookies_join_the_clients_own(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request();
    struct ipc_pair cookies[] = { pair("a", "1"), pair("b", "2"), pair("", "nameless"), pair("ab", "3") };
    fetch.cookies = (struct ipc_pairs){ cookies, 4 };
    assert_lines(&fetch, (const char *const[]){ "Cookie: a=1; b=2; nameless; ab=3", NULL });
    struct ipc_pair headers[] = { pair("X-One", "1"), pair("cookie", "x=ab=0; b=mine"), pair("X-Two", "2"),
                                  pair("COOKIE", "z=9"), pair("X-Three", "3") };
    fetch.headers = (struct ipc_pairs){ headers, 5 };
    fetch.compressed = true;
    assert_lines(&fetch, (const char *const[]){ "X-One: 1", "Cookie: a=1; nameless; ab=3; x=ab=0; b=mine; z=9",
                                                "X-Two: 2", "X-Three: 3", "Accept-Encoding: gzip, br, zstd", NULL });
    fetch.cookies.count = 0;
    fetch.compressed = false;
    assert_lines(&fetch, (const char *const[]){ "X-One: 1", "cookie: x=ab=0; b=mine", "X-Two: 2", "COOKIE: z=9",
                                                "X-Three: 3", NULL });
}

static void a_client_that_names_all_of_them_sends_only_its_own(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request();
    struct ipc_pair cookies[] = { pair("a", "1"), pair("b", "2") }, headers[] = { pair("Cookie", "b=4;a=3"),
                                                                                  pair("Cookie", "") };
    fetch.cookies = (struct ipc_pairs){ cookies, 2 };
    fetch.headers = (struct ipc_pairs){ headers, 2 };
    assert_lines(&fetch, (const char *const[]){ "Cookie: b=4;a=3", NULL });
    headers[0] = (struct ipc_pair){ pair("cookie", "").name, { NULL, 0 } };
    fetch.headers.count = 1;
    assert_lines(&fetch, (const char *const[]){ "cookie:", NULL });
}

static void a_null_leaves_a_header_out(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request();
    struct ipc_pair pairs[] = { pair("User-Agent", ""), pair("accept", ""), pair("X", "") };
    pairs[0].value.data = pairs[1].value.data = NULL;
    fetch.headers = (struct ipc_pairs){ pairs, 3 };
    fetch.compressed = true;
    assert_lines(&fetch, (const char *const[]){ "User-Agent:", "accept:", "X;", "Accept-Encoding: gzip, br, zstd",
                                                NULL });
    pairs[2] = pair("Accept-Encoding", "");
    pairs[2].value.data = NULL;
    assert_lines(&fetch, (const char *const[]){ "User-Agent:", "accept:", "Accept-Encoding:", NULL });
}

static void a_host_of_the_clients_stays_in_its_place(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request();
    struct ipc_pair pairs[] = { pair("A", "1"), pair("host", "other"), pair("B", "2") };
    fetch.headers = (struct ipc_pairs){ pairs, 3 };
    assert_lines(&fetch, (const char *const[]){ "Host:", "A: 1", "host: other", "B: 2", NULL });
}

static void a_streamed_body_may_ask_for_100_continue(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request();
    fetch.method = IPC_TEXT("PUT");
    fetch.body_streamed = true;
    assert_true(lines_expect(&fetch));
    assert_lines(&fetch, (const char *const[]){ "Content-Type:", NULL });
    fetch.expect_timeout_ms = 0;
    assert_false(lines_expect(&fetch));
    assert_lines(&fetch, (const char *const[]){ "Expect:", "Content-Type:", NULL });
}

static void a_client_decides_by_the_header_itself(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request();
    struct ipc_pair pairs[] = { pair("expect", "100-continue"), pair("A", "1") };
    fetch.body = (struct ipc_bytes){ (const uint8_t *)"x", 1 };
    fetch.headers = (struct ipc_pairs){ pairs, 2 };
    assert_true(lines_expect(&fetch));
    assert_lines(&fetch, (const char *const[]){ "expect: 100-continue", "A: 1", "Content-Type:", NULL });
    lines_forget_expect(&fetch);
    assert_false(lines_expect(&fetch));
    assert_lines(&fetch, (const char *const[]){ "A: 1", "Expect:", "Content-Type:", NULL });
    pairs[0] = (struct ipc_pair){ pair("EXPECT", "").name, { NULL, 0 } };
    pairs[1] = pair("A", "1");
    fetch.headers.count = 2;
    fetch.body_streamed = true;
    fetch.expect_timeout_ms = 1000;
    assert_false(lines_expect(&fetch));
}

UNIT_TESTS(
    TEST(a_null_leaves_a_header_out),
    TEST(a_host_of_the_clients_stays_in_its_place),
    TEST(a_streamed_body_may_ask_for_100_continue),
    TEST(a_client_decides_by_the_header_itself),
    TEST(a_request_without_headers_has_no_lines),
    TEST(headers_come_in_order_trimmed_and_empty_ones_are_sent),
    TEST(codings_are_offered_unless_the_client_does_it),
    TEST(libcurls_own_guesses_about_a_body_are_turned_off),
           TEST(the_sessions_cookies_join_the_clients_own), TEST(a_client_that_names_all_of_them_sends_only_its_own))
