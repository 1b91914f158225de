/* A folder whose permissions are ours to set: this user, the system and administrators, nobody else. It is held open
 * so that nothing else can come under its name, and a file in it, held alone, is the lock. Names of files tell upper
 * case from lower there by a "~" before each upper letter: a session "A" is not the session "a". */
#include "folder.h"

#include "account.h"

#include "conf/sid.h"
#include "conf/wide.h"
#include "ipc/secret.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <windows.h>
/* After windows.h. */
#include <aclapi.h>
#include <sddl.h>

#define NEW ".new"
#define LOCK "lock"
#define NAME_BYTES 300
#define EPOCH_S 11644473600u       /* from 1601, where Windows' time begins, to 1970 */
#define TICKS_A_SECOND 10000000u

/* ---- names ---- */

static void encode(const char *name, char ret_text[NAME_BYTES])
{
    size_t used = 0;
    for (; *name && used + 3 < NAME_BYTES; name++) {
        if (isupper((unsigned char)*name))
            ret_text[used++] = '~';
        ret_text[used++] = (char)tolower((unsigned char)*name);
    }
    ret_text[used] = '\0';
}

static void decode(const char *text, char ret_name[NAME_BYTES])
{
    size_t used = 0;
    for (; *text && used + 1 < NAME_BYTES; text++) {
        bool upper = text[0] == '~' && islower((unsigned char)text[1]);
        text += upper;
        ret_name[used++] = upper ? (char)toupper((unsigned char)*text) : *text;
    }
    ret_name[used] = '\0';
}

/* In UTF-16 for the calls; false when it is too long. */
static bool path_of(const char *folder, const char *name, const char *end, wchar_t ret_path[FOLDER_PATH_BYTES])
{
    char path[FOLDER_PATH_BYTES + NAME_BYTES];
    snprintf(path, sizeof path, "%s\\%s%s", folder, name, end);
    return conf_wide(path, ret_path, FOLDER_PATH_BYTES);
}

static bool file_path(const struct folder *folder, const char *name, const char *end, wchar_t ret_path[FOLDER_PATH_BYTES])
{
    char encoded[NAME_BYTES];
    encode(name, encoded);
    return path_of(folder->path, encoded, end, ret_path);
}

static int last_error(void)
{
    return uv_translate_sys_error((int)GetLastError());
}

/* ---- owners and permissions ---- */

/* Inherited by the files; to be freed by LocalFree. */
static PSECURITY_DESCRIPTOR private_descriptor(void)
{
    PSECURITY_DESCRIPTOR descriptor = NULL;
    char own[CONF_SID_TEXT_BYTES], text[CONF_SID_TEXT_BYTES + 100];
    conf_sid_text(account_own(), own);
    snprintf(text, sizeof text, "D:P(A;OICI;FA;;;%s)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", own);
    ConvertStringSecurityDescriptorToSecurityDescriptorA(text, SDDL_REVISION_1, &descriptor, NULL);
    return descriptor;
}

/* The system and administrators can do as they like anyway. */
static bool is_trusted(HANDLE file)
{
    PSID owner = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    if (GetSecurityInfo(file, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL, &descriptor) != 0)
        return false;
    const void *own = conf_sid_of(account_own());
    bool trusted = (own && EqualSid(owner, (PSID)(uintptr_t)own)) || IsWellKnownSid(owner, WinLocalSystemSid)
                || IsWellKnownSid(owner, WinBuiltinAdministratorsSid);
    LocalFree(descriptor);
    return trusted;
}

/* Those of the folder alone: its files have the same. */
static bool make_private(HANDLE folder, PSECURITY_DESCRIPTOR descriptor)
{
    return SetKernelObjectSecurity(folder, DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, descriptor);
}

/* ---- the folder ---- */

static void make_folders(const char *path, PSECURITY_DESCRIPTOR descriptor)
{
    SECURITY_ATTRIBUTES attributes = { sizeof attributes, descriptor, FALSE };
    wchar_t wide[FOLDER_PATH_BYTES];
    if (!conf_wide(path, wide, FOLDER_PATH_BYTES))
        return;
    wchar_t *end = wide + wcslen(wide);
    while (end > wide && *end != L'\\' && *end != L'/')
        end--;
    wchar_t mark = *end;
    *end = L'\0';
    CreateDirectoryW(wide, &attributes);
    *end = mark;
    CreateDirectoryW(wide, &attributes);
}

