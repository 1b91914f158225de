/* A path is UTF-16, whatever code page the host has. */
#include "opening.h"

#include "wide.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>

int opening_read(const char *path)
{
    wchar_t *wide = wide_copy(path);
    int fd = wide ? _wopen(wide, _O_RDONLY | _O_BINARY | _O_NOINHERIT) : -1;
    free(wide);
    return fd;
}
