/* The table that errors.def expands to. */
#include "error.h"

#include <string.h>

static const struct {
    const char *name, *text;
    int exit_code;
} errors[] = {
    [IPC_ERROR_NONE] = { "", "no error", 0 },
#define ERROR_NAME(CONSTANT, name, exit_code, text) [IPC_ERROR_##CONSTANT] = { name, text, exit_code },
#include "errors.def"
};

const char *ipc_error_name(enum ipc_error_code code)
{
    return errors[code].name;
}

const char *ipc_error_text(enum ipc_error_code code)
{
    return errors[code].text;
}

int ipc_error_exit_code(enum ipc_error_code code)
{
    return errors[code].exit_code;
}

enum ipc_error_code ipc_error_find(const char *name, size_t length)
{
    for (int i = IPC_ERROR_NONE + 1; i < IPC_ERROR_COUNT; i++)
        if (strlen(errors[i].name) == length && memcmp(errors[i].name, name, length) == 0)
            return (enum ipc_error_code)i;
    return IPC_ERROR_INTERNAL;
}
