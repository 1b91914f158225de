#include <errno.h>
#include <unistd.h>
#include <windows.h>

int isatty(int fd)
{
    DWORD mode;
    if (GetConsoleMode((HANDLE)_get_osfhandle(fd), &mode))
        return 1;
    errno = ENOTTY;
    return 0;
}
