/* daemon/origin.c: limits and breaker of one origin. The clock is an argument. */
#include "daemon/origin.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct origins origins;
static struct conf *conf;

static void set(const char *key, const char *value)
{
    char error[CONF_ERROR_BYTES];
    if (!conf)
        conf = conf_create();
    if (conf_set(conf, "origin \"*\"", key, value, error) < 0)
        fail_msg("%s", error);
    origins_configure(&origins, conf);
}

static struct origin *hold(const char *url)
{
    struct ipc_origin parsed;
    const char *reason;
    if (!conf)
        set("rate", "0");
    assert_int_equal(ipc_origin_parse(ipc_text(url), &parsed, &reason), 0);
    return origins_hold(&origins, &parsed);
}

static enum origin_verdict admit(struct origin *origin, uint64_t now_ms)
{
    uint64_t until_ms;
    return origin_admit(&origins, origin, now_ms, &until_ms);
}

static void end(void)
{
    origins_expire(&origins, UINT64_MAX);
    conf_destroy(conf);
    conf = NULL;
}

static void urls_of_an_origin_share_it(void **state)
{
    (void)state;
    struct origin *first = hold("https://Example.com/a");
    assert_ptr_equal(hold("https://example.com:443/b?c"), first);
    assert_ptr_not_equal(hold("http://example.com/"), first);
    assert_string_equal(first->key, "https://example.com:443");
    assert_int_equal(first->references, 2);
    origins_release(&origins, first);
    assert_int_equal(first->references, 1);
    end();
}

static void an_origin_is_forgotten_when_nobody_named_or_used_it_lately(void **state)
{
    (void)state;
    struct origin *held = hold("https://held.example/"), *used = hold("https://used.example/");
    struct origin *idle = hold("https://idle.example/");
    admit(held, 1000);
    admit(used, 5000);
    admit(idle, 1000);
    origins_release(&origins, idle);
    origins_release(&origins, used);
    origins_expire(&origins, 2000);
    assert_int_equal(HASH_CNT(handle, origins.by_key), 2);
    assert_ptr_equal(hold("https://held.example/"), held);
    assert_ptr_equal(hold("https://used.example/"), used);
    end();
}

static void only_so_many_idle_origins_are_remembered(void **state)
{
    (void)state;
    struct origin *held = hold("https://held.example/");
    char url[64];
    for (unsigned i = 0; i < ORIGINS_IDLE_MOST + 100; i++) {
        snprintf(url, sizeof url, "https://host%u.example/", i);
        origins_release(&origins, hold(url));
        if (i % 100 == 0)
            origins_release(&origins, hold("https://host0.example/"));   /* used again and again */
    }
    assert_int_equal(HASH_CNT(handle, origins.by_key), ORIGINS_IDLE_MOST + 1);
    assert_int_equal(origins.idle_count, ORIGINS_IDLE_MOST);
    assert_ptr_equal(hold("https://held.example/"), held);
    struct origin *often;
    HASH_FIND(handle, origins.by_key, "https://host0.example:443", 25, often);
    assert_non_null(often);
    HASH_FIND(handle, origins.by_key, "https://host1.example:443", 25, often);
    assert_null(often);
    end();
}

static void the_limit_that_holds_back_has_a_name(void **state)
{
    (void)state;
    set("connections", "1");
    set("rate", "5");
    struct origin *origin = hold("https://x.example/");
    assert_string_equal(origin_limit_name(&origins, origin), "rate");
    set("crawl_delay", "2s");
    assert_string_equal(origin_limit_name(&origins, origin), "crawl_delay");
    origin_enter(origin);
    assert_string_equal(origin_limit_name(&origins, origin), "connections");
    end();
}

static void without_limits_everything_goes(void **state)
{
    (void)state;
    struct origin *origin = hold("https://x.example/");
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(admit(origin, 1), ORIGIN_GO);
        origin_enter(origin);
    }
    end();
}

