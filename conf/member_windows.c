/* SIDs as text, and names by LookupAccountName, which asks this machine, then its domain. */
#include "member.h"

#include "sid.h"
#include "wide.h"

#include <string.h>
#include <windows.h>
/* After windows.h. */
#include <sddl.h>

#define NAME_CHARACTERS 256

/* A service's account counts as a well-known group there, and so does SYSTEM. */
static bool may_be_user(SID_NAME_USE use)
{
    return use == SidTypeUser || use == SidTypeWellKnownGroup || use == SidTypeComputer;
}

static bool may_be_group(SID_NAME_USE use)
{
    return use == SidTypeGroup || use == SidTypeAlias || use == SidTypeWellKnownGroup;
}

static const char *number_of(PSID sid, uint64_t *ret_id)
{
    return conf_sid_number(sid, ret_id) ? NULL : "has a SID that can't be told apart from another one";
}

static const char *find_sid(const wchar_t *text, uint64_t *ret_id)
{
    PSID sid;
    if (!ConvertStringSidToSidW(text, &sid))
        return "is not a SID";
    const char *wrong = number_of(sid, ret_id);
    LocalFree(sid);
    return wrong;
}

static const char *find_name(const wchar_t *name, bool group, uint64_t *ret_id)
{
    wchar_t domain[NAME_CHARACTERS];
    uint8_t sid[SECURITY_MAX_SID_SIZE];
    DWORD sid_size = sizeof sid, domain_size = NAME_CHARACTERS;
    SID_NAME_USE use;
    if (!LookupAccountNameW(NULL, name, sid, &sid_size, domain, &domain_size, &use))
        return group ? "names a group that this system does not know"
                     : "names a user that this system does not know; a group is written with an @";
    if (group && !may_be_group(use))
        return "is no group: a user is written without an @";
    if (!group && !may_be_user(use))
        return "is no user: a group is written with an @";
    return number_of(sid, ret_id);
}

const char *conf_member_find(const char *name, bool group, uint64_t *ret_id)
{
    wchar_t wide[NAME_CHARACTERS];
    if (!conf_wide(name, wide, NAME_CHARACTERS))
        return "is not UTF-8";
    return strncmp(name, "S-1-", 4) == 0 ? find_sid(wide, ret_id) : find_name(wide, group, ret_id);
}
