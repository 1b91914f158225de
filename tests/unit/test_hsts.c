/* daemon/hsts.c and worker/hsts.c: RFC 6797. */
#include "daemon/hsts.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define NOW 1000u

static struct hsts hsts;
static uint64_t total_bytes;
static const struct hsts_limits limits = { 3, 1 << 20 };

static void note(const char *name, uint64_t expires_s, bool subdomains)
{
    struct ipc_hsts record = { .expires_s = expires_s, .subdomains = subdomains };
    if (!hsts.total_bytes)
        hsts_init(&hsts, &total_bytes);
    assert_true(hsts_note(&hsts, name, &record, &limits, NOW));
}

static void end(void)
{
    hsts_clear(&hsts);
    assert_int_equal(hsts_count(&hsts), 0);
    assert_int_equal(total_bytes, 0);
}

static void a_host_is_covered_and_those_below_it_when_it_says_so(void **state)
{
    (void)state;
    note("a.test", NOW + 10, false);
    note("b.test", NOW + 10, true);
    static const struct { const char *name; bool covered; } table[] = {
        { "a.test", true }, { "x.a.test", false }, { "b.test", true }, { "x.b.test", true },
        { "y.x.b.test", true },
        { "xb.test", false }, { "test", false }, { "c.test", false },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(hsts_covers(&hsts, table[i].name, NOW), table[i].covered);
    assert_false(hsts_covers(&hsts, "a.test", NOW + 10));
    note("a.test", 1, false);
    assert_false(hsts_covers(&hsts, "a.test", NOW));
    end();
}

static void those_that_end_soonest_go_when_there_are_too_many(void **state)
{
    (void)state;
    note("a.test", NOW + 30, false);
    note("b.test", NOW + 10, false);
    note("c.test", NOW + 20, false);
    note("d.test", NOW + 5, false);
    assert_int_equal(hsts_count(&hsts), 3);
    assert_true(hsts_covers(&hsts, "d.test", NOW));
    assert_false(hsts_covers(&hsts, "b.test", NOW));
    hsts_expire(&hsts, NOW + 20);
    assert_int_equal(hsts_count(&hsts), 1);
    struct ipc_hsts record = { .expires_s = NOW + 10 };
    struct hsts_limits none = { 0, 1 << 20 };
    assert_false(hsts_note(&hsts, "e.test", &record, &none, NOW));
    end();
}

/* Another session of the user may have them all. */
static void bytes_of_a_user_are_bounded(void **state)
{
    (void)state;
    struct ipc_hsts record = { .expires_s = NOW + 10 };
    note("a.test", NOW + 10, false);
    struct hsts_limits tight = { 3, total_bytes + 10 };
    assert_true(hsts_note(&hsts, "b.test", &record, &tight, NOW));
    assert_int_equal(hsts_count(&hsts), 1);
    total_bytes += 20;
    assert_false(hsts_note(&hsts, "c.test", &record, &tight, NOW));
    total_bytes -= 20;
    end();
}

static void no_promise_lasts_for_ever(void **state)
{
    (void)state;
    note("a.test", UINT64_MAX, false);
    assert_int_equal(hsts_record(hsts.by_name).expires_s, NOW + HSTS_LIFE_S);
    end();
}

static void urls_become_those_of_tls(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        { "http://a.test/p?q#f", "https://a.test/p?q#f" }, { "HTTP://A.Test", "HTTPs://A.Test" },
        { "http://a.test:80/", "https://a.test/" }, { "http://a.test:8080/", "https://a.test:8080/" },
        { "ws://a.test/", "wss://a.test/" }, { "http://u:p@a.test:80?q", "https://u:p@a.test?q" },
        { "http://a.test./", "https://a.test./" }, { "http://x.b.test:/", "https://x.b.test/" },
        { "https://a.test/", NULL }, { "wss://a.test/", NULL }, { "ftp://a.test/", NULL },
        { "http://c.test/", NULL },
        { "http://x.a.test/", NULL }, { "http://10.0.0.1/", NULL }, { "http://[::1]/", NULL },
        { "not a URL", NULL },
    };
    note("a.test", NOW + 10, false);
    note("b.test", NOW + 10, true);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        bool failed = true;
        char *url = hsts_upgrade(&hsts, ipc_text(table[i][0]), NOW, &failed);
        assert_false(failed);
        if (table[i][1])
            assert_string_equal(url ? url : "(null)", table[i][1]);
        else
            assert_null(url);
        free(url);
    }
    end();
}

UNIT_TESTS(TEST(a_host_is_covered_and_those_below_it_when_it_says_so),
           TEST(those_that_end_soonest_go_when_there_are_too_many), TEST(bytes_of_a_user_are_bounded),
           TEST(no_promise_lasts_for_ever),
           TEST(urls_become_those_of_tls))