static const char *check(HANDLE handle, PSECURITY_DESCRIPTOR descriptor)
{
    BY_HANDLE_FILE_INFORMATION found;
    if (!GetFileInformationByHandle(handle, &found))
        return uv_strerror(last_error());
    if (!(found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) || (found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT))
        return "is not a folder (a link is not followed)";
    if (!is_trusted(handle))
        return "must belong to the daemon's user, to administrators or to the system";
    return make_private(handle, descriptor) ? NULL : "can't be closed to others";
}

/* Renaming it or removing it is not shared. */
static HANDLE open_handle(const char *path)
{
    wchar_t wide[FOLDER_PATH_BYTES];
    if (!conf_wide(path, wide, FOLDER_PATH_BYTES))
        return INVALID_HANDLE_VALUE;
    return CreateFileW(wide, FILE_LIST_DIRECTORY | READ_CONTROL | WRITE_DAC, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                       OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
}

static HANDLE take_lock(const char *path)
{
    wchar_t wide[FOLDER_PATH_BYTES];
    if (!path_of(path, LOCK, "", wide))
        return INVALID_HANDLE_VALUE;
    return CreateFileW(wide, GENERIC_WRITE | DELETE, 0, NULL, OPEN_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
}

int folder_open(struct folder *folder, const char *path, const char **ret_reason)
{
    PSECURITY_DESCRIPTOR descriptor = private_descriptor();
    *ret_reason = "no permissions can be made for it";
    if (!descriptor)
        return -1;
    make_folders(path, descriptor);
    HANDLE handle = open_handle(path), lock = INVALID_HANDLE_VALUE;
    *ret_reason = handle == INVALID_HANDLE_VALUE ? uv_strerror(last_error()) : check(handle, descriptor);
    LocalFree(descriptor);
    if (!*ret_reason && (lock = take_lock(path)) == INVALID_HANDLE_VALUE)
        *ret_reason = GetLastError() == ERROR_SHARING_VIOLATION ? "another fetchd uses it" : uv_strerror(last_error());
    if (*ret_reason) {
        if (handle != INVALID_HANDLE_VALUE)
            CloseHandle(handle);
        return -1;
    }
    folder->handle = handle;
    folder->lock = lock;
    folder->open = true;
    snprintf(folder->path, sizeof folder->path, "%s", path);
    return 0;
}

void folder_close(struct folder *folder)
{
    if (folder->open) {
        CloseHandle(folder->lock);
        CloseHandle(folder->handle);
    }
    folder->open = false;
}

/* ---- files ---- */

static int write_all(HANDLE file, const struct ipc_buffer *content)
{
    const uint8_t *data = ipc_buffer_data(content);
    for (size_t left = ipc_buffer_length(content); left > 0;) {
        DWORD written = 0;
        if (!WriteFile(file, data, left > 1 << 20 ? 1 << 20 : (DWORD)left, &written, NULL))
            return last_error();
        data += written;
        left -= written;
    }
    return FlushFileBuffers(file) ? 0 : last_error();
}

/* With the folder's permissions, which it would inherit, too. */
static HANDLE create_file(const wchar_t *path)
{
    SECURITY_ATTRIBUTES attributes = { sizeof attributes, private_descriptor(), FALSE };
    HANDLE file = INVALID_HANDLE_VALUE;
    if (attributes.lpSecurityDescriptor)
        file = CreateFileW(path, GENERIC_WRITE, 0, &attributes, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
    DWORD error = GetLastError();
    LocalFree(attributes.lpSecurityDescriptor);
    SetLastError(error);
    return file;
}

int folder_replace(const struct folder *folder, const char *name, const struct ipc_buffer *content)
{
    wchar_t beside[FOLDER_PATH_BYTES], place[FOLDER_PATH_BYTES];
    if (!file_path(folder, name, NEW, beside) || !file_path(folder, name, "", place))
        return UV_ENAMETOOLONG;
    DeleteFileW(beside);
    HANDLE file = create_file(beside);
    if (file == INVALID_HANDLE_VALUE)
        return last_error();
    int status = write_all(file, content);
    CloseHandle(file);
    if (status == 0 && !MoveFileExW(beside, place, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
        status = last_error();
    if (status < 0)
        DeleteFileW(beside);
    return status;
}

static uint8_t *read_all(HANDLE file, size_t size, size_t *ret_length)
{
    uint8_t *content = ipc_secret_alloc(size + 1);
    size_t length = 0;
    for (DWORD got = 1; content && got > 0 && length < size; length += got)
        if (!ReadFile(file, content + length, size - length > 1 << 20 ? 1 << 20 : (DWORD)(size - length), &got, NULL))
            got = 0;
    *ret_length = length;
    return content;
}

static uint64_t seconds_of(const FILETIME *time)
{
    uint64_t ticks = (uint64_t)time->dwHighDateTime << 32 | time->dwLowDateTime;
    return ticks / TICKS_A_SECOND > EPOCH_S ? ticks / TICKS_A_SECOND - EPOCH_S : 0;
}

static uint8_t *read_checked(HANDLE file, size_t limit_bytes, size_t *ret_length, uint64_t *ret_changed_s,
                             const char **ret_problem)
{
    BY_HANDLE_FILE_INFORMATION found;
    uint32_t strange = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_DEVICE;
    *ret_problem = "it is not a file of the daemon's user";
    if (!GetFileInformationByHandle(file, &found) || (found.dwFileAttributes & strange) || !is_trusted(file))
        return NULL;
    uint64_t size = (uint64_t)found.nFileSizeHigh << 32 | found.nFileSizeLow;
    *ret_problem = "it is too large";
    if (size > limit_bytes)
        return NULL;
    *ret_problem = "it can't be read";
    *ret_changed_s = seconds_of(&found.ftLastWriteTime);
    return read_all(file, (size_t)size, ret_length);
}

uint8_t *folder_read(const struct folder *folder, const char *name, size_t limit_bytes, size_t *ret_length,
                     uint64_t *ret_changed_s, const char **ret_problem)
{
    wchar_t path[FOLDER_PATH_BYTES];
    *ret_problem = "it can't be read";
    if (!file_path(folder, name, "", path))
        return NULL;
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return NULL;
    uint8_t *content = read_checked(file, limit_bytes, ret_length, ret_changed_s, ret_problem);
    CloseHandle(file);
    return content;
}

void folder_remove(const struct folder *folder, const char *name)
{
    wchar_t path[FOLDER_PATH_BYTES];
    if (file_path(folder, name, "", path))
        DeleteFileW(path);
}

bool folder_rename(const struct folder *folder, const char *name, const char *new_name)
{
    wchar_t path[FOLDER_PATH_BYTES], new_path[FOLDER_PATH_BYTES];
    return file_path(folder, name, "", path) && file_path(folder, new_name, "", new_path)
        && MoveFileExW(path, new_path, MOVEFILE_REPLACE_EXISTING);
}

static bool is_half_written(const char *name)
{
    size_t length = strlen(name), end = sizeof NEW - 1;
    return length >= end && strcmp(name + length - end, NEW) == 0;
}

void folder_visit(const struct folder *folder, void (*visit)(void *context, const char *name), void *context)
{
    wchar_t pattern[FOLDER_PATH_BYTES];
    WIN32_FIND_DATAW found;
    if (!path_of(folder->path, "*", "", pattern))
        return;
    HANDLE list = FindFirstFileW(pattern, &found);
    if (list == INVALID_HANDLE_VALUE)
        return;
    do {
        char text[3 * MAX_PATH + 1], name[NAME_BYTES];
        if (!conf_narrow(found.cFileName, text, sizeof text) || strcmp(text, LOCK) == 0)
            continue;
        decode(text, name);
        if (is_half_written(name))
            folder_remove(folder, name);
        else
            visit(context, name);
    } while (FindNextFileW(list, &found));
    FindClose(list);
}
