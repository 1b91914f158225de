/* keep.c: messages that outlive their handler. */
#include "worker/keep.h"

#include "ipc/message.h"
#include "ipc/secret.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void a_copy_lives_without_its_original(void **state)
{
    (void)state;
    char *url = strdup("https://example.com/"), *name = strdup("X-Name"), *value = strdup("value");
    char *rule = strdup("a:80:127.0.0.1");
    struct ipc_pair pairs[2] = {
        { { (uint8_t *)name, 6 }, { (uint8_t *)value, 5 } }, { { (uint8_t *)name, 1 }, { NULL, 0 } },
    };
    struct ipc_text texts[1] = { { rule, strlen(rule) } };
    struct ipc_fetch fetch;
    IPC_INIT(FETCH, &fetch);
    fetch.url = ipc_text(url);
    fetch.headers = (struct ipc_pairs){ pairs, 2 };
    fetch.resolve = (struct ipc_texts){ texts, 1 };
    fetch.body = (struct ipc_bytes){ (uint8_t *)value, 5 };
    fetch.principal = 7;
    fetch.follow = true;
    struct ipc_fetch *copy = keep_message(IPC_FETCH, &fetch);
    assert_non_null(copy);
    memset(url, '?', strlen(url));
    memset(name, '?', strlen(name));
    memset(value, '?', strlen(value));
    memset(rule, '?', strlen(rule));
    memset(pairs, 0, sizeof pairs);
    memset(texts, 0, sizeof texts);
    free(url);
    free(name);
    free(value);
    free(rule);
    assert_string_equal(copy->url.data, "https://example.com/");
    assert_int_equal(copy->headers.count, 2);
    assert_string_equal((const char *)copy->headers.items[0].name.data, "X-Name");
    assert_string_equal((const char *)copy->headers.items[0].value.data, "value");
    assert_string_equal((const char *)copy->headers.items[1].name.data, "X");
    assert_int_equal(copy->headers.items[1].value.length, 0);
    assert_string_equal(copy->resolve.items[0].data, "a:80:127.0.0.1");
    assert_int_equal(copy->body.length, 5);
    assert_string_equal((const char *)copy->body.data, "value");
    assert_int_equal(copy->principal, 7);
    assert_true(copy->follow);
    assert_int_equal(copy->window, fetch.window);
    ipc_secret_free(copy);
}

static void what_is_empty_is_an_empty_string(void **state)
{
    (void)state;
    struct ipc_fetch fetch;
    IPC_INIT(FETCH, &fetch);
    struct ipc_fetch *copy = keep_message(IPC_FETCH, &fetch);
    assert_string_equal(copy->method.data, "");
    assert_string_equal((const char *)copy->credentials.data, "");
    assert_int_equal(copy->headers.count, 0);
    ipc_secret_free(copy);
}

UNIT_TESTS(
    TEST(a_copy_lives_without_its_original),
    TEST(what_is_empty_is_an_empty_string))
