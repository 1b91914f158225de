/* cookie.c: RFC 6265bis, case by case. */
#include "daemon/cookie.h"
#include "daemon/suffix.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#define NOW 1000000000u

static struct suffixes *suffixes;

static struct ipc_bytes bytes(const char *string)
{
    return (struct ipc_bytes){ (const uint8_t *)string, string ? strlen(string) : 0 };
}

/* "name=value; Domain=...; Path=...; Secure; HostOnly", as a worker or a client would say it. */
static struct ipc_cookie record_of(const char *text)
{
    static char copy[8192];
    struct ipc_cookie cookie = { .expires_s = 0 };
    snprintf(copy, sizeof copy, "%s", text);
    char *rest = copy, *part = strsep(&rest, ";"), *equals = strchr(part, '=');
    if (equals)
        *equals = '\0';
    cookie.name = bytes(equals ? part : "");
    cookie.value = bytes(equals ? equals + 1 : part);
    while ((part = strsep(&rest, ";"))) {
        part += *part == ' ';
        if (strncmp(part, "Domain=", 7) == 0)
            cookie.domain = ipc_text(part + 7);
        else if (strncmp(part, "Path=", 5) == 0)
            cookie.path = bytes(part + 5);
        else if (strcmp(part, "Secure") == 0)
            cookie.secure = true;
        else if (strcmp(part, "HostOnly") == 0)
            cookie.host_only = true;
        else
            fail_msg("%s?", part);
    }
    return cookie;
}

static enum cookie_verdict check(const char *url, const char *text, struct cookie_checked *ret_checked)
{
    static struct cookie_place place;
    struct ipc_cookie record = record_of(text);
    suffixes = suffixes ? suffixes : suffixes_open();
    assert_non_null(suffixes);
    if (url)
        assert_int_equal(cookie_place_of(ipc_text(url), &place), 0);
    return cookie_check(&record, url ? &place : NULL, suffixes, NOW, ret_checked);
}

static void end(void)
{
    suffixes_close(suffixes);
    suffixes = NULL;
}

/* ---- places ---- */

static void a_url_becomes_a_host_and_a_path(void **state)
{
    (void)state;
    static const struct { const char *url, *host, *path; bool secure, is_address; } table[] = {
        { "https://Example.COM", "example.com", "/", true, false },
        { "http://example.com./a/b?c=/d", "example.com", "/a/b", false, false },
        { "wss://a.example:8443/x#/y", "a.example", "/x", true, false },
        { "ws://a.example?q", "a.example", "/", false, false },
        { "https://user:pw@a.example/p", "a.example", "/p", true, false },
        { "http://127.0.0.1:8080/", "127.0.0.1", "/", false, true },
        { "http://[::1]:8080/a", "::1", "/a", false, true },
        { "http://127.1/", "127.1", "/", false, true },
        { "http://0x7f000001/", "0x7f000001", "/", false, true },
        { "http://2130706433/", "2130706433", "/", false, true },
        { "http://1e100.net/", "1e100.net", "/", false, false },
        { "http://a.example/a/../b", "a.example", "/b", false, false },
        { "http://a.example/a/./b/..", "a.example", "/a/", false, false },
        { "http://a.example/../../x", "a.example", "/x", false, false },
        { "http://a.example/a//b/", "a.example", "/a//b/", false, false },
        { "http://a.example/.", "a.example", "/", false, false },
        { "http://a.example/a/...", "a.example", "/a/...", false, false },
    };
    static struct cookie_place place;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(cookie_place_of(ipc_text(table[i].url), &place), 0);
        assert_string_equal(place.host, table[i].host);
        assert_text_equal(((struct ipc_text){ place.path, place.path_length }), table[i].path);
        assert_int_equal(place.secure, table[i].secure);
        assert_int_equal(place.is_address, table[i].is_address);
    }
}

static void what_is_no_url_of_http_has_no_place(void **state)
{
    (void)state;
    static const char *const urls[] = { "ftp://a.example/", "ftps://a.example/", "a.example", "http://./",
                                        "" };
    static struct cookie_place place;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        assert_int_equal(cookie_place_of(ipc_text(urls[i]), &place), -1);
}

/* ---- matching ---- */

static void domains_match_by_whole_labels(void **state)
{
    (void)state;
    assert_true(cookie_domain_matches("a.example", false, "a.example"));
    assert_true(cookie_domain_matches("b.a.example", false, "a.example"));
    assert_false(cookie_domain_matches("ba.example", false, "a.example"));
    assert_false(cookie_domain_matches("a.example", false, "b.a.example"));
    assert_false(cookie_domain_matches("10.0.0.1", true, "0.0.1"));
    assert_true(cookie_domain_matches("10.0.0.1", true, "10.0.0.1"));
}

