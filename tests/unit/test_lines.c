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

UNIT_TESTS(
    TEST(a_request_without_headers_has_no_lines),
    TEST(headers_come_in_order_trimmed_and_empty_ones_are_sent),
    TEST(codings_are_offered_unless_the_client_does_it),
    TEST(libcurls_own_guesses_about_a_body_are_turned_off))
