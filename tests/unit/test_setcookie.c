/* setcookie.c and cookiedate.c: RFC 6265bis, 5.6 and 5.1.1, and what curl's own tests try. */
#include "worker/cookiedate.h"
#include "worker/setcookie.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#define NOW 1000000000u
#define DAYS_400 (400u * 86400)

static struct ipc_bytes bytes(const char *string)
{
    return (struct ipc_bytes){ (const uint8_t *)string, strlen(string) };
}

static void names_and_values(void **state)
{
    (void)state;
    static const struct { const char *text, *name, *value; } table[] = {
        { "a=1", "a", "1" }, { "a=1;", "a", "1" }, { " a = 1 ; x", "a", "1" }, { "a=", "a", "" },
        { "=1", "", "1" },
        { "just", "", "just" }, { "a=b=c", "a", "b=c" }, { "a=\"q; r\"", "a", "\"q" },
        { "a=\"1\"", "a", "\"1\"" },
        { "\ta\t=\t1\t", "a", "1" }, { "a=1,b=2", "a", "1,b=2" }, { "a=\xc3\xa4", "a", "\xc3\xa4" },
        { "a b=c d", "a b", "c d" }, { "__Host-a=1", "__Host-a", "1" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct ipc_cookie cookie;
        if (!setcookie_read(bytes(table[i].text), NOW, &cookie))
            fail_msg("%s", table[i].text);
        assert_text_equal(cookie.name, table[i].name);
        assert_text_equal(cookie.value, table[i].value);
        assert_int_equal(cookie.expires_s, 0);
    }
}

static void what_is_ignored(void **state)
{
    (void)state;
    static char long_pair[4200];
    memset(long_pair, 'x', 4097);
    const char *table[] = { "", "=", ";", " ; a=1", "=; a", "a=1\r\nb", "a=\x01", "a\x7f=1",
                            "a=1; Path=/\x02", "a=1\t2",
                            "a\tb=1", "a=1; Domain=a b", "a=1; Domain=\xc3\xa4.test", "a=1; Path=/a\tb",
                            long_pair };
    struct ipc_cookie cookie;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (setcookie_read(bytes(table[i]), NOW, &cookie))
            fail_msg("row %zu was taken", i);
    long_pair[4096] = '\0';
    assert_true(setcookie_read(bytes(long_pair), NOW, &cookie));
    assert_false(setcookie_read((struct ipc_bytes){ (const uint8_t *)"a=1\0b", 5 }, NOW, &cookie));
}

static void attributes(void **state)
{
    (void)state;
    static char long_path[1200] = "a=1; Path=/";
    static const struct { const char *text, *domain, *path; bool secure, http_only; } table[] = {
        { "a=1; Domain=Shop.Test", "Shop.Test", "", false, false },
        { "a=1; domain=.shop.test", "shop.test", "", false, false },
        { "a=1; Domain=..shop.test", ".shop.test", "", false, false },
        { "a=1; Domain=", "", "", false, false }, { "a=1; Domain", "", "", false, false },
        { "a=1; Domain=a.test; Domain=b.test", "b.test", "", false, false },
        { "a=1; Domain=a.test; Domain=", "", "", false, false },
        { "a=1; Path=/x/y", "", "/x/y", false, false }, { "a=1; Path=x", "", "", false, false },
        { "a=1; Path=", "", "", false, false }, { "a=1; Path=/a; Path=/b", "", "/b", false, false },
        { "a=1; Path=/a; Path=b", "", "", false, false }, { "a=1; path = /p ", "", "/p", false, false },
        { "a=1; Secure", "", "", true, false }, { "a=1; secure=no", "", "", true, false },
        { "a=1; HttpOnly; SameSite=Strict; Priority=High; Partitioned", "", "", false, true },
        { "a=1; Secured; NotHttpOnly", "", "", false, false }, { "a=1;;;Secure;", "", "", true, false },
        { long_path, "", "", false, false },
    };
    memset(long_path + 11, 'p', 1100);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct ipc_cookie cookie;
        if (!setcookie_read(bytes(table[i].text), NOW, &cookie))
            fail_msg("%s", table[i].text);
        assert_text_equal(cookie.domain, table[i].domain);
        assert_text_equal(cookie.path, table[i].path);
        assert_int_equal(cookie.secure, table[i].secure);
        assert_int_equal(cookie.http_only, table[i].http_only);
        assert_false(cookie.host_only);
    }
}