static void paths_match_by_whole_segments(void **state)
{
    (void)state;
    static const struct { const char *path, *cookie; bool matches; } table[] = {
        { "/", "/", true }, { "/a", "/", true }, { "/a", "/a", true }, { "/a/", "/a", true },
        { "/a/b", "/a", true },
        { "/a/b", "/a/", true }, { "/ab", "/a", false }, { "/", "/a", false }, { "/a", "/a/", false },
        { "/A", "/a", false }, { "/a", "", false },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(cookie_path_matches(table[i].path, strlen(table[i].path), bytes(table[i].cookie)),
                         table[i].matches);
}

/* ---- what an origin may set ---- */

struct allowed { const char *url, *cookie, *domain, *path; bool host_only; };

static void what_an_origin_may_set(void **state)
{
    (void)state;
    static const struct allowed table[] = {
        { "https://www.shop.test/a/b/c", "a=1", "www.shop.test", "/a/b", true },
        { "https://www.shop.test/a", "a=1", "www.shop.test", "/", true },
        { "https://www.shop.test", "a=1; Path=/x/y", "www.shop.test", "/x/y", true },
        { "https://www.shop.test/", "a=1; Domain=shop.test", "shop.test", "/", false },
        { "https://www.shop.test/", "a=1; Domain=SHOP.Test.", "shop.test", "/", false },
        { "https://www.shop.test/", "a=1; Domain=www.shop.test", "www.shop.test", "/", false },
        { "http://www.shop.test/", "a=1", "www.shop.test", "/", true },
        /* a public suffix that is the host itself: for that host alone (5.7, 9) */
        { "https://co.uk/", "a=1; Domain=co.uk", "co.uk", "/", true },
        { "http://localhost/", "a=1; Domain=localhost", "localhost", "/", true },
        { "https://alice.github.io/", "a=1; Domain=alice.github.io", "alice.github.io", "/", false },
        { "http://10.0.0.1/", "a=1; Domain=10.0.0.1", "10.0.0.1", "/", true },
        { "http://[::1]/", "a=1", "::1", "/", true },
        { "https://a.shop.test/", "__Secure-a=1; Domain=shop.test; Secure", "shop.test", "/", false },
        { "https://a.shop.test/x/y", "__Host-a=1; Path=/; Secure", "a.shop.test", "/", true },
        { "https://a.shop.test/", "just-a-value", "a.shop.test", "/", true },
        { "https://a.shop.test/", "a=__Host-", "a.shop.test", "/", true },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct cookie_checked checked;
        if (check(table[i].url, table[i].cookie, &checked) != COOKIE_TAKEN)
            fail_msg("%s may set %s", table[i].url, table[i].cookie);
        assert_text_equal(checked.record.domain, table[i].domain);
        assert_text_equal(checked.record.path, table[i].path);
        assert_int_equal(checked.record.host_only, table[i].host_only);
    }
    end();
}

static void what_an_origin_may_not_set(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        { "https://www.shop.test/", "a=1; Domain=other.test" },
        { "https://shop.test/", "a=1; Domain=www.shop.test" },
        { "https://notshop.test/", "a=1; Domain=shop.test" },
        { "https://www.shop.test/", "a=1; Domain=test" },
        { "https://shop.co.uk/", "a=1; Domain=co.uk" },
        { "https://alice.github.io/", "a=1; Domain=github.io" },
        { "https://alice.github.io/", "a=1; Domain=bob.github.io" },
        { "https://a.b.kawasaki.jp/", "a=1; Domain=b.kawasaki.jp" },
        { "http://10.0.0.1/", "a=1; Domain=0.0.1" },
        { "http://10.0.0.1/", "a=1; Domain=1" },
        { "http://www.shop.test/", "a=1; Secure" },
        { "ws://www.shop.test/", "a=1; Secure" },
        { "http://www.shop.test/", "__Secure-a=1; Secure" },
        { "https://www.shop.test/", "__Secure-a=1" },
        { "https://www.shop.test/", "__secure-a=1" },
        { "https://www.shop.test/", "__Host-a=1; Path=/" },
        { "https://www.shop.test/", "__Host-a=1; Secure; Path=/; Domain=www.shop.test" },
        { "https://www.shop.test/a/", "__Host-a=1; Secure" },
        { "https://www.shop.test/", "__HOST-a=1; Secure; Path=/a" },
        { "https://www.shop.test/", "__Host-nameless; Secure; Path=/" },
        { "https://www.shop.test/", "__Secure-nameless; Secure" },
        { "https://www.shop.test/", "a=1; Domain=shop.test/evil" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct cookie_checked checked;
        if (check(table[i][0], table[i][1], &checked) != COOKIE_REFUSED)
            fail_msg("%s may not set %s", table[i][0], table[i][1]);
    }
    end();
}

static void what_no_worker_says(void **state)
{
    (void)state;
    static char long_value[4200], long_path[1200];
    memset(long_value, 'v', sizeof long_value - 1);
    snprintf(long_path, sizeof long_path, "a=1; Path=/%0*d", 1100, 0);
    const char *table[] = { "", "=", "a=\r\nSet-Cookie: b", "a=1\t2", "a\x01=1", "a=\x7f", " a=1", "a=1 ",
                            "a=1; Path=x",
                            "a=1; Path=/\n", long_value, long_path };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct cookie_checked checked;
        if (check("https://www.shop.test/", table[i], &checked) != COOKIE_IMPOSSIBLE)
            fail_msg("taken for possible: row %zu", i);
    }
    /* What a Cookie header would make two of. */
    struct ipc_cookie split = { .name = bytes("a"), .value = bytes("1; b=2") };
    struct ipc_cookie equals = { .name = bytes("a=b"), .value = bytes("1") };
    static struct cookie_place place;
    struct cookie_checked checked;
    assert_int_equal(cookie_place_of(IPC_TEXT("https://www.shop.test/"), &place), 0);
    assert_int_equal(cookie_check(&split, &place, suffixes, NOW, &checked), COOKIE_IMPOSSIBLE);
    assert_int_equal(cookie_check(&equals, &place, suffixes, NOW, &checked), COOKIE_IMPOSSIBLE);
    end();
}

