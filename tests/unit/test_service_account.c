/* windows-service/account.c: who the service is. */
#include "../../windows-service/account.h"

#include "unit.h"

static void a_service_has_the_sid_that_windows_makes_of_its_name(void **state)
{
    (void)state;
    wchar_t sid[ACCOUNT_SID_CHARS];
    assert_true(account_service_sid(L"TrustedInstaller", sid));   /* one that every Windows has */
    assert_true(wcscmp(sid, L"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464") == 0);
    assert_true(account_service_sid(L"trustedinstaller", sid));
    assert_true(wcscmp(sid, L"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464") == 0);
}

static void accounts_without_a_password_have_short_names(void **state)
{
    (void)state;
    assert_true(wcscmp(account_full_name(L"localservice"), L"NT AUTHORITY\\LocalService") == 0);
    assert_true(wcscmp(account_full_name(L"NT SERVICE\\other"), L"NT SERVICE\\other") == 0);
}

UNIT_TESTS(TEST(a_service_has_the_sid_that_windows_makes_of_its_name), TEST(accounts_without_a_password_have_short_names))