/* 1 is a time in the past: remove it. */
static void lives(void **state)
{
    (void)state;
    static const struct { const char *text; uint64_t expires_s; } table[] = {
        { "a=1; Max-Age=10", NOW + 10 }, { "a=1; Max-Age=0", 1 }, { "a=1; Max-Age=-5", 1 },
        { "a=1; Max-Age=", 0 },
        { "a=1; Max-Age=-", 0 }, { "a=1; Max-Age=1x", 0 }, { "a=1; Max-Age=+1", 0 },
        { "a=1; Max-Age=\"1\"", 0 },
        { "a=1; Max-Age=99999999999999999999", NOW + DAYS_400 }, { "a=1; Max-Age=00010", NOW + 10 },
        { "a=1; Max-Age=10; Max-Age=20", NOW + 20 }, { "a=1; Max-Age=10; Max-Age=x", NOW + 10 },
        { "a=1; Expires=Sun, 09 Sep 2001 01:46:50 GMT", NOW + 10 },
        { "a=1; Expires=Sun, 09 Sep 2001 01:46:40 GMT", 1 },
        { "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 1 },
        { "a=1; Expires=Mon, 01 Jan 1601 00:00:00 GMT", 1 },
        { "a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT", NOW + DAYS_400 }, { "a=1; Expires=never", 0 },
        { "a=1; Expires=0", 0 }, { "a=1; Max-Age=10; Expires=Thu, 01 Jan 1970 00:00:00 GMT", NOW + 10 },
        { "a=1; Expires=Fri, 31 Dec 2999 23:59:59 GMT; Max-Age=0", 1 },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct ipc_cookie cookie;
        assert_true(setcookie_read(bytes(table[i].text), NOW, &cookie));
        if (cookie.expires_s != table[i].expires_s)
            fail_msg("%s: %llu", table[i].text, (unsigned long long)cookie.expires_s);
    }
}

static void dates_are_read_as_leniently_as_the_rfc_has_it(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t time_s; } table[] = {
        { "Wed, 09 Jun 2021 10:18:14 GMT", 1623233894 }, { "Wednesday, 09-Jun-21 10:18:14 GMT", 1623233894 },
        { "Wed Jun  9 10:18:14 2021", 1623233894 }, { "9 jun 2021 10:18:14", 1623233894 },
        { "2021 9 JUNE 10:18:14 +0900", 1623233894 }, { "10:18:14x 9th Junior 2021!", 1623233894 },
        { "09-Jun-2021 1:8:4", 1623200884 }, { "1 Jan 1970 0:0:0", 0 }, { "31 Dec 1969 23:59:59", 0 },
        { "1 Jan 70 0:0:1", 1 }, { "1 Jan 69 0:0:0", 3124224000 }, { "29 Feb 2000 12:00:00", 951825600 },
        { "31 Dec 9999 23:59:59", 253402300799 },
        /* and no more leniently */
        { "", -1 }, { "Wed, 09 Jun 2021", -1 }, { "10:18:14 Jun 2021", -1 }, { "09 2021 10:18:14", -1 },
        { "09 Jun 10:18:14", -1 }, { "32 Jan 2021 10:18:14", -1 }, { "29 Feb 2021 10:18:14", -1 },
        { "0 Jan 2021 10:18:14", -1 }, { "9 Jun 1600 10:18:14", -1 }, { "9 Jun 2021 24:00:00", -1 },
        { "9 Jun 2021 10:60:00", -1 }, { "9 Jun 2021 10:18:60", -1 }, { "9 Jun 2021 10:18", -1 },
        { "9 Jun 20215 10:18:14", -1 }, { "009 Jun 2021 10:18:14", -1 }, { "9 Ju 2021 10:18:14", -1 },
        { "9 Jun 2021 010:18:14", -1 },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t time_s = 77;
        bool is_date = cookiedate_read(bytes(table[i].text), &time_s);
        if (is_date != (table[i].time_s >= 0) || (is_date && time_s != (uint64_t)table[i].time_s))
            fail_msg("%s: %d %llu", table[i].text, is_date, (unsigned long long)time_s);
    }
}

static void an_answer_has_a_bounded_number(void **state)
{
    (void)state;
    struct ipc_pair headers[120];
    struct ipc_cookie cookies[SETCOOKIE_MOST];
    for (size_t i = 0; i < 120; i++)
        headers[i] = (struct ipc_pair){ bytes(i % 2 ? "SET-Cookie" : "Set-Cookie2"), bytes("a=1") };
    assert_int_equal(setcookie_collect((struct ipc_pairs){ headers, 10 }, NOW, cookies), 5);
    assert_int_equal(setcookie_collect((struct ipc_pairs){ headers, 120 }, NOW, cookies), SETCOOKIE_MOST);
}

UNIT_TESTS(TEST(names_and_values), TEST(what_is_ignored), TEST(attributes), TEST(lives),
           TEST(dates_are_read_as_leniently_as_the_rfc_has_it), TEST(an_answer_has_a_bounded_number))
