/* scout.c: who connects first, and who waits for it. */
#include "worker/scout.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static unsigned gone;

static void on_go(struct scout *scout)
{
    (void)scout;
    gone++;
}

static struct scout new_scout(void)
{
    return (struct scout){ .on_go = on_go };
}

static void the_first_goes_and_the_others_wait_until_it_is_connected(void **state)
{
    (void)state;
    struct scouts scouts = { .count = 0 };
    struct scout first = new_scout(), second = new_scout(), third = new_scout();
    gone = 0;
    assert_int_equal(scouts_ask(&scouts, "https://a:443", &first), SCOUT_GO);
    assert_int_equal(scouts_ask(&scouts, "https://a:443", &second), SCOUT_WAIT);
    assert_int_equal(scouts_ask(&scouts, "https://a:443", &third), SCOUT_WAIT);
    assert_false(scout_multiplexes(&first));
    scout_learn(&first, true);
    scout_leave(&first);
    assert_int_equal(gone, 2);
    assert_true(scout_multiplexes(&second));
    scout_leave(&second);
    scout_leave(&third);
    struct scout later = new_scout();
    assert_int_equal(scouts_ask(&scouts, "https://a:443", &later), SCOUT_GO);
    assert_true(scout_multiplexes(&later));
    scout_leave(&later);
    scouts_finish(&scouts);
}

static void origins_do_not_wait_for_each_other(void **state)
{
    (void)state;
    struct scouts scouts = { .count = 0 };
    struct scout one = new_scout(), two = new_scout();
    assert_int_equal(scouts_ask(&scouts, "https://a:443", &one), SCOUT_GO);
    assert_int_equal(scouts_ask(&scouts, "https://b:443", &two), SCOUT_GO);
    scout_leave(&one);
    scout_leave(&two);
    scouts_finish(&scouts);
}

static void when_the_first_fails_all_go_at_once(void **state)
{
    (void)state;
    struct scouts scouts = { .count = 0 };
    struct scout first = new_scout(), second = new_scout(), third = new_scout();
    gone = 0;
    scouts_ask(&scouts, "https://a:443", &first);
    scouts_ask(&scouts, "https://a:443", &second);
    scouts_ask(&scouts, "https://a:443", &third);
    scout_leave(&first);
    assert_int_equal(gone, 2);
    assert_false(scout_multiplexes(&second));
    scout_leave(&second);
    scout_leave(&third);
    struct scout next = new_scout();
    assert_int_equal(scouts_ask(&scouts, "https://a:443", &next), SCOUT_GO);
    assert_true(next.leads);
    scout_leave(&next);
    scouts_finish(&scouts);
}

static void one_that_waits_can_leave(void **state)
{
    (void)state;
    struct scouts scouts = { .count = 0 };
    struct scout first = new_scout(), waiting[3] = { new_scout(), new_scout(), new_scout() };
    gone = 0;
    scouts_ask(&scouts, "https://a:443", &first);
    for (int i = 0; i < 3; i++)
        scouts_ask(&scouts, "https://a:443", &waiting[i]);
    scout_leave(&waiting[2]);
    scout_leave(&waiting[0]);
    scout_leave(&first);
    assert_int_equal(gone, 1);
    scout_leave(&waiting[1]);
    scouts_finish(&scouts);
}

static void leaving_twice_is_leaving_once(void **state)
{
    (void)state;
    struct scouts scouts = { .count = 0 };
    struct scout one = new_scout();
    scout_leave(&one);
    scouts_ask(&scouts, "https://a:443", &one);
    scout_leave(&one);
    scout_leave(&one);
    scouts_finish(&scouts);
    assert_int_equal(scouts.count, 0);
}

static void memory_of_origins_is_bounded(void **state)
{
    (void)state;
    struct scouts scouts = { .count = 0 };
    struct scout kept = new_scout();
    scouts_ask(&scouts, "https://kept:443", &kept);
    for (int i = 0; i < 5000; i++) {
        char key[40];
        snprintf(key, sizeof key, "https://%d:443", i);
        struct scout one = new_scout();
        assert_int_equal(scouts_ask(&scouts, key, &one), SCOUT_GO);
        scout_learn(&one, i % 2);
        scout_leave(&one);
        assert_true(scouts.count <= 1025);
    }
    struct scout other = new_scout();
    assert_int_equal(scouts_ask(&scouts, "https://kept:443", &other), SCOUT_WAIT);
    scout_leave(&kept);
    scout_leave(&other);
    scouts_finish(&scouts);
}

UNIT_TESTS(
    TEST(the_first_goes_and_the_others_wait_until_it_is_connected),
    TEST(origins_do_not_wait_for_each_other),
    TEST(when_the_first_fails_all_go_at_once),
    TEST(one_that_waits_can_leave),
    TEST(leaving_twice_is_leaving_once),
    TEST(memory_of_origins_is_bounded))
