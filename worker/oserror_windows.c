/* Winsock's numbers are above 10000, those of <errno.h> below 150. */
#include "oserror.h"

#include <errno.h>
#include <stddef.h>
#include <winsock2.h>

static const struct { int winsock, number; } numbers[] = {
    { WSAECONNREFUSED, ECONNREFUSED },
    { WSAECONNRESET, ECONNRESET },
    { WSAECONNABORTED, ECONNABORTED },
    { WSAESHUTDOWN, EPIPE },
    { WSAENETUNREACH, ENETUNREACH },
    { WSAENETDOWN, ENETDOWN },
    { WSAEADDRNOTAVAIL, EADDRNOTAVAIL },
};

int oserror_number(int os_errno)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].winsock == os_errno)
            return numbers[i].number;
    return os_errno;
}
