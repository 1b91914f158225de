/* Permissions by SDDL. Who may change them can't be kept from it, so the store closes a folder of its own again. */
#include "place.h"

#include "daemon/account.h"

#include "conf/sid.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>
/* After windows.h. */
#include <aclapi.h>
#include <sddl.h>

const bool place_is_refused = false;

static bool is_trusted(PSID sid)
{
    return EqualSid(sid, (PSID)(uintptr_t)conf_sid_of(account_own())) || IsWellKnownSid(sid, WinLocalSystemSid)
        || IsWellKnownSid(sid, WinBuiltinAdministratorsSid);
}

bool place_is_private(const char *path)
{
    PSECURITY_DESCRIPTOR descriptor = NULL;
    PACL list = NULL;
    bool private = true;
    assert_int_equal(GetNamedSecurityInfoA((char *)(uintptr_t)path, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &list,
                                           NULL, &descriptor), 0);
    assert_non_null(list);
    for (DWORD i = 0; i < list->AceCount; i++) {
        ACCESS_ALLOWED_ACE *entry = NULL;
        assert_true(GetAce(list, i, (void **)&entry));
        if (entry->Header.AceType == ACCESS_ALLOWED_ACE_TYPE && entry->Mask && !is_trusted((PSID)&entry->SidStart))
            private = false;
    }
    LocalFree(descriptor);
    return private;
}

void place_make_strange(const char *folder)
{
    char path[400];
    snprintf(path, sizeof path, "%s/1000-folder.session", folder);
    assert_true(CreateDirectoryA(path, NULL));
}

void place_block(const char *path)
{
    assert_true(CreateDirectoryA(path, NULL));
}

void place_unblock(const char *path)
{
    assert_true(RemoveDirectoryA(path));
}

void place_open_up(const char *folder)
{
    PSECURITY_DESCRIPTOR descriptor = NULL;
    BOOL present, defaulted;
    PACL list = NULL;
    assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorA("D:P(A;OICI;FA;;;WD)", SDDL_REVISION_1, &descriptor, NULL));
    assert_true(GetSecurityDescriptorDacl(descriptor, &present, &list, &defaulted));
    assert_int_equal(SetNamedSecurityInfoA((char *)(uintptr_t)folder, SE_FILE_OBJECT,
                                           DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, NULL, NULL,
                                           list, NULL), 0);
    LocalFree(descriptor);
}
