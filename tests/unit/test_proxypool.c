/* proxypool.c: which proxy a request gets, and which rest. */
#include "daemon/proxypool.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct conf *conf_of(const char *urls)
{
    char error[CONF_ERROR_BYTES];
    struct conf *conf = conf_create();
    assert_int_equal(conf_set(conf, "proxy_pool \"a\"", "urls", urls, error), 0);
    assert_int_equal(conf_set(conf, "proxy_pool \"a\"", "failures", "2", error), 0);
    assert_int_equal(conf_set(conf, "proxy_pool \"a\"", "cooldown", "1s", error), 0);
    return conf;
}

static void configure(struct proxypools *pools, const char *urls)
{
    struct conf *conf = conf_of(urls);
    assert_int_equal(proxypools_configure(pools, conf), 0);
    conf_destroy(conf);
}

static struct proxypool *pool_of(struct proxypools *pools, const char *urls)
{
    *pools = (struct proxypools){ NULL, 0 };
    configure(pools, urls);
    return proxypools_find(pools, IPC_TEXT("a"));
}

static const struct proxypool_key no_key;

static const char *take(struct proxypool *pool, struct proxypool_key key, const struct pooled_proxy *avoided,
                        uint64_t now_ms)
{
    struct pooled_proxy *proxy = proxypool_take(pool, key, avoided, now_ms);
    if (!proxy)
        return "none";
    const char *url = proxy->url;
    pooled_proxy_release(proxy);
    return url;
}

static void proxies_take_turns(void **state)
{
    (void)state;
    struct proxypools pools;
    struct proxypool *pool = pool_of(&pools, "http://1, http://2 http://3");
    for (int i = 0; i < 6; i++) {
        char wanted[16];
        snprintf(wanted, sizeof wanted, "http://%d", i % 3 + 1);
        assert_string_equal(take(pool, no_key, NULL, 0), wanted);
    }
    assert_null(proxypools_find(&pools, IPC_TEXT("b")));
    assert_null(proxypools_find(&pools, IPC_TEXT("*")));
    proxypools_finish(&pools);
}

static void one_that_failed_is_not_taken_at_once_again_unless_it_is_the_only_one(void **state)
{
    (void)state;
    struct proxypools pools;
    struct proxypool *pool = pool_of(&pools, "http://1 http://2");
    struct pooled_proxy *first = pool->proxies[0];
    for (int i = 0; i < 4; i++)
        assert_string_equal(take(pool, no_key, first, 0), "http://2");
    proxypools_finish(&pools);
    pool = pool_of(&pools, "http://1");
    assert_string_equal(take(pool, no_key, pool->proxies[0], 0), "http://1");
    proxypools_finish(&pools);
}

static void one_that_fails_again_and_again_rests_and_comes_back(void **state)
{
    (void)state;
    struct proxypools pools;
    struct proxypool *pool = pool_of(&pools, "http://1 http://2");
    struct pooled_proxy *first = pool->proxies[0];
    assert_false(pooled_proxy_note_failure(first, 0));
    pooled_proxy_note_success(first);                     /* a row of failures it is not */
    assert_false(pooled_proxy_note_failure(first, 0));
    assert_true(pooled_proxy_note_failure(first, 10));
    assert_false(pooled_proxy_note_failure(first, 20));   /* under way before: no longer rest */
    for (int i = 0; i < 4; i++)
        assert_string_equal(take(pool, no_key, NULL, 1009), "http://2");
    assert_string_equal(take(pool, no_key, pool->proxies[1], 1009), "http://2");   /* better than none */
    assert_string_equal(take(pool, no_key, pool->proxies[1], 1010), "http://1");
    assert_true(pooled_proxy_note_failure(first, 1010));   /* one is enough now */
    assert_int_equal(first->ejections, 2);
    assert_false(pooled_proxy_note_failure(pool->proxies[1], 1010));
    assert_true(pooled_proxy_note_failure(pool->proxies[1], 1010));
    assert_string_equal(take(pool, no_key, NULL, 1500), "none");
    assert_string_not_equal(take(pool, no_key, NULL, 2010), "none");
    proxypools_finish(&pools);
}

static struct proxypool_key key_of(unsigned principal, char *text, int number)
{
    snprintf(text, 16, "key %d", number);
    return (struct proxypool_key){ principal, ipc_text(text) };
}

