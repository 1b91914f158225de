#include "logfile.h"

#include <fcntl.h>
#include <io.h>
#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>

enum { PATH_CHARS = 1024, STDERR_FD = 2 };

static wchar_t current[PATH_CHARS];

/* A process without a terminal has no descriptor behind stderr. Wine's freopen refuses such a stream;
 * msvcrt's own structure may be copied. */
static bool open_stderr(void)
{
    if (_fileno(stderr) >= 0 || freopen("NUL", "w", stderr))
        return true;
    FILE *stream = fopen("NUL", "w");
    if (stream)
        *stderr = *stream;
    return stream != NULL;
}

/* The stream and, whatever descriptor that has, descriptor 2: it is what a child inherits. */
static bool take_stderr(int fd)
{
    if (!open_stderr())
        return false;
    if (_dup2(fd, _fileno(stderr)) < 0 || (_fileno(stderr) != STDERR_FD && _dup2(fd, STDERR_FD) < 0))
        return false;
    SetStdHandle(STD_ERROR_HANDLE, (HANDLE)_get_osfhandle(STDERR_FD));
    setvbuf(stderr, NULL, _IONBF, 0);
    return true;
}

/* Shared for deletion, so that it can be renamed while it is open. */
static int open_append(const wchar_t *path)
{
    HANDLE file = CreateFileW(path, FILE_APPEND_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS,
                              FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return -1;
    int fd = _open_osfhandle((intptr_t)file, _O_APPEND | _O_WRONLY | _O_BINARY);
    if (fd < 0)
        CloseHandle(file);
    return fd;
}

DWORD logfile_open(const wchar_t *path)
{
    if (!*path || wcslen(path) + 3 > PATH_CHARS)
        return ERROR_INVALID_NAME;
    int fd = open_append(path);
    if (fd < 0)
        return GetLastError() ? GetLastError() : ERROR_TOO_MANY_OPEN_FILES;
    bool done = take_stderr(fd);
    if (fd != STDERR_FD && fd != _fileno(stderr))
        _close(fd);
    if (done && path != current)
        swprintf(current, PATH_CHARS, L"%ls", path);
    return done ? ERROR_SUCCESS : ERROR_INVALID_HANDLE;
}

void logfile_check(uint64_t limit_bytes)
{
    wchar_t old[PATH_CHARS + 2];
    LARGE_INTEGER size;
    if (!current[0] || !GetFileSizeEx((HANDLE)_get_osfhandle(STDERR_FD), &size)
        || (uint64_t)size.QuadPart < limit_bytes)
        return;
    swprintf(old, PATH_CHARS + 2, L"%ls.1", current);
    if (MoveFileExW(current, old, MOVEFILE_REPLACE_EXISTING))
        logfile_open(current);
}
