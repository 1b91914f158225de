/* inbox.c: what a client has no credit for yet. */
#include "worker/inbox.h"

#include "unit.h"

#include <string.h>

static struct inbox inbox;

static struct ipc_bytes bytes(const char *text)
{
    return (struct ipc_bytes){ (const uint8_t *)text, strlen(text) };
}

static void expect_first(unsigned kind, const char *data, bool more, unsigned code)
{
    struct ipc_message message;
    assert_true(inbox_first(&inbox, &message));
    assert_int_equal(message.kind, kind);
    assert_int_equal(message.more, more);
    assert_int_equal(message.code, code);
    assert_text_equal(message.data, data);
}

static void a_message_that_grows_is_not_the_first_until_it_is_sealed(void **state)
{
    struct ipc_message message;
    (void)state;
    inbox_init(&inbox);
    assert_true(inbox_empty(&inbox));
    assert_true(inbox_grow(&inbox, 1, bytes("Hel")));
    assert_false(inbox_empty(&inbox));
    assert_false(inbox_first(&inbox, &message));
    assert_true(inbox_grow(&inbox, 1, bytes("lo")));
    inbox_seal(&inbox, false);
    expect_first(1, "Hello", false, 0);
    inbox_take(&inbox, 5);
    assert_true(inbox_empty(&inbox));
    inbox_finish(&inbox);
}

static void items_leave_in_order_while_the_last_one_grows(void **state)
{
    struct ipc_message close = { .kind = 8, .code = 1001, .data = bytes("bye") }, message;
    (void)state;
    inbox_init(&inbox);
    inbox_grow(&inbox, 2, bytes("one"));
    inbox_seal(&inbox, true);
    inbox_grow(&inbox, 2, bytes(""));
    inbox_seal(&inbox, false);
    inbox_grow(&inbox, 1, bytes("half"));
    expect_first(2, "one", true, 0);
    inbox_take(&inbox, 3);
    expect_first(2, "", false, 0);
    inbox_take(&inbox, 0);
    assert_false(inbox_first(&inbox, &message));
    inbox_grow(&inbox, 1, bytes(" and half"));
    inbox_drop_open(&inbox);
    assert_true(inbox_empty(&inbox));
    assert_true(inbox_add(&inbox, &close));
    expect_first(8, "bye", false, 1001);
    inbox_finish(&inbox);
}

static void an_item_may_leave_in_parts(void **state)
{
    (void)state;
    inbox_init(&inbox);
    inbox_grow(&inbox, 2, bytes("0123456789"));
    inbox_seal(&inbox, false);
    inbox_grow(&inbox, 1, bytes("next"));
    inbox_seal(&inbox, false);
    inbox_take(&inbox, 1);
    expect_first(2, "123456789", false, 0);
    inbox_take(&inbox, 8);
    expect_first(2, "9", false, 0);
    inbox_take(&inbox, 1);
    expect_first(1, "next", false, 0);
    inbox_finish(&inbox);
}

static void the_beginning_that_is_dropped_leaves_the_others(void **state)
{
    (void)state;
    inbox_init(&inbox);
    inbox_grow(&inbox, 2, bytes("whole"));
    inbox_seal(&inbox, false);
    inbox_grow(&inbox, 1, bytes("never whole"));
    inbox_drop_open(&inbox);
    inbox_drop_open(&inbox);
    expect_first(2, "whole", false, 0);
    inbox_take(&inbox, 5);
    assert_true(inbox_empty(&inbox));
    inbox_finish(&inbox);
}

UNIT_TESTS(TEST(a_message_that_grows_is_not_the_first_until_it_is_sealed),
           TEST(items_leave_in_order_while_the_last_one_grows), TEST(an_item_may_leave_in_parts),
           TEST(the_beginning_that_is_dropped_leaves_the_others))
