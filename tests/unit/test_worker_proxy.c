/* worker/proxy.c: proxies in a request's own words. */
#include "worker/proxy.h"

#include "unit.h"

#include <string.h>

static bool parses(const char *text, struct proxy *ret_proxy)
{
    const char *reason = NULL;
    return proxy_parse(ipc_text(text), ret_proxy, &reason) == 0;
}

static void each_scheme_is_what_it_is(void **state)
{
    (void)state;
    static const struct { const char *text, *host; bool is_https, is_given_addresses; } rows[] = {
        { "proxy", "proxy", false, false }, { "proxy:3128", "proxy", false, false },
        { "http://proxy:3128/", "proxy", false, false },
        { "HTTPS://u:p%40@proxy.example", "proxy.example", true, false },
        { "socks4://10.0.0.1:1080", "10.0.0.1", false, true }, { "socks4a://a_b-c", "a_b-c", false, false },
        { "socks5://u@[::1]:9050", "::1", false, true },
        { "socks5h://u:p:q@[fd00::1]", "fd00::1", false, false },
        { "u:a@b@proxy", "proxy", false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct proxy proxy;
        if (!parses(rows[i].text, &proxy))
            fail_msg("%s is refused", rows[i].text);
        assert_string_equal(proxy.host, rows[i].host);
        assert_int_equal(proxy.is_https, rows[i].is_https);
        assert_int_equal(proxy.is_given_addresses, rows[i].is_given_addresses);
    }
}

/* The last ones lead libcurl to a Unix socket. */
static void what_libcurl_could_read_otherwise_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "/", "://x", "ftp://x", "file:///x", "socks://x", "socks55://x", "http://", "http://:80",
        "http://x:", "http://x:0",
        "http://x:65536", "http://x:8o", "http://x y", "http://x\ty", "http://x?y", "http://x#y",
        "http://x\\y", "http://[::1",
        "http://[::1]x", "http://::1", "http://u:p/@x", "http://x%00y", "http://\xc3\xa9",
        "socks5h://localhost/run/tor.sock", "socks5h://localhost%2frun",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct proxy proxy;
        if (parses(wrong[i], &proxy))
            fail_msg("\"%s\" is taken", wrong[i]);
    }
}

UNIT_TESTS(
    TEST(each_scheme_is_what_it_is),
    TEST(what_libcurl_could_read_otherwise_is_refused))
