#include "account.h"

#include <windows.h>

#include <bcrypt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SHA1_BYTES = 20, NAME_CHARS = 256 };

static const wchar_t *const builtin_accounts[][2] = {
    { L"LocalService", L"NT AUTHORITY\\LocalService" },
    { L"NetworkService", L"NT AUTHORITY\\NetworkService" },
    { L"LocalSystem", L"LocalSystem" },
};

const wchar_t *account_full_name(const wchar_t *name)
{
    for (size_t i = 0; i < sizeof builtin_accounts / sizeof *builtin_accounts; i++)
        if (_wcsicmp(name, builtin_accounts[i][0]) == 0)
            return builtin_accounts[i][1];
    return name;
}

static bool hash(void *bytes, size_t length, unsigned char ret_hash[SHA1_BYTES])
{
    BCRYPT_ALG_HANDLE provider;
    if (BCryptOpenAlgorithmProvider(&provider, BCRYPT_SHA1_ALGORITHM, NULL, 0) != 0)
        return false;
    NTSTATUS status = BCryptHash(provider, NULL, 0, bytes, (ULONG)length, ret_hash, SHA1_BYTES);
    BCryptCloseAlgorithmProvider(provider, 0);
    return status == 0;
}

bool account_service_sid(const wchar_t *service, wchar_t ret_sid[ACCOUNT_SID_CHARS])
{
    wchar_t capitals[NAME_CHARS];
    unsigned char bytes[SHA1_BYTES];
    uint32_t parts[5];
    swprintf(capitals, NAME_CHARS, L"%ls", service);
    _wcsupr(capitals);
    if (!hash(capitals, wcslen(capitals) * sizeof *capitals, bytes))
        return false;
    memcpy(parts, bytes, sizeof parts); /* little-endian, like every Windows */
    swprintf(ret_sid, ACCOUNT_SID_CHARS, L"S-1-5-80-%u-%u-%u-%u-%u", parts[0], parts[1], parts[2], parts[3],
             parts[4]);
    return true;
}