static void connections_are_limited_and_freed(void **state)
{
    (void)state;
    uint64_t until_ms = 0;
    set("connections", "2");
    struct origin *origin = hold("https://x.example/");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(admit(origin, 1), ORIGIN_GO);
        origin_enter(origin);
    }
    assert_int_equal(origin_admit(&origins, origin, 1, &until_ms), ORIGIN_WAIT);
    assert_int_equal(until_ms, UINT64_MAX);   /* no time helps, only an end */
    origin_leave(origin);
    assert_int_equal(admit(origin, 1), ORIGIN_GO);
    end();
}

/* How many go in a second of asking every millisecond. */
static unsigned count_second(struct origin *origin, uint64_t from_ms)
{
    unsigned count = 0;
    for (uint64_t now_ms = from_ms; now_ms < from_ms + 1000; now_ms++)
        for (int i = 0; i < 20 && admit(origin, now_ms) == ORIGIN_GO; i++)
            count++;
    return count;
}

static void a_rate_is_kept_whatever_it_is(void **state)
{
    (void)state;
    static const struct { const char *text; unsigned rate; } rates[] = {
        { "1", 1 }, { "3", 3 }, { "7", 7 }, { "100", 100 }, { "300", 300 }, { "700", 700 }, { "999", 999 },
        { "1500", 1500 }, { "5000", 5000 },
    };
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        set("rate", rates[i].text);
        struct origin *origin = hold("https://x.example/");
        count_second(origin, 10000);
        assert_in_range(count_second(origin, 11000), rates[i].rate - 1, rates[i].rate + 1);
        end();
    }
}

static void who_must_wait_is_told_until_when(void **state)
{
    (void)state;
    uint64_t until_ms = 0;
    set("rate", "4");
    struct origin *origin = hold("https://x.example/");
    assert_int_equal(admit(origin, 1000), ORIGIN_GO);
    assert_int_equal(origin_admit(&origins, origin, 1000, &until_ms), ORIGIN_WAIT);
    assert_int_equal(until_ms, 1250);
    assert_int_equal(admit(origin, 1249), ORIGIN_WAIT);
    assert_int_equal(admit(origin, 1250), ORIGIN_GO);
    end();
}

static void a_burst_may_leave_at_once_and_then_the_rate_holds(void **state)
{
    (void)state;
    set("rate", "10");
    set("burst", "5");
    struct origin *origin = hold("https://x.example/");
    for (int i = 0; i < 5; i++)
        assert_int_equal(admit(origin, 1000), ORIGIN_GO);
    assert_int_equal(admit(origin, 1000), ORIGIN_WAIT);
    assert_int_equal(admit(origin, 1100), ORIGIN_GO);
    assert_int_equal(admit(origin, 1100), ORIGIN_WAIT);
    for (int i = 0; i < 5; i++)   /* rested */
        assert_int_equal(admit(origin, 9000), ORIGIN_GO);
    assert_int_equal(admit(origin, 9000), ORIGIN_WAIT);
    end();
}

static void a_crawl_delay_holds_against_a_faster_rate(void **state)
{
    (void)state;
    set("rate", "10");
    set("crawl_delay", "2s");
    struct origin *origin = hold("https://x.example/");
    assert_int_equal(admit(origin, 1000), ORIGIN_GO);
    assert_int_equal(admit(origin, 2999), ORIGIN_WAIT);
    assert_int_equal(admit(origin, 3000), ORIGIN_GO);
    end();
}

static void one_that_waits_for_a_connection_costs_no_rate(void **state)
{
    (void)state;
    set("rate", "1");
    set("connections", "1");
    struct origin *origin = hold("https://x.example/");
    assert_int_equal(admit(origin, 1000), ORIGIN_GO);
    origin_enter(origin);
    for (uint64_t now_ms = 2000; now_ms < 5000; now_ms++)
        assert_int_equal(admit(origin, now_ms), ORIGIN_WAIT);
    origin_leave(origin);
    assert_int_equal(admit(origin, 5000), ORIGIN_GO);
    end();
}

static void open_breaker(struct origin *origin, uint64_t now_ms)
{
    for (int i = 0; i < 2; i++)
        assert_false(origin_note(&origins, origin, false, now_ms));
    assert_true(origin_note(&origins, origin, false, now_ms));
    assert_int_equal(origin->breaker, ORIGIN_OPEN);
}

