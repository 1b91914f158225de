/* member_unix.c: names by the user database, and numbers. */
#include "conf/member.h"

#include "unit.h"

#include <string.h>

static const char *wrong_with(const char *text, struct conf_member *ret_member)
{
    const char *wrong = conf_member_read(text, strlen(text), ret_member);
    return wrong ? wrong : "";
}

static void root_has_the_number_0(void **state)
{
    struct conf_member member;
    (void)state;
    assert_string_equal(wrong_with("root", &member), "");
    assert_true(!member.group && member.id == 0);
    assert_string_equal(wrong_with("@\"root\"", &member), "");
    assert_true(member.group && member.id == 0);
}

static void digits_are_a_number_up_to_the_last_but_one(void **state)
{
    static const char wrong[] = "has a number that no user or group can have";
    struct conf_member member;
    (void)state;
    assert_string_equal(wrong_with("4294967294", &member), "");
    assert_true(member.id == 4294967294u);
    assert_string_equal(wrong_with("4294967295", &member), wrong);
    assert_string_equal(wrong_with("@99999999999999999999", &member), wrong);
}

UNIT_TESTS(TEST(root_has_the_number_0), TEST(digits_are_a_number_up_to_the_last_but_one))
