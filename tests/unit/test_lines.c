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
    fetch.body_streamed = true;
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
}

UNIT_TESTS(
    TEST(a_request_without_headers_has_no_lines),
    TEST(headers_come_in_order_trimmed_and_empty_ones_are_sent),
    TEST(codings_are_offered_unless_the_client_does_it),
    TEST(libcurls_own_guesses_about_a_body_are_turned_off),
           TEST(the_sessions_cookies_join_the_clients_own), TEST(a_client_that_names_all_of_them_sends_only_its_own))
