/* credit.c: flow control by bytes. */
#include "ipc/credit.h"

#include "ipc/message.h"
#include "unit.h"

static void a_payload_costs_its_bytes_and_the_charge(void **state)
{
    (void)state;
    assert_int_equal(ipc_credit_cost(0), 64);
    assert_int_equal(ipc_credit_cost(1), 65);
    assert_int_equal(ipc_credit_cost(IPC_DATA_BYTES), 65600);
}

static void credit_buys_the_largest_payload_that_it_pays_for(void **state)
{
    (void)state;
    static const struct { int64_t credit; size_t payload; } rows[] = {
        { INT64_MIN, 0 }, { -1, 0 }, { 0, 0 }, { 63, 0 }, { 64, 0 }, { 65, 1 }, { 65599, 65535 },
        { 65600, 65536 },
        { 65601, 65536 }, { IPC_CREDIT_MAX, 65536 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(ipc_credit_payload(rows[i].credit), rows[i].payload);
        if (rows[i].payload > 0)
            assert_true(ipc_credit_cost(rows[i].payload) <= rows[i].credit);
    }
}

static void a_grant_is_added(void **state)
{
    (void)state;
    int64_t credit = -10;
    assert_true(ipc_credit_add(&credit, 30));
    assert_int_equal(credit, 20);
    assert_true(ipc_credit_add(&credit, 0));
    assert_int_equal(credit, 20);
}

static void credit_above_the_maximum_is_a_violation_and_changes_nothing(void **state)
{
    (void)state;
    int64_t credit = 1;
    assert_false(ipc_credit_add(&credit, (uint64_t)IPC_CREDIT_MAX));
    assert_false(ipc_credit_add(&credit, (uint64_t)IPC_CREDIT_MAX + 1));
    assert_false(ipc_credit_add(&credit, UINT64_MAX));
    assert_false(ipc_credit_add(&credit, (uint64_t)INT64_MAX));
    assert_false(ipc_credit_add(&credit, (uint64_t)1 << 63));
    assert_int_equal(credit, 1);
    assert_true(ipc_credit_add(&credit, (uint64_t)IPC_CREDIT_MAX - 1));
    assert_int_equal(credit, IPC_CREDIT_MAX);
    assert_false(ipc_credit_add(&credit, 1));
}

static void one_credit_message_may_be_as_large_as_its_field_allows(void **state)
{
    (void)state;
    int64_t credit = 0;
    assert_true(ipc_table(IPC_CREDIT)->fields[0].limit <= (uint64_t)IPC_CREDIT_MAX);
    assert_true(ipc_credit_add(&credit, ipc_table(IPC_CREDIT)->fields[0].limit));
}

static void a_window_is_spent_to_its_last_byte_and_no_further(void **state)
{
    (void)state;
    struct ipc_window window;
    ipc_window_init(&window, IPC_STREAM_WINDOW);
    for (int i = 0; i < 3; i++)
        assert_true(ipc_window_spend(&window, IPC_DATA_BYTES));
    assert_int_equal(window.available, 262144 - 3 * 65600);
    assert_false(ipc_window_spend(&window, IPC_DATA_BYTES));
    assert_true(ipc_window_spend(&window, ipc_credit_payload(window.available)));
    assert_int_equal(window.available, 0);
    assert_false(ipc_window_spend(&window, 0));
}

static void a_window_is_granted_back_by_halves(void **state)
{
    (void)state;
    struct ipc_window window;
    ipc_window_init(&window, 262144);
    assert_true(ipc_window_spend(&window, 65536));
    assert_int_equal(ipc_window_consume(&window, 65536), 0);
    assert_true(ipc_window_spend(&window, 65472 - 64));
    assert_int_equal(ipc_window_consume(&window, 65472 - 64), 131072);
    assert_int_equal(window.available, 262144);
    assert_int_equal(window.owed, 0);
}

/* Empty frames cost too, so that a flood of them runs out of credit like any other. */
static void empty_frames_run_out_of_credit(void **state)
{
    (void)state;
    struct ipc_window window;
    int sent = 0;
    ipc_window_init(&window, IPC_STREAM_WINDOW);
    while (ipc_window_spend(&window, 0))
        sent++;
    assert_int_equal(sent, 262144 / 64);
}

static void whatever_is_sent_nothing_is_lost_and_the_window_never_grows(void **state)
{
    (void)state;
    struct ipc_window receiver;
    int64_t sender = 100000, seed = 1;
    ipc_window_init(&receiver, 100000);
    for (int turn = 0; turn < 100000; turn++) {
        size_t most = ipc_credit_payload(sender);
        seed = (seed * 1103515245 + 12345) & 0x7fffffff;
        size_t payload = most ? (size_t)seed % (most + 1) : 0;
        assert_true(sender >= ipc_credit_cost(payload));   /* half a window is always back by now */
        sender -= ipc_credit_cost(payload);
        assert_true(ipc_window_spend(&receiver, payload));
        assert_true(ipc_credit_add(&sender, (uint64_t)ipc_window_consume(&receiver, payload)));
        assert_int_equal(sender, receiver.available);
        assert_int_equal(sender + receiver.owed, 100000);
    }
}

UNIT_TESTS(TEST(a_payload_costs_its_bytes_and_the_charge),
           TEST(credit_buys_the_largest_payload_that_it_pays_for),
           TEST(a_grant_is_added), TEST(credit_above_the_maximum_is_a_violation_and_changes_nothing),
           TEST(one_credit_message_may_be_as_large_as_its_field_allows),
           TEST(a_window_is_spent_to_its_last_byte_and_no_further), TEST(a_window_is_granted_back_by_halves),
           TEST(empty_frames_run_out_of_credit),
           TEST(whatever_is_sent_nothing_is_lost_and_the_window_never_grows))
