/* Where there is no filter of system calls. */
#include "confine.h"

#include <stdio.h>

int confine_daemon(char *ret_text, size_t size)
{
    snprintf(ret_text, size, "none on this system");
    return 0;
}
