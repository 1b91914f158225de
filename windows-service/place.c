#include "place.h"

#include "say.h"
#include "wide.h"

#include <aclapi.h>
#include <sddl.h>
#include <shlobj.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SDDL_CHARS 512
#define TEXT_BYTES (PLACE_CHARS * 3)

/* D:P: nothing is inherited from %ProgramData%, where users may make files. OICI: all inside has the same. */
#define OWNERS L"O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
static const wchar_t read_only[] = OWNERS L"(A;OICI;FRFX;;;%ls)";
static const wchar_t read_write[] = OWNERS L"(A;OICI;0x1301bf;;;%ls)"; /* modify: no rights, no owner */

static bool join(wchar_t ret_path[PLACE_CHARS], const wchar_t *folder, const wchar_t *name)
{
    int length = swprintf(ret_path, PLACE_CHARS, L"%ls\\%ls", folder, name);
    return length > 0 && length < PLACE_CHARS;
}

DWORD place_find(struct place *ret_place)
{
    wchar_t *data = NULL;
    HRESULT result = SHGetKnownFolderPath(&FOLDERID_ProgramData, KF_FLAG_DEFAULT, NULL, &data);
    struct place place;
    bool fits = SUCCEEDED(result) && join(place.folder, data, L"fetchd")
                && join(place.log_folder, place.folder, L"log")
                && join(place.state_folder, place.folder, L"state")
                && join(place.conf_file, place.folder, L"fetchd.ini")
                && join(place.log_file, place.log_folder, L"fetchd.log");
    CoTaskMemFree(data);
    if (!fits)
        return SUCCEEDED(result) ? ERROR_FILENAME_EXCED_RANGE : ERROR_PATH_NOT_FOUND;
    *ret_place = place;
    return ERROR_SUCCESS;
}

/* ---- whose an existing folder is ---- */

static bool is_current_user(PSID sid)
{
    union {
        TOKEN_USER user;
        BYTE bytes[SECURITY_MAX_SID_SIZE + sizeof(TOKEN_USER)];
    } buffer;
    HANDLE token;
    DWORD size;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return false;
    bool same = GetTokenInformation(token, TokenUser, &buffer, sizeof buffer, &size)
                && EqualSid(sid, buffer.user.User.Sid);
    CloseHandle(token);
    return same;
}

/* Of those who may do anything anyway; the one who installs is one of them. */
static bool is_trusted_owner(HANDLE folder)
{
    PSID owner = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    if (GetSecurityInfo(folder, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL,
                        &descriptor)
        != 0)
        return false;
    bool trusted = IsWellKnownSid(owner, WinBuiltinAdministratorsSid)
                   || IsWellKnownSid(owner, WinLocalSystemSid) || is_current_user(owner);
    LocalFree(descriptor);
    return trusted;
}

/* By handle, so that what was checked is what is changed. */
static DWORD set_rights(HANDLE folder, PSECURITY_DESCRIPTOR descriptor)
{
    BOOL present, defaulted;
    PACL rights = NULL;
    PSID owner = NULL;
    GetSecurityDescriptorDacl(descriptor, &present, &rights, &defaulted);
    GetSecurityDescriptorOwner(descriptor, &owner, &defaulted);
    return SetSecurityInfo(folder, SE_FILE_OBJECT,
                           OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION
                               | PROTECTED_DACL_SECURITY_INFORMATION,
                           owner, NULL, rights, NULL);
}

static int mend_folder(const wchar_t *path, const char *name, PSECURITY_DESCRIPTOR descriptor)
{
    BY_HANDLE_FILE_INFORMATION about;
    HANDLE folder = CreateFileW(path, READ_CONTROL | WRITE_DAC | WRITE_OWNER | FILE_READ_ATTRIBUTES,
                                FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING,
                                FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (folder == INVALID_HANDLE_VALUE)
        return say_failure(GetLastError(), "%s", name);
    int code = EXIT_SUCCESS;
    DWORD error;
    if (!GetFileInformationByHandle(folder, &about) || !(about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
        || (about.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT))
        code = say_failure(ERROR_DIRECTORY, "%s is not a folder of its own; move it away", name);
    else if (!is_trusted_owner(folder))
        code = say_failure(ERROR_INVALID_OWNER,
                           "%s was made by somebody else; look into it, then move it away", name);
    else if ((error = set_rights(folder, descriptor)) != ERROR_SUCCESS)
        code = say_failure(error, "%s: can't set its permissions", name);
    CloseHandle(folder);
    return code;
}

static int make_folder(const wchar_t *path, const wchar_t *rights, const wchar_t *service_sid)
{
    wchar_t text[SDDL_CHARS];
    char name[TEXT_BYTES];
    SECURITY_ATTRIBUTES attributes = { sizeof attributes, NULL, FALSE };
    wide_to(path, name, sizeof name);
    swprintf(text, SDDL_CHARS, rights, service_sid);
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1,
                                                              &attributes.lpSecurityDescriptor, NULL))
        return say_failure(GetLastError(), "%s: its permissions", name);
    int code = EXIT_SUCCESS;
    if (!CreateDirectoryW(path, &attributes))
        code = GetLastError() == ERROR_ALREADY_EXISTS
                   ? mend_folder(path, name, attributes.lpSecurityDescriptor)
                   : say_failure(GetLastError(), "%s", name);
    LocalFree(attributes.lpSecurityDescriptor);
    return code;
}

/* ---- the first settings ---- */

static const char first_settings[] =
    "; fetchd's settings on this machine. Every key, with its default and unit: fetchd --print-config\r\n"
    "; After a change: fetchd --check --config FILE, then fetchctl reload.\r\n"
    "; The service keeps its log in the folder log beside this file, and its state in the folder state.\r\n";

static int write_settings(const wchar_t *path)
{
    char name[TEXT_BYTES];
    DWORD written;
    wide_to(path, name, sizeof name);
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE && GetLastError() == ERROR_FILE_EXISTS) {
        say("%s: kept as it is", name);
        return EXIT_SUCCESS;
    }
    bool done = file != INVALID_HANDLE_VALUE
                && WriteFile(file, first_settings, sizeof first_settings - 1, &written, NULL);
    int code = done ? EXIT_SUCCESS : say_failure(GetLastError(), "%s: can't be written", name);
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    if (done)
        say("%s: written", name);
    return code;
}

int place_make(const struct place *place, const wchar_t *service_sid)
{
    int code = make_folder(place->folder, read_only, service_sid);
    if (code == EXIT_SUCCESS)
        code = make_folder(place->log_folder, read_write, service_sid);
    if (code == EXIT_SUCCESS)
        code = make_folder(place->state_folder, read_write, service_sid);
    return code == EXIT_SUCCESS ? write_settings(place->conf_file) : code;
}

void place_remove_empty(const struct place *place)
{
    RemoveDirectoryW(place->log_folder);
    RemoveDirectoryW(place->state_folder);
    RemoveDirectoryW(place->folder);
}
