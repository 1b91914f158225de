/* health.c: whose TLS handshakes fail more than others'. */
#include "daemon/health.h"

#include "unit.h"

static struct health workers[4];
static const struct health *const all[4] = { &workers[0], &workers[1], &workers[2], &workers[3] };

static void note(struct health *health, unsigned successes, unsigned failures)
{
    for (unsigned i = 0; i < successes; i++)
        health_note_success(health);
    for (unsigned i = 0; i < failures; i++)
        health_note_failure(health, HEALTH_PEER_RESET, true);
}

static void a_worker_that_fails_more_than_its_siblings_stands_out(void **state)
{
    (void)state;
    note(&workers[0], 50, 50);
    note(&workers[1], 100, 2);
    note(&workers[2], 100, 0);
    assert_true(health_stands_out(all, 4, 0));
    assert_false(health_stands_out(all, 4, 1));
    assert_false(health_stands_out(all, 4, 2));
    assert_false(health_stands_out(all, 4, 3));
}

static void when_all_fail_alike_nobody_stands_out(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        note(&workers[i], 50, 50);
    for (size_t i = 0; i < 4; i++)
        assert_false(health_stands_out(all, 4, i));
}

static void few_handshakes_are_no_ground_to_judge(void **state)
{
    (void)state;
    note(&workers[0], 0, 19);
    note(&workers[1], 1000, 0);
    assert_false(health_stands_out(all, 4, 0));
    note(&workers[0], 0, 1);
    assert_true(health_stands_out(all, 4, 0));
}

static void without_siblings_to_compare_nobody_stands_out(void **state)
{
    (void)state;
    note(&workers[0], 0, 1000);
    assert_false(health_stands_out(all, 1, 0));
    assert_false(health_stands_out(all, 4, 0));
}

static void a_low_rate_is_fine_though_others_have_none(void **state)
{
    (void)state;
    note(&workers[0], 900, 100);
    note(&workers[1], 1000, 0);
    assert_false(health_stands_out(all, 4, 0));
}

static void failures_that_blame_nobody_count_only_in_the_totals(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        health_note_failure(&workers[0], HEALTH_CERTIFICATE, false);
    note(&workers[1], 100, 0);
    assert_int_equal(health_failures(&workers[0]), 100);
    assert_int_equal(workers[0].recent, 0);
    assert_false(health_stands_out(all, 4, 0));
}

static void the_recent_past_fades_and_the_totals_stay(void **state)
{
    (void)state;
    note(&workers[0], 50, 50);
    for (int i = 0; i < 10; i++)
        health_fade(&workers[0]);
    assert_int_equal(workers[0].recent, 0);
    assert_int_equal(workers[0].recent_failures, 0);
    assert_int_equal(workers[0].handshakes, 50);
    assert_int_equal(health_failures(&workers[0]), 50);
}

static void only_tls_errors_have_a_reason(void **state)
{
    (void)state;
    unsigned reasons = 0;
    for (int code = IPC_ERROR_NONE; code < IPC_ERROR_COUNT; code++)
        reasons += health_reason_of((enum ipc_error_code)code) != HEALTH_REASONS;
    assert_int_equal(reasons, 5);
    assert_int_equal(health_reason_of(IPC_ERROR_TLS_PINNED_KEY), HEALTH_CERTIFICATE);
    assert_int_equal(health_reason_of(IPC_ERROR_TLS_TIMEOUT), HEALTH_TIMEOUT);
    assert_int_equal(health_reason_of(IPC_ERROR_TLS_PEER_RESET), HEALTH_PEER_RESET);
    assert_string_equal(health_reason_name(HEALTH_CERTIFICATE), "certificate");
}

UNIT_TESTS(TEST(a_worker_that_fails_more_than_its_siblings_stands_out),
           TEST(when_all_fail_alike_nobody_stands_out),
           TEST(few_handshakes_are_no_ground_to_judge), TEST(without_siblings_to_compare_nobody_stands_out),
           TEST(a_low_rate_is_fine_though_others_have_none),
           TEST(failures_that_blame_nobody_count_only_in_the_totals),
           TEST(the_recent_past_fades_and_the_totals_stay), TEST(only_tls_errors_have_a_reason))
