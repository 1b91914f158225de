/* alice, 1000, @staff, @50 and *: looked up once, compared by number. */
#include "member.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 256
#define LARGEST_ID (UINT32_MAX - 1)   /* the last one stands for "no change" in chown and others */

static const char *find_user(const char *name, uint64_t *ret_id)
{
    const struct passwd *entry = getpwnam(name);
    if (!entry)
        return "names a user that this system does not know; a group is written with an @";
    *ret_id = entry->pw_uid;
    return NULL;
}

static const char *find_group(const char *name, uint64_t *ret_id)
{
    const struct group *entry = getgrnam(name);
    if (!entry)
        return "names a group that this system does not know";
    *ret_id = entry->gr_gid;
    return NULL;
}

/* Digits alone are always a number, as for chown and ps: a name that looks so can't pass for one. */
static const char *find_number(const char *digits, uint64_t *ret_id)
{
    errno = 0;
    unsigned long long number = strtoull(digits, NULL, 10);
    if (errno == ERANGE || number > LARGEST_ID)
        return "has a number that no user or group can have";
    *ret_id = number;
    return NULL;
}

const char *conf_member_read(const char *text, size_t length, struct conf_member *ret_member)
{
    char name[NAME_BYTES];
    struct conf_member member = { .everyone = length == 1 && text[0] == '*', .group = length > 0 && text[0] == '@' };
    const char *wrong = NULL;
    if (member.group) {
        text++;
        length--;
    }
    if (length == 0 || length >= sizeof name)
        return "is neither a user, a @group nor *";
    memcpy(name, text, length);
    name[length] = '\0';
    if (name[strspn(name, "0123456789")] == '\0')
        wrong = find_number(name, &member.id);
    else if (!member.everyone)
        wrong = member.group ? find_group(name, &member.id) : find_user(name, &member.id);
    if (!wrong)
        *ret_member = member;
    return wrong;
}

static bool has(const struct conf_member *member, uint64_t user, const uint64_t *groups, size_t count)
{
    if (!member->group)
        return member->everyone || member->id == user;
    for (size_t i = 0; i < count; i++)
        if (groups[i] == member->id)
            return true;
    return false;
}

bool conf_members_have(const struct conf_members *members, uint64_t user, const uint64_t *groups, size_t count)
{
    for (size_t i = 0; i < members->count; i++)
        if (has(&members->items[i], user, groups, count))
            return true;
    return false;
}
