/* netscape.c: cookie files as curl, wget and browsers' tools write them. */
#include "client/netscape.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct ipc_bytes bytes(const char *string)
{
    return (struct ipc_bytes){ (const uint8_t *)string, strlen(string) };
}

static void lines_that_are_cookies(void **state)
{
    (void)state;
    static const struct {
        const char *line, *domain, *path, *name, *value;
        uint64_t expires_s;
        bool host_only, secure, http_only;
    } table[] = {
        { "shop.test\tFALSE\t/\tFALSE\t0\ta\t1", "shop.test", "/", "a", "1", 0, true, false, false },
        { ".shop.test\tTRUE\t/x\tTRUE\t1999999999\ta\t1", "shop.test", "/x", "a", "1", 1999999999, false,
          true, false },
        { "shop.test\tTRUE\t/\tFALSE\t0\ta\t1", "shop.test", "/", "a", "1", 0, false, false, false },
        { "#HttpOnly_.shop.test\tTRUE\t/\tFALSE\t0\ta\t1", "shop.test", "/", "a", "1", 0, false, false,
          true },
        { "shop.test\tFALSE\t/\tFALSE\t0\ta\t", "shop.test", "/", "a", "", 0, true, false, false },
        { "shop.test\tFALSE\t/\tFALSE\t0\ta", "shop.test", "/", "a", "", 0, true, false, false },
        { "shop.test\tFALSE\t/\tFALSE\t0\t\tnameless", "shop.test", "/", "", "nameless", 0, true, false,
          false },
        { "shop.test\tFALSE\t/\tFALSE\t0\ta\tb\tc", "shop.test", "/", "a", "b\tc", 0, true, false, false },
        { "shop.test\tFALSE\t\tFALSE\t1699999999.5\ta\t=", "shop.test", "", "a", "=", 1699999999, true, false,
          false },
        { "shop.test\tFALSE\t/\tFALSE\t-1\ta\t1", "shop.test", "/", "a", "1", 1, true, false, false },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct ipc_cookie cookie;
        if (!netscape_read(bytes(table[i].line), &cookie))
            fail_msg("%s", table[i].line);
        assert_text_equal(cookie.domain, table[i].domain);
        assert_text_equal(cookie.path, table[i].path);
        assert_text_equal(cookie.name, table[i].name);
        assert_text_equal(cookie.value, table[i].value);
        assert_int_equal(cookie.expires_s, table[i].expires_s);
        assert_int_equal(cookie.host_only, table[i].host_only);
        assert_int_equal(cookie.secure, table[i].secure);
        assert_int_equal(cookie.http_only, table[i].http_only);
    }
}

static void lines_that_are_none(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "", "#", "# Netscape HTTP Cookie File", "#shop.test\tFALSE\t/\tFALSE\t0\ta\t1", "shop.test", "a=1",
        "shop.test FALSE / FALSE 0 a 1", "shop.test\tFALSE\t/\tFALSE\t0",
        "shop.test\tFALSE\t/\tFALSE\tsoon\ta\t1",
        "shop.test\tFALSE\t/\tFALSE\t\ta\t1", "shop.test\tFALSE\t/\tFALSE\t-\ta\t1",
        "\tFALSE\t/\tFALSE\t0\ta\t1",
        ".\tTRUE\t/\tFALSE\t0\ta\t1", "#HttpOnly_", "Set-Cookie: a=1",
    };
    struct ipc_cookie cookie;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (netscape_read(bytes(lines[i]), &cookie))
            fail_msg("%s", lines[i]);
}

static void lines_end_as_they_like(void **state)
{
    (void)state;
    struct ipc_bytes text = bytes("one\r\ntwo\n\n\r\nthree"), line;
    static const char *const wanted[] = { "one", "two", "", "", "three" };
    for (size_t i = 0; i < 5; i++) {
        assert_true(netscape_next_line(&text, &line));
        assert_text_equal(line, wanted[i]);
    }
    assert_false(netscape_next_line(&text, &line));
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct text out = { 0 };
    struct ipc_cookie in = { .name = bytes("a"), .value = bytes("\xff b=c"), .domain = IPC_TEXT("shop.test"),
                             .path = bytes("/x y"), .expires_s = 1999999999, .secure = true,
                             .http_only = true };
    netscape_write(&out, &in);
    assert_string_equal(out.data, "#HttpOnly_.shop.test\tTRUE\t/x y\tTRUE\t1999999999\ta\t\xff b=c\n");
    struct ipc_bytes text = { (const uint8_t *)out.data, out.length }, line;
    struct ipc_cookie cookie;
    assert_true(netscape_next_line(&text, &line) && netscape_read(line, &cookie));
    assert_text_equal(cookie.value, "\xff b=c");
    assert_text_equal(cookie.path, "/x y");
    assert_true(cookie.secure && cookie.http_only && !cookie.host_only);
    text_finish(&out);
}

UNIT_TESTS(TEST(lines_that_are_cookies), TEST(lines_that_are_none), TEST(lines_end_as_they_like),
           TEST(what_is_written_is_read_back))
