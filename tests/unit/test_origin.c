/* origin.c: a strict reader of URLs. */
#include "ipc/origin.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In memory of its exact size, so that reading behind it is the sanitizer's matter. */
static int parse(const char *url, size_t length, struct ipc_origin *ret_origin, char **ret_memory,
                 const char **ret_reason)
{
    *ret_memory = malloc(length ? length : 1);
    if (length > 0)
        memcpy(*ret_memory, url, length);
    return ipc_origin_parse((struct ipc_text){ *ret_memory, length }, ret_origin, ret_reason);
}

static void assert_key(const char *url, const char *key)
{
    struct ipc_origin origin;
    const char *reason = "";
    char *memory;
    if (parse(url, strlen(url), &origin, &memory, &reason) < 0)
        fail_msg("%s: %s", url, reason);
    assert_string_equal(origin.key, key);
    free(memory);
}

static void assert_refused(const char *url, size_t length, const char *word)
{
    struct ipc_origin origin;
    const char *reason = NULL;
    char *memory;
    if (parse(url, length, &origin, &memory, &reason) == 0)
        fail_msg("%.*s was taken as %s", (int)length, url, origin.key);
    if (!strstr(reason, word))
        fail_msg("%.*s: \"%s\" does not say \"%s\"", (int)length, url, reason, word);
    free(memory);
}

