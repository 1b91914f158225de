/* way.c: which versions of HTTP a request may use, and where. */
#include "worker/way.h"

#include "unit.h"

#include <string.h>

#define NOW 1000

static struct way chosen(struct ipc_fetch *fetch, const char *url, const char *version, struct altsvc *table)
{
    struct way way;
    struct ipc_origin origin;
    const char *reason;
    fetch->http_version = ipc_text(version);
    assert_int_equal(ipc_origin_parse(ipc_text(url), &origin, &reason), 0);
    way_choose(&way, fetch, &origin, table, NOW);
    return way;
}

static struct way choose(const char *url, const char *version)
{
    struct ipc_fetch fetch;
    IPC_INIT(FETCH, &fetch);
    return chosen(&fetch, url, version, NULL);
}

static void announce(struct altsvc *table, const char *value)
{
    struct ipc_pair pair = { { (const uint8_t *)"alt-svc", 7 }, { (const uint8_t *)value, strlen(value) } };
    struct altsvc_origin origin = { 0, "https://a.example:443", IPC_TEXT("a.example"), 443 };
    altsvc_learn(table, &origin, (struct ipc_pairs){ &pair, 1 }, false, NOW);
}

static void each_version_has_its_way(void **state)
{
    (void)state;
    static const struct { const char *url, *version; enum way_http http; bool quic, shares; } rows[] = {
        { "https://a/", "", WAY_BEST, false, false }, { "https://a/", "1.0", WAY_1_0, false, false },
        { "https://a/", "1.1", WAY_1_1, false, false }, { "https://a/", "2", WAY_BEST, false, false },
        { "https://a/", "2-only", WAY_2_ONLY, false, true }, { "https://a/", "3", WAY_3, true, false },
        { "https://a/", "3-only", WAY_3_ONLY, true, true }, { "http://a/", "", WAY_BEST, false, false },
        { "http://a/", "2", WAY_2_ONLY, false, true }, { "http://a/", "2-only", WAY_2_ONLY, false, true },
        { "http://a/", "3", WAY_BEST, false, false }, { "wss://a/", "3", WAY_BEST, false, false },
        { "ftps://a/", "3", WAY_BEST, false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct way way = choose(rows[i].url, rows[i].version);
        if (way.http != rows[i].http || way.quic != rows[i].quic || way.shares != rows[i].shares
            || way.alternative)
            fail_msg("%s by %s", rows[i].url, rows[i].version);
    }
}

static void what_is_announced_is_followed_where_the_version_is_open(void **state)
{
    (void)state;
    static const struct { const char *version; bool follows; } rows[] = {
        { "", true }, { "3", true }, { "1.0", false }, { "1.1", false }, { "2", false }, { "2-only", false },
        { "3-only", false },
    };
    struct altsvc table = { NULL, 0 };
    struct ipc_fetch fetch;
    IPC_INIT(FETCH, &fetch);
    announce(&table, "h3=\"b.example:8443\"");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct way way = chosen(&fetch, "https://a.example/", rows[i].version, &table);
        assert_int_equal(way.alternative, rows[i].follows);
        if (rows[i].follows) {
            assert_int_equal(way.http, WAY_3_ONLY);   /* what else speaks there is not known */
            assert_string_equal(way.place.host, "b.example");
        }
    }
    assert_false(chosen(&fetch, "https://a.example:444/", "", &table).alternative);
    assert_false(chosen(&fetch, "http://a.example:443/", "", &table).alternative);
    assert_false(chosen(&fetch, "wss://a.example/", "", &table).alternative);
    announce(&table, "h3=\":443\"");
    assert_int_equal(chosen(&fetch, "https://a.example/", "", &table).http, WAY_3);
    altsvc_finish(&table);
}

static void nothing_is_followed_against_the_request(void **state)
{
    (void)state;
    struct altsvc table = { NULL, 0 };
    struct ipc_text override = ipc_text("a.example:443:127.0.0.1");
    struct ipc_fetch proxied, insecure, resolved;
    IPC_INIT(FETCH, &proxied);
    insecure = resolved = proxied;
    proxied.proxy = ipc_text("http://proxy.example:3128");
    insecure.insecure = true;
    resolved.resolve = (struct ipc_texts){ &override, 1 };
    announce(&table, "h3=\":8443\"");
    assert_false(chosen(&proxied, "https://a.example/", "", &table).alternative);
    assert_false(chosen(&insecure, "https://a.example/", "", &table).alternative);
    assert_false(chosen(&resolved, "https://a.example/", "", &table).alternative);
    assert_int_equal(chosen(&proxied, "https://a.example/", "3", &table).http, WAY_BEST);
    announce(&table, "h3=\":443\"");
    assert_true(chosen(&resolved, "https://a.example/", "", &table).alternative);
    assert_false(chosen(&insecure, "https://a.example/", "", &table).alternative);
    altsvc_finish(&table);
}

UNIT_TESTS(TEST(each_version_has_its_way), TEST(what_is_announced_is_followed_where_the_version_is_open),
           TEST(nothing_is_followed_against_the_request))
