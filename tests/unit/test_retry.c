/* retry.c: whether and when a failed attempt is made again. */
#include "daemon/retry.h"

#include "unit.h"

#include <string.h>

#define NOW 1800000000   /* Fri, 15 Jan 2027 08:00:00 GMT */

static bool asks_again(unsigned status, const char *after, bool any_5xx, uint64_t *ret_after_ms)
{
    struct ipc_pair pairs[] = {
        { { (const uint8_t *)"Content-Type", 12 }, { (const uint8_t *)"text/plain", 10 } },
        { { (const uint8_t *)"rEtRy-aFtEr", 11 }, { (const uint8_t *)after, after ? strlen(after) : 0 } },
    };
    struct ipc_response response = { .status = status, .headers = { pairs, after ? 2 : 1 } };
    return retry_status(&response, any_5xx, NOW, ret_after_ms);
}

static void a_status_is_tried_again_when_it_says_when(void **state)
{
    (void)state;
    uint64_t after_ms = 99;
    assert_true(asks_again(503, "2", false, &after_ms));
    assert_int_equal(after_ms, 2000);
    assert_true(asks_again(429, "0", false, &after_ms));
    assert_int_equal(after_ms, 0);
    static const unsigned others[] = { 200, 301, 404, 408, 425, 500, 502, 504 };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(asks_again(others[i], "2", false, &after_ms));
    assert_false(asks_again(503, NULL, false, &after_ms));
    assert_false(asks_again(429, NULL, false, &after_ms));
}

static void any_5xx_is_tried_again_if_asked_for_but_not_implemented(void **state)
{
    (void)state;
    uint64_t after_ms = 99;
    for (unsigned status = 500; status < 600; status++)
        assert_int_equal(asks_again(status, NULL, true, &after_ms), status != 501);
    assert_int_equal(after_ms, 0);
    assert_false(asks_again(404, NULL, true, &after_ms));
    assert_true(asks_again(500, "7", true, &after_ms));
    assert_int_equal(after_ms, 7000);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    static const struct { const char *text; bool good; uint64_t after_ms; } rows[] = {
        { "120", true, 120000 }, { "4294967294", true, 4294967294000 },
        { "Fri, 15 Jan 2027 08:00:30 GMT", true, 30000 },
        { "Fri, 15 Jan 2027 07:59:00 GMT", true, 0 }, { "", false, 0 }, { "-1", false, 0 },
        { "+1", false, 0 },
        { "1.5", false, 0 }, { "1s", false, 0 }, { " 1", false, 0 }, { "soon", false, 0 },
        { "99999999999999999999", false, 0 }, { "4294967295", false, 0 }, { "15 Jan 2027", false, 0 },
        { "11111111111111111111111111111111111111111111111111111111111111111111111111111111", false, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t after_ms = 99;
        assert_int_equal(asks_again(503, rows[i].text, false, &after_ms), rows[i].good);
        if (rows[i].good)
            assert_int_equal(after_ms, rows[i].after_ms);
    }
}

static void waits_double_up_to_the_longest_and_are_half_random(void **state)
{
    (void)state;
    static const uint64_t wholes[] = { 100, 200, 400, 800, 1000, 1000 };
    for (unsigned attempts = 1; attempts <= 6; attempts++) {
        uint64_t whole = wholes[attempts - 1];
        assert_int_equal(retry_delay_ms(attempts, 100, 1000, 0), whole / 2);
        for (uint32_t random = 1; random != 0; random *= 3u) {
            assert_in_range(retry_delay_ms(attempts, 100, 1000, random), whole / 2, whole);
            if (random > UINT32_MAX / 3)
                break;
        }
        assert_int_equal(retry_delay_ms(attempts, 100, 1000, (uint32_t)(whole - whole / 2)), whole);
    }
    assert_int_equal(retry_delay_ms(1, 1, 1, 0), 0);
    assert_in_range(retry_delay_ms(1000, 1, 3600000, UINT32_MAX), 1800000, 3600000);
}

static void the_budget_is_a_share_of_what_is_open_and_three_at_least(void **state)
{
    (void)state;
    assert_true(retry_within_budget(2, 1, 20));
    assert_false(retry_within_budget(3, 1, 20));
    assert_false(retry_within_budget(3, 15, 20));
    assert_true(retry_within_budget(3, 20, 20));
    assert_true(retry_within_budget(199, 1000, 20));
    assert_false(retry_within_budget(200, 1000, 20));
    assert_true(retry_within_budget(2, 1000, 0));
    assert_false(retry_within_budget(3, 1000, 0));
    assert_true(retry_within_budget(0, UINT32_MAX, 100));
}

static void what_cannot_have_arrived_is_safe_for_any_method(void **state)
{
    (void)state;
    static const enum ipc_error_code unsent[] = { IPC_ERROR_DNS_FAILED, IPC_ERROR_CONNECT_REFUSED,
                                                  IPC_ERROR_CONNECT_FAILED, IPC_ERROR_CONNECT_TIMEOUT };
    for (size_t i = 0; i < sizeof unsent / sizeof unsent[0]; i++)
        assert_true(retry_classify(unsent[i]).passing && retry_classify(unsent[i]).nothing_arrived);
    static const enum ipc_error_code unsure[] = { IPC_ERROR_RECEIVE_EMPTY, IPC_ERROR_RECEIVE_FAILED,
                                                  IPC_ERROR_SEND_FAILED, IPC_ERROR_HTTP2_STREAM };
    for (size_t i = 0; i < sizeof unsure / sizeof unsure[0]; i++)
        assert_true(retry_classify(unsure[i]).passing && !retry_classify(unsure[i]).nothing_arrived);
}

static void what_is_asked_wrongly_or_refused_for_good_is_never_tried_again(void **state)
{
    (void)state;
    static const enum ipc_error_code lasting[] = {
        IPC_ERROR_TLS_CERTIFICATE, IPC_ERROR_POLICY_DENIED, IPC_ERROR_REQUEST_INVALID,
        IPC_ERROR_REDIRECT_LIMIT,
        IPC_ERROR_BODY_TOO_LARGE, IPC_ERROR_CANCELLED, IPC_ERROR_TIMEOUT_TOTAL, IPC_ERROR_PROXY_AUTH,
        IPC_ERROR_INTERNAL, IPC_ERROR_NONE,
    };
    for (size_t i = 0; i < sizeof lasting / sizeof lasting[0]; i++) {
        assert_false(retry_classify(lasting[i]).passing);
        assert_false(retry_classify(lasting[i]).origins_fault);
    }
}

UNIT_TESTS(TEST(a_status_is_tried_again_when_it_says_when),
           TEST(any_5xx_is_tried_again_if_asked_for_but_not_implemented),
           TEST(retry_after_is_seconds_or_a_date),
           TEST(waits_double_up_to_the_longest_and_are_half_random),
           TEST(the_budget_is_a_share_of_what_is_open_and_three_at_least),
           TEST(what_cannot_have_arrived_is_safe_for_any_method),
           TEST(what_is_asked_wrongly_or_refused_for_good_is_never_tried_again))
