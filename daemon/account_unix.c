/* The user database, asked at start and at a reload. */
#include "account.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

uint64_t account_own(void)
{
    return geteuid();
}

bool account_is_root(void)
{
    return geteuid() == 0;
}

void account_describe(uint64_t user, char *ret_text, size_t size)
{
    snprintf(ret_text, size, "uid %llu", (unsigned long long)user);
}

static bool find(const char *name, struct account *ret_account)
{
    const struct passwd *entry = getpwnam(name);
    if (entry)
        *ret_account = (struct account){ entry->pw_uid != 0, entry->pw_uid, entry->pw_gid, name };
    return entry != NULL;
}

static int choose_usual(struct account *ret_account)
{
    if (!find("fetchd", ret_account) && !find("nobody", ret_account))
        *ret_account = (struct account){ .name = "root" };
    return 0;
}

int account_choose(const char *wanted, struct account *ret_account, char *ret_error, size_t size)
{
    struct account account = { .name = wanted };
    *ret_account = account;
    if (!*wanted)
        return geteuid() == 0 ? choose_usual(ret_account) : 0;
    if (!find(wanted, &account)) {
        snprintf(ret_error, size, "[workers] user = %.200s: there is no such user", wanted);
        return -1;
    }
    if (geteuid() != 0 && account.user != geteuid()) {
        snprintf(ret_error, size, "[workers] user = %.200s: only a daemon started as root can change to another user",
                 wanted);
        return -1;
    }
    account.changes = account.changes && geteuid() == 0;
    *ret_account = account;
    return 0;
}
