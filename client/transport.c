/* Why there is no way. */
#include "transport.h"

#include <stdarg.h>
#include <stdio.h>

int transport_fail(struct transport_failure *failure, enum ipc_error_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->reason, sizeof failure->reason, format, arguments);
    va_end(arguments);
    failure->code = code;
    failure->absent = false;
    return -1;
}
