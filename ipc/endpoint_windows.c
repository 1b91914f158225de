/* The user's own pipe, named by his SID: pipes have no directory that only he could write to. */
#include "endpoint_platform.h"

#include <stdbool.h>
#include <stdio.h>
#include <windows.h>

#include <sddl.h>

/* TOKEN_USER with the longest SID behind it. */
union user {
    TOKEN_USER user;
    char bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
};

static bool own_user(union user *ret_user)
{
    HANDLE token;
    DWORD bytes;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return false;
    bool known = GetTokenInformation(token, TokenUser, ret_user, sizeof *ret_user, &bytes);
    CloseHandle(token);
    return known;
}

int ipc_endpoint_of_user(char *ret_address, size_t size)
{
    union user user;
    char *sid;
    if (!own_user(&user) || !ConvertSidToStringSidA(user.user.User.Sid, &sid))
        return 0;
    int length = snprintf(ret_address, size, "pipe:\\\\.\\pipe\\fetchd-%s", sid);
    LocalFree(sid);
    return length < 0 || (size_t)length >= size ? -1 : 1;
}
