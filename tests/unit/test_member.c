/* member.c: users, groups and their classes. */
#include "conf/conf.h"

#include "members.h"
#include "unit.h"

#include <string.h>

static char error[CONF_ERROR_BYTES];

static struct conf *conf;

static void begin(void)
{
    conf = conf_create();
    assert_non_null(conf);
}

static void set(const char *section, const char *key, const char *value)
{
    if (conf_set(conf, section, key, value, error) < 0)
        fail_msg("%s", error);
}

static const char *class_of(uint64_t user, uint64_t group)
{
    uint64_t groups[] = { members_id(group) };
    return conf_class(conf, members_id(user), groups, 1)->name;
}

static void the_first_class_that_a_user_or_its_group_is_in_holds(void **state)
{
    (void)state;
    begin();
    set("class \"*\"", "rate", "9");
    set("class \"a\"", "members", members_written("1000, @50"));
    set("class \"b.c-d_E\"", "members", members_written("7 @\"8\", \"1000\""));
    assert_string_equal(class_of(1000, 1), "a");
    assert_string_equal(class_of(1001, 50), "a");
    assert_string_equal(class_of(50, 1000), "*");
    assert_string_equal(class_of(7, 1), "b.c-d_E");
    assert_string_equal(class_of(5, 8), "b.c-d_E");
    assert_string_equal(class_of(8, 7), "*");
    assert_int_equal(conf_class(conf, members_id(9), NULL, 0)->rate, 9);
    conf_destroy(conf);
}

static void who_is_nobody_here_is_an_error(void **state)
{
    static const struct { const char *text, *wrong; } rows[] = {
        { "*, no-such-user", "names a user that this system does not know; a group is written with an @ (" },
        { "\"no such, user\"", "names a user that this system does not know; a group is written with an @ (" },
        { "@none-such", "names a group that this system does not know (" },
        { "@", "is neither a user, a @group nor * (" },
        { "@\"\"", "is neither a user, a @group nor * (" },
        { "\"root", "has a quote that does not end (" },
    };
    (void)state;
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(conf_set(conf, "access", "deny", rows[i].text, error), -1);
        if (!strstr(error, rows[i].wrong))
            fail_msg("%s: %s", rows[i].text, error);
    }
    conf_destroy(conf);
}

UNIT_TESTS(TEST(the_first_class_that_a_user_or_its_group_is_in_holds), TEST(who_is_nobody_here_is_an_error))
