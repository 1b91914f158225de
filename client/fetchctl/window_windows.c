/* The console knows. */
#include "window.h"

#include <io.h>
#include <windows.h>

bool window_size(int fd, unsigned *ret_columns, unsigned *ret_rows)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    if (!GetConsoleScreenBufferInfo((HANDLE)_get_osfhandle(fd), &info))
        return false;
    *ret_columns = (unsigned)(info.srWindow.Right - info.srWindow.Left + 1);
    *ret_rows = (unsigned)(info.srWindow.Bottom - info.srWindow.Top + 1);
    return true;
}
