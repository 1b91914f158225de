/* cookies.c: what is kept, what is pushed out, what is sent, in which order. */
#include "daemon/cookies.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#define NOW 1000u

static struct cookies cookies;
static uint64_t total_bytes;
static struct cookies_limits limits;

static void begin(void)
{
    total_bytes = 0;
    limits = (struct cookies_limits){ 100, 10, 1 << 20 };
    cookies_init(&cookies, &total_bytes);
}

/* Nothing is left behind. */
static void end(void)
{
    cookies_clear(&cookies);
    assert_int_equal(total_bytes, 0);
    assert_int_equal(cookies.count, 0);
    assert_null(cookies.by_domain);
}

static struct ipc_bytes bytes(const char *string)
{
    return (struct ipc_bytes){ (const uint8_t *)string, strlen(string) };
}

static struct ipc_cookie record(const char *name, const char *value, const char *domain, const char *path)
{
    return (struct ipc_cookie){ .name = bytes(name), .value = bytes(value), .domain = ipc_text(domain),
                                .path = bytes(path) };
}

static bool put_record(const struct ipc_cookie *cookie)
{
    return cookies_put(&cookies, cookie, true, &limits, NOW);
}

static bool put(const char *name, const char *value, const char *domain, const char *path)
{
    struct ipc_cookie cookie = record(name, value, domain, path);
    return put_record(&cookie);
}

/* "a=1; b=2" for a URL, at a time. */
static const char *sent_at(const char *url, uint64_t now_s)
{
    static struct cookie_place place;
    static char line[COOKIES_SENT_BYTES + 1];
    struct ipc_pair pairs[COOKIES_SENT_MOST];
    assert_int_equal(cookie_place_of(ipc_text(url), &place), 0);
    size_t count = cookies_pick(&cookies, &place, now_s, pairs), used = 0;
    line[0] = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%.*s=%.*s", i ? "; " : "",
                                 (int)pairs[i].name.length, (const char *)pairs[i].name.data,
                                 (int)pairs[i].value.length, (const char *)pairs[i].value.data);
    return line;
}

#define assert_sent(url, line) assert_string_equal(sent_at(url, NOW), line)

static void cookies_go_to_their_domain_and_below_unless_host_only(void **state)
{
    (void)state;
    begin();
    struct ipc_cookie host_only = record("h", "1", "a.test", "/");
    host_only.host_only = true;
    assert_true(put_record(&host_only));
    assert_true(put("d", "2", "a.test", "/"));
    assert_sent("https://a.test/", "h=1; d=2");
    assert_sent("https://b.a.test/", "d=2");
    assert_sent("https://ba.test/", "");
    assert_sent("https://test/", "");
    end();
}

static void longer_paths_come_first_then_older_cookies(void **state)
{
    (void)state;
    begin();
    put("first", "1", "a.test", "/");
    put("second", "2", "b.a.test", "/");
    put("deep", "3", "a.test", "/x/y");
    put("mid", "4", "a.test", "/x");
    assert_sent("https://b.a.test/x/y/z", "deep=3; mid=4; first=1; second=2");
    end();
}

static void a_new_value_takes_the_old_ones_place_in_the_order(void **state)
{
    (void)state;
    begin();
    put("a", "1", "a.test", "/");
    put("b", "2", "a.test", "/");
    assert_true(put("a", "longer than before", "a.test", "/"));
    assert_int_equal(cookies.count, 2);
    assert_sent("https://a.test/", "a=longer than before; b=2");
    assert_true(put("a", "other path", "a.test", "/p"));
    assert_int_equal(cookies.count, 3);
    end();
}

static void host_only_and_domain_cookies_of_one_name_are_two(void **state)
{
    (void)state;
    begin();
    struct ipc_cookie cookie = record("a", "1", "a.test", "/");
    put_record(&cookie);
    cookie.host_only = true;
    put_record(&cookie);
    assert_int_equal(cookies.count, 2);
    end();
}

static void secure_cookies_go_over_tls_only(void **state)
{
    (void)state;
    begin();
    struct ipc_cookie cookie = record("s", "1", "a.test", "/");
    cookie.secure = true;
    put_record(&cookie);
    assert_sent("https://a.test/", "s=1");
    assert_sent("wss://a.test/", "s=1");
    assert_sent("http://a.test/", "");
    assert_sent("ws://a.test/", "");
    end();
}

