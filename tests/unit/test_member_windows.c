/* member_windows.c and sid_windows.c: names and SIDs, and the numbers made of them. */
#include "conf/member.h"
#include "conf/sid.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

static uint64_t id_of(const char *text)
{
    struct conf_member member;
    const char *wrong = conf_member_read(text, strlen(text), &member);
    if (wrong)
        fail_msg("%s: %s", text, wrong);
    return member.id;
}

static void a_name_and_its_sid_are_the_same(void **state)
{
    char text[CONF_SID_TEXT_BYTES], name[CONF_SID_NAME_BYTES];
    (void)state;
    assert_true(id_of("SYSTEM") == id_of("S-1-5-18"));
    assert_true(id_of("\"NT AUTHORITY\\SYSTEM\"") == id_of("S-1-5-18"));
    assert_true(id_of("@Administrators") == id_of("@S-1-5-32-544"));
    assert_true(id_of("@Administrators") != id_of("SYSTEM"));
    conf_sid_text(id_of("SYSTEM"), text);
    conf_sid_name(id_of("SYSTEM"), name);
    assert_string_equal(text, "S-1-5-18");
    assert_string_equal(name, "NT AUTHORITY\\SYSTEM");
}

/* A file is named by it. */
static void a_number_is_the_same_after_a_restart(void **state)
{
    (void)state;
    assert_true(id_of("S-1-5-18") == 10381703084994108466u);
}

static void a_group_is_no_user_and_the_reverse(void **state)
{
    struct conf_member member;
    char user[CONF_SID_NAME_BYTES], group[CONF_SID_NAME_BYTES + 1];
    DWORD size = sizeof user;
    (void)state;
    assert_true(GetUserNameA(user, &size));
    snprintf(group, sizeof group, "@%s", user);
    assert_string_equal(conf_member_read(group, strlen(group), &member), "is no group: a user is written without an @");
    assert_string_equal(conf_member_read("Administrators", 14, &member), "is no user: a group is written with an @");
    assert_string_equal(conf_member_read("S-1-x", 5, &member), "is not a SID");
}

static void a_number_that_was_never_given_out_has_no_sid(void **state)
{
    char text[CONF_SID_TEXT_BYTES], name[CONF_SID_NAME_BYTES];
    (void)state;
    assert_null(conf_sid_of(1));
    conf_sid_text(1, text);
    conf_sid_name(1, name);
    assert_string_equal(text, "");
    assert_string_equal(name, "");
}

UNIT_TESTS(TEST(a_name_and_its_sid_are_the_same), TEST(a_number_is_the_same_after_a_restart),
           TEST(a_group_is_no_user_and_the_reverse), TEST(a_number_that_was_never_given_out_has_no_sid))