static void a_client_names_the_domain_and_may_set_any_but_a_suffix(void **state)
{
    (void)state;
    static const struct { const char *cookie; enum cookie_verdict verdict; } table[] = {
        { "a=1", COOKIE_REFUSED }, { "a=1; Domain=shop.test", COOKIE_TAKEN },
        { "a=1; Domain=test", COOKIE_REFUSED },
        { "a=1; Domain=localhost; HostOnly", COOKIE_TAKEN }, { "a=1; Domain=co.uk", COOKIE_REFUSED },
        { "a=1; Domain=127.0.0.1", COOKIE_TAKEN }, { "a=1; Domain=::1", COOKIE_TAKEN },
        { "a=1; Domain=shop.test; Secure", COOKIE_TAKEN },
        { "__Host-a=1; Domain=shop.test; Secure", COOKIE_REFUSED },
        { "__Host-a=1; Domain=shop.test; Secure; HostOnly", COOKIE_TAKEN },
        { "a=1; Domain=a b", COOKIE_REFUSED },
        { "a=1; Domain=.shop.test", COOKIE_REFUSED }, { "a=1; Domain=a..test", COOKIE_REFUSED },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct cookie_checked checked;
        if (check(NULL, table[i].cookie, &checked) != table[i].verdict)
            fail_msg("%s", table[i].cookie);
    }
    end();
}

static void no_cookie_lives_longer_than_400_days(void **state)
{
    (void)state;
    struct cookie_checked checked;
    struct ipc_cookie record = record_of("a=1");
    static struct cookie_place place;
    suffixes = suffixes_open();
    assert_int_equal(cookie_place_of(IPC_TEXT("https://a.test/"), &place), 0);
    record.expires_s = UINT64_MAX;
    assert_int_equal(cookie_check(&record, &place, suffixes, NOW, &checked), COOKIE_TAKEN);
    assert_int_equal(checked.record.expires_s, NOW + COOKIE_LIFE_S);
    record.expires_s = 1;
    assert_int_equal(cookie_check(&record, &place, suffixes, NOW, &checked), COOKIE_TAKEN);
    assert_int_equal(checked.record.expires_s, 1);
    end();
}

static void hosts_of_hsts_are_names(void **state)
{
    (void)state;
    char host[COOKIE_HOST_BYTES];
    assert_true(cookie_host_of(IPC_TEXT("Example.COM."), host));
    assert_string_equal(host, "example.com");
    static const char *const others[] = { "", ".", "10.0.0.1", "::1", "127.1", "a b", "a/b", ".a", "a..b" };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(cookie_host_of(ipc_text(others[i]), host));
}

UNIT_TESTS(TEST(a_url_becomes_a_host_and_a_path), TEST(what_is_no_url_of_http_has_no_place),
           TEST(domains_match_by_whole_labels), TEST(paths_match_by_whole_segments),
           TEST(what_an_origin_may_set),
           TEST(what_an_origin_may_not_set), TEST(what_no_worker_says),
           TEST(a_client_names_the_domain_and_may_set_any_but_a_suffix),
           TEST(no_cookie_lives_longer_than_400_days),
           TEST(hosts_of_hsts_are_names))