static void an_expired_one_removes_its_like_and_nothing_else(void **state)
{
    (void)state;
    begin();
    put("a", "1", "a.test", "/");
    put("b", "2", "a.test", "/");
    struct ipc_cookie cookie = record("a", "", "a.test", "/");
    cookie.expires_s = NOW;
    assert_true(put_record(&cookie));
    assert_false(put_record(&cookie));
    assert_sent("https://a.test/", "b=2");
    end();
}

static void what_expires_is_not_sent_from_then_on(void **state)
{
    (void)state;
    begin();
    struct ipc_cookie cookie = record("a", "1", "a.test", "/");
    cookie.expires_s = NOW + 10;
    put_record(&cookie);
    assert_string_equal(sent_at("https://a.test/", NOW + 9), "a=1");
    assert_string_equal(sent_at("https://a.test/", NOW + 10), "");
    assert_null(cookies_from(&cookies, 0, NOW + 10));
    cookies_expire(&cookies, NOW + 10);
    assert_int_equal(cookies.count, 0);
    end();
}

/* 5.7, 16: "leave secure cookies alone" */
static void without_tls_nobody_overlays_a_secure_cookie(void **state)
{
    (void)state;
    begin();
    struct ipc_cookie secure = record("a", "1", "b.a.test", "/x"), plain;
    secure.secure = true;
    put_record(&secure);
    static const struct { const char *domain, *path; bool taken; } table[] = {
        { "b.a.test", "/x", false }, { "a.test", "/x", false }, { "c.b.a.test", "/x", false },
        { "b.a.test", "/x/y", false }, { "b.a.test", "/", true }, { "other.test", "/x", true },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        plain = record("a", "evil", table[i].domain, table[i].path);
        assert_int_equal(cookies_put(&cookies, &plain, false, &limits, NOW), table[i].taken);
    }
    plain = record("b", "other name", "b.a.test", "/x");
    assert_true(cookies_put(&cookies, &plain, false, &limits, NOW));
    plain = record("a", "by TLS", "b.a.test", "/x");
    assert_true(cookies_put(&cookies, &plain, true, &limits, NOW));
    end();
}

/* ---- bounds ---- */

static void put_numbered(const char *domain, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        assert_true(put(name, "v", domain, "/"));
    }
}

static void a_domain_too_full_loses_what_was_sent_longest_ago(void **state)
{
    (void)state;
    begin();
    put_numbered("a.test", 0, 10);
    put("sent", "1", "other.test", "/");
    put("p", "1", "a.test", "/p");
    assert_int_equal(cookies.count, 11);
    assert_string_equal(sent_at("https://a.test/", NOW),
                        "n1=v; n2=v; n3=v; n4=v; n5=v; n6=v; n7=v; n8=v; n9=v");
    put("x", "1", "a.test", "/");   /* "p" was sent before the others were */
    assert_null(strstr(sent_at("https://a.test/p", NOW), "p=1"));
    end();
}

static void expired_ones_go_first_then_those_that_are_not_secure(void **state)
{
    (void)state;
    begin();
    limits.of_domain = 3;
    struct ipc_cookie cookie = record("secure", "1", "a.test", "/");
    cookie.secure = true;
    put_record(&cookie);
    put("plain", "1", "a.test", "/");
    cookie = record("old", "1", "a.test", "/");
    cookie.expires_s = NOW + 1;
    put_record(&cookie);
    cookie = record("new", "1", "a.test", "/");
    assert_true(cookies_put(&cookies, &cookie, true, &limits, NOW + 1));
    assert_string_equal(sent_at("https://a.test/", NOW + 1), "secure=1; plain=1; new=1");
    assert_true(put("newer", "1", "a.test", "/"));
    assert_sent("https://a.test/", "secure=1; new=1; newer=1");
    end();
}

static void a_session_too_full_loses_what_was_sent_longest_ago(void **state)
{
    (void)state;
    begin();
    limits.count = 5;
    for (unsigned i = 0; i < 8; i++) {
        char domain[16];
        snprintf(domain, sizeof domain, "d%u.test", i);
        assert_true(put("a", "1", domain, "/"));
        if (i == 4)
            assert_sent("https://d0.test/", "a=1");
    }
    assert_int_equal(cookies.count, 5);
    assert_sent("https://d0.test/", "a=1");
    assert_sent("https://d1.test/", "");
    assert_sent("https://d7.test/", "a=1");
    end();
}

