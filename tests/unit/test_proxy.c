/* proxy.c: proxies that requests name, for counting. */
#include "daemon/proxy.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct proxies proxies;

static void a_label_is_host_and_port_alone(void **state)
{
    (void)state;
    static const struct { const char *name, *label; } rows[] = {
        { "proxy.example:3128", "proxy.example:3128" },
        { "http://proxy.example:3128/", "proxy.example:3128" },
        { "socks5h://user:secret@proxy.example:1080", "proxy.example:1080" },
        { "http://user:se@cret@proxy.example", "proxy.example" },
        { "user:secret@proxy.example", "proxy.example" },
        { "http://proxy.example?secret", "proxy.example" }, { "http://proxy\"} 1\n", "proxy" },
        { "http://user:secret@", "" }, { "://", "" }, { "@", "" }, { "x", "x" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(proxies_find(&proxies, ipc_text(rows[i].name))->label, rows[i].label);
    proxies_finish(&proxies);
}

static void no_name_is_no_proxy(void **state)
{
    (void)state;
    assert_null(proxies_find(&proxies, ipc_text(NULL)));
    assert_null(proxies_find(&proxies, IPC_TEXT("")));
    proxies_finish(&proxies);
}

static void the_same_proxy_is_counted_once(void **state)
{
    (void)state;
    struct proxy *first = proxies_find(&proxies, IPC_TEXT("http://a:1@p:80"));
    assert_ptr_equal(proxies_find(&proxies, IPC_TEXT("p:80")), first);
    assert_ptr_not_equal(proxies_find(&proxies, IPC_TEXT("p:81")), first);
    proxies_finish(&proxies);
}

/* A client that names proxies without end gets one bucket more, and no more memory than that. */
static void beyond_the_most_all_are_counted_as_other(void **state)
{
    (void)state;
    char name[64];
    for (int i = 0; i < PROXIES_MOST; i++) {
        snprintf(name, sizeof name, "proxy%d:80", i);
        assert_string_equal(proxies_find(&proxies, ipc_text(name))->label, name);
    }
    struct proxy *other = proxies_find(&proxies, IPC_TEXT("one-more:80"));
    assert_string_equal(other->label, "other");
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "yet-another%d:80", i);
        assert_ptr_equal(proxies_find(&proxies, ipc_text(name)), other);
    }
    assert_int_equal(HASH_CNT(handle, proxies.by_label), PROXIES_MOST + 1);
    assert_string_equal(proxies_find(&proxies, IPC_TEXT("proxy5:80"))->label, "proxy5:80");
    proxies_finish(&proxies);
}

static void a_long_name_is_cut(void **state)
{
    (void)state;
    char name[4000];
    memset(name, 'x', sizeof name);
    struct proxy *proxy = proxies_find(&proxies, (struct ipc_text){ name, sizeof name });
    assert_int_equal(strlen(proxy->label), 120);
    proxies_finish(&proxies);
}

UNIT_TESTS(TEST(a_label_is_host_and_port_alone), TEST(no_name_is_no_proxy),
           TEST(the_same_proxy_is_counted_once),
           TEST(beyond_the_most_all_are_counted_as_other), TEST(a_long_name_is_cut))
