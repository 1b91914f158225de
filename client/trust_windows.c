/* The system, the administrators, ourselves, and one user by name. */
#include "trust.h"

#include "ipc/endpoint.h"
#include "wide.h"

#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

#include <sddl.h>

#define NAME_CHARACTERS 512

union sid {
    SID sid;
    BYTE bytes[SECURITY_MAX_SID_SIZE];
};

/* The account that a service of this name has by itself. */
#define SERVICE_ACCOUNT "NT SERVICE\\" FETCHD_SERVICE_USER

static bool configured_user(const char *address, wchar_t name[NAME_CHARACTERS])
{
    DWORD length = GetEnvironmentVariableW(L"FETCHD_USER", name, NAME_CHARACTERS);
    if (length > 0)
        return length < NAME_CHARACTERS;
    return ipc_endpoint_is_system(address) && wide_from_utf8(SERVICE_ACCOUNT, name, NAME_CHARACTERS) == 0;
}

static bool find_sid(const wchar_t *name, union sid *ret_sid)
{
    wchar_t domain[NAME_CHARACTERS];
    DWORD size = sizeof *ret_sid, domain_length = NAME_CHARACTERS;
    SID_NAME_USE use;
    return LookupAccountNameW(NULL, name, ret_sid, &size, domain, &domain_length, &use);
}

static bool is_user(PSID user, const wchar_t *name)
{
    union sid found;
    PSID written;
    if (wcsncmp(name, L"S-1-", 4) != 0)
        return find_sid(name, &found) && EqualSid(user, &found);
    if (!ConvertStringSidToSidW(name, &written))
        return false;
    bool same = EqualSid(user, written);
    LocalFree(written);
    return same;
}

static bool is_ourself(PSID user)
{
    union { TOKEN_USER user; BYTE bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE]; } own;
    HANDLE token;
    DWORD size;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return false;
    bool same = GetTokenInformation(token, TokenUser, &own, sizeof own, &size) && EqualSid(user, own.user.User.Sid);
    CloseHandle(token);
    return same;
}

bool trust_user(const void *user, const char *address)
{
    PSID sid = (PSID)(size_t)user;
    wchar_t name[NAME_CHARACTERS];
    if (IsWellKnownSid(sid, WinLocalSystemSid) || IsWellKnownSid(sid, WinBuiltinAdministratorsSid) || is_ourself(sid))
        return true;
    return configured_user(address, name) && is_user(sid, name);
}
