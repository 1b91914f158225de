/* check.c: what libcurl may be given. */
#include "worker/check.h"

#include "unit.h"

#include <string.h>

static struct check_refusal refusal;

static struct ipc_fetch request(const char *url)
{
    struct ipc_fetch fetch;
    IPC_INIT(FETCH, &fetch);
    fetch.url = ipc_text(url);
    return fetch;
}

static int check(const struct ipc_fetch *fetch)
{
    struct ipc_origin origin;
    memset(&refusal, 0, sizeof refusal);
    return check_fetch(fetch, &origin, &refusal);
}

static int check_with(const char *name, const void *value, size_t length)
{
    struct ipc_fetch fetch = request("https://example.com/");
    struct ipc_pair pair = { { (const uint8_t *)name, strlen(name) }, { value, length } };
    fetch.headers = (struct ipc_pairs){ &pair, 1 };
    return check(&fetch);
}

static void a_plain_request_is_fine(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request("https://example.com/path?query");
    struct ipc_origin origin;
    assert_int_equal(check_fetch(&fetch, &origin, &refusal), 0);
    assert_string_equal(origin.key, "https://example.com:443");
    assert_int_equal(check_with("X-Any-Thing", "a b\tc \xc3\xa4", 8), 0);
    assert_int_equal(check_with("X-Empty", "", 0), 0);
    assert_int_equal(check_with("Host", "other.example:8080", 18), 0);
}

static void no_byte_that_ends_a_line_gets_into_a_header(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char value[4] = { 'a', (char)c, 'b', 0 };
        bool bad = (c < 0x20 && c != '\t') || c == 0x7f;
        assert_int_equal(check_with("X-Value", value, 3), bad ? -1 : 0);
        assert_int_equal(refusal.error, bad ? IPC_ERROR_REQUEST_INVALID : IPC_ERROR_NONE);
        if (bad)
            assert_non_null(strstr(refusal.message, "X-Value"));
    }
}

static void a_header_name_is_a_token(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 256; c++) {
        char name[4] = { 'x', (char)c, 'y', 0 };
        bool token = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80)
            || strchr("!#$%&'*+-.^_`|~", (int)c);
        assert_int_equal(check_with(name, "v", 1), token ? 0 : -1);
    }
    assert_int_equal(check_with("", "v", 1), -1);
}

static void headers_of_the_connection_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Transfer-Encoding", "content-length", "CONNECTION", "Upgrade", "TE", "Trailer", "Keep-Alive",
        "Proxy-Authorization", "proxy-connection", "Expect", "HTTP2-Settings",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(check_with(names[i], "x", 1), -1);
        assert_int_equal(refusal.error, IPC_ERROR_REQUEST_INVALID);
        assert_non_null(strstr(refusal.message, names[i]));
    }
    assert_int_equal(check_with("Proxy", "x", 1), 0);
    assert_int_equal(check_with("Content-Lengthy", "x", 1), 0);
}

static void a_host_header_is_one_host(void **state)
{
    (void)state;
    assert_int_equal(check_with("host", "[::1]:80", 8), 0);
    assert_int_equal(check_with("Host", "a b", 3), -1);
    assert_int_equal(check_with("Host", "a/b", 3), -1);
    assert_int_equal(check_with("Host", "a@b", 3), -1);
    assert_int_equal(check_with("Host", "", 0), -1);
    struct ipc_fetch fetch = request("https://example.com/");
    static const uint8_t name[] = "host", value[] = "a";
    struct ipc_pair pairs[2] = { { { name, 4 }, { value, 1 } }, { { name, 4 }, { value, 1 } } };
    fetch.headers = (struct ipc_pairs){ pairs, 2 };
    assert_int_equal(check(&fetch), -1);
}

