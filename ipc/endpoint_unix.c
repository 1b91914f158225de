/* The user's directory for sockets. */
#include "endpoint_platform.h"

#include <stdio.h>

/* A relative one must be ignored, says the XDG specification. */
int ipc_endpoint_of_user(char *ret_address, size_t size)
{
    const char *directory = ipc_endpoint_variable("XDG_RUNTIME_DIR");
    if (!directory || directory[0] != '/')
        return 0;
    int length = snprintf(ret_address, size, "unix:%s/fetchd/fetchd.sock", directory);
    return length < 0 || (size_t)length >= size ? -1 : 1;
}
