/* daemon/gate.c: whose WebSocket handshake is next. */
#include "daemon/gate.h"
#include "daemon/request.h"

#include "unit.h"

static struct gates gates;
static struct origin *const here = (struct origin *)0x10, *const there = (struct origin *)0x20;

static struct request at(struct origin *origin)
{
    return (struct request){ .origin = origin };
}

static void one_passes_and_the_others_follow_in_their_order(void **state)
{
    (void)state;
    struct request first = at(here), second = at(here), third = at(here);
    assert_true(gate_pass(&gates, &first, 1, 1));
    assert_false(gate_pass(&gates, &second, 1, 1));
    assert_false(gate_pass(&gates, &third, 1, 1));
    assert_true(second.at_gate && third.at_gate && !first.at_gate);
    assert_ptr_equal(gate_leave(&gates, &first, 1), &second);
    assert_false(second.at_gate);
    assert_ptr_equal(gate_leave(&gates, &second, 1), &third);
    assert_null(gate_leave(&gates, &third, 1));
    assert_null(gates.by_key);
}

static void another_principal_and_another_origin_have_gates_of_their_own(void **state)
{
    (void)state;
    struct request first = at(here), other = at(here), elsewhere = at(there);
    assert_true(gate_pass(&gates, &first, 1, 1));
    assert_true(gate_pass(&gates, &other, 2, 1));
    assert_true(gate_pass(&gates, &elsewhere, 1, 1));
    assert_null(gate_leave(&gates, &first, 1));
    assert_null(gate_leave(&gates, &other, 1));
    assert_null(gate_leave(&gates, &elsewhere, 1));
    assert_null(gates.by_key);
}

static void who_gives_up_waiting_lets_nobody_pass_and_holds_nobody_up(void **state)
{
    (void)state;
    struct request first = at(here), second = at(here), third = at(here);
    gate_pass(&gates, &first, 1, 1);
    gate_pass(&gates, &second, 1, 1);
    gate_pass(&gates, &third, 1, 1);
    assert_null(gate_leave(&gates, &second, 1));
    assert_ptr_equal(gate_leave(&gates, &first, 1), &third);
    assert_null(gate_leave(&gates, &third, 1));
    assert_null(gates.by_key);
}

static void leaving_twice_is_leaving_once(void **state)
{
    (void)state;
    struct request first = at(here), second = at(here);
    gate_pass(&gates, &first, 1, 1);
    assert_null(gate_leave(&gates, &first, 1));
    assert_true(gate_pass(&gates, &second, 1, 1));
    assert_null(gate_leave(&gates, &first, 1));
    assert_non_null(second.gate);
    assert_null(gate_leave(&gates, &second, 1));
}

static void the_limit_is_how_many_and_0_is_no_limit(void **state)
{
    (void)state;
    struct request some[5] = { at(here), at(here), at(here), at(here), at(here) };
    assert_true(gate_pass(&gates, &some[0], 1, 2));
    assert_true(gate_pass(&gates, &some[1], 1, 2));
    assert_false(gate_pass(&gates, &some[2], 1, 2));
    assert_true(gate_pass(&gates, &some[3], 1, 0));
    assert_null(gate_leave(&gates, &some[0], 2));        /* two are still under way */
    assert_ptr_equal(gate_leave(&gates, &some[1], 2), &some[2]);
    assert_null(gate_leave(&gates, &some[2], 2));
    assert_null(gate_leave(&gates, &some[3], 2));
    assert_null(gates.by_key);
}

UNIT_TESTS(TEST(one_passes_and_the_others_follow_in_their_order),
           TEST(another_principal_and_another_origin_have_gates_of_their_own),
           TEST(who_gives_up_waiting_lets_nobody_pass_and_holds_nobody_up), TEST(leaving_twice_is_leaving_once),
           TEST(the_limit_is_how_many_and_0_is_no_limit))