static void a_method_is_a_token_and_no_tunnel(void **state)
{
    (void)state;
    static const struct { const char *method; int result; } rows[] = {
        { "GET", 0 }, { "PROPFIND", 0 }, { "M-SEARCH", 0 }, { "G ET", -1 }, { "GET\r\nX: y", -1 },
        { "GET ", -1 },
        { "CONNECT", -1 }, { "TRACE", 0 }, { "G\xc3\xa4T", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipc_fetch fetch = request("http://example.com/");
        fetch.method = ipc_text(rows[i].method);
        assert_int_equal(check(&fetch), rows[i].result);
    }
}

static void only_schemes_that_work_are_taken(void **state)
{
    (void)state;
    static const struct { const char *url; enum ipc_error_code error; } rows[] = {
        { "http://a/", IPC_ERROR_NONE }, { "ftp://a/file", IPC_ERROR_NONE },
        { "ftps://a/file", IPC_ERROR_NONE },
        { "ws://a/", IPC_ERROR_NONE }, { "wss://a/", IPC_ERROR_NONE },
        { "file:///etc/passwd", IPC_ERROR_REQUEST_INVALID }, { "gopher://a/", IPC_ERROR_REQUEST_INVALID },
        { "javascript:alert(1)", IPC_ERROR_REQUEST_INVALID }, { "http://a b/", IPC_ERROR_REQUEST_INVALID },
        { "http://a/\r\nX: y", IPC_ERROR_REQUEST_INVALID }, { "http:///x", IPC_ERROR_REQUEST_INVALID },
        { "", IPC_ERROR_REQUEST_INVALID },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipc_fetch fetch = request(rows[i].url);
        assert_int_equal(check(&fetch), rows[i].error ? -1 : 0);
        assert_int_equal(refusal.error, rows[i].error);
    }
}

static int check_ftp(const char *url, const char *method, const char *range)
{
    struct ipc_fetch fetch = request(url);
    struct ipc_pair pair = { { (const uint8_t *)"RANGE", 5 }, { (const uint8_t *)range, range ? strlen(range) : 0 } };
    fetch.method = ipc_text(method);
    if (range)
        fetch.headers = (struct ipc_pairs){ &pair, 1 };
    return check(&fetch);
}

static void ftp_knows_four_methods(void **state)
{
    (void)state;
    static const char *const methods[] = { "", "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH" };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        assert_int_equal(check_ftp("ftp://a/file", methods[i], NULL), i < 5 ? 0 : -1);
    assert_int_equal(refusal.error, IPC_ERROR_REQUEST_UNSUPPORTED);
    assert_int_equal(check_ftp("ftps://a/folder/", "GET", NULL), 0);
    assert_int_equal(check_ftp("ftps://a/folder/", "PUT", NULL), -1);
    struct ipc_fetch fetch = request("ftp://a/file");
    fetch.body_streamed = true;
    assert_int_equal(check(&fetch), -1);
    fetch.method = IPC_TEXT("PUT");
    assert_int_equal(check(&fetch), 0);
    fetch.ftp_tls = IPC_TEXT("require");
    assert_int_equal(check(&fetch), 0);
    fetch.ftp_tls = IPC_TEXT("maybe");
    assert_int_equal(check(&fetch), -1);
}

static void no_byte_that_ends_a_line_gets_into_an_ftp_command(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "ftp://a/b%0d", "ftp://a/%0Ab", "ftp://a/%00", "ftp://a/%1f", "ftp://a/%7F", "ftp://u%0a:p@a/", "ftp://u:p%0D@a/",
    };
    static const char *const good[] = { "ftp://a/b%20c", "ftp://a/%", "ftp://a/%0", "ftp://a/%25%30", "ftp://a/%e4" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(check_ftp(bad[i], "", NULL), -1);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(check_ftp(good[i], "", NULL), 0);
    for (unsigned c = 1; c < 0x20; c++) {
        uint8_t credentials[4] = { 'u', ':', (uint8_t)c, 0 };
        struct ipc_fetch fetch = request("ftp://a/file");
        fetch.credentials = (struct ipc_bytes){ credentials, 3 };
        assert_int_equal(check(&fetch), c == '\t' ? 0 : -1);
    }
}

static void an_ftp_range_is_one_part(void **state)
{
    (void)state;
    static const char *const good[] = { "bytes=0-", "bytes=0-499", "bytes=-500", "bytes=999999999999999999-" };
    static const char *const bad[] = {
        "", "bytes=", "bytes=-", "0-5", "bytes=1-2,3-4", "bytes=1-2 ", "bytes=a-", "bytes=1", "lines=1-2",
        "bytes=1-2-", "bytes=9999999999999999999-",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(check_ftp("ftp://a/file", "", good[i]), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(check_ftp("ftp://a/file", "", bad[i]), -1);
    struct ipc_pair pair = { { (const uint8_t *)"range", 5 }, { (const uint8_t *)"bytes=7-9", 9 } };
    struct ipc_fetch fetch = { .headers = { &pair, 1 } };
    struct ipc_bytes range = check_range(&fetch);
    assert_int_equal(range.length, 3);
    assert_memory_equal(range.data, "7-9", 4);
    fetch.headers.count = 0;
    assert_null(check_range(&fetch).data);
}

static void bodies_that_contradict_the_request_are_refused(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request("http://a/");
    fetch.method = ipc_text("HEAD");
    fetch.body = (struct ipc_bytes){ (const uint8_t *)"x", 1 };
    assert_int_equal(check(&fetch), -1);
    fetch.method = ipc_text("POST");
    assert_int_equal(check(&fetch), 0);
    fetch.body_streamed = true;
    assert_int_equal(check(&fetch), -1);
}

static void nothing_hides_in_proxy_credentials_or_resolve(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request("http://a/");
    fetch.credentials = (struct ipc_bytes){ (const uint8_t *)"a\0b", 3 };
    assert_int_equal(check(&fetch), -1);
    fetch = request("http://a/");
    fetch.proxy = ipc_text("http://p\r\nX: y");
    assert_int_equal(check(&fetch), -1);
    fetch = request("http://a/");
    struct ipc_text rules[] = {
        IPC_TEXT("-a:80"), IPC_TEXT("+a:80:1.2.3.4"), IPC_TEXT("a"), IPC_TEXT("a:80:1.2.3.4"),
    };
    for (size_t i = 0; i < 4; i++) {
        fetch.resolve = (struct ipc_texts){ &rules[i], 1 };
        assert_int_equal(check(&fetch), i == 3 ? 0 : -1);
    }
}

static void pins_are_hashes_and_never_files(void **state)
{
    (void)state;
#define PIN "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    static const struct { const char *pin; int result; } rows[] = {
        { "", 0 }, { PIN, 0 }, { PIN ";" PIN, 0 }, { "/etc/passwd", -1 }, { "sha256//", -1 }, { PIN "x", -1 },
        { "sha1//AAAA", -1 }, { PIN ";/etc/passwd", -1 }, { ";" PIN, -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipc_fetch fetch = request("https://a/");
        fetch.pinned_key = ipc_text(rows[i].pin);
        assert_int_equal(check(&fetch), rows[i].result);
    }
}

static void credentials_tls_and_proxies_have_their_forms(void **state)
{
    (void)state;
    const struct ipc_bytes token = { (const uint8_t *)"t", 1 }, login = { (const uint8_t *)"u:p", 3 };
    struct ipc_text to = IPC_TEXT("a:1:b:2"), no = IPC_TEXT("a:1:b");
    for (int i = 0; i < 12; i++) {
        struct ipc_fetch fetch = request(i == 11 ? "ws://a/" : "https://a/");
        switch (i) {
        case 0: fetch.bearer = token; break;
        case 1: fetch.tls_min = ipc_text("1.2"); fetch.tls_max = ipc_text("1.2"); break;
        case 2: fetch.connect_to = (struct ipc_texts){ &to, 1 }; break;
        case 3: fetch.auth = ipc_text("digest"); fetch.proxy_auth = ipc_text("any"); break;
        case 4: fetch.bearer = token; fetch.credentials = login; break;
        case 5: fetch.bearer = (struct ipc_bytes){ (const uint8_t *)"t\r\n", 3 }; break;
        case 6: fetch.tls_min = ipc_text("1.3"); fetch.tls_max = ipc_text("1.2"); break;
        case 7: fetch.tls_min = ipc_text("1.4"); break;
        case 8: fetch.connect_to = (struct ipc_texts){ &no, 1 }; break;
        case 9: fetch.auth = ipc_text("ntlm"); break;
        case 10: fetch.key_pem = token; break;
        case 11: fetch.auth = ipc_text("digest"); break;
        }
        if (check(&fetch) != (i < 4 ? 0 : -1))
            fail_msg("case %d", i);
    }
}

static void unknown_http_versions_are_refused(void **state)
{
    (void)state;
    static const struct { const char *version; int result; } rows[] = {
        { "", 0 }, { "1.0", 0 }, { "1.1", 0 }, { "2", 0 }, { "2-only", 0 }, { "0.9", -1 }, { "1", -1 },
        { "3", FETCHD_HTTP3 - 1 }, { "30", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipc_fetch fetch = request("http://a/");
        fetch.http_version = ipc_text(rows[i].version);
        assert_int_equal(check(&fetch), rows[i].result);
    }
}

static void http_3_alone_needs_tls_and_goes_through_no_proxy(void **state)
{
    (void)state;
    struct ipc_fetch fetch = request("https://a/");
    fetch.http_version = ipc_text("3-only");
    assert_int_equal(check(&fetch), FETCHD_HTTP3 - 1);
    fetch.proxy = ipc_text("http://b");
    assert_int_equal(check(&fetch), -1);
    fetch = request("http://a/");
    fetch.http_version = ipc_text("3-only");
    assert_int_equal(check(&fetch), -1);
}

UNIT_TESTS(
    TEST(a_plain_request_is_fine),
    TEST(no_byte_that_ends_a_line_gets_into_a_header),
    TEST(a_header_name_is_a_token),
    TEST(headers_of_the_connection_are_refused_by_name),
    TEST(a_host_header_is_one_host),
    TEST(a_method_is_a_token_and_no_tunnel),
    TEST(only_schemes_that_work_are_taken),
    TEST(ftp_knows_four_methods),
    TEST(no_byte_that_ends_a_line_gets_into_an_ftp_command),
    TEST(an_ftp_range_is_one_part),
    TEST(bodies_that_contradict_the_request_are_refused),
    TEST(nothing_hides_in_proxy_credentials_or_resolve),
    TEST(pins_are_hashes_and_never_files),
    TEST(credentials_tls_and_proxies_have_their_forms),
    TEST(unknown_http_versions_are_refused),
    TEST(http_3_alone_needs_tls_and_goes_through_no_proxy))
