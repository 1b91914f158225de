/* Our own user by our token. Workers have no other user: they have less of its rights (spawn_windows.c). */
#include "account.h"

#include "conf/sid.h"

#include <stdio.h>
#include <windows.h>

uint64_t account_own(void)
{
    static uint64_t own;
    union { TOKEN_USER user; uint8_t bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE]; } found;
    DWORD size = 0;
    HANDLE token;
    if (own || !OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return own;
    if (!GetTokenInformation(token, TokenUser, &found, sizeof found, &size)
        || !conf_sid_number(found.user.User.Sid, &own))
        own = 0;
    CloseHandle(token);
    return own;
}

bool account_is_root(void)
{
    return false;
}

void account_describe(uint64_t user, char *ret_text, size_t size)
{
    char sid[CONF_SID_TEXT_BYTES], name[CONF_SID_NAME_BYTES];
    conf_sid_text(user, sid);
    conf_sid_name(user, name);
    snprintf(ret_text, size, "%s%s%s%s", name, *name ? " (" : "", sid, *name ? ")" : "");
}

int account_choose(const char *wanted, struct account *ret_account, char *ret_error, size_t size)
{
    *ret_account = (struct account){ .name = wanted };
    if (!*wanted)
        return 0;
    snprintf(ret_error, size, "[workers] user = %.200s: not on Windows, where workers have a restricted token of the"
             " daemon's own user", wanted);
    return -1;
}