static void failures_in_a_row_open_the_breaker_and_a_success_between_does_not(void **state)
{
    (void)state;
    set("breaker_failures", "3");
    struct origin *origin = hold("https://x.example/");
    for (int i = 0; i < 20; i++) {
        origin_note(&origins, origin, false, 1);
        origin_note(&origins, origin, false, 1);
        assert_false(origin_note(&origins, origin, true, 1));
    }
    assert_int_equal(admit(origin, 1), ORIGIN_GO);
    open_breaker(origin, 1000);
    assert_int_equal(admit(origin, 1000), ORIGIN_REFUSE);
    end();
}

static void an_open_breaker_lets_one_try_after_its_time(void **state)
{
    (void)state;
    set("breaker_failures", "3");
    set("breaker_open", "10s");
    struct origin *origin = hold("https://x.example/");
    open_breaker(origin, 1000);
    assert_int_equal(admit(origin, 10999), ORIGIN_REFUSE);
    assert_int_equal(admit(origin, 11000), ORIGIN_GO);
    assert_int_equal(admit(origin, 11000), ORIGIN_REFUSE);   /* one is trying */
    assert_true(origin_note(&origins, origin, false, 11500));
    assert_int_equal(admit(origin, 21499), ORIGIN_REFUSE);
    assert_int_equal(admit(origin, 21500), ORIGIN_GO);
    assert_true(origin_note(&origins, origin, true, 21600));
    assert_int_equal(origin->breaker, ORIGIN_CLOSED);
    assert_int_equal(admit(origin, 21600), ORIGIN_GO);
    end();
}

/* It was cancelled, say: the next one may try. */
static void a_try_that_says_nothing_leaves_the_try_to_the_next(void **state)
{
    (void)state;
    set("breaker_failures", "3");
    struct origin *origin = hold("https://x.example/");
    open_breaker(origin, 1000);
    assert_int_equal(admit(origin, 11000), ORIGIN_GO);
    origin_note_nothing(origin);
    assert_int_equal(admit(origin, 11000), ORIGIN_GO);
    assert_int_equal(admit(origin, 11000), ORIGIN_REFUSE);
    end();
}

static void no_breaker_when_its_setting_is_none(void **state)
{
    (void)state;
    set("breaker_failures", "0");
    struct origin *origin = hold("https://x.example/");
    for (int i = 0; i < 1000; i++)
        assert_false(origin_note(&origins, origin, false, 1));
    assert_int_equal(admit(origin, 1), ORIGIN_GO);
    end();
}

static void new_rules_hold_for_origins_that_are_there(void **state)
{
    (void)state;
    struct origin *origin = hold("https://x.example/");
    for (int i = 0; i < 10; i++)
        assert_int_equal(admit(origin, 1000), ORIGIN_GO);
    struct conf *old = conf;
    conf = NULL;
    set("rate", "1");
    conf_destroy(old);
    assert_int_equal(admit(origin, 1000), ORIGIN_GO);
    assert_int_equal(admit(origin, 1000), ORIGIN_WAIT);
    end();
}

UNIT_TESTS(TEST(urls_of_an_origin_share_it), TEST(an_origin_is_forgotten_when_nobody_named_or_used_it_lately),
           TEST(only_so_many_idle_origins_are_remembered), TEST(the_limit_that_holds_back_has_a_name),
           TEST(without_limits_everything_goes), TEST(connections_are_limited_and_freed),
           TEST(a_rate_is_kept_whatever_it_is), TEST(who_must_wait_is_told_until_when),
           TEST(a_burst_may_leave_at_once_and_then_the_rate_holds),
           TEST(a_crawl_delay_holds_against_a_faster_rate),
           TEST(one_that_waits_for_a_connection_costs_no_rate),
           TEST(failures_in_a_row_open_the_breaker_and_a_success_between_does_not),
           TEST(an_open_breaker_lets_one_try_after_its_time),
           TEST(a_try_that_says_nothing_leaves_the_try_to_the_next),
           TEST(no_breaker_when_its_setting_is_none),
           TEST(new_rules_hold_for_origins_that_are_there))
