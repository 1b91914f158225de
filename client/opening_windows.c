/* A path is UTF-16, whatever code page the host has. */
#include "opening.h"

#include "wide.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdbool.h>
#include <stdlib.h>
#include <windows.h>

static bool is_folder(const wchar_t *path)
{
    DWORD attributes = GetFileAttributesW(path);
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY);
}

int opening_read(const char *path)
{
    wchar_t *wide = wide_copy(path);
    int fd = wide ? _wopen(wide, _O_RDONLY | _O_BINARY | _O_NOINHERIT) : -1;
    if (fd < 0 && wide && errno == EACCES && is_folder(wide))
        errno = EISDIR;
    free(wide);
    return fd;
}
