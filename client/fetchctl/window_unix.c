/* The terminal's driver knows. */
#include "window.h"

#include <sys/ioctl.h>

bool window_size(int fd, unsigned *ret_columns, unsigned *ret_rows)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        return false;
    *ret_columns = size.ws_col;
    *ret_rows = size.ws_row;
    return true;
}
