/* libcurl's number is errno's. */
#include "oserror.h"

int oserror_number(int os_errno)
{
    return os_errno;
}
