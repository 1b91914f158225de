/* principal.c: users to numbers. */
#include "daemon/principal.h"

#include "unit.h"

static void users_are_numbered_from_one_in_order_of_arrival(void **state)
{
    (void)state;
    struct principals principals = { 0 };
    assert_int_equal(principals_find(&principals, 1000)->number, 1);
    assert_int_equal(principals_find(&principals, 0)->number, 2);
    assert_int_equal(principals_find(&principals, UINT64_MAX)->number, 3);
    principals_finish(&principals);
}

static void a_user_stays_the_same_principal(void **state)
{
    (void)state;
    struct principals principals = { 0 };
    struct principal *first = principals_find(&principals, 7);
    for (uint64_t user = 100; user < 1000; user++)
        assert_int_equal(principals_find(&principals, user)->number, user - 98);
    assert_ptr_equal(principals_find(&principals, 7), first);
    assert_int_equal(first->number, 1);
    assert_int_equal(first->user, 7);
    assert_int_equal(principals.count, 901);
    principals_finish(&principals);
}

static void a_number_is_no_uid(void **state)
{
    (void)state;
    struct principals principals = { 0 };
    assert_int_not_equal(principals_find(&principals, 1000)->number, 1000);
    principals_finish(&principals);
    assert_null(principals.first);
}

UNIT_TESTS(TEST(users_are_numbered_from_one_in_order_of_arrival), TEST(a_user_stays_the_same_principal),
           TEST(a_number_is_no_uid))
