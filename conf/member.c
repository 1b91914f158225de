/* alice, 1000, @staff, @50 and *: looked up once, compared by number. */
#include "member.h"

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 256

/* Takes quotes off: a name that holds a space or a comma stands in them. NULL, or what is wrong. */
static const char *unquote(const char **text, size_t *length)
{
    if (*length == 0 || **text != '"')
        return NULL;
    if (*length < 2 || (*text)[*length - 1] != '"')
        return "has a quote that does not end";
    (*text)++;
    *length -= 2;
    return NULL;
}

size_t conf_member_length(const char *text, const char *between)
{
    size_t mark = text[0] == '@';
    if (text[mark] != '"')
        return strcspn(text, between);
    size_t quoted = strcspn(text + mark + 1, "\"");
    return mark + 1 + quoted + (text[mark + 1 + quoted] == '"');
}

const char *conf_member_read(const char *text, size_t length, struct conf_member *ret_member)
{
    char name[NAME_BYTES];
    struct conf_member member = { .everyone = length == 1 && text[0] == '*', .group = length > 0 && text[0] == '@' };
    if (member.group) {
        text++;
        length--;
    }
    const char *wrong = unquote(&text, &length);
    if (!wrong && (length == 0 || length >= sizeof name))
        wrong = "is neither a user, a @group nor *";
    if (wrong)
        return wrong;
    memcpy(name, text, length);
    name[length] = '\0';
    if (!member.everyone)
        wrong = conf_member_find(name, member.group, &member.id);
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