static void a_key_sticks_to_a_proxy_and_only_those_of_a_resting_one_move(void **state)
{
    (void)state;
    struct proxypools pools;
    struct proxypool *pool = pool_of(&pools, "http://1 http://2 http://3 http://4");
    char text[16];
    unsigned moved = 0, differ = 0, held[5] = { 0 };
    const char *before[400];
    for (int i = 0; i < 400; i++) {
        before[i] = take(pool, key_of(1, text, i), NULL, 0);
        assert_string_equal(take(pool, key_of(1, text, i), NULL, 0), before[i]);
        differ += strcmp(take(pool, key_of(2, text, i), NULL, 0), before[i]) != 0;   /* another user's */
        held[before[i][7] - '0']++;
    }
    for (int i = 1; i <= 4; i++)
        assert_in_range(held[i], 60, 140);
    assert_in_range(differ, 240, 360);
    pool->proxies[2]->rests_until_ms = 100;
    for (int i = 0; i < 400; i++) {
        const char *now = take(pool, key_of(1, text, i), NULL, 0);
        assert_string_not_equal(now, "http://3");
        if (strcmp(now, before[i]) != 0) {
            assert_string_equal(before[i], "http://3");
            moved++;
        }
    }
    assert_int_equal(moved, held[3]);
    for (int i = 0; i < 400; i++)
        assert_string_equal(take(pool, key_of(1, text, i), NULL, 100), before[i]);
    proxypools_finish(&pools);
}

static void a_reload_keeps_what_is_known_of_those_that_stay(void **state)
{
    (void)state;
    struct proxypools pools;
    struct proxypool *pool = pool_of(&pools, "http://1 http://2");
    struct pooled_proxy *first = pool->proxies[0], *used = proxypool_take(pool, no_key, first, 0);
    assert_string_equal(used->url, "http://2");
    pooled_proxy_note_failure(first, 0);
    configure(&pools, "http://3 http://1 http://1");
    pool = proxypools_find(&pools, IPC_TEXT("a"));
    assert_ptr_equal(pool->proxies[1], first);
    assert_int_equal(pool->proxies[1]->in_row, 1);
    assert_int_equal(pool->proxies[1]->active, 0);
    assert_ptr_not_equal(pool->proxies[2], first);
    assert_int_equal(pool->proxies[2]->in_row, 0);
    assert_string_equal(used->url, "http://2");   /* gone from the pool, not from the request */
    pooled_proxy_release(used);
    configure(&pools, "");
    assert_null(proxypools_find(&pools, IPC_TEXT("a")));
    proxypools_finish(&pools);
}

static void only_the_proxys_own_faults_count(void **state)
{
    (void)state;
    static const enum ipc_error_code others[] = { IPC_ERROR_PROXY_TARGET, IPC_ERROR_TLS_PEER_RESET,
                                                  IPC_ERROR_DNS_FAILED,
                                                  IPC_ERROR_TIMEOUT_HEADERS, IPC_ERROR_WORKER_LOST };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(pooled_proxy_is_fault(others[i]));
    assert_true(pooled_proxy_is_fault(IPC_ERROR_PROXY_REFUSED));
    assert_true(pooled_proxy_is_fault(IPC_ERROR_PROXY_AUTH));
}

static void no_credential_is_in_a_label_or_an_error(void **state)
{
    (void)state;
    struct proxypools pools;
    char error[CONF_ERROR_BYTES];
    struct proxypool *pool = pool_of(&pools, "socks5h://me:s3cret@host:1080");
    assert_string_equal(pool->proxies[0]->label, "host:1080");
    proxypools_finish(&pools);
    struct conf *conf = conf_create();
    static const char *const wrong[] = { "ftp://me:s3cret@x", "http://me:s3cret@", "http://me:s3cret/@x" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(conf_set(conf, "proxy_pool \"a\"", "urls", wrong[i], error), -1);
        assert_null(strstr(error, "s3cret"));
    }
    conf_destroy(conf);
}

UNIT_TESTS(
    TEST(proxies_take_turns),
    TEST(one_that_failed_is_not_taken_at_once_again_unless_it_is_the_only_one),
    TEST(one_that_fails_again_and_again_rests_and_comes_back),
    TEST(a_key_sticks_to_a_proxy_and_only_those_of_a_resting_one_move),
    TEST(a_reload_keeps_what_is_known_of_those_that_stay),
    TEST(only_the_proxys_own_faults_count),
    TEST(no_credential_is_in_a_label_or_an_error))