static void bytes_of_a_user_are_bounded_over_all_sessions(void **state)
{
    (void)state;
    struct cookies other;
    begin();
    cookies_init(&other, &total_bytes);
    limits.bytes = 2000;
    put_numbered("a.test", 0, 5);
    uint64_t kept = total_bytes;
    struct ipc_cookie cookie = record("b", "1", "b.test", "/");
    for (unsigned i = 0; i < 100; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%u", i);
        cookie.path = bytes(path);
        cookies_put(&other, &cookie, true, &limits, NOW);
        assert_true(total_bytes <= 2000);
    }
    cookie.path = bytes("/");
    assert_int_equal(cookies.count, 5);   /* a session pushes out its own only */
    assert_true(other.count > 0);
    cookies_clear(&other);
    assert_int_equal(total_bytes, kept);
    static char large[1800];
    memset(large, 'x', sizeof large - 1);
    assert_true(put("large", large, "a.test", "/"));
    assert_int_equal(cookies.count, 1);
    assert_false(cookies_put(&other, &cookie, true, &limits, NOW));
    assert_int_equal(other.count, 0);
    end();
}

static void a_request_sends_a_bounded_number_and_bounded_bytes(void **state)
{
    (void)state;
    static struct cookie_place place;
    struct ipc_pair pairs[COOKIES_SENT_MOST];
    static char value[1000];
    begin();
    limits = (struct cookies_limits){ 1000, 1000, 1 << 24 };
    put_numbered("a.test", 0, 200);
    assert_int_equal(cookie_place_of(IPC_TEXT("https://a.test/p"), &place), 0);
    assert_int_equal(cookies_pick(&cookies, &place, NOW, pairs), COOKIES_SENT_MOST);
    memset(value, 'v', sizeof value - 1);
    for (unsigned i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "long%u", i);
        put(name, value, "a.test", "/p");
    }
    assert_int_equal(cookies_pick(&cookies, &place, NOW, pairs), 8);
    end();
}

static void records_come_back_as_they_went_in(void **state)
{
    (void)state;
    begin();
    struct ipc_cookie in = record("a", "\xff\xfe", "a.test", "/x");
    in.expires_s = NOW + 5;
    in.host_only = in.secure = in.http_only = true;
    put_record(&in);
    put("b", "", "a.test", "/");
    const struct cookie *cookie = cookies_from(&cookies, 0, NOW);
    struct ipc_cookie out = cookie_record(cookie);
    assert_text_equal(out.name, "a");
    assert_text_equal(out.value, "\xff\xfe");
    assert_text_equal(out.domain, "a.test");
    assert_text_equal(out.path, "/x");
    assert_int_equal(out.expires_s, NOW + 5);
    assert_true(out.host_only && out.secure && out.http_only);
    cookie = cookies_after(cookie, NOW);
    assert_text_equal(cookie->name, "b");
    assert_ptr_equal(cookies_from(&cookies, cookie->number, NOW), cookie);
    assert_null(cookies_after(cookie, NOW));
    end();
}

UNIT_TESTS(TEST(cookies_go_to_their_domain_and_below_unless_host_only),
           TEST(longer_paths_come_first_then_older_cookies),
           TEST(a_new_value_takes_the_old_ones_place_in_the_order),
           TEST(host_only_and_domain_cookies_of_one_name_are_two),
           TEST(secure_cookies_go_over_tls_only), TEST(an_expired_one_removes_its_like_and_nothing_else),
           TEST(what_expires_is_not_sent_from_then_on), TEST(without_tls_nobody_overlays_a_secure_cookie),
           TEST(a_domain_too_full_loses_what_was_sent_longest_ago),
           TEST(expired_ones_go_first_then_those_that_are_not_secure),
           TEST(a_session_too_full_loses_what_was_sent_longest_ago),
           TEST(bytes_of_a_user_are_bounded_over_all_sessions),
           TEST(a_request_sends_a_bounded_number_and_bounded_bytes), TEST(records_come_back_as_they_went_in))