static void good_urls_have_their_origin(void **state)
{
    (void)state;
    static const struct { const char *url, *key; } rows[] = {
        { "https://example.com/", "https://example.com:443" },
        { "https://example.com", "https://example.com:443" },
        { "http://example.com", "http://example.com:80" },
        { "ws://example.com/chat", "ws://example.com:80" },
        { "wss://example.com/chat", "wss://example.com:443" },
        { "ftp://example.com/file", "ftp://example.com:21" },
        { "ftps://example.com/file", "ftps://example.com:990" },
        { "HTTPS://EXAMPLE.Com/Path", "https://example.com:443" },
        { "hTTp://example.com:8080", "http://example.com:8080" },
        { "https://example.com:443/", "https://example.com:443" },
        { "https://example.com:0443/", "https://example.com:443" },
        { "https://example.com:65535/", "https://example.com:65535" },
        { "https://example.com:1?q", "https://example.com:1" },
        { "https://example.com?query", "https://example.com:443" },
        { "https://example.com#fragment", "https://example.com:443" },
        { "https://example.com?u=http://other/@x:1", "https://example.com:443" },
        { "https://example.com#@other", "https://example.com:443" },
        { "https://example.com/@other:99/", "https://example.com:443" },
        { "https://example.com/[x]", "https://example.com:443" },
        { "https://user@example.com/", "https://example.com:443" },
        { "https://user:pass@example.com:99/", "https://example.com:99" },
        { "https://user:p%40ss:word@example.com", "https://example.com:443" },
        { "https://@example.com/", "https://example.com:443" },
        { "https://:@example.com/", "https://example.com:443" },
        { "https://a_b-c.example.com/", "https://a_b-c.example.com:443" },
        { "https://xn--bcher-kva.example/", "https://xn--bcher-kva.example:443" },
        { "https://127.0.0.1:8443/", "https://127.0.0.1:8443" },
        { "https://2130706433/", "https://2130706433:443" },   /* the worker checks what it resolves to */
        { "https://[::1]/", "https://[::1]:443" },
        { "https://[::1]:8443/x", "https://[::1]:8443" },
        { "https://[2001:DB8::A]/", "https://[2001:db8::a]:443" },
        { "https://[::ffff:127.0.0.1]/", "https://[::ffff:127.0.0.1]:443" },
        { "https://u:p@[::1]:1/", "https://[::1]:1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_key(rows[i].url, rows[i].key);
}

static void a_trailing_dot_is_another_host(void **state)
{
    (void)state;
    assert_key("https://example.com./", "https://example.com.:443");
}

static void an_empty_port_is_the_schemes_own(void **state)
{
    (void)state;
    assert_key("https://example.com:/", "https://example.com:443");
    assert_key("http://[::1]:", "http://[::1]:80");
}

static void bad_urls_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct { const char *url, *word; } rows[] = {
        { "", "scheme" }, { "/", "scheme" }, { "example.com", "scheme" }, { "//example.com/", "scheme" },
        { "https:", "scheme" }, { "https:/", "scheme" }, { "https:example.com", "scheme" },
        { "https:/example.com", "scheme" }, { "httpss://example.com/", "scheme" }, { "http", "scheme" },
        { "file:///etc/passwd", "scheme" }, { "gopher://example.com/", "scheme" }, { "data:,x", "scheme" },
        { "javascript:alert(1)", "scheme" }, { "unix://x/", "scheme" }, { "xhttps://example.com", "scheme" },
        { "https://", "host" }, { "https:///path", "host" }, { "https://:443/", "host" },
        { "https://?q", "host" },
        { "https://user@/", "host" }, { "https://user:pass@:99/", "host" }, { "https://#", "host" },
        { "https://example.com:65536/", "port" }, { "https://example.com:99999999999999999999/", "port" },
        { "https://example.com:0/", "port" }, { "https://example.com:80a/", "port" },
        { "https://example.com:-1/", "port" }, { "https://example.com:+1/", "port" },
        { "https://example.com:80:90/", "port" }, { "https://[::1]:x/", "port" },
        { "https://[::1/", "IPv6" }, { "https://[]/", "IPv6" }, { "https://[::1%25lo]/", "IPv6" },
        { "https://[fe80::1%eth0]/", "IPv6" }, { "https://[v1.x]/", "IPv6" },
        { "https://[example.com]/", "IPv6" },
        { "https://[::1]x/", "character" }, { "https://[::1][::2]/", "character" },
        { "https://exa[mple.com/", "character" }, { "https://exa]mple.com/", "character" },
        { "https://exam!ple.com/", "character" }, { "https://exam%70le.com/", "character" },
        { "https://exam*ple.com/", "character" }, { "https://exam,ple.com/", "character" },
        { "https://exam;ple.com/", "character" }, { "https://example.com&x/", "character" },
        { "https://a@b@example.com/", "@" }, { "https://a:b@c:d@example.com/", "@" },
        { "https://example.com\\@other/", "backslash" }, { "https://example.com/a\\b", "backslash" },
        { "https:\\\\example.com/", "backslash" },
        { " https://example.com/", "space" }, { "https://example.com/ ", "space" },
        { "https://exam ple.com/", "space" }, { "https://example.com/a b", "space" },
        { "https://example.com/\t", "space" }, { "https://example.com/\r\nX: y", "space" },
        { "https://example.com/\x7f", "control" }, { "https://example.com/\x01", "control" },
        { "https://b\xc3\xbc" "cher.example/", "ASCII" }, { "https://example.com/\xc3\xbc", "ASCII" },
        { "https://example\xef\xbc\x8e" "com/", "ASCII" },
        { "https://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", "ASCII" },
        { "https://example.com/\xff", "ASCII" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(rows[i].url, strlen(rows[i].url), rows[i].word);
    assert_refused("https://exa\0mple.com/", 21, "control");
    assert_refused("https://example.com/\0", 21, "control");
}

static void the_parts_are_borrowed_from_the_url(void **state)
{
    (void)state;
    struct ipc_origin origin;
    const char *reason;
    const char *url = "HTTPS://User:pass@[2001:DB8::1]:99/x";
    assert_int_equal(ipc_origin_parse(ipc_text(url), &origin, &reason), 0);
    assert_text_equal(origin.scheme, "https");
    assert_text_equal(origin.host, "2001:DB8::1");
    assert_text_equal(origin.userinfo, "User:pass");
    assert_int_equal(origin.port, 99);
    assert_ptr_equal(origin.host.data, strstr(url, "2001"));
}

static void a_host_may_have_253_bytes_and_no_more(void **state)
{
    (void)state;
    char url[400] = "https://", key[400];
    memset(url + 8, 'a', 253);
    strncpy(url + 8 + 253, ":65535/", 10);
    snprintf(key, sizeof key, "%.*s", 8 + 253 + 6, url);
    assert_key(url, key);
    memset(url + 8, 'a', 254);
    strncpy(url + 8 + 254, ":65535/", 10);
    assert_refused(url, strlen(url), "longer than 253");
}

static void a_refusal_leaves_the_result_alone(void **state)
{
    (void)state;
    struct ipc_origin origin = { .port = 7 };
    const char *reason = NULL;
    assert_int_equal(ipc_origin_parse(IPC_TEXT("https://:1"), &origin, &reason), -1);
    assert_int_equal(origin.port, 7);
    assert_non_null(reason);
}

static void no_reason_holds_any_of_the_url(void **state)
{
    (void)state;
    static const char *const urls[] = { "secret://secret", "https://secret\\", "https://secret@secret@x",
                                        "https://secret:secret" };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct ipc_origin origin;
        const char *reason = NULL;
        assert_int_equal(ipc_origin_parse(ipc_text(urls[i]), &origin, &reason), -1);
        assert_null(strstr(reason, "secret"));
    }
}

static void a_url_for_the_log_has_no_userinfo_query_or_fragment(void **state)
{
    (void)state;
    static const struct { const char *url, *shown; } rows[] = {
        { "https://example.com", "https://example.com:443" },
        { "https://example.com/a/b", "https://example.com:443/a/b" },
        { "https://u:secret@example.com/a?token=secret#secret", "https://example.com:443/a" },
        { "https://example.com?secret", "https://example.com:443" },
        { "https://example.com#secret", "https://example.com:443" },
        { "http://[::1]:8080/x?secret", "http://[::1]:8080/x" },
        { "http://u:secret@", "(unreadable URL)" },
        { "secret", "(unreadable URL)" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char shown[200];
        ipc_origin_log_url(ipc_text(rows[i].url), shown, sizeof shown);
        assert_string_equal(shown, rows[i].shown);
    }
}

static void a_url_for_the_log_is_cut_to_its_place(void **state)
{
    (void)state;
    char shown[30], url[6000] = "https://example.com/";
    memset(url + strlen(url), 'x', 5000);
    memset(shown, '!', sizeof shown);
    ipc_origin_log_url(ipc_text(url), shown, sizeof shown - 1);
    assert_string_equal(shown, "https://example.com:443/xxxx");
    assert_int_equal(shown[29], '!');
}

static void a_url_has_a_length_that_fits_its_field_with_an_s_more(void **state)
{
    (void)state;
    static char url[IPC_URL_BYTES + 2] = "http://example.com/";
    memset(url + strlen(url), 'x', IPC_URL_BYTES - strlen(url));
    assert_key(url, "http://example.com:80");
    url[IPC_URL_BYTES] = 'x';
    assert_refused(url, IPC_URL_BYTES + 1, "longer than 32760");
    assert_true(IPC_URL_BYTES + 1 <= 32768);
}

UNIT_TESTS(TEST(a_url_has_a_length_that_fits_its_field_with_an_s_more), TEST(good_urls_have_their_origin), TEST(a_trailing_dot_is_another_host),
           TEST(an_empty_port_is_the_schemes_own), TEST(bad_urls_are_refused_with_a_reason),
           TEST(the_parts_are_borrowed_from_the_url), TEST(a_host_may_have_253_bytes_and_no_more),
           TEST(a_refusal_leaves_the_result_alone), TEST(no_reason_holds_any_of_the_url),
           TEST(a_url_for_the_log_has_no_userinfo_query_or_fragment),
           TEST(a_url_for_the_log_is_cut_to_its_place))
