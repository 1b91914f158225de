/* Files as Windows has them. The program's code page is UTF-8, by its manifest. */
#include "disk.h"

#include "memory.h"

#include <direct.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <windows.h>

#define MOST_FILES 2048   /* that msvcrt can have open */

int disk_make_folder(const char *path)
{
    if (_mkdir(path) == 0)
        return 0;
    int error = errno;
    DWORD attributes = GetFileAttributesA(path);   /* a drive, say, which can't be made */
    errno = error;
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) ? 0 : -1;
}

static int errno_of(DWORD error)
{
    switch (error) {
    case ERROR_FILE_NOT_FOUND: case ERROR_PATH_NOT_FOUND: return ENOENT;
    case ERROR_ACCESS_DENIED: case ERROR_SHARING_VIOLATION: return EACCES;
    case ERROR_FILE_EXISTS: case ERROR_ALREADY_EXISTS: return EEXIST;
    case ERROR_DISK_FULL: return ENOSPC;
    default: return EIO;
    }
}

static int move(const char *from, const char *to, DWORD flags)
{
    if (MoveFileExA(from, to, flags))
        return 0;
    errno = errno_of(GetLastError());
    return -1;
}

int disk_replace(const char *from, const char *to)
{
    return move(from, to, MOVEFILE_REPLACE_EXISTING);
}

int disk_rename(const char *from, const char *to)
{
    return move(from, to, 0);
}

/* CON, NUL.txt and the like are devices in every folder. */
static bool is_device(const char *name)
{
    static const char *const devices[] = { "con", "prn", "aux", "nul", "conin$", "conout$" };
    size_t length = strcspn(name, ".");
    while (length > 0 && name[length - 1] == ' ')
        length--;
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (strlen(devices[i]) == length && strncasecmp(name, devices[i], length) == 0)
            return true;
    return length == 4 && (strncasecmp(name, "com", 3) == 0 || strncasecmp(name, "lpt", 3) == 0)
        && name[3] >= '0' && name[3] <= '9';
}

void disk_clean_name(char *name)
{
    size_t length = strlen(name);
    for (char *at = name; *at; at++)
        if ((unsigned char)*at < ' ' || strchr("\\/:*?\"<>|", *at))
            *at = '_';
    for (; length > 0 && strchr(". ", name[length - 1]); length--)
        name[length - 1] = '_';
    if (is_device(name))
        name[0] = '_';
}

bool disk_takes_name(const char *name)
{
    char *clean = must_copy(name);
    disk_clean_name(clean);
    bool same = strcmp(clean, name) == 0;
    free(clean);
    return same;
}

bool disk_limits_size(void)
{
    return false;
}

void disk_raise_descriptors(void)
{
    _setmaxstdio(MOST_FILES);
}
