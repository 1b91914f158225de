/* Errors for the application. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void failure_set(struct failure *failure, enum ipc_error_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    failure->error = (struct fetchd_error){
        .name = ipc_error_name(code), .message = failure->message, .phase = "", .curl_name = "",
        .exit_code = ipc_error_exit_code(code),
    };
    if (!failure->message[0])
        failure->error.message = ipc_error_text(code);
}

void failure_copy(struct failure *failure, const struct fetchd_error *error)
{
    snprintf(failure->name, sizeof failure->name, "%s", error->name);
    snprintf(failure->message, sizeof failure->message, "%s", error->message);
    snprintf(failure->phase, sizeof failure->phase, "%s", error->phase);
    snprintf(failure->curl_name, sizeof failure->curl_name, "%s", error->curl_name);
    failure->error = *error;
    failure->error.name = failure->name;
    failure->error.message = failure->message;
    failure->error.phase = failure->phase;
    failure->error.curl_name = failure->curl_name;
}

const struct fetchd_error *failure_without_client(void)
{
    static const struct fetchd_error error = {
        .name = "out_of_memory", .message = "not enough memory for a client", .phase = "", .curl_name = "",
        .exit_code = 27,
    };
    return &error;
}

int fetchd_error_exit_code(const char *name)
{
    return ipc_error_exit_code(ipc_error_find(name, strlen(name)));
}

const char *fetchd_error_text(const char *name)
{
    return ipc_error_text(ipc_error_find(name, strlen(name)));
}
